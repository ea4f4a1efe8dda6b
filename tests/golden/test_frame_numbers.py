"""Frame numbers burnt into the pictures: what is decoded, and what the proxy shows."""

from fractions import Fraction

import av
import numpy as np
import pytest

from handlers.edit.onepass import decode_once
from handlers.media.decode import Decoder, frames_at
from handlers.media.probe import probe
from handlers.media.proxy import ProxySettings, ProxyWriter
from handlers.media.timecode import Timecode
from tests.golden.clips import OneShot, clip, corrupted, interlaced, number_of, numbers, trimmed

NTSC = Fraction(24000, 1001)
FILM = {"rate": NTSC, "timecode": "13:25:10:05", "audio": "stereo"}
PRORES = {"codec": "prores_ks", "pix_fmt": "yuv422p10le"}
SOURCES = {
    "b-frames.mov": FILM,
    "b-frames.mp4": {"rate": Fraction(30000, 1001), "audio": "stereo"},
    "late-start.mp4": {"rate": NTSC, "start": 7, "audio": "mono"},
    "prores.mov": PRORES | {"rate": Fraction(25), "audio": "5.1"},
    "long-gop.mxf": {"codec": "mpeg2video", "rate": Fraction(25), "timecode": "10:00:00:00"},
    "stream.ts": {"rate": Fraction(50), "audio": "stereo"},
    "matroska.mkv": {"rate": Fraction(60000, 1001), "audio": "stereo"},
    "silent.mov": {"rate": Fraction(24)},
}


def make_proxy(source, path, **settings):
    """Decode a clip once into a proxy; returns what the source is, and the decoder."""
    found = probe(source)
    start = found.timecode or Timecode(frames=0, rate=found.video.rate)
    writer = ProxyWriter(path, found, found.video, start, ProxySettings(**settings))
    detector = OneShot()
    made = decode_once(source, found, detector, writer, lambda _: None)
    assert detector.count == made.frames == writer.frames
    return found, made.decoder


@pytest.mark.parametrize("name", SOURCES)
def test_every_frame_has_its_number(tmp_path, name):
    """Decoding gives frame n for the picture that was written n-th."""
    source = clip(tmp_path / name, **SOURCES[name])
    decoder = Decoder(source, probe(source).video)
    assert [(number, number_of(frame)) for number, frame in decoder] == [
        (number, number) for number in range(48)
    ]
    assert not decoder.error_count


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("preset", ["ultrafast", "medium"])
def test_the_proxy_shows_the_same_frames(tmp_path, name, preset):
    """Proxy and source agree picture by picture, with B-frames and AAC priming on either side."""
    source = clip(tmp_path / name, **SOURCES[name])
    found, _ = make_proxy(source, tmp_path / "proxy.mov", preset=preset)
    assert numbers(tmp_path / "proxy.mov") == numbers(source) == list(range(48))
    made = probe(tmp_path / "proxy.mov")
    assert made.video.rate == found.video.rate
    assert made.video.frames == 48
    assert (made.video.pixel_format, made.video.codec) == ("yuv420p", "h264")
    assert str(made.timecode) == str(found.timecode or "00:00:00:00")
    assert [each.channels for each in made.audio] == [each.channels for each in found.audio]


@pytest.mark.parametrize("first", [1, 5, 24, 30])
def test_edit_lists_are_obeyed(tmp_path, first):
    """A clip that is presented from its n-th frame on is numbered from there, proxy included."""
    whole = clip(tmp_path / "whole.mov", rate=Fraction(25), audio=None)
    source = trimmed(whole, tmp_path / "trimmed.mov", first)
    presented = list(range(first, 48))
    assert numbers(source) == presented
    found, decoder = make_proxy(source, tmp_path / "proxy.mov")
    assert found.video.frames == decoder.decoded == len(presented)
    assert not decoder.error_count
    assert numbers(tmp_path / "proxy.mov") == presented


