"""Image sequences read as clips: every format, every gap, every header."""

from fractions import Fraction

import numpy as np
import pytest

from handlers.contract import TransientFailure, UnusableMedia
from handlers.media import viewing
from handlers.media.clip import frames_at, is_sequence, open_decoder, probe_clip
from tests.golden.clips import number_of, picture
from tests.images import image, packed, sequence

FILM = Fraction(24000, 1001)


def decoded(path, members, **options):
    """Decode a sequence: its probe, its decoder, and the numbers given and painted."""
    source = probe_clip(path, members, **options)
    decoder = open_decoder(path, source)
    return source, decoder, [(number, number_of(frame)) for number, frame in decoder]


@pytest.mark.parametrize(
    ("ending", "form", "options", "stored", "given"),
    [
        ("dpx", "uint16", {"oiio__BitsPerSample": 10}, "gbrp10le", "rgb48le"),
        ("dpx", "uint16", {"oiio__BitsPerSample": 12}, "gbrp12le", "rgb48le"),
        ("dpx", "uint8", {}, "rgb24", "rgb24"),
        ("exr", "half", {}, "gbrpf32le", "rgb48le"),
        ("exr", "float", {}, "gbrpf32le", "rgb48le"),
        ("tif", "uint16", {}, "rgb48le", "rgb48le"),
        ("tiff", "float", {}, "gbrpf32le", "rgb48le"),
        ("png", "uint8", {}, "rgb24", "rgb24"),
        ("png", "uint16", {}, "rgb48le", "rgb48le"),
        ("jpg", "uint8", {}, "rgb24", "rgb24"),
        ("tga", "uint8", {}, "rgb24", "rgb24"),
    ],
)
def test_every_image_format(tmp_path, ending, form, options, stored, given):
    """Each frame has its number, its picture, its time; the facts say what is stored."""
    path, members = sequence(tmp_path, ending, form=form, **options)
    if form != "uint8":
        members = tuple(image(each, scaled(number, form), form, **options)
                        for number, each in enumerate(members))  # fmt: skip
    source, decoder, seen = decoded(path, members)
    assert seen == [(number, number) for number in range(12)]
    assert (source.video.frames, source.video.rate) == (12, Fraction(24))
    assert (source.video.width, source.video.height) == (128, 64)
    assert source.video.pixel_format == stored
    assert (decoder.decoded, decoder.error_count, decoder.vfr) == (12, 0, False)
    assert list(decoder.times) == [number / 24 for number in range(12)]
    assert (decoder.origin, source.duration, source.files) == (0, Fraction(1, 2), members)
    (frame,) = frames_at(path, source, [7])
    assert (frame.format.name, number_of(frame)) == (given, 7)


def scaled(number, form):
    """A numbered picture in a format's own range."""
    pixels = picture(number)
    if form == "uint16":
        return pixels.astype(np.uint16) * 257
    return ((pixels / 255.0) ** 2.2).astype(np.float32)


def test_a_header_tells_rate_timecode_and_reel(tmp_path):
    """What an EXR's standard attributes say is what the clip has."""
    path, members = sequence(
        tmp_path, "exr", form="half", rate=(24000, 1001), reelName="A001R1AB",
        timecode=lambda n: packed(13, 25, 10, 5 + n), PixelAspectRatio=2.0,
    )  # fmt: skip
    source = probe_clip(path, members)
    assert (source.video.rate, str(source.timecode)) == (FILM, "13:25:10:05")
    assert (source.reel, source.video.pixel_aspect) == ("A001R1AB", 2)
    assert source.notes == (
        "shot_####.exr holds scene-linear light and is shown as sRGB with soft highlights.",
    )
    assert source.facts().start_timecode == "13:25:10:05"


def test_dpx_drop_frame(tmp_path):
    """The flag in the SMPTE word makes the count drop-frame, where the rate has one."""
    path, members = sequence(
        tmp_path, "dpx", rate=(30000, 1001), frames=3,
        timecode=lambda n: packed(1, 0, 59, 27 + n, drop=True),
    )  # fmt: skip
    source = probe_clip(path, members)
    assert (str(source.timecode), source.video.rate) == ("01:00:59;27", Fraction(30000, 1001))
    assert source.drop_frame
    assert not source.notes


