"""Learnt effects through the handler: their tables by bands, their cards, what is refused."""

import av
import numpy as np
import pytest
import structlog

from handlers.contract import Asset, AssetKind, Context, Treatment, UnusableMedia
from handlers.effects import describe
from handlers.effects.handler import EffectsHandler
from handlers.effects.spec import EffectsParams, Step
from models.bundle import BundleLoader
from models.effects import bundling
from models.effects.lut import identity
from tests.golden.clips import clip


@pytest.fixture(scope="module")
def loader(tmp_path_factory):
    """A store with two effects: one that makes red half as strong, one that is called made up."""
    folder = tmp_path_factory.mktemp("models")
    lut = identity(9)
    lut.table[..., 0] *= 0.5
    contract = bundling.Contract(
        space="display", bits=8, width=128, height=64, matte=False, transfer="smpte2084"
    )
    for name in ("lessred", "madeup"):
        made = bundling.Made(
            name=f"effect.{name}", version="1.3", seed=1, metrics={"psnr": 61.25},
            training_data="0123456789abcdef0123", card="# An effect\n",
        )  # fmt: skip
        bundling.save(lut, contract, made, folder)
    path = folder / "effect.madeup" / "1.3" / "metadata.json"
    path.write_text(path.read_text().replace('"enhanced"', '"generated"'))
    return BundleLoader(folder)


def render(loader, source, staging, **params):
    """Run the handler as a job does."""
    staging.mkdir()
    context = Context(
        staging=staging, params=EffectsParams.model_validate(params), seed=1, models=loader,
        log=structlog.get_logger(), progress=lambda *_: None, check_cancelled=lambda: None,
    )  # fmt: skip
    asset = Asset(
        path=source, kind=AssetKind.CLIP, fingerprint="f", within=f"lessred/{source.name}"
    )
    return EffectsHandler().run(asset, context)


def test_a_learnt_effect_is_applied_by_its_folder(loader, tmp_path):
    """Ten bits of RGB: red is half of what it was, the others are what they were."""
    source = clip(tmp_path / "a.mkv", frames=2, codec="ffv1", pix_fmt="gbrp10le")
    result = render(loader, source, tmp_path / "out", any_colour=True)
    with av.open(str(source)) as before, av.open(str(tmp_path / "out/a.mkv")) as after:
        for one, two in zip(before.decode(video=0), after.decode(video=0), strict=True):
            was, now = (frame.to_ndarray().astype(int) for frame in (one, two))
            np.testing.assert_array_equal(now[..., 1:], was[..., 1:])
            assert np.abs(now[..., 0] - was[..., 0] / 2).max() <= 0.5
    assert result.metrics["effects"] == "lessred (version 1.3)"
    assert result.metrics["treatment"] == "enhanced"
    page = (tmp_path / "out/report.html").read_text()
    for said in ("version 1.3", "61.25", "0123456789abcdef", "learnt from 8-bit pictures"):
        assert said in page
    assert result.metrics["notes"] >= 1


def test_other_colours_are_refused_unless_told(loader, tmp_path):
    """An effect of PQ pictures on a clip for a screen of Rec. 709."""
    source = tmp_path / "a.mov"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("prores_ks", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv422p10le"
        frame = av.VideoFrame(128, 64, "yuv422p10le")
        for tagged in (stream.codec_context, frame):
            tagged.color_trc = tagged.color_primaries = tagged.colorspace = 1
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(UnusableMedia, match="any_colour: true"):
        render(loader, source, tmp_path / "no")
    render(loader, source, tmp_path / "yes", any_colour=True)
    assert (tmp_path / "yes/a.mov").is_file()


def test_one_generated_step_makes_all_of_it_generated(loader):
    """The manifest says the strongest that is true."""
    steps = [Step(effect="lessred"), Step(effect="grain")]
    assert describe.treatment(steps, loader) == Treatment.ENHANCED
    assert describe.treatment([*steps, Step(effect="madeup")], loader) == Treatment.GENERATED
