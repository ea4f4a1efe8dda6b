"""Image sequences: windows, channels, headers, numbers and gaps; between clips and images."""

from fractions import Fraction

import av
import numpy as np
import OpenImageIO
import pytest

from handlers.contract import UnusableMedia
from handlers.effects.effect import Picture
from handlers.effects.picture.footage import open_footage
from handlers.effects.picture.native import to_picture
from handlers.effects.picture.target import choose
from handlers.media.clip import probe_clip
from tests.footage import clip, image, noise, raw, render, samples
from tests.images import packed

RNG = np.random.default_rng(12)


def linear(channels=3, size=(48, 64)):
    """Half floats as a render has them, below 0 and far above 1."""
    return RNG.normal(0.4, 2, (*size, channels)).astype(np.float16)


def test_a_timecode_word_a_reel_and_a_makers_attributes_stay_in_exr(tmp_path):
    """Each image keeps its own header, also where an effect changed its pixels."""
    files = [
        image(
            tmp_path / f"B001.{1001 + n:07d}.exr",
            linear(),
            "half",
            smpte__TimeCode=("timecode", (packed(10, 0, 0, n, drop=True), 7)),
            FramesPerSecond=("rational", (30000, 1001)),
            reelName="B001",
            chromaticities=(
                "float[8]",
                (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767),
            ),
            com__example__lens="50mm",
            compression="piz",
            PixelAspectRatio=2.0,
        )
        for n in range(3)
    ]
    source, target, made, notes = render(
        tmp_path / "B001.#######.exr",
        tmp_path / "out",
        members=files,
        effect=lambda picture, _: Picture(picture.rgb * np.float32(2)),
    )
    assert target.format == "exr-half"
    assert not notes
    assert source.footage.space == "ACEScg"
    assert source.footage.scene_linear
    assert [path.name for path in made] == [path.name for path in files]
    for number, (own, new) in enumerate(zip(files, made, strict=True)):
        (before, _), (after, spec) = raw(own), raw(new)
        assert np.array_equal(after, before * np.float16(2))
        assert spec.getattribute("smpte:TimeCode") == (packed(10, 0, 0, number, drop=True), 7)
        assert spec.getattribute("FramesPerSecond") == (30000, 1001)
        assert spec.get_string_attribute("reelName") == "B001"
        assert spec.get_string_attribute("com.example.lens") == "50mm" or any(
            each.value == "50mm" for each in spec.extra_attribs
        )
        assert spec.get_string_attribute("compression") == "piz"
        assert spec.get_float_attribute("PixelAspectRatio") == 2
    # FFmpeg's own reader of EXR sees the same values.
    with av.open(str(made[0])) as container:
        frame = next(container.decode(video=0))
    green = np.frombuffer(frame.planes[0], frame_type(frame)).reshape(48, -1)[:, :64]
    assert np.array_equal(green.astype("f4"), raw(made[0])[0][..., 1].astype("f4"))


def frame_type(frame):
    """The type of a float frame's samples."""
    return "<f2" if "f16" in frame.format.name else "<f4"


def test_more_channels_than_colour_stay_as_they_are(tmp_path):
    """A depth of 32 bits beside colours of 16, and alpha."""
    names = ("R", "G", "B", "A", "Z", "id.x")
    values = RNG.normal(0.5, 1, (48, 64, 6)).astype("f4")
    values[..., :4] = values[..., :4].astype(np.float16)
    values[..., 3] = 1
    spec = OpenImageIO.ImageSpec(64, 48, 6, "float")
    spec.channelnames = names
    half, whole = OpenImageIO.TypeDesc("half"), OpenImageIO.TypeDesc("float")
    spec.channelformats = (half, half, half, half, whole, whole)
    path = tmp_path / "cg.0001.exr"
    output = OpenImageIO.ImageOutput.create(str(path))
    assert output.open(str(path), spec), output.geterror()
    assert output.write_image(values)
    output.close()

    def darker(picture, _):
        return Picture(picture.rgb * np.float32(0.5), picture.alpha)

    _, _, [made], _ = render(
        tmp_path / "cg.####.exr", tmp_path / "out", members=[path], effect=darker
    )
    opened = OpenImageIO.ImageInput.open(str(made))
    new = opened.spec()
    read = opened.read_image("float")
    opened.close()
    assert new.channelnames == names
    assert [str(each) for each in new.channelformats] == ["half"] * 4 + ["float"] * 2
    assert np.array_equal(read[..., 3:], values[..., 3:])
    assert np.array_equal(read[..., :3], (values[..., :3] * 0.5).astype(np.float16).astype("f4"))


