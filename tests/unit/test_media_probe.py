"""What a probe reads from files of many kinds."""

import os
import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from handlers.contract import MediaFacts, UnusableMedia
from handlers.media import boxes, mhl
from handlers.media.decode import Decoder, Grid
from handlers.media.picture import display_size
from handlers.media.probe import probe
from handlers.media.source import NotMedia, open_media, shown
from tests.golden.clips import clip, interlaced
from tests.unit.test_edit_outputs import video

NTSC = Fraction(30000, 1001)


def test_facts_of_a_camera_clip(tmp_path):
    """Rate, count, timecode, reel, sound and colour of a 10-bit ProRes clip."""
    source = clip(tmp_path / "A001.mov", codec="prores_ks", pix_fmt="yuv422p10le",
                  rate=Fraction(24000, 1001), timecode="13:25:10:05", reel="A001R2",
                  audio="5.1")  # fmt: skip
    found = probe(source)
    assert (found.video.rate, found.video.frames) == (Fraction(24000, 1001), 48)
    assert (found.video.width, found.video.height) == (128, 64)
    assert (found.video.pixel_format, found.video.codec) == ("yuv422p10le", "prores")
    assert (found.video.interlaced, found.video.vfr, found.video.rotation) == (False, False, 0)
    assert (str(found.timecode), found.reel, found.drop_frame) == ("13:25:10:05", "A001R2", False)
    (sound,) = found.audio
    assert (sound.rate, sound.channels, sound.layout, sound.codec) == (
        48000, 6, "5.1", "pcm_s24le",
    )  # fmt: skip
    facts = found.facts()
    assert (facts.frames, facts.channels, facts.reel) == (48, 6, "A001R2")
    assert facts.start_timecode == "13:25:10:05"
    assert facts.colour == "unknown/unknown/unknown/tv"
    assert MediaFacts.from_json(facts.to_json()) == facts


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("drop.mov", {"rate": NTSC, "timecode": "01:00:59;28"}),
        ("drop60.mov", {"rate": Fraction(60000, 1001), "timecode": "01:00:59;58"}),
        ("non-drop.mov", {"rate": NTSC, "timecode": "01:01:00:00"}),
        ("film.mov", {"rate": Fraction(48), "timecode": "23:59:59:47"}),
        ("pal.mxf", {"codec": "mpeg2video", "timecode": "10:20:30:12"}),
        ("ntsc.mxf", {"codec": "mpeg2video", "rate": NTSC, "timecode": "10:20:30;12"}),
    ],
)
def test_start_timecode(tmp_path, name, options):
    """Timecode tracks of MOV, and those in MXF headers, drop-frame and not."""
    found = probe(clip(tmp_path / name, **options))
    assert str(found.timecode) == options["timecode"]
    assert found.drop_frame is (";" in options["timecode"])


def edit_tmcd(path, *, flags=None, nominal=None, scale=None, duration=None, number=None):
    """Change a MOV's timecode track in place."""
    data = bytearray(path.read_bytes())
    # The second one is the sample description; the first is the track reference.
    place = data.rindex(b"tmcd\0\0\0\0\0\0\0\1")
    for offset, value in ((16, flags), (20, scale), (24, duration)):
        if value is not None:
            data[place + offset : place + offset + 4] = struct.pack(">I", value)
    if nominal is not None:
        data[place + 28] = nominal
    if number is not None:
        track = next(each for each in boxes.tracks(path) if each.timecode)
        data[int(track.offsets[0]) : int(track.offsets[0]) + 4] = struct.pack(">i", number)
    path.write_bytes(data)


def test_timecode_at_half_the_picture_rate(tmp_path):
    """Sixty pictures a second may carry thirty numbers: the moment stays the same."""
    source = clip(tmp_path / "fast.mov", rate=Fraction(50), timecode="10:00:00:00")
    edit_tmcd(source, scale=25, duration=1, nominal=25, number=36000 * 25 + 12)
    assert str(probe(source).timecode) == "10:00:00:24"


def test_timecode_with_an_impossible_flag(tmp_path):
    """With the drop flag at 25 FFmpeg gives no timecode; the number in the track stands."""
    source = clip(tmp_path / "odd.mov", rate=Fraction(25), timecode="10:00:00:05")
    edit_tmcd(source, flags=1)
    with av.open(str(source)) as container:
        tags = [stream.metadata.get("timecode") for stream in container.streams]
    assert tags == [None, None]
    assert str(probe(source).timecode) == "10:00:00:05"


def test_no_timecode(tmp_path):
    """Where there is none, none is made up."""
    found = probe(clip(tmp_path / "plain.mp4"))
    assert (found.timecode, found.reel, found.drop_frame) == (None, None, False)
    assert found.facts().start_timecode is None


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_rotation(tmp_path, rotation):
    """The display matrix of a phone clip, in degrees counter-clockwise."""
    assert probe(clip(tmp_path / "phone.mp4", rotation=rotation)).video.rotation == rotation


def test_variable_rate(tmp_path):
    """Uneven times are variable; even ones are not, however a container rounds them."""
    times = [10 * n + (5 if n > 20 else 0) + (4 if n % 5 == 0 else 0) for n in range(48)]
    assert probe(clip(tmp_path / "phone.mp4", times=times)).video.vfr
    assert probe(clip(tmp_path / "phone.mkv", times=times)).video.vfr
    for name in ("even.mp4", "even.mkv", "even.ts", "even.avi"):
        codec = "mpeg4" if name.endswith("avi") else "libx264"
        assert not probe(clip(tmp_path / name, rate=NTSC, codec=codec)).video.vfr


