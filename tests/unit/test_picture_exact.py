"""Pictures through fxd and back: what no effect touched is the same bit for bit."""

import av
import numpy as np
import pytest

from handlers.effects.effect import Picture
from handlers.effects.picture.footage import open_footage
from handlers.effects.picture.layout import PLANAR, planar
from handlers.effects.picture.native import merged, to_picture
from handlers.effects.picture.target import choose
from handlers.media.clip import probe_clip
from handlers.media.scaling import Scaler
from tests.footage import clip, image, noise, plain, raw, render, samples, untouched

LOSSLESS = [
    "yuv420p", "yuv422p", "yuv444p", "yuv411p", "yuv440p", "yuvj420p", "yuv420p9le",
    "yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv420p12le", "yuv422p12le", "yuv444p12le",
    "yuv420p14le", "yuv420p16le", "yuv422p16le", "yuv444p16le", "yuva420p", "yuva422p10le",
    "yuva444p10le", "yuva444p12le", "yuva444p16le", "bgr0", "bgra", "gbrp10le", "gbrp12le",
    "gbrp14le", "gbrp16le", "gbrap10le", "gbrap12le", "gbrap16le", "gray", "gray10le", "gray16le",
]  # fmt: skip


@pytest.mark.parametrize("name", LOSSLESS)
def test_a_clip_that_no_effect_changed_is_the_same_bit_for_bit(name, tmp_path):
    """Every code that a pixel format has survives the way to float RGB and back."""
    rng = np.random.default_rng(3)
    frames = [noise(name, rng) for _ in range(3)]
    path = clip(
        tmp_path / "a.mkv", name.replace("yuvj", "yuv"), frames, color_range=1 + ("j" in name)
    )
    _, target, made, _ = render(path, tmp_path / "out")
    own = samples(path)
    assert target.format == "ffv1"
    assert len(own) == 3
    assert samples(made) == own


def test_a_picture_that_is_handed_back_is_copied(tmp_path):
    """Where an effect returns what it was given, nothing is computed."""
    path = clip(tmp_path / "a.mkv", "yuv422p10le", [noise("yuv422p10le", np.random.default_rng(2))])
    _, _, made, _ = render(path, tmp_path / "out", effect=lambda picture, _: picture)
    assert samples(made) == samples(path)


@pytest.mark.parametrize("name", ["nv12", "uyvy422", "yuyv422", "rgb24", "rgba"])
def test_packed_and_semiplanar_clips_stay_the_same(name, tmp_path):
    """What FFV1 stores as planes holds the same bits."""
    rng = np.random.default_rng(4)
    frames = [noise(name, rng) for _ in range(2)]
    path = clip(tmp_path / "a.nut", name, frames, codec="rawvideo")
    _, target, made, _ = render(path, tmp_path / "out")
    assert target.format == "ffv1"
    assert samples(made, name) == samples(path)


@pytest.mark.parametrize("name", sorted(set(PLANAR) - {"ya8"}))
def test_what_is_not_planar_becomes_planar_without_a_bit_changed(name):
    """Of these pairs swscale only moves the bits."""
    frame = noise(name, np.random.default_rng(5))
    convert = Scaler()
    there = convert(frame, format=PLANAR[name])
    back = convert(convert(there, format=name), format=PLANAR[name])
    assert plain(there) == plain(back)


@pytest.mark.parametrize("size", [(720, 576), (720, 405)])
def test_a_conversion_is_the_same_each_time(size):
    """In several threads swscale writes a line of such a picture's chroma wrong."""
    frame = noise("yuv420p10le", np.random.default_rng(5), size)
    packed = Scaler()(frame, format="p010le")
    assert all(plain(planar(packed, Scaler())) == plain(frame) for _ in range(20))


