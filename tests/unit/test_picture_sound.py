"""Sound that lies beside a picture, or runs on from one file of a clip to the next."""

import itertools
import resource
from fractions import Fraction

import av
import numpy as np
import pytest

from handlers.contract import TransientFailure
from handlers.effects.picture.clip_writer import SegmentWriter
from handlers.effects.picture.footage import open_footage
from handlers.effects.picture.target import choose
from handlers.media.clip import probe_clip
from handlers.media.probe import probe
from tests import opatom
from tests.footage import noise, render

RATE = Fraction(25)


def heard(path):
    """Return each track's samples, on the clock of frame 0 (what is before it is left out)."""
    tracks = []
    with av.open(str(path)) as container:
        count = len(container.streams.audio)
    for place in range(count):
        with av.open(str(path)) as container:
            stream = container.streams.audio[place]
            frames = list(container.decode(stream))
        begin = round(frames[0].pts * frames[0].time_base * 48000)
        values = np.concatenate([frame.to_ndarray()[0] for frame in frames])
        tracks.append((begin, values))
    return tracks


def test_sound_files_beside_an_mxf_become_tracks(tmp_path):
    """Each sample stands where it stood."""
    picture = opatom.picture_file(tmp_path / "C0001V01.MXF", frames=25)
    tones = [opatom.tone(1, hertz) for hertz in (300, 700)]
    files = [
        opatom.sound_file(tmp_path / f"C0001A0{n}.MXF", tone) for n, tone in enumerate(tones, 1)
    ]
    opatom.join(picture, *files)
    (tmp_path / "out").mkdir()
    _, target, made, notes = render(picture, tmp_path / "out", segment=10)
    assert target.format == "dnxhr-hqx"
    assert not notes
    assert str(probe(made).timecode) == "10:00:00:00"
    for (begin, values), tone in zip(heard(made), tones, strict=True):
        assert begin == 0
        assert np.array_equal(values, tone)