def test_a_rate_written_with_rounding(tmp_path):
    """23.98 means 24000/1001; pictures keep their count over many seconds."""
    source = clip(tmp_path / "rounded.mov", rate=Fraction(2398, 100), frames=2000,
                  options={"preset": "ultrafast", "bf": "0"})  # fmt: skip
    found = probe(source).video
    assert (found.rate, found.vfr) == (Fraction(24000, 1001), False)
    decoder = Decoder(source, found)
    assert [number for number, _ in decoder] == list(range(2000))
    assert not decoder.error_count


def test_unusual_rates_are_kept(tmp_path):
    """A rate that is no standard one is told as it is."""
    assert probe(clip(tmp_path / "slow.mov", rate=Fraction(15))).video.rate == 15


def test_interlaced(tmp_path):
    """Fields are seen as such."""
    assert probe(interlaced(tmp_path / "fields.mov")).video.interlaced
    assert not probe(clip(tmp_path / "frames.mov")).video.interlaced


def test_colour(tmp_path):
    """Colour is told in FFmpeg's names."""
    path = tmp_path / "hdr.mov"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace = 9, 16, 9
        context.color_range = 1
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
        container.mux([*stream.encode(frame), *stream.encode()])
    assert str(probe(path).video.colour) == "bt2020/smpte2084/bt2020nc/tv"


def test_colour_that_the_container_alone_says(tmp_path):
    """ProRes of FFmpeg's may leave colours open in its frames, which the MOV around them names."""
    path = tmp_path / "prores.mov"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("prores_ks", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv422p10le"
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace = 9, 18, 9
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
        container.mux([*stream.encode(frame.reformat(format="yuv422p10le")), *stream.encode()])
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).color_primaries == 2
    assert str(probe(path).video.colour) == "bt2020/arib_std_b67/bt2020nc/tv"


def test_one_frame(tmp_path):
    """A clip of one frame is a clip."""
    assert probe(clip(tmp_path / "one.mov", frames=1)).video.frames == 1


@pytest.mark.parametrize(
    ("changes", "height", "expected"),
    [
        ({}, 540, (960, 540)),
        ({"rotation": 90}, 540, (304, 540)),
        ({"pixel_aspect": Fraction(2)}, 540, (1920, 540)),
        ({"width": 1, "height": 1}, 540, (2, 2)),
        ({"width": 1919, "height": 1079}, 2160, (1920, 1080)),
        ({"width": 720, "height": 576, "pixel_aspect": Fraction(64, 45)}, 576, (1024, 576)),
    ],
)
def test_display_size(changes, height, expected):
    """Square pixels, upright, even sides, never larger than the source."""
    assert display_size(video(**changes), height) == expected


def test_refusals(tmp_path):
    """What cannot be used is refused in one sentence that starts with its name."""
    path = tmp_path / "A001.mov"
    path.write_bytes(os.urandom(2000))
    with pytest.raises(UnusableMedia, match=r"^A001\.mov "):
        probe(path)
    path.write_bytes(b"1\n00:00:01,000 --> 00:00:02,000\nHello\n\n" * 20)
    with pytest.raises(UnusableMedia, match=r"^A001\.mov .*; (put|copy)"):
        probe(path)


def test_playlists_open_nothing_else(tmp_path):
    """A playlist under a clip's name makes no connection and reads no other file."""
    path = tmp_path / "A001.mov"
    target = clip(tmp_path / "other.ts")
    path.write_text(f"#EXTM3U\n#EXTINF:2,\n{target.name}\n#EXT-X-ENDLIST\n")
    with pytest.raises((av.error.FFmpegError, NotMedia)):
        open_media(path)


def test_names_are_shown_in_one_line():
    """Line breaks and bytes that are no UTF-8 become replacement characters."""
    assert shown(os.fsdecode(b"a\nb\xff.mov")) == "a\ufffdb\ufffd.mov"
    assert shown("café.mov") == "café.mov"


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0, 1, 2, 5, 6], [0, 1, 2, 5, 6]),
        ([0, 1, 1.1, 2], [0, 1, 2, 3]),
        ([0, 1, 9000, 9001], [0, 1, 2, 3]),
        ([0, 1, -500, -499], [0, 1, 2, 3]),
        ([None, None, 2], [0, 1, 2]),
    ],
)
def test_grid(times, expected):
    """Gaps leave numbers out; a clock that jumps is no gap."""
    grid = Grid(Fraction(25), None)
    seconds = [None if time is None else Fraction(time) / 25 for time in times]
    assert [grid.take(each) for each in seconds] == expected


def test_grid_ends_with_the_file():
    """No gap reaches past what the file promises."""
    grid = Grid(Fraction(25), 4)
    assert [grid.take(Fraction(time, 25)) for time in (0, 1, 50, 51)] == [0, 1, 2, 3]


@pytest.mark.parametrize("algorithm", ["xxh128", "xxh3", "xxh64", "md5", "sha1", "c4"])
def test_digests(tmp_path, algorithm):
    """Each algorithm that manifests use is computed in the one read."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"take one" * 1000)
    told = []
    made = mhl.digests(path, algorithm, told.append)
    assert {"xxh3", "xxh64", algorithm} == set(made)
    assert told == [1.0]
