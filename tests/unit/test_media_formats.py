"""Every format, rate and size of the trade, on real codecs."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from handlers.contract import AssetKind, UnusableMedia, Verdict
from handlers.media import boxes, check
from handlers.media.clip import frames_at, open_decoder, probe_clip
from handlers.media.picture import upright
from handlers.media.probe import probe
from tests.golden.clips import clip, number_of, picture
from tests.unit.test_media_harvest import ixml, recording

RATES = ["24000/1001", "24", "25", "30000/1001", "30", "48000/1001", "48", "50", "60000/1001", "60"]
CODECS = {
    "h264.mov": {},
    "h264.mp4": {},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "log-level=none:bframes=2"}},
    "hevc10.mov": {
        "codec": "libx265",
        "pix_fmt": "yuv420p10le",
        "options": {"x265-params": "log-level=none"},
    },
    "prores.mov": {"codec": "prores_ks", "pix_fmt": "yuv422p10le"},
    "prores4444.mov": {
        "codec": "prores_ks",
        "pix_fmt": "yuv444p10le",
        "options": {"profile": "4444"},
    },
    "dnxhr.mxf": {
        "codec": "dnxhd",
        "pix_fmt": "yuv422p",
        "options": {"profile": "dnxhr_sq"},
        "size": (256, 128),
    },
    "dnxhr.mov": {
        "codec": "dnxhd",
        "pix_fmt": "yuv422p10le",
        "options": {"profile": "dnxhr_hqx"},
        "size": (256, 128),
    },
    "mpeg2.mxf": {"codec": "mpeg2video"},
    "mjpeg.mov": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "ffv1.mkv": {"codec": "ffv1", "pix_fmt": "yuv422p10le"},
    "v210.mov": {"codec": "v210", "pix_fmt": "yuv422p10le"},
}


@pytest.mark.parametrize("name", CODECS)
def test_every_codec(tmp_path, name):
    """Each frame of each codec comes with its own number, in order and at random."""
    path = clip(tmp_path / name, frames=24, **CODECS[name])
    source = probe_clip(path)
    decoder = open_decoder(path, source)
    assert [(number, number_of(frame)) for number, frame in decoder] == [(n, n) for n in range(24)]
    assert decoder.error_count == 0
    assert [number_of(frame) for frame in frames_at(path, source, [3, 17])] == [3, 17]
    assert check.check(path, AssetKind.CLIP).verdict is Verdict.WHOLE


@pytest.mark.parametrize(
    ("rate", "drop"),
    [*((rate, False) for rate in RATES), ("30000/1001", True), ("60000/1001", True)],
)
def test_every_rate(tmp_path, rate, drop):
    """Rate and start timecode are exact, drop-frame where there is such a count."""
    rate = Fraction(rate)
    text = "13:25:10;05" if drop else "13:25:10:05"
    source = probe(clip(tmp_path / "A001.mov", rate=rate, timecode=text, frames=6))
    assert (source.video.rate, str(source.timecode), source.drop_frame) == (rate, text, drop)
    assert str(source.timecode + round(rate)) == text.replace(":10", ":11", 1)
    assert source.notes == ()


@pytest.mark.parametrize("form", ["mxf", "mxf_opatom"])
def test_timecode_in_mxf(tmp_path, form):
    """One file of everything, and one of the picture alone as Avid keeps it."""
    path = tmp_path / "A001.mxf"
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream("dnxhd", rate=25, options={"profile": "dnxhr_sq"})
        stream.width, stream.height, stream.pix_fmt = 256, 128, "yuv422p"
        container.metadata["timecode"] = "10:20:30:12"
        container.metadata["reel_name"] = "A001"
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(picture(number, 256, 128), "rgb24")
            frame = frame.reformat(format="yuv422p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    source = probe(path)
    assert (str(source.timecode), source.video.frames) == ("10:20:30:12", 10)
    decoder = open_decoder(path, source)
    assert [number_of(frame) for _, frame in decoder] == list(range(10))
    assert check.check(path, AssetKind.CLIP).verdict is Verdict.WHOLE


@pytest.mark.parametrize("size", [(1, 1), (1, 64), (3, 5), (127, 63), (12288, 16), (12288, 6480)])
def test_every_size(tmp_path, size):
    """From one pixel to 12K: read, looked at small, and whole."""
    path = tmp_path / "odd.mov"
    with av.open(str(path), "w") as container:
        codec = "mjpeg" if size[1] > 1000 else "png"
        stream = container.add_stream(codec, rate=24)
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "rgb24"
        frame = av.VideoFrame(size[0], size[1], stream.pix_fmt)
        for plane in frame.planes:
            plane.update(bytes([128]) * plane.buffer_size)
        frame.pts, frame.time_base = 0, Fraction(1, 24)
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    source = probe(path)
    assert (source.video.width, source.video.height) == size
    ((number, decoded),) = open_decoder(path, source)
    small = upright(decoded, source.video, 90)
    assert number == 0
    assert min(small.width, small.height) >= 2
    assert check.check(path, AssetKind.CLIP).verdict is Verdict.WHOLE


@pytest.mark.parametrize("name", ["one.mov", "one.mp4", "one.mkv", "one.mxf"])
def test_one_frame(tmp_path, name):
    """A clip of a single frame is a clip."""
    codec = "mpeg2video" if name.endswith("mxf") else "libx264"
    path = clip(tmp_path / name, frames=1, codec=codec)
    source = probe(path)
    assert source.video.rate == 25
    decoder = open_decoder(path, source)
    assert [number for number, _ in decoder] == [0]
    assert (decoder.decoded, decoder.error_count) == (1, 0)
    assert check.check(path, AssetKind.CLIP).verdict is Verdict.WHOLE


def sounding(path, layout, *tracks, frames=5):
    """A clip whose tracks of sound, int16 [channels, samples] at 48 kHz, have that layout."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        streams = [container.add_stream("pcm_s16le", rate=48000, layout=layout) for _ in tracks]
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(number, 64, 64), "rgb24")
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        for stream, track in zip(streams, tracks, strict=True):
            packed = np.ascontiguousarray(track.T).reshape(1, -1)
            sound = av.AudioFrame.from_ndarray(packed, "s16", layout)
            sound.sample_rate, sound.pts, sound.time_base = 48000, 0, Fraction(1, 48000)
            container.mux(stream.encode(sound))
            container.mux(stream.encode())
    return path