@pytest.mark.parametrize("lost", [[5], [0, 1], [20, 21, 22], [47]])
def test_lost_frames_leave_the_others_in_place(tmp_path, lost):
    """Where pictures are damaged, every later one keeps its number; the proxy repeats one."""
    whole = clip(tmp_path / "whole.mov", codec="prores_ks", pix_fmt="yuv422p10le")
    source = corrupted(whole, tmp_path / "damaged.mov", lost)
    _, decoder = make_proxy(source, tmp_path / "proxy.mov")
    assert [error.frame for error in decoder.errors] == lost
    assert decoder.decoded == 48 - len(lost)
    shown = numbers(tmp_path / "proxy.mov")
    assert len(shown) == 48
    assert [number for number in range(48) if shown[number] != number] == lost


def test_damaged_long_gop_keeps_its_numbers(tmp_path):
    """In H.264 one bad picture takes others with it; those that decode are where they were."""
    whole = clip(tmp_path / "whole.mov", rate=NTSC)
    source = corrupted(whole, tmp_path / "damaged.mov", [0])
    decoder = Decoder(source, probe(source).video)
    assert [(n, number_of(frame)) for n, frame in decoder] == [(n, n) for n in range(24, 48)]
    assert [error.frame for error in decoder.errors] == list(range(24))


@pytest.mark.parametrize("name", SOURCES)
def test_single_frames_are_found(tmp_path, name):
    """Seeking gives the very frame that was asked for."""
    source = clip(tmp_path / name, **SOURCES[name])
    wanted = [0, 1, 2, 23, 24, 30, 47]
    found = [number_of(frame) for frame in frames_at(source, probe(source), wanted)]
    assert found == wanted