def test_each_number_twice_at_a_fast_rate(tmp_path):
    """Above thirty a second the header's numbers stand for two pictures each."""
    path, members = sequence(
        tmp_path, "dpx", rate=(48, 1), frames=9, timecode=lambda n: packed(10, 0, 0, 4 + n // 2)
    )
    source = probe_clip(path, members)
    assert (str(source.timecode), source.notes) == ("10:00:00:08", ())


def test_a_timecode_that_jumps_is_told(tmp_path):
    """First and last image must agree on what lies between."""
    path, members = sequence(
        tmp_path, "dpx", rate=(25, 1), timecode=lambda n: packed(10, 0, n // 6, n)
    )
    (said,) = probe_clip(path, members).notes
    assert said == (
        "The timecode jumps: shot_1001.dpx says 10:00:00:00 and shot_1012.dpx says 10:00:01:11, "
        "11 frames later; the first one counts."
    )


@pytest.mark.parametrize("word", [packed(10, 0, 0, 29), 0xFFFFFFFF, 0x0A0F0000, 0x29000000])
def test_a_timecode_that_cannot_be(tmp_path, word):
    """A word that is no timecode at this rate is not used, and that is said."""
    path, members = sequence(tmp_path, "exr", form="half", rate=(24, 1), timecode=lambda _: word)
    source = probe_clip(path, members)
    assert str(source.timecode) == "00:00:41:17"
    assert "its number 1001 was taken as 00:00:41:17." in source.notes[-1]


def test_without_rate_and_timecode(tmp_path):
    """A parameter gives the rate and the number the timecode; both are said."""
    path, members = sequence(tmp_path, "png", first=86400)
    source = probe_clip(path, members, default_rate=Fraction(25))
    assert (source.video.rate, str(source.timecode)) == (Fraction(25), "00:57:36:00")
    assert source.notes == (
        "shot_####.png states no frame rate; 25 frames a second were taken.",
        "shot_86400.png has no timecode; its number 86400 was taken as 00:57:36:00.",
    )
    path, members = sequence(tmp_path, "dpx", rate=(7, 1))
    assert "an unusual frame rate, 7 a second" in probe_clip(path, members).notes[0]


def test_missing_images_keep_the_others_in_place(tmp_path):
    """A lost frame is told by its own number; the next one keeps its own."""
    path, members = sequence(tmp_path, "dpx")
    kept = tuple(each for n, each in enumerate(members) if n not in {3, 6, 7, 8})
    source, decoder, seen = decoded(path, kept)
    assert seen == [(n, n) for n in (0, 1, 2, 4, 5, 9, 10, 11)]
    assert [error.frame for error in decoder.errors] == [3, 6, 7, 8]
    assert decoder.errors[0].message == "not decoded (there is no image of this number)"
    assert (source.video.frames, decoder.decoded, decoder.error_count) == (12, 8, 4)
    assert "shot_####.dpx lacks 4 of 12 frames: 1004, 1007 to 1009." in source.notes
    assert [number_of(frame) for frame in frames_at(path, source, [3, 8])] == [4, 9]


def test_damaged_images_are_lost_frames(tmp_path):
    """Cut short, empty, of another size, no image, gone: each costs its own frame, with why."""
    path, members = sequence(tmp_path, "dpx")
    source = probe_clip(path, members)
    members[1].write_bytes(members[1].read_bytes()[:5000])
    members[2].write_bytes(b"")
    image(members[4], picture(4, 64, 32))
    members[5].write_bytes(b"no image at all" * 900)
    members[11].unlink()
    decoder = open_decoder(path, source)
    seen = [number_of(frame) for _, frame in decoder]
    assert seen == [0, 3, 6, 7, 8, 9, 10]
    told = {error.frame: error.message for error in decoder.errors}
    assert sorted(told) == [1, 2, 4, 5, 11]
    assert "5,000 of" in told[1]
    assert "it is empty" in told[2]
    assert "it is 64 x 32 and the sequence is 128 x 64" in told[4]
    assert "its image is gone" in told[11]


@pytest.mark.parametrize(("ending", "form"), [("exr", "half"), ("tif", "uint8"), ("png", "uint8"),
                                              ("jpg", "uint8")])  # fmt: skip
def test_half_an_image(tmp_path, ending, form):
    """Of an image that was cut short no half picture is shown."""
    path, members = sequence(tmp_path, ending, form=form, frames=3)
    source = probe_clip(path, members)
    data = members[1].read_bytes()
    members[1].write_bytes(data[: len(data) // 2])
    decoder = open_decoder(path, source)
    assert [number for number, _ in decoder] == [0, 2]
    assert [error.frame for error in decoder.errors] == [1]


def test_the_first_image_may_be_damaged(tmp_path):
    """Frame 0 is lost then, and the others keep their numbers."""
    path, members = sequence(tmp_path, "png")
    members[0].write_bytes(b"\x89PNG rubbish")
    _, decoder, seen = decoded(path, members)
    assert [n for n, _ in seen] == list(range(1, 12))
    assert decoder.errors[0].frame == 0


def test_stopping_half_way(tmp_path):
    """Whoever looks at two frames waits for no others."""
    path, members = sequence(tmp_path, "png", frames=40)
    frames = iter(open_decoder(path, probe_clip(path, members)))
    assert [next(frames)[0], next(frames)[0]] == [0, 1]
    frames.close()


def test_frames_past_the_end(tmp_path):
    """Where no later image decodes there is none."""
    path, members = sequence(tmp_path, "png", frames=3)
    source = probe_clip(path, members)
    members[2].write_bytes(b"")
    assert list(frames_at(path, source, [2])) == [None]


def test_photographs_are_no_sequence(tmp_path):
    """Numbers far apart are single pictures, which a sentence says."""
    members = [image(tmp_path / f"IMG_{n:04d}.jpg", picture(1)) for n in (12, 345, 346, 900)]
    with pytest.raises(UnusableMedia, match=r"IMG_####\.jpg: 4 images between the numbers 12"):
        probe_clip(tmp_path / "IMG_####.jpg", members)


def test_what_is_no_image(tmp_path):
    """Neither text with an image's ending, nor nothing, is a sequence."""
    text = tmp_path / "shot_0001.exr"
    text.write_text("not an image, at any length " * 40)
    with pytest.raises(UnusableMedia, match=r"shot_####\.exr cannot be read as images"):
        probe_clip(tmp_path / "shot_####.exr", [text])
    with pytest.raises(UnusableMedia, match="holds no numbered image"):
        probe_clip(tmp_path / "shot_####.exr", [])
    with pytest.raises(TransientFailure, match="look at the storage"):
        probe_clip(tmp_path / "shot_####.exr", [tmp_path / "shot_0002.exr"])


def test_an_image_that_promises_too_much(tmp_path):
    """A header with a size that no camera has costs no memory."""
    path = image(tmp_path / "shot_0001.exr", np.zeros((2, 2, 3), np.float32), "half",
                 window=(0, 0, 200_000, 200_000))  # fmt: skip
    with pytest.raises(UnusableMedia, match="200000 x 200000, which nothing here can hold"):
        probe_clip(tmp_path / "shot_####.exr", [path])


@pytest.mark.parametrize(
    ("window", "corner"), [((2, 1, 8, 4), (2, 1)), ((-2, -1, 6, 4), (0, 0)), ((9, 9, 4, 4), None)]
)
def test_display_window(tmp_path, window, corner):
    """The picture is the display window; overscan is cut off, what is not there is black."""
    path = image(tmp_path / "s_01.exr", np.ones((2, 4, 3), np.float32), "half", window=window)
    source = probe_clip(tmp_path / "s_##.exr", [path])
    (_, frame), *_ = open_decoder(tmp_path / "s_##.exr", source)
    shown = frame.to_ndarray()
    assert shown.shape[:2] == (window[3], window[2])
    if corner is None:
        assert not shown.any()
    else:
        assert shown[corner[1], corner[0]].all()


@pytest.mark.parametrize("names", [("B", "G", "R", "A"), ("Y",), ("red", "green", "blue"), ("Z",)])
def test_channels(tmp_path, names):
    """Red, green, blue are found by name; anything else is shown as grey."""
    import OpenImageIO

    spec = OpenImageIO.ImageSpec(2, 2, len(names), "half")
    spec.channelnames = names
    path = tmp_path / "s_01.exr"
    output = OpenImageIO.ImageOutput.create(str(path))
    assert output.open(str(path), spec)
    values = {"R": 0.5, "red": 0.5}
    assert output.write_image(
        np.full((2, 2, len(names)), [values.get(n, 0.1) for n in names], np.float32)
    )
    output.close()
    source = probe_clip(tmp_path / "s_##.exr", [path])
    (_, frame), *_ = open_decoder(tmp_path / "s_##.exr", source)
    red, green, blue = frame.to_ndarray()[0, 0].tolist()
    assert green == blue
    assert (red > green) is (len(names) > 1)


def test_orientation(tmp_path):
    """A picture that a camera held upright comes upright."""
    path = image(tmp_path / "s_01.tif", picture(1), Orientation=6)
    assert probe_clip(tmp_path / "s_##.tif", [path]).video.rotation == 270


def test_light_as_a_screen_shows_it():
    """Middle grey is sRGB's, highlights roll off, broken values stay inside."""
    values = np.array([0, 0.18, 0.6, 1, 4, 60000, np.inf, -np.inf, np.nan, -3], np.float16)
    shown = viewing.display(np.repeat(values[None, :, None], 3, axis=2))[0, :, 0] / 65535
    assert shown[1] == pytest.approx(0.4613, abs=0.001)
    assert shown[2] == pytest.approx(0.7977, abs=0.001)
    assert shown[2] < shown[3] < shown[4] <= shown[5] == 1
    assert (shown[6], shown[7], shown[8], shown[9], shown[0]) == (1, 0, 0, 0, 0)


def test_primaries():
    """ACES light becomes what Rec. 709 has; neutral stays neutral."""
    assert viewing.space_of(None) == viewing.space_of((0.64, 0.33)) == "Linear Rec.709 (sRGB)"
    aces = viewing.space_of((0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767))
    assert aces == "ACEScg"
    grey = np.full((1, 1, 3), 0.18, np.float16)
    red = np.array([[[0.4, 0.1, 0.1]]], np.float16)
    assert np.ptp(viewing.display(grey, aces).astype(int)) < 100
    assert viewing.display(red, aces)[0, 0, 0] > viewing.display(red)[0, 0, 0]


def test_which_name_is_a_sequence(tmp_path):
    """A real file may have the sign in its name."""
    (tmp_path / "take #1.mov").write_bytes(b"")
    assert not is_sequence(tmp_path / "take #1.mov")
    assert is_sequence(tmp_path / "shot_####.dpx")