def sixteen(path, streams, samples=9600):
    """Sixteen channels as one track or as sixteen, each louder than the one before."""
    levels = np.repeat(np.arange(1, 17, dtype=np.int16)[:, None] * 1000, samples, axis=1)
    if streams == 1:
        return sounding(path, "hexadecagonal", levels)
    return sounding(path, "mono", *levels[:, None])


@pytest.mark.parametrize("streams", [1, 16])
def test_sixteen_channels(tmp_path, streams):
    """As one track of sixteen or sixteen tracks of one: all are counted and heard."""
    path = sixteen(tmp_path / "many.mov", streams)
    source = probe(path)
    assert source.facts().channels == 16
    heard = {}

    def hear(index, frame):
        heard[index] = heard.get(index, 0) + frame.samples * len(frame.layout.channels)

    list(open_decoder(path, source, on_audio=hear))
    assert (len(heard), sum(heard.values())) == (streams, 9600 * 16)


def two_entries(path, first, second):
    """A clip of ten frames at 25 whose timecode track has two entries, in frames since midnight."""
    clip(path, timecode="10:00:00:00", frames=10)
    data = bytearray(path.read_bytes())
    begin = data.rindex(b"tmcd\0\0\0\0\0\0\0\1")
    for name, offset, value in (
        (b"stts", 12, 2), (b"stsc", 16, 2), (b"stsz", 12, 2), (b"stco", 12, len(data) + 8),
    ):  # fmt: skip
        place = data.index(name, begin) + offset
        data[place : place + 4] = struct.pack(">I", value)
    path.write_bytes(data + struct.pack(">I4sii", 16, b"free", first, second))
    return path