@pytest.mark.parametrize("grows", [False, True])
def test_a_data_window_stays_and_grows_where_an_effect_reaches_beyond(grows, tmp_path):
    """Overscan is worked on, too; what lies outside the data is black to effects."""
    values = linear()
    path = image(tmp_path / "w.0001.exr", values, "half", window=(-8, 4), display=(0, 0, 80, 60))

    def effect(picture, _):
        rgb = picture.rgb.copy()
        if grows:
            rgb[-1, -1] = 3
        return Picture(rgb)

    source, _, [made], _ = render(
        tmp_path / "w.####.exr", tmp_path / "out", members=[path], effect=effect
    )
    assert (source.footage.width, source.footage.height) == (88, 60)
    read, spec = raw(made)
    assert (spec.full_x, spec.full_y, spec.full_width, spec.full_height) == (0, 0, 80, 60)
    if not grows:
        assert (spec.x, spec.y, spec.width, spec.height) == (-8, 4, 64, 48)
        assert read.tobytes() == values.tobytes()
    else:
        assert (spec.x, spec.y, spec.width, spec.height) == (-8, 0, 88, 60)
        assert read[4:52, :64].tobytes() == values.tobytes()
        assert (read[-1, -1] == 3).all()


def test_an_image_in_the_middle_with_more_overscan_is_worked_on_whole(tmp_path):
    """Of all images the largest window counts, and each one's data go through the effect."""
    windows = [((0, 0), (48, 64)), ((-8, -4), (60, 90)), ((0, 0), (48, 64))]
    files = [
        image(
            tmp_path / f"o.{n:04d}.exr",
            np.full((*size, 3), 0.25, np.float16),
            "half",
            window=at,
            display=(0, 0, 64, 48),
        )
        for n, (at, size) in enumerate(windows)
    ]
    source, _, made, _ = render(
        tmp_path / "o.####.exr",
        tmp_path / "out",
        members=files,
        effect=lambda picture, _: Picture(picture.rgb * np.float32(2)),
    )
    assert source.canvas == (-8, -4, 90, 60)
    slate = image(tmp_path / "o.0003.exr", linear(3, (200, 200)), "half")
    again = probe_clip(tmp_path / "o.####.exr", [*files, slate])
    assert open_footage(tmp_path / "o.####.exr", again).canvas == source.canvas
    for path, (at, size) in zip(made, windows, strict=True):
        values, spec = raw(path)
        assert ((spec.x, spec.y), values.shape[:2]) == (at, size)
        assert (values == 0.5).all()


def aov(path, kind="float"):
    """A render with depth in float, or numbers in integers, beside colours in half."""
    values = RNG.normal(0.5, 1, (48, 64, 4))
    values[..., :3] = values[..., :3].astype(np.float16)
    spec = OpenImageIO.ImageSpec(64, 48, 4, "float")
    spec.channelnames = ("R", "G", "B", "Z")
    half, other = OpenImageIO.TypeDesc("half"), OpenImageIO.TypeDesc(kind)
    spec.channelformats = (half, half, half, other)
    output = OpenImageIO.ImageOutput.create(str(path))
    assert output.open(str(path), spec), output.geterror()
    assert output.write_image(values)
    output.close()


