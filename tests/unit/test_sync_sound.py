"""Sound is read on the clock of frame 0, whole and in spans, and kept as envelopes."""

from fractions import Fraction

import av
import numpy as np
import pytest

from handlers.contract import UnusableMedia
from handlers.sync.envelope import BANDS, envelope
from handlers.sync.sound import RATE, Reader
from tests import dual

SECONDS = 25


@pytest.fixture(scope="module")
def noise():
    """Twenty-five seconds of smooth noise at 16 kHz."""
    return dual.noise(np.random.default_rng(5), SECONDS * 16000, "pink") * 0.1


def whole(path):
    """All of a file's sound."""
    with Reader(path) as reader:
        return np.concatenate(list(reader.blocks()), axis=1)


def lag(one, other):
    """By how many samples the second comes later, by their cross-correlation."""
    size = 2 * max(len(one), len(other))
    both = np.fft.irfft(np.conj(np.fft.rfft(one, size)) * np.fft.rfft(other, size))
    place = int(np.argmax(both))
    return place - size if place > size // 2 else place


@pytest.mark.parametrize(("name", "codec"), [("a.mov", "pcm_s16le"), ("a.mp4", "aac")])
def test_spans_are_parts_of_the_whole(tmp_path, noise, name, codec):
    """Wherever a span is read, forwards or back, it is what the whole holds there."""
    path = dual.write_clip(tmp_path / name, noise, codec=codec)
    complete = whole(path)
    assert abs(complete.shape[1] / RATE - SECONDS) < 0.1
    with Reader(path) as reader:
        for start in (0, 4000, 90_000, 170_000, 30_001):
            span = reader.span(start, 8000)
            assert span.shape == (1, 8000)
            assert abs(lag(complete[0, start : start + 8000], span[0])) <= 1


def test_outside_is_silence(tmp_path, noise):
    """Before the beginning and after the end there is nothing, and it is as long as asked."""
    path = dual.write_wav(tmp_path / "r.wav", noise)
    with Reader(path) as reader:
        assert not reader.span(-8000, 8000).any()
        straddling = reader.span(-4000, 8000)
        assert not straddling[:, :4000].any()
        assert straddling[:, 4000:].any()
        ending = reader.span(SECONDS * RATE - 2000, 8000)
        assert ending.shape == (1, 8000)
        assert not ending[:, 2100:].any()


def test_mp3_is_read_in_order(tmp_path, noise):
    """Time stamps after a seek in an MP3 are estimates, so it is read through."""
    path = tmp_path / "r.mp3"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libmp3lame", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(noise[None].astype(np.float32), "fltp", "mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    complete = whole(path)
    with Reader(path) as reader:
        for start in (150_000, 20_000):
            span = reader.span(start, 8000)
            assert abs(lag(complete[0, start : start + 8000], span[0])) <= 1


def test_streams_become_channels(tmp_path, noise):
    """Sixteen channels in one stream, or three streams of one, are all there, in order."""
    levels = np.arange(1, 17)[:, None] / 16
    path = dual.write_wav(tmp_path / "r.wav", noise[:32000] * levels)
    assert whole(path).std(axis=1) == pytest.approx(whole(path)[15].std() * levels[:, 0], rel=0.02)
    path = dual.write_clip(tmp_path / "a.mov", noise[:32000] * levels[:3], split=True)
    assert whole(path).std(axis=1)[2] == pytest.approx(3 * whole(path).std(axis=1)[0], rel=0.05)


def test_late_sound_keeps_its_place(tmp_path, noise):
    """Sound that begins two seconds after frame 0, and has a gap, stays where its stamps say."""
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height = 32, 32
        sound = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        picture = av.VideoFrame.from_ndarray(np.full((48, 32), 128, np.uint8), "yuv420p")
        for number in range(250):
            picture.pts, picture.time_base = number, Fraction(1, 25)
            container.mux(video.encode(picture))
        container.mux(video.encode())
        for second in (2, 3, 6, 7):
            piece = (noise[None, second * 16000 : (second + 1) * 16000] * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(piece, "s16", "mono")
            frame.sample_rate, frame.pts = 16000, second * 16000
            frame.time_base = Fraction(1, 16000)
            container.mux(sound.encode(frame))
        container.mux(sound.encode())
    (heard,) = whole(path)
    assert not heard[: 2 * RATE - 100].any()
    assert not heard[4 * RATE + 200 : 6 * RATE - 200].any()
    (straight,) = whole(dual.write_wav(tmp_path / "r.wav", noise))
    assert abs(lag(straight[2 * RATE : 4 * RATE], heard[2 * RATE : 4 * RATE])) <= 1
    assert abs(lag(straight[6 * RATE : 8 * RATE], heard[6 * RATE : 8 * RATE])) <= 1


def test_no_sound(tmp_path):
    """A silent camera's clip is refused in a sentence."""
    with pytest.raises(UnusableMedia, match="holds no sound"):
        Reader(dual.write_clip(tmp_path / "a.mov", 1))


def test_damaged_sound_is_silence(tmp_path, noise):
    """Packets that do not decode leave a hole, not an error, and the rest in its place."""
    path = dual.write_clip(tmp_path / "a.mp4", noise, codec="aac")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = np.random.default_rng(1).bytes(3000)
    path.write_bytes(content)
    assert abs(whole(path).shape[1] / RATE - SECONDS) < 0.2


def test_envelope(tmp_path, noise):
    """A tone shows in its band, at its time, at its level."""
    time = np.arange(2 * 16000) / 16000
    tone = 0.5 * np.sin(2 * np.pi * 1100 * time) * (time > 1)
    found = envelope(dual.write_wav(tmp_path / "r.wav", tone))
    assert found.duration == 2
    assert found.levels.shape[:2] == (1, BANDS)
    level = found.levels[0].astype(float) / 2 - 127.5
    assert level[4, 150] == pytest.approx(-9, abs=1)
    assert level[4, 50] < -80
    assert level[7, 150] < -40
