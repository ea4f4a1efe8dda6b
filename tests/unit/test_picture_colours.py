"""What images say of their colours: who is told, what is refused, what is said of results."""

import numpy as np
import pytest
import structlog
from PIL import Image, ImageCms

from handlers.contract import Asset, AssetKind, Context, UnusableMedia
from handlers.effects.handler import EffectsHandler
from handlers.effects.spec import EffectsParams
from handlers.media.clip import probe_clip
from models.bundle import BundleLoader
from models.effects import bundling
from models.effects.lut import identity
from tests.footage import clip, image, noise, raw, render
from tests.images import chunk, chunks

PQ = bytes([9, 16, 0, 1])
SAYING = {b"cICP", b"sRGB", b"gAMA", b"cHRM", b"iCCP", b"mDCV", b"cLLI"}
AP1 = (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767)
BT2020 = (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290)
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def plain(path, **said):
    """Write one frame of a sequence in 16 bits, 10 in DPX."""
    codes = np.full((128, 256, 3), 512 << 6, np.uint16)
    if path.suffix == ".dpx":
        said["oiio__BitsPerSample"] = 10
    return image(path, codes, "uint16", **said)


def png(folder, *said):
    """Write a PNG that says no more than some chunks."""
    path = folder / "p.0001.png"
    Image.new("RGB", (256, 128), (90, 120, 150)).save(path)
    for name, data in said:
        chunk(path, name, data)
    return path


def said_by(path):
    """Return what a PNG says of its colours."""
    return {name: data for name, data in chunks(path).items() if name in SAYING}


def name_of(path):
    """Return the name of the sequence that an image is the only one of."""
    return path.with_name(path.name.replace("0001", "####"))


def rendered(path, folder, wanted=None):
    """Render a sequence of one image; return the target and what was written."""
    _, target, made, _ = render(name_of(path), folder, wanted, members=(path,))
    return target, made


@pytest.fixture
def handled(tmp_path):
    """Run the handler on a sequence of one image, with an effect that was learnt from Rec. 709."""
    contract = bundling.Contract(
        space="display", bits=16, width=256, height=128, matte=False,
        primaries="bt709", transfer="bt709",
    )  # fmt: skip
    made = bundling.Made(
        name="effect.warm", version="1.0", seed=1, metrics={}, training_data="0", card="# W\n"
    )
    bundling.save(identity(5), contract, made, tmp_path / "models")

    def run(path, **params):
        staging = tmp_path / "staging"
        staging.mkdir()
        context = Context(
            staging=staging, params=EffectsParams.model_validate(params), seed=1,
            models=BundleLoader(tmp_path / "models"), log=structlog.get_logger(),
            progress=lambda *_: None, check_cancelled=lambda: None, storage=tmp_path,
        )  # fmt: skip
        name = name_of(path)
        asset = Asset(
            path=name, kind=AssetKind.SEQUENCE, fingerprint="f", members=(path,),
            within=f"warm/{name.name}",
        )  # fmt: skip
        return staging, EffectsHandler().run(asset, context)

    return run


@pytest.mark.parametrize(
    ("ending", "said", "theirs"),
    [
        ("png", PQ, "smpte2084"),
        ("png", bytes([9, 13, 0, 1]), "bt2020"),
        ("dpx", {"dpx__Transfer": "Logarithmic"}, "log"),
        ("dpx", {"dpx__Transfer": "Printing density"}, "log"),
    ],
)
def test_images_of_other_colours_are_refused(handled, tmp_path, ending, said, theirs):
    """As a clip that says them is."""
    if ending == "png":
        path = png(tmp_path, (b"cICP", said))
    else:
        path = plain(tmp_path / "d.0001.dpx", **said)
    with pytest.raises(UnusableMedia, match=rf"than this footage has \({theirs}\)"):
        handled(path)


@pytest.mark.parametrize(
    ("said", "colour"),
    [
        ([], "unknown/unknown"),
        ([(b"sRGB", b"\0")], "bt709/iec61966_2_1"),
        ([(b"cICP", bytes([1, 1, 0, 1]))], "bt709/bt709"),
    ],
)
def test_images_that_say_the_same_or_nothing_are_rendered(handled, tmp_path, said, colour):
    """And the report says what they say."""
    folder, result = handled(png(tmp_path, *said))
    assert result.metrics["colour"] == f"{colour}/gbr/pc"
    assert f"{colour}/gbr/pc" in (folder / "report.html").read_text()
    assert said_by(next(folder.rglob("p.0001.png"))) == dict(said)


