"""What becomes of the colours of grey sources, and of what integers cannot hold."""

import av
import numpy as np
import pytest
import structlog

from handlers.contract import Asset, AssetKind, Context
from handlers.effects.handler import EffectsHandler
from handlers.effects.spec import EffectsParams
from models.bundle import BundleLoader
from tests.footage import clip, image, noise, raw


@pytest.fixture
def render(tmp_path):
    """Run the handler; return the folder of results and what it said."""

    def run(path, members=(), *, staging="staging", **params):
        folder = tmp_path / staging
        folder.mkdir()
        context = Context(
            staging=folder, params=EffectsParams.model_validate(params), seed=1,
            models=BundleLoader(tmp_path / "models"), log=structlog.get_logger(),
            progress=lambda *_: None, check_cancelled=lambda: None, storage=tmp_path,
        )  # fmt: skip
        kind = AssetKind.SEQUENCE if members else AssetKind.CLIP
        asset = Asset(path=path, kind=kind, fingerprint=str(path), members=members)
        return folder, EffectsHandler().run(asset, context)

    return run


@pytest.mark.parametrize(("blue", "form"), [(0.4, "gbrp"), (0.8, "gray")])
def test_a_grey_clip_gets_colours_where_a_look_has_them(render, tmp_path, blue, form):
    """A warm look colours it; a curve leaves it the grey clip that it was."""
    (tmp_path / "tone.cube").write_text(f"LUT_1D_SIZE 2\n0 0 0\n0.8 0.8 {blue}\n")
    path = clip(tmp_path / "g.mkv", "gray", [noise("gray", np.random.default_rng(3))])
    folder, result = render(path, effects=[{"effect": "look", "file": "tone.cube"}])
    assert result.metrics["format"] == "ffv1"
    with av.open(str(folder / "g.mkv")) as container:
        frame = next(container.decode(video=0))
    with av.open(str(path)) as container:
        own = next(container.decode(video=0)).to_ndarray()
    assert frame.format.name.replace("bgr0", "gbrp") == form
    red, *_, last = np.moveaxis(np.atleast_3d(frame.to_ndarray(format="rgb24")), -1, 0)
    assert np.abs(red - own * 0.8).max() <= 0.51
    assert np.abs(last - own * blue).max() <= 0.51


def test_a_grey_image_gets_colours_where_a_look_has_them(render, tmp_path):
    """Without it stays one channel of the same codes."""
    (tmp_path / "warm.cube").write_text("LUT_1D_SIZE 2\n0 0 0\n0.8 0.8 0.4\n")
    codes = np.random.default_rng(4).integers(0, 65536, (16, 32, 1), dtype=np.uint16)
    files = (image(tmp_path / "t.0001.tif", codes, "uint16"),)
    warm = [{"effect": "look", "file": "warm.cube"}]
    folder, _ = render(tmp_path / "t.####.tif", files, effects=warm)
    made, spec = raw(next(folder.rglob("t.0001.tif")))
    assert spec.channelnames == ("R", "G", "B")
    assert np.abs(made - codes * [0.8, 0.8, 0.4]).max() <= 1
    folder, _ = render(tmp_path / "t.####.tif", files, effects=warm, strength=0, staging="same")
    assert np.array_equal(raw(next(folder.rglob("t.0001.tif")))[0], codes)


def test_what_integers_cut_of_a_clip_is_told(render, tmp_path):
    """White beyond white of limited range has no place in PNG; EXR has one."""
    frame = noise("yuv444p", np.random.default_rng(1))
    for plane, code in zip(frame.planes, (250, 128, 128), strict=True):
        plane.update(bytes([code]) * plane.buffer_size)
    path = clip(tmp_path / "w.mkv", "yuv444p", [frame])
    folder, _ = render(path, effects=["grain"], strength=0, format="png-16")
    page = (folder / "report.html").read_text()
    assert "w.mkv has limited range" in page
    assert "At least 3072 pixels in 1 images" in page
    folder, _ = render(path, effects=["grain"], strength=0, format="exr-half", staging="light")
    page = (folder / "report.html").read_text()
    assert "limited range" not in page
    assert "At least" not in page