@pytest.mark.parametrize("odd", [(63, 49), (1, 1), (2, 3), (33, 2)])
@pytest.mark.parametrize("name", ["yuv420p", "yuv422p10le", "yuv411p", "yuv420p16le", "gbrp"])
def test_odd_sizes_stay_the_same(name, odd, tmp_path):
    """Chroma at a border that is half a sample wide comes back as it was, too."""
    frame = noise(name, np.random.default_rng(6), odd)
    path = clip(tmp_path / "a.nut", name, [frame], codec="rawvideo")
    source = open_footage(path, probe_clip(path))
    target = choose(source.held, odd, alpha=False, wanted="ffv1")
    [(_, native)] = source.pictures()
    before = to_picture(native)
    made = merged(native, before, untouched(before, 0), target)
    assert plain(made) == plain(native.frame)


IMAGES = {
    "exr half": ("exr", "half", 3, None), "exr half alpha": ("exr", "half", 4, None),
    "exr float": ("exr", "float", 3, None), "exr float alpha": ("exr", "float", 4, None),
    "dpx 10": ("dpx", "uint16", 3, 10), "dpx 12": ("dpx", "uint16", 3, 12),
    "dpx 16": ("dpx", "uint16", 3, 16), "dpx 10 alpha": ("dpx", "uint16", 4, 10),
    "dpx 10 grey": ("dpx", "uint16", 1, 10), "tiff 8": ("tif", "uint8", 3, None),
    "tiff 16": ("tif", "uint16", 3, None), "tiff 16 alpha": ("tif", "uint16", 4, None),
    "png 8 alpha": ("png", "uint8", 4, None), "png 16": ("png", "uint16", 3, None),
    "png 16 alpha": ("png", "uint16", 4, None), "png 16 grey": ("png", "uint16", 1, None),
}  # fmt: skip


def _values(form, channels, bits, rng):
    if form in {"half", "float"}:
        values = rng.normal(0.5, 3, (48, 64, channels)).astype(
            np.float16 if form == "half" else "f4"
        )
        values[0, :4, 0] = np.nan, np.inf, -np.inf, -0.0
        if channels == 4:
            values[..., 3] = rng.random((48, 64)).round(1)
        return values
    codes = rng.integers(0, 1 << (bits or 16), (48, 64, channels))
    if form == "uint8":
        return (codes >> 8).astype(np.uint8)
    repeated = codes << 16 - bits | codes >> 2 * bits - 16 if bits and bits < 16 else codes
    return repeated.astype(np.uint16)


@pytest.mark.parametrize("kind", IMAGES)
def test_images_that_no_effect_changed_are_the_same_bit_for_bit(kind, tmp_path):
    """Half and float, codes of 8 to 16 bits, colours under alpha, what is no number."""
    ending, form, channels, bits = IMAGES[kind]
    rng = np.random.default_rng(7)
    said = {"oiio__BitsPerSample": bits} if bits else {}
    if channels == 4 and ending in {"tif", "png"}:
        said["oiio__UnassociatedAlpha"] = 1
    files = [
        image(tmp_path / f"a_{n:04d}.{ending}", _values(form, channels, bits, rng), form, **said)
        for n in (7, 8)
    ]
    _, target, made, notes = render(tmp_path / f"a_####.{ending}", tmp_path / "out", members=files)
    assert target.format.startswith(kind.split()[0])
    assert not notes
    assert [path.name for path in made] == [path.name for path in files]
    for own, new in zip(files, made, strict=True):
        assert raw(own)[0].tobytes() == raw(new)[0].tobytes()


def test_only_what_an_effect_changed_is_written_anew(tmp_path):
    """Around a changed square each sample stays."""

    def lighter(picture, _):
        rgb = picture.rgb.copy()
        rgb[16:32, 16:32] += np.float32(0.1)
        return Picture(rgb, picture.alpha)

    frames = [noise("yuv422p10le", np.random.default_rng(8))]
    path = clip(tmp_path / "a.mkv", "yuv422p10le", frames)
    _, _, made, _ = render(path, tmp_path / "out", effect=lighter)
    [own], [new] = samples(path), samples(made)
    shapes = [(48, 64), (48, 32), (48, 32)]
    luma, *chroma = (
        np.frombuffer(b, "<u2").reshape(shape) != np.frombuffer(a, "<u2").reshape(shape)
        for a, b, shape in zip(own, new, shapes, strict=True)
    )
    inside = np.zeros((48, 64), bool)
    inside[16:32, 16:32] = True
    assert luma[inside].mean() > 0.99
    assert not luma[~inside].any()
    # A grey that is added changes no chroma at all.
    assert not any(plane.any() for plane in chroma)