def precisely(path):
    """An image's samples in double, the names and the types of its channels."""
    opened = OpenImageIO.ImageInput.open(str(path))
    spec, values = opened.spec(), opened.read_image("double")
    opened.close()
    kinds = spec.channelformats or [spec.format] * spec.nchannels
    return values, spec.channelnames, [str(each) for each in kinds]


@pytest.mark.parametrize("kind", ["float", "uint"])
@pytest.mark.parametrize("wanted", ["exr-half", "exr-float"])
def test_further_channels_stay_where_an_effect_adds_alpha(wanted, kind, tmp_path):
    """Depth keeps its own bits, whatever colours are stored in."""
    aov(tmp_path / "cg.0001.exr", kind)
    full = np.ones((48, 64), np.float32)
    _, _, [made], notes = render(
        tmp_path / "cg.####.exr",
        tmp_path / "out",
        wanted,
        members=[tmp_path / "cg.0001.exr"],
        effect=lambda picture, _: Picture(picture.rgb, full),
        alpha=True,
    )
    values, names, kinds = precisely(made)
    assert names == ("R", "G", "B", "A", "Z")
    assert kinds == [wanted.removeprefix("exr-")] * 4 + [kind]
    assert np.array_equal(values[..., [0, 1, 2, 4]], precisely(tmp_path / "cg.0001.exr")[0])
    assert not any("does not hold" in note for note in notes)


def test_further_channels_that_cannot_stay_are_told(tmp_path):
    """A picture twice as large has no depth of its own; PNG has no place for a fifth channel."""
    aov(tmp_path / "cg.0001.exr")
    source = open_footage(
        tmp_path / "cg.####.exr",
        probe_clip(tmp_path / "cg.####.exr", [tmp_path / "cg.0001.exr"]),
    )
    larger = choose(source.held, (128, 96), alpha=False, wanted=None)
    assert larger.notes == (
        "exr-float does not hold these channels of cg.####.exr in another size: Z.",
    )
    names = ("R", "G", "B", "A", "extra")
    path = image(tmp_path / "t.0001.tif", np.zeros((48, 64, 5), np.uint8), "uint8", names=names)
    _, _, [made], notes = render(tmp_path / "t.####.tif", tmp_path / "png", "png-8", members=[path])
    assert any("png-8 does not hold these channels" in note for note in notes)
    assert raw(made)[1].nchannels == 4


def test_colours_under_alpha_are_given_straight_and_stored_multiplied(tmp_path):
    """EXR's are premultiplied; light without cover stays light."""
    values = np.zeros((4, 4, 4), "f4")
    values[0] = 0.2, 0.1, 0.05, 0.5
    values[1] = 0.7, 0.7, 0.7, 0.0
    path = image(tmp_path / "a.0001.exr", values, "float")
    source = open_footage(tmp_path / "a.####.exr", probe_clip(tmp_path / "a.####.exr", [path]))
    [(_, native)] = source.pictures()
    picture = to_picture(native)
    assert np.allclose(picture.rgb[0], (0.4, 0.2, 0.1))
    assert np.allclose(picture.rgb[1], 0.7)

    def half_cover(picture, _):
        return Picture(picture.rgb, picture.alpha * np.float32(0.5))

    _, _, [made], _ = render(
        tmp_path / "a.####.exr", tmp_path / "out", members=[path], effect=half_cover
    )
    read, _ = raw(made)
    assert np.allclose(read[0], (0.1, 0.05, 0.025, 0.25))
    assert np.array_equal(read[1:], values[1:])


@pytest.mark.parametrize("wanted", ["tiff-16", "png-16", "dpx-16", "exr-float"])
def test_straight_colours_stay_what_they_are_in_other_formats(wanted, tmp_path):
    """Only EXR is premultiplied."""
    values = RNG.integers(0, 256, (48, 64, 4)).astype(np.uint8)
    path = image(tmp_path / "p.0001.png", values, "uint8", oiio__UnassociatedAlpha=1)
    _, _, [made], _ = render(tmp_path / "p.####.png", tmp_path / "out", wanted, members=[path])
    read, spec = raw(made)
    own = values / 255
    if wanted == "exr-float":
        own[..., :3] *= np.where(own[..., 3:] == 0, 1, own[..., 3:])
        assert np.abs(read - own).max() < 1e-6
        assert spec.get_int_attribute("oiio:UnassociatedAlpha") == 0
    else:
        assert np.array_equal(read, values.astype(np.uint16) * 257)