def test_variable_rate_keeps_every_frame_and_its_time(tmp_path):
    """Pictures of a variable rate are counted; the proxy shows each at its own time."""
    times = [10 * n + (4 if n % 3 else 0) + (25 if n > 20 else 0) for n in range(48)]
    source = clip(tmp_path / "phone.mp4", times=times, options={"preset": "ultrafast", "bf": "0"})
    found, decoder = make_proxy(source, tmp_path / "proxy.mov")
    assert found.video.vfr
    assert decoder.vfr
    assert decoder.decoded == 48
    assert list(decoder.times) == pytest.approx([time / 250 for time in times], abs=1e-4)
    assert numbers(tmp_path / "proxy.mov") == list(range(48))
    with av.open(str(tmp_path / "proxy.mov")) as container:
        shown = [frame.time for frame in container.decode(video=0)]
    assert shown == pytest.approx([time / 250 for time in times], abs=1e-3)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_proxy_is_upright(tmp_path, rotation):
    """A clip that is shown turned becomes a proxy that needs no turning."""
    source = clip(tmp_path / "turned.mp4", rotation=rotation)
    make_proxy(source, tmp_path / "proxy.mov")
    made = probe(tmp_path / "proxy.mov").video
    assert made.rotation == 0
    with av.open(str(source)) as container:
        stored = next(container.decode(video=0)).to_ndarray(format="gray")
    with av.open(str(tmp_path / "proxy.mov")) as container:
        upright = next(container.decode(video=0)).to_ndarray(format="gray")
    expected = np.rot90(stored, rotation // 90)
    assert upright.shape == expected.shape
    assert np.abs(upright.astype(int) - expected).mean() < 4


def sound(path):
    """First channel of a file's sound at 48 kHz, float32."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("fltp", "mono", 48000)
        frames = [piece for f in container.decode(audio=0) for piece in resampler.resample(f)]
        return np.concatenate([frame.to_ndarray()[0] for frame in frames])


@pytest.mark.parametrize("name", ["b-frames.mov", "stream.ts", "prores.mov"])
def test_sound_stays_where_it_was(tmp_path, name):
    """Clicks lie at the same sample of proxy and picture, priming cut off."""
    source = clip(tmp_path / name, **SOURCES[name])
    make_proxy(source, tmp_path / "proxy.mov")
    heard = sound(tmp_path / "proxy.mov")
    second = np.abs(heard[12000:36000])
    assert abs(int(second.argmax()) + 12000 - 24000) <= 48


def test_sizes_that_encoders_dislike(tmp_path):
    """One pixel, odd sides and oblong pixels become even, square-pixelled pictures."""
    tiny = clip(tmp_path / "tiny.mov", codec="png", pix_fmt="rgb24", size=(8, 2))
    make_proxy(tiny, tmp_path / "tiny-proxy.mov")
    assert len(numbers(tmp_path / "tiny-proxy.mov")) == 48
    wide = clip(tmp_path / "wide.mov", aspect=Fraction(2))
    make_proxy(wide, tmp_path / "wide-proxy.mov", height=32)
    made = probe(tmp_path / "wide-proxy.mov").video
    assert (made.width, made.height, made.pixel_aspect) == (128, 32, 1)
    assert numbers(tmp_path / "wide-proxy.mov") == list(range(48))


@pytest.mark.parametrize(
    ("layout", "rate", "codec"),
    [
        ("5.1(side)", 48000, "aac"),
        ("7.1", 48000, "aac"),
        ("12 channels", 48000, "pcm_s24le"),
        ("stereo", 44100, "aac"),
        ("mono", 47952, "aac"),
    ],
)
def test_every_kind_of_sound(tmp_path, layout, rate, codec):
    """Layouts and sampling rates that AAC lacks still land, all channels and all seconds."""
    source = tmp_path / "sound.mov"
    with av.open(str(source), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 128, 64, "yuv420p"
        sound_stream = container.add_stream("pcm_s16le", rate=rate, layout=layout)
        for number in range(25):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 128, 3), np.uint8), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame.reformat(format="yuv420p")))
        container.mux(video.encode())
        channels = sound_stream.channels
        samples = np.zeros((1, rate * channels), np.int16)
        frame = av.AudioFrame.from_ndarray(samples, "s16", layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        container.mux([*sound_stream.encode(frame), *sound_stream.encode()])
    make_proxy(source, tmp_path / "proxy.mov")
    (made,) = probe(tmp_path / "proxy.mov").audio
    assert (made.codec, made.channels) == (codec, channels)
    assert len(sound(tmp_path / "proxy.mov")) == pytest.approx(48000, abs=2048)


def test_late_and_broken_sound_stays_in_place(tmp_path):
    """Sound that starts late, or has a hole, is filled with silence, not pulled together."""
    source = tmp_path / "late.mkv"
    with av.open(str(source), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 128, 64, "yuv420p"
        heard = container.add_stream("pcm_s16le", rate=48000, layout="mono")
        for number in range(75):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 128, 3), np.uint8), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame.reformat(format="yuv420p")))
        container.mux(video.encode())
        for start in (24000, 96000):
            click = np.zeros((1, 4800), np.int16)
            click[0, 0] = 30000
            frame = av.AudioFrame.from_ndarray(click, "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
            container.mux(heard.encode(frame))
        container.mux(heard.encode())
    make_proxy(source, tmp_path / "proxy.mov")
    made = np.abs(sound(tmp_path / "proxy.mov"))
    assert int(made[:48000].argmax()) == pytest.approx(24000, abs=60)
    assert int(made[48000:].argmax()) + 48000 == pytest.approx(96000, abs=60)


def test_fields_are_joined_frame_for_frame(tmp_path):
    """An interlaced clip gives a progressive proxy of as many frames, at the same speed."""
    source = interlaced(tmp_path / "fields.mov")
    found, _ = make_proxy(source, tmp_path / "proxy.mov")
    made = probe(tmp_path / "proxy.mov")
    assert (made.video.interlaced, made.video.frames) == (False, 12)
    assert (made.video.rate, made.duration) == (found.video.rate, Fraction(12, 25))
    assert numbers(tmp_path / "proxy.mov") == list(range(12))


def test_full_range_and_rgb_become_video_levels(tmp_path):
    """White and black keep their level in a limited-range proxy."""
    for name, codec, pix_fmt in (
        ("full.mov", "mjpeg", "yuvj420p"),
        ("rgb.mov", "png", "rgb24"),
    ):
        source = clip(tmp_path / name, codec=codec, pix_fmt=pix_fmt, frames=8)
        make_proxy(source, tmp_path / "proxy.mov")
        assert numbers(tmp_path / "proxy.mov") == list(range(8))
        before, after = (mean_levels(path) for path in (source, tmp_path / "proxy.mov"))
        assert np.abs(before - after).max() < 4


def mean_levels(path):
    """Mean RGB of each frame."""
    with av.open(str(path)) as container:
        return np.array(
            [f.to_ndarray(format="rgb24").mean(axis=(0, 1)) for f in container.decode(video=0)]
        )
