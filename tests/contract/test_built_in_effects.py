"""What holds for every built-in effect of the catalogue, networks among them."""

import importlib

import numpy as np
import pytest

from handlers.effects.catalog import BUILT_IN
from handlers.effects.effect import Effect, Picture, Tools
from models import bundle
from tests.photographs import photograph
from tests.real_pictures import footage, run

LOOK = '<ColorCorrection id="a"><SOPNode><Slope>1.1 1 0.9</Slope><Offset>0 0 0</Offset>\
<Power>1 1 1</Power></SOPNode></ColorCorrection>'
OPTIONS = {"look": {"file": "a.cc"}, "style": {"styles": 19}}
SIZES = [(1, 1), (1, 7), (37, 53)]


@pytest.fixture
def make(models_dir, tmp_path):
    """Make an effect as a chain does."""
    (tmp_path / "a.cc").write_text(LOOK)
    tools = Tools(models=bundle.BundleLoader(models_dir), seed=7, storage=tmp_path)

    def made(name):
        entry = BUILT_IN[name]
        options = entry.options.model_validate(OPTIONS.get(name, {}))
        for needed in entry.models(options):
            assert bundle.find(models_dir, needed), f"{needed} is not installed for the tests"
        module, _, found = entry.target.partition(":")
        effect = getattr(importlib.import_module(module), found)(options, tools)
        assert isinstance(effect, Effect)
        return effect

    return made


def pictures(size, *, light):
    """Two frames with alpha of a photograph; light has a highlight of 40 and what is below 0."""
    rgb = photograph("coffee.png")[100 : 100 + size[0], 200 : 200 + size[1]]
    if light:
        rgb = rgb**2.2
        rgb[0, 0], rgb[-1, -1] = 40, -0.1
    alpha = np.linspace(0.2, 1, size[0] * size[1], dtype=np.float32).reshape(size)
    return [Picture(rgb, alpha), Picture(rgb * np.float32(0.98), alpha)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("light", [False, True], ids=["display", "light"])
@pytest.mark.parametrize("name", BUILT_IN)
def test_any_picture(name, light, size, make):
    """Of any size, with alpha, in light beyond 0..1: finite float32 of the size it promised."""
    effect, given = make(name), pictures(size, light=light)
    before = [(each.rgb.copy(), each.alpha.copy()) for each in given]
    said = footage(size[1], size[0], linear=light, has_alpha=True)
    expected = (size[0] * effect.scale, size[1] * effect.scale)
    for made in run(effect, given, said):
        assert made.rgb.shape == (*expected, 3)
        assert made.rgb.dtype == np.float32
        assert np.isfinite(made.rgb).all()
        assert made.alpha.shape == expected
        assert made.alpha.dtype == np.float32
        assert 0 <= made.alpha.min() <= made.alpha.max() <= 1
    for each, (rgb, alpha) in zip(given, before, strict=True):
        np.testing.assert_array_equal(each.rgb, rgb)
        np.testing.assert_array_equal(each.alpha, alpha)