def test_a_gap_stays_a_gap_and_is_named(tmp_path):
    """A missing image and a broken one; the others keep their numbers."""
    files = [
        image(tmp_path / f"g_{n:05d}.dpx", np.full((48, 64, 3), n * 64, np.uint16), "uint16",
              oiio__BitsPerSample=10)
        for n in (86, 87, 89, 90, 91)
    ]  # fmt: skip
    files[3].write_bytes(files[3].read_bytes()[:2000])
    source, _, made, _ = render(tmp_path / "g_#####.dpx", tmp_path / "out", members=files)
    assert [path.name for path in made] == [
        "g_00086.dpx",
        "g_00087.dpx",
        "g_00089.dpx",
        "g_00091.dpx",
    ]
    assert [error.frame for error in source.errors] == [2, 4]
    assert "there is no image of this number" in source.errors[0].message


@pytest.mark.parametrize("packing", ["Filled, method A", "Filled, method B"])
@pytest.mark.parametrize("width", [63, 64, 65])
def test_ten_bits_of_alpha_in_dpx_are_right_to_the_last_of_a_line(packing, width, tmp_path):
    """FFmpeg finds the codes that were drawn, in what was written of what was read."""
    codes = RNG.integers(0, 1024, (48, width, 4)).astype(np.uint16)
    path = image(tmp_path / "x.0001.dpx", codes << 6 | codes >> 4, "uint16",
                 oiio__BitsPerSample=10, dpx__Packing=packing)  # fmt: skip
    _, _, [made], _ = render(tmp_path / "x.####.dpx", tmp_path / "out", members=[path])
    with av.open(str(made)) as container:
        frame = next(container.decode(video=0)).reformat(format="gbrap10le", threads=1)
    planes = [np.frombuffer(p, "<u2").reshape(48, -1)[:, :width] for p in frame.planes]
    assert np.array_equal(np.stack([planes[i] for i in (2, 0, 1, 3)], -1), codes)


@pytest.mark.parametrize(
    ("wanted", "bits"), [("dpx-10", 10), ("dpx-12", 12), ("tiff-16", 16), ("png-16", 16)]
)
def test_a_clip_becomes_images_of_its_own_codes(wanted, bits, tmp_path):
    """RGB of 10 bits is in each format what it was, scaled; the numbers are those of timecode."""
    frames = [noise("gbrp10le", RNG) for _ in range(2)]
    path = clip(tmp_path / "a.mkv", "gbrp10le", frames, rate=Fraction(25))
    _, _, made, notes = render(path, tmp_path / "out", wanted)
    assert [file.stem for file in made] == ["a.0000001", "a.0000002"]
    assert not notes
    own = [np.frombuffer(plane, "<u2").reshape(48, 64) for plane in samples(path)[0]]
    read, _ = raw(made[0])
    codes = read >> (16 - bits)
    wanted_codes = np.stack([own[2], own[0], own[1]], -1) * (((1 << bits) - 1) / 1023)
    assert np.abs(codes - wanted_codes).max() <= 0.5


def test_a_clips_timecode_and_reel_go_into_images(tmp_path):
    """As SMPTE's word in DPX and EXR; the numbers in the names count the same frames."""
    path = tmp_path / "A001.mov"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("prores_ks", rate=Fraction(30000, 1001))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv422p10le"
        stream.metadata.update(timecode="00:59:59;28", reel_name="R7")
        for _ in range(4):
            container.mux(stream.encode(noise("yuv422p10le", RNG)))
        container.mux(stream.encode(None))
    for wanted in ("dpx-10", "exr-half"):
        _, _, made, _ = render(path, tmp_path / wanted, wanted)
        again = probe_clip(made[0].with_name(f"A001.######{made[0].suffix}"), made)
        assert str(again.timecode) == "00:59:59;28"
        assert again.reel == "R7"
        assert again.video.rate == Fraction(30000, 1001)
        words = [raw(file)[1].getattribute("smpte:TimeCode")[0] for file in made]
        assert words[2] == packed(1, 0, 0, 0, drop=True)
        assert made[0].name.startswith("A001.107890")