def test_dpx_says_its_colours(handled, tmp_path):
    """By two words of its header, which stay."""
    path = plain(
        tmp_path / "d.0001.dpx", dpx__Transfer="ITU-R 709-4", dpx__Colorimetric="ITU-R 709-4"
    )
    folder, result = handled(path)
    assert result.metrics["colour"] == "bt709/bt709/gbr/pc"
    _, spec = raw(next(folder.rglob("d.0001.dpx")))
    assert spec.get_string_attribute("dpx:Transfer") == "ITU-R 709-4"
    assert spec.get_string_attribute("dpx:Colorimetric") == "ITU-R 709-4"


def test_a_png_keeps_its_own_words(tmp_path):
    """Every chunk as it was, and none that the library would add."""
    light = (b"cLLI", (10_000_000).to_bytes(4) + (4_000_000).to_bytes(4))
    path = png(tmp_path, (b"cICP", PQ), light)
    _, made = rendered(path, tmp_path / "out")
    assert said_by(made[0]) == {b"cICP": PQ, light[0]: light[1]}
    assert np.array_equal(raw(made[0])[0], raw(path)[0])


def test_colours_go_on_into_clips_and_other_images(tmp_path):
    """A PQ sequence as a clip, and that clip as images."""
    path = png(tmp_path, (b"cICP", PQ))
    _, made = rendered(path, tmp_path / "clip", "ffv1")
    colour = probe_clip(made).video.colour
    assert (colour.primaries, colour.transfer) == ("bt2020", "smpte2084")
    _, _, (again,), _ = render(made, tmp_path / "images", "png-16")
    assert said_by(again) == {b"cICP": PQ}
    _, _, (light,), _ = render(made, tmp_path / "light", "exr-half")
    assert raw(light)[1].getattribute("chromaticities")[0] == pytest.approx(0.708)


def test_a_log_scan_is_no_srgb(tmp_path):
    """DPX into DPX of more bits says it again; a PNG of it cannot, and says nothing."""
    path = plain(tmp_path / "d.0001.dpx", dpx__Transfer="Logarithmic")
    target, made = rendered(path, tmp_path / "dpx", "dpx-16")
    assert target.colour.transfer == "log"
    assert raw(made[0])[1].get_string_attribute("dpx:Transfer") == "Logarithmic"
    _, made = rendered(path, tmp_path / "png", "png-16")
    assert said_by(made[0]) == {}


def test_a_clip_says_its_colours_in_dpx(tmp_path):
    """Where its header has words for them."""
    frame = noise("yuv422p10le", np.random.default_rng(1))
    path = clip(tmp_path / "c.mkv", "yuv422p10le", [frame], color_primaries=1, color_trc=1)
    _, _, (made,), _ = render(path, tmp_path / "out", "dpx-10")
    assert raw(made)[1].get_string_attribute("dpx:Transfer") == "ITU-R 709-4"


def test_a_profile_goes_before_chunks(tmp_path):
    """It says more than they could."""
    path = tmp_path / "t.0001.tif"
    Image.new("RGB", (256, 128), (90, 120, 150)).save(path, icc_profile=ICC)
    target, made = rendered(path, tmp_path / "out", "png-8")
    assert (target.colour.primaries, target.colour.transfer) == ("bt709", "iec61966_2_1")
    assert set(said_by(made[0])) == {b"iCCP"}


def test_an_effect_that_makes_other_colours_says_those(handled, tmp_path):
    """A look brings light of ACEScg to a screen; the source's primaries are not its own."""
    (tmp_path / "dim.cube").write_text("LUT_1D_SIZE 2\n0 0 0\n0.9 0.9 0.9\n")
    light = np.full((128, 256, 3), 0.5, np.float16)
    path = image(tmp_path / "l.0001.exr", light, "half", chromaticities=("float[8]", AP1))
    folder, result = handled(
        path, effects=[{"effect": "look", "file": "dim.cube", "into": "display"}]
    )
    assert result.metrics["colour"].startswith("bt709/bt709/")
    _, spec = raw(next(folder.rglob("l.0001.exr")))
    assert spec.getattribute("chromaticities")[0] == pytest.approx(0.64)


def test_light_says_its_primaries(handled, tmp_path):
    """It is no sRGB, and its header stays."""
    light = np.full((128, 256, 3), 0.5, np.float16)
    path = image(tmp_path / "l.0001.exr", light, "half", chromaticities=("float[8]", BT2020))
    folder, result = handled(path, effects=["grain"], strength=0)
    assert result.metrics["colour"] == "bt2020/linear/gbr/pc"
    _, spec = raw(next(folder.rglob("l.0001.exr")))
    assert spec.getattribute("chromaticities") == pytest.approx(BT2020)