def jumping(path):
    """A clip with a second entry in its timecode track that does not follow the first."""
    return two_entries(path, 36000 * 25, 39600 * 25)


def test_a_timecode_that_jumps_in_the_clip(tmp_path):
    """It is told with both values, and the first entry counts."""
    source = probe(jumping(tmp_path / "A001.mov"))
    assert str(source.timecode) == "10:00:00:00"
    assert source.notes == (
        (
            "A001.mov: its timecode jumps within the clip, 11:00:00:00 stands where 10:00:00:10 is "
            "due; it was counted on from the first frame."
        ),
    )


def test_entries_that_follow_each_other_are_no_jump(tmp_path):
    """Entries that say how long they last may follow each other without a break."""
    path = two_entries(tmp_path / "A001.mov", 36000 * 25, 36000 * 25 + 10)
    timecode = next(each for each in boxes.tracks(path) if each.timecode).timecode
    assert timecode.lengths[0][1] == 10
    assert probe(path).notes == ()


def twofold(path):
    """A clip whose two tracks begin at different timecodes."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("mpeg4", rate=25) for _ in range(2)]
        for stream, hour in zip(streams, ("01", "02"), strict=True):
            stream.metadata["timecode"] = f"{hour}:00:00:00"
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for stream in streams:
            frame = av.VideoFrame.from_ndarray(picture(0, 64, 64), "rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
            container.mux(stream.encode())
    return path


def test_tracks_that_begin_at_different_timecodes(tmp_path):
    """Two timecodes in one file: the first counts, and both are told."""
    path = twofold(tmp_path / "A001.mov")
    source = probe(path)
    assert str(source.timecode) == "01:00:00:00"
    (said,) = source.notes
    assert said == (
        "A001.mov contradicts itself: its timecode is 01:00:00:00 and 02:00:00:00; "
        "the first one counts."
    )


def test_recordings_have_timecode_and_tape(tmp_path):
    """A recorder's file has a start timecode, a tape, and what contradicts itself."""
    start = 48000 * 3600 * 10
    path = recording(tmp_path / "T01.wav", start, ixml=ixml("25/1", reference=start))
    source = probe(path)
    assert (str(source.timecode), source.reel, source.notes) == ("10:00:00:00", "S001", ())
    assert source.facts().start_timecode == "10:00:00:00"
    path = recording(tmp_path / "T02.wav", start, ixml=ixml("25/1", reference=5))
    assert "contradicts itself: its bext chunk" in probe(path).notes[0]


def test_sound_longer_than_the_picture(tmp_path):
    """Sound goes on after the last picture: frames stay what they are, and it is whole."""
    path = sounding(tmp_path / "long.mov", "mono", np.zeros((1, 96000), np.int16))
    source = probe(path)
    assert (source.video.frames, source.duration) == (5, 2)
    assert [number for number, _ in open_decoder(path, source)] == list(range(5))
    assert check.check(path, AssetKind.CLIP).verdict is Verdict.WHOLE


def test_what_holds_no_picture(tmp_path):
    """Sound alone is no clip, which a sentence says."""
    path = recording(tmp_path / "T01.wav")
    with pytest.raises(UnusableMedia, match=r"T01\.wav holds sound but no picture; drop a clip"):
        open_decoder(path, probe(path))


def test_matroska_says_timecode_in_capitals(tmp_path):
    """The tag of a track or file counts however its name is written."""
    path = clip(tmp_path / "a.mov", timecode="10:20:30:04")
    with av.open(str(path)) as source, av.open(str(tmp_path / "a.mkv"), "w") as made:
        made.metadata["TIMECODE"] = "10:20:30:04"
        stream = made.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                made.mux(packet)
    assert str(probe(tmp_path / "a.mkv").timecode) == "10:20:30:04"