def test_images_become_a_clip_with_their_timecode(tmp_path):
    """A scan as ProRes 4444, at its rate; for the image that is missing the one before is held."""
    files = [
        image(tmp_path / f"s.{n:04d}.dpx", np.full((144, 256, 3), 512 * 64, np.uint16), "uint16",
              oiio__BitsPerSample=10, smpte__TimeCode=("timecode", (packed(1, 2, 3, n), 0)),
              dpx__FrameRate=24.0)
        for n in (0, 1, 3)
    ]  # fmt: skip
    source, target, made, notes = render(
        tmp_path / "s.####.dpx", tmp_path / "out", "prores-4444", members=files
    )
    found = probe_clip(made)
    assert str(found.timecode) == "01:02:03:00"
    assert (found.video.rate, found.video.frames, found.video.vfr) == (24, 4, False)
    assert [error.frame for error in source.errors] == [2]
    assert found.video.colour.matrix == "bt709"
    assert not notes
    luma = np.frombuffer(samples(made, "yuv444p10le")[0][0], "<u2")
    assert abs(luma.mean() - (64 + 876 * 512 / 1023)) < 1
    assert target.coding.full is False


def test_what_images_hold_and_a_format_does_not_is_refused_or_told(tmp_path):
    """Light beyond 0..1 is never cut off, and fewer bits are told."""
    light = image(tmp_path / "l.0001.exr", linear(), "half")
    for wanted in ("prores-4444", "dpx-16", "ffv1", "tiff-16"):
        with pytest.raises(UnusableMedia, match=r"l\.####\.exr holds float values.*exr-half"):
            render(tmp_path / "l.####.exr", tmp_path / "out", wanted, members=[light])
    deep = image(tmp_path / "d.0001.tif", np.zeros((48, 64, 3), np.uint16), "uint16")
    _, _, _, notes = render(tmp_path / "d.####.tif", tmp_path / "out", "dpx-10", members=[deep])
    assert notes == ["d.####.tif has 16 bits and dpx-10 holds 10."]


def test_lossy_compression_of_an_exr_is_not_taken_over(tmp_path):
    """What the effect left alone would not stay the same."""
    path = image(tmp_path / "c.0001.exr", linear(), "half", compression="dwaa")
    source, _, [made], _ = render(tmp_path / "c.####.exr", tmp_path / "out", members=[path])
    assert source.notes == ["c.####.exr is compressed with loss (dwaa); what is written is not."]
    assert raw(made)[1].get_string_attribute("compression") == "zip"
    assert raw(made)[0].tobytes() == raw(path)[0].tobytes()


def test_further_parts_of_an_exr_are_told(tmp_path):
    """Only the first is worked on."""
    spec = OpenImageIO.ImageSpec(64, 48, 3, "half")
    depth = OpenImageIO.ImageSpec(64, 48, 1, "float")
    spec.attribute("name", "beauty")
    depth.attribute("name", "depth")
    path = tmp_path / "m.0001.exr"
    output = OpenImageIO.ImageOutput.create(str(path))
    assert output.open(str(path), (spec, depth)), output.geterror()
    assert output.write_image(linear())
    assert output.open(str(path), depth, "AppendSubimage"), output.geterror()
    assert output.write_image(np.ones((48, 64, 1), "f4"))
    output.close()
    source, _, [made], _ = render(tmp_path / "m.####.exr", tmp_path / "out", members=[path])
    assert source.notes == ["m.####.exr has 2 parts in each image; only the first is kept."]
    assert raw(made)[0].tobytes() == raw(path)[0].tobytes()
