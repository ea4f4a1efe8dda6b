"""What holds for every built-in effect without a network, on any picture."""

import importlib

import numpy as np
import pytest

from handlers.effects.builtin.deflicker import Deflicker
from handlers.effects.builtin.grain import Grain
from handlers.effects.builtin.keyer import Keyer
from handlers.effects.builtin.look import FileLook
from handlers.effects.builtin.stabilise import Stabilise
from handlers.effects.catalog import BUILT_IN
from handlers.effects.effect import Picture
from tests.real_pictures import footage, frames, run, tools

LOOK = '<ColorCorrection id="warm"><SOPNode><Slope>1.2 1 0.8</Slope><Offset>0 0 0</Offset>\
<Power>1 1 1</Power></SOPNode></ColorCorrection>'
KINDS = {
    "look": (FileLook, {"file": "warm.cc"}),
    "deflicker": (Deflicker, {"mode": "gamma", "colour": True}),
    "keyer": (Keyer, {}),
    "stabilise": (Stabilise, {"borders": "edge"}),
    "grain": (Grain, {}),
}


def made(name, storage, seed=7):
    """Make an effect as a chain does."""
    kind, options = KINDS[name]
    (storage / "warm.cc").write_text(LOOK)
    return kind(BUILT_IN[name].options.model_validate(options), tools(storage, seed))


def test_each_is_what_the_catalogue_names():
    """The catalogue leads to the class, and says which make a matte."""
    for name, (kind, _) in KINDS.items():
        assert BUILT_IN[name].target == f"{kind.__module__}:{kind.__name__}"
    for entry in BUILT_IN.values():
        module, _, name = entry.target.partition(":")
        assert getattr(importlib.import_module(module), name).matte is entry.matte


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 1), (3, 2), (33, 65)])
@pytest.mark.parametrize("linear", [False, True])
def test_any_size_comes_out_as_it_went_in(name, size, linear, tmp_path):
    """From one pixel on, in light and in display values; flicker and motion are there to see."""
    rng = np.random.default_rng(2)
    given = [rng.random((*size, 3), np.float32) * scale for scale in (1, 0.7, 1.2, 0.8, 1)]
    said = footage(size[1], size[0], linear=linear)
    for result in run(made(name, tmp_path), given, said):
        assert result.rgb.shape == (*size, 3)
        assert result.rgb.dtype == np.float32
        assert np.isfinite(result.rgb).all()


@pytest.mark.parametrize("name", ["look", "deflicker", "grain"])
def test_alpha_and_values_beyond_are_kept(name, media, tmp_path):
    """Alpha is the same; highlights of 40 and negative values are neither clipped nor lost."""
    picture = frames(media / "bikes.mp4", 140, 1)[0] ** 2.4
    picture[:40, :40] *= 40 / picture[:40, :40].max()
    picture[60:80, :40] = -0.25
    alpha = np.linspace(0, 1, picture.shape[1], dtype=np.float32)[None].repeat(len(picture), 0)
    given = [Picture(picture * gain, alpha) for gain in (1, 0.9, 1.1, 0.95, 1.0, 1.1)]
    said = footage(picture.shape[1], picture.shape[0], linear=True, has_alpha=True)
    results = run(made(name, tmp_path), given, said)
    assert all(np.array_equal(result.alpha, alpha) for result in results)
    assert all(result.rgb.max() > 20 and result.rgb.min() < -0.2 for result in results)


@pytest.mark.parametrize("name", KINDS)
def test_what_comes_in_is_not_written_to(name, media, tmp_path):
    """Windows are shared: an effect makes pictures of its own."""
    given = frames(media / "bikes.mp4", 74, 4)
    given = [
        picture * np.float32(gain) for picture, gain in zip(given, (1, 0.8, 1.1, 0.9), strict=True)
    ]
    before = [picture.copy() for picture in given]
    run(made(name, tmp_path), given)
    assert all(np.array_equal(one, other) for one, other in zip(given, before, strict=True))


@pytest.mark.parametrize("name", KINDS)
def test_values_that_are_no_numbers_end_nothing(name, media, tmp_path):
    """An EXR may hold infinities and NaN; pictures beside them come out right."""
    given = [picture**2.4 for picture in frames(media / "bikes.mp4", 140, 4)]
    given[1] = given[1].copy()
    given[1][10:12, 10:12] = np.nan
    given[1][20, 20] = np.inf
    said = footage(given[0].shape[1], given[0].shape[0], linear=True)
    results = run(made(name, tmp_path), given, said)
    assert all(np.isfinite(results[at].rgb).all() for at in (0, 2, 3))
    assert np.isfinite(results[1].rgb[100:]).all()