def part(path, first, *, frames=20, codec="pcm_s16le"):
    """One part of a clip whose sound counts its own samples."""
    with av.open(str(path), "w") as container:
        picture = container.add_stream("prores_ks", rate=RATE)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv422p10le"
        sound = container.add_stream(codec, rate=48000, layout="mono")
        for number in range(frames):
            container.mux(
                picture.encode(noise("yuv422p10le", np.random.default_rng(first + number)))
            )
            values = (np.arange(1920) + (first + number) * 1920).astype("<i2")[None]
            if codec == "aac":
                values = (values / 65536).astype("<f4")
            kind = "fltp" if codec == "aac" else "s16"
            frame = av.AudioFrame.from_ndarray(values, kind, "mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, number * 1920, Fraction(1, 48000)
            container.mux(sound.encode(frame))
        for stream in (picture, sound):
            container.mux(stream.encode(None))
    return path


def test_sound_of_a_spanned_clip_runs_on(tmp_path):
    """The samples count on over the seam, as the pictures do."""
    parts = [part(tmp_path / f"A001_{n:03d}.mov", n * 20) for n in range(3)]
    (tmp_path / "out").mkdir()
    _, _, made, notes = render(parts[0], tmp_path / "out", members=parts, segment=13)
    assert not notes
    found = probe(made)
    assert (found.video.frames, found.video.rate) == (60, RATE)
    [(begin, values)] = heard(made)
    assert begin == 0
    assert np.array_equal(values, np.arange(60 * 1920).astype("<i2"))


def test_coded_sound_of_a_spanned_clip_overlaps_at_no_seam(tmp_path):
    """Each part's AAC begins a little before its picture."""
    parts = [part(tmp_path / f"A002_{n:03d}.mov", n * 20, codec="aac") for n in range(3)]
    (tmp_path / "out").mkdir()
    _, _, made, notes = render(parts[0], tmp_path / "out", members=parts, segment=30)
    assert not notes
    with av.open(str(made)) as container:
        stream = container.streams.audio[0]
        times = [packet.dts * packet.time_base for packet in container.demux(stream) if packet.size]
    assert all(b > a for a, b in itertools.pairwise(times))
    assert 2.35 < times[-1] - times[0] < 2.45


def recorded(path, first):
    """One part as AVCHD has it: 25 frames, LPCM of Blu-ray that counts its samples."""
    with av.open(str(path), "w", format="mpegts", options={"mpegts_m2ts_mode": "1"}) as container:
        picture = container.add_stream("mpeg2video", rate=RATE)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("pcm_bluray", rate=48000, layout="stereo")
        for number in range(25):
            frame = av.VideoFrame(64, 48, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([100]) * plane.buffer_size)
            frame.pts, frame.time_base = number, 1 / RATE
            container.mux(picture.encode(frame))
            values = np.repeat((first + number) * 1920 + np.arange(1920), 2).astype("<i2")[None]
            frame = av.AudioFrame.from_ndarray(values, "s16", "stereo")
            frame.sample_rate, frame.pts, frame.time_base = 48000, number * 1920, Fraction(1, 48000)
            container.mux(sound.encode(frame))
        for stream in (picture, sound):
            container.mux(stream.encode(None))
    return path


def test_sound_of_a_spanned_clip_is_decoded_in_every_part(tmp_path):
    """What MOV cannot hold is written as PCM to the end, not as the packets that it was."""
    parts = [recorded(tmp_path / f"0000{n + 1}.MTS", n * 25) for n in range(2)]
    (tmp_path / "out").mkdir()
    _, _, made, notes = render(parts[0], tmp_path / "out", members=parts)
    assert len(notes) == 1
    assert "written as PCM" in notes[0]
    [(begin, values)] = heard(made)
    assert abs(begin) <= 1
    assert np.array_equal(values[::2], np.arange(50 * 1920).astype("<i2"))


def test_sound_that_does_not_decode_is_told(tmp_path):
    """One packet of FLAC is damaged: the rest stays where it was."""
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        picture = container.add_stream("prores_ks", rate=RATE)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv422p10le"
        sound = container.add_stream("flac", rate=48000, layout="mono")
        rng = np.random.default_rng(1)
        container.mux(picture.encode(noise("yuv422p10le", rng)))
        for at in range(0, 9216, 4608):
            values = rng.integers(-9000, 9000, (1, 4608)).astype("<i2")
            frame = av.AudioFrame.from_ndarray(values, "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, at, Fraction(1, 48000)
            for packet in sound.encode(frame):
                if at:
                    packet.update(bytes(packet.size))
                container.mux(packet)
        for stream in (picture, sound):
            container.mux(stream.encode(None))
    (tmp_path / "out").mkdir()
    _, _, _, notes = render(path, tmp_path / "out")
    assert any("does not decode and is left out" in note for note in notes), notes


def test_sound_that_a_container_cannot_hold_becomes_pcm_and_is_told(tmp_path):
    """Opus in a MOV."""
    path = tmp_path / "web.mkv"
    with av.open(str(path), "w") as container:
        picture = container.add_stream("libx264", rate=RATE)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("flac", rate=48000, layout="mono")
        for number in range(10):
            frame = noise("yuv420p", np.random.default_rng(number))
            container.mux(picture.encode(frame))
        values = opatom.tone(0.4, 500)
        for at in range(0, len(values), 4608):
            frame = av.AudioFrame.from_ndarray(values[None, at : at + 4608], "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, at, Fraction(1, 48000)
            container.mux(sound.encode(frame))
        for stream in (picture, sound):
            container.mux(stream.encode(None))
    (tmp_path / "out").mkdir()
    _, _, made, notes = render(path, tmp_path / "out")
    assert notes == ["mov cannot hold the sound of web.mkv as it is (flac); it was written as PCM."]
    [(begin, heard_values)] = heard(made)
    assert begin == 0
    assert np.array_equal(heard_values, values)


@pytest.mark.parametrize("wanted", ["hevc-10", "hevc-12"])
def test_hevc_holds_its_bits_and_joins(wanted, tmp_path):
    """Segments of it begin with a picture that needs no other, and follow each other."""
    path = part(tmp_path / "a.mov", 0, frames=6)
    (tmp_path / "out").mkdir()
    _, target, made, _ = render(path, tmp_path / "out", wanted, segment=4)
    found = probe(made)
    assert found.video.pixel_format == f"yuv422p{wanted[-2:]}le"
    assert target.bits == int(wanted[-2:])
    assert b"hvc1" in made.read_bytes()
    with av.open(str(made)) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        assert [packet.pts * packet.time_base for packet in packets] == [n / RATE for n in range(6)]
        assert packets[4].is_keyframe
    with av.open(str(made)) as container:
        assert len(list(container.decode(video=0))) == 6


def test_a_full_disk_is_told_and_nothing_half_stays(tmp_path):
    """Whether it is full at a picture or at the end of a segment."""
    path = part(tmp_path / "a.mov", 0, frames=12)
    source = open_footage(path, probe_clip(path))
    target = choose(source.held, (64, 48), alpha=False, wanted=None)
    segment = tmp_path / "segments" / "0000.mov"
    frames = [(native.frame, native.time) for _, native in source.pictures()]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for room in (2_000, 20_000, 30_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
        try:
            with pytest.raises(TransientFailure, match=r"0000\.mov cannot be written"):
                write_all(segment, frames, source, target)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert not list(segment.parent.iterdir())
    write_all(segment, frames, source, target)
    assert [file.name for file in segment.parent.iterdir()] == ["0000.mov"]
    assert segment.stat().st_size > 30_000
    with pytest.raises(TransientFailure, match="cannot be written"):
        SegmentWriter(path / "0000.mov", source, target)


def write_all(segment, frames, source, target):
    """Write a segment."""
    with SegmentWriter(segment, source, target) as writer:
        for frame, time in frames:
            writer.write(frame, time)