def test_a_change_is_rounded_once(tmp_path):
    """Half of a code is the nearest code to it."""
    frames = [noise("gbrp10le", np.random.default_rng(9))]
    path = clip(tmp_path / "a.mkv", "gbrp10le", frames)
    half = np.float32(0.5)
    _, _, made, _ = render(
        path, tmp_path / "out", effect=lambda p, _: Picture(p.rgb * half, p.alpha)
    )
    own, new = (np.frombuffer(b"".join(samples(each)[0]), "<u2") for each in (path, made))
    assert np.abs(new - own / 2).max() <= 0.5


def test_values_beyond_black_and_white_are_neither_clipped_nor_lost(tmp_path):
    """Footroom and headroom of limited range are values below 0 and above 1."""
    frame = noise("yuv444p10le", np.random.default_rng(10))
    path = clip(tmp_path / "a.mkv", "yuv444p10le", [frame], color_range=1, colorspace=1)
    source = open_footage(path, probe_clip(path))
    [(_, native)] = source.pictures()
    picture = to_picture(native)
    luma = native.planes[0].astype(np.float64)
    weights = np.array([0.2126, 0.7152, 0.0722])
    assert picture.rgb.min() < -0.2
    assert picture.rgb.max() > 1.2
    assert np.abs(picture.rgb @ weights - (luma - 64) / 876).max() < 1e-5


def test_a_picture_is_read_as_ffmpeg_reads_it(tmp_path):
    """Independent reader: swscale's conversion of smooth colours, within its own rounding."""
    rows, columns = np.mgrid[0:48, 0:64]
    frame = noise("yuv420p", np.random.default_rng(11))
    for plane, values in zip(
        frame.planes, ((rows * 3 + 40), 100 + columns, 140 - rows), strict=True
    ):
        memory = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        height, width = plane.height, plane.width
        step = 48 // height
        memory[:height, :width] = values[::step, ::step][:height, :width]
    path = clip(tmp_path / "a.mkv", "yuv420p", [frame], color_range=1, colorspace=1)
    source = open_footage(path, probe_clip(path))
    [(_, native)] = source.pictures()
    theirs = native.frame.reformat(
        format="gbrpf32le", src_colorspace="ITU709", dst_color_range="JPEG"
    )
    planes = [np.frombuffer(plane, "<f4").reshape(48, -1)[:, :64] for plane in theirs.planes]
    reference = np.stack([planes[2], planes[0], planes[1]], axis=-1)
    ours = to_picture(native).rgb.clip(0, 1)
    assert np.abs(ours - reference)[2:-2, 2:-2].max() < 3 / 255


@pytest.mark.parametrize(
    ("name", "wanted"), [("gbrpf32le", "exr-float"), ("gbrpf16le", "exr-half")]
)
def test_a_clip_of_floats_becomes_images_of_the_same_floats(name, wanted, tmp_path):
    """There is no clip format here that holds them."""
    kind = "<f4" if wanted == "exr-float" else "<f2"
    rng = np.random.default_rng(12)
    frame = av.VideoFrame(64, 48, name)
    for plane in frame.planes:
        np.frombuffer(plane, kind)[...] = rng.normal(0.5, 2, plane.buffer_size // int(kind[-1]))
    options = {"level": "4", "strict": "experimental"}
    path = clip(tmp_path / "a.mkv", name, [frame], options=options)
    _, target, [made], _ = render(path, tmp_path / "out")
    assert target.format == wanted
    green, blue, red = (np.frombuffer(plane, kind).reshape(48, 64) for plane in samples(path)[0])
    assert raw(made)[0].tobytes() == np.stack([red, green, blue], axis=-1).tobytes()
