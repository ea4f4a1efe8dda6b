"""The built-in effects with published networks, on real pictures."""

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from handlers.effects.builtin.display import from_display, to_display
from handlers.effects.builtin.guided import refined
from handlers.effects.builtin.held import EVERY, Held
from handlers.effects.builtin.person_matte import PersonMatte
from handlers.effects.builtin.style import Style
from handlers.effects.effect import Picture, Tools
from handlers.effects.options import Options, StyleOptions
from models.bundle import BundleLoader
from tests.photographs import photograph
from tests.real_pictures import footage, frames, run

# Where the astronaut is, with her suit and the helmet in her arm: traced by hand, x and y.
ASTRONAUT = """
153,70 155,55 165,43 180,32 198,22 220,16 240,17 258,24 275,35 290,50 300,72 302,92 297,108 287,122
277,132 267,137 263,150 256,173 272,182 287,198 300,222 305,240 312,238 326,247 341,265 349,280
355,302 361,330 357,345 385,344 405,345 430,352 455,368 475,392 488,420 496,450 504,462 511,480
511,511 20,511 24,485 26,465 22,430 20,405 28,370 25,345 34,310 44,276 62,248 85,228 111,206
114,188 121,172 132,158 150,151 170,149 185,151 182,132 178,119 170,115 160,105 155,90
"""


@pytest.fixture(scope="module")
def tools(models_dir):
    """What effects may use: bundles, loaded once."""
    return Tools(models=BundleLoader(models_dir), seed=7)


@pytest.fixture(scope="module")
def region():
    """The astronaut's region."""
    return astronaut_region()


def astronaut_region():
    """Where the astronaut is, a boolean [512, 512]."""
    corners = [[int(value) for value in corner.split(",")] for corner in ASTRONAUT.split()]
    drawn = np.zeros((512, 512), np.uint8)
    return cv2.fillPoly(drawn, [np.array(corners, np.int32)], 1).astype(bool)


def style(tools, **options):
    """Make a style as a chain does."""
    return Style(StyleOptions.model_validate(options), tools)


def matte(tools):
    """Make a garbage matte as a chain does."""
    return PersonMatte(Options(), tools)


def overlap(one, other):
    """Intersection over union."""
    return np.logical_and(one, other).sum() / np.logical_or(one, other).sum()


def test_person_is_found_with_edges(tools, region):
    """Garbage-matte quality: 93 % of the hand-traced region, and closer at edges than coarse."""
    (made,) = run(matte(tools), [photograph("astronaut.png")])
    assert overlap(made.alpha > 0.5, region) > 0.93
    assert made.alpha.min() == 0
    assert made.alpha.max() == 1
    assert made.alpha[:60, 400:].max() < 0.05


def test_person_is_found_at_any_size_and_in_light(tools, region):
    """Small, large, and as scene-linear light with the sun in it."""
    picture = photograph("astronaut.png")
    for size in (128, 1000):
        given = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
        (made,) = run(matte(tools), [given])
        expected = cv2.resize(region.astype(np.float32), (size, size)) > 0.5
        assert overlap(made.alpha > 0.5, expected) > 0.9
    light = from_display(picture, scene_linear=True)
    light[5:15, 5:15] = 400
    light[100, 5] = np.nan
    (made,) = run(matte(tools), [light], footage(512, 512, linear=True))
    assert overlap(made.alpha > 0.5, region) > 0.9
    assert made.rgb is light


def test_nobody_is_found_where_nobody_is(tools, media):
    """A rocket and a street without people in it; what is near the camera it can take for some."""
    for picture in (photograph("rocket.jpg"), *frames(media / "bikes.mp4", 150, 1)):
        (made,) = run(matte(tools), [picture])
        assert (made.alpha > 0.5).mean() < 0.02


def test_matte_is_steadier_than_single_frames_and_does_not_trail(tools):
    """In noise it trembles less; after a cut nothing is left of the person before it."""
    astronaut = cv2.resize(photograph("astronaut.png"), (256, 256), interpolation=cv2.INTER_AREA)
    coffee = cv2.resize(photograph("coffee.png"), (256, 256), interpolation=cv2.INTER_AREA)
    rng = np.random.default_rng(3)
    noisy = [astronaut + rng.normal(0, 0.04, astronaut.shape).astype(np.float32) for _ in range(5)]
    together = [made.alpha for made in run(matte(tools), noisy)]
    single = [run(matte(tools), [each])[0].alpha for each in noisy]
    assert np.diff(together, axis=0).std() < 0.75 * np.diff(single, axis=0).std()
    (before, after) = run(matte(tools), [astronaut, coffee])
    assert before.alpha.mean() > 0.4
    np.testing.assert_allclose(after.alpha, run(matte(tools), [coffee])[0].alpha, atol=0.02)


def test_guided_filter_finds_an_edge():
    """A matte that is out by up to a half beside an edge of the picture is out by a fifth."""
    guide = np.zeros((90, 120, 3), np.float32)
    guide[:, 60:] = (0.8, 0.4, 0.2)
    coarse = cv2.GaussianBlur((guide[..., 0] > 0).astype(np.float32), (0, 0), 5)
    fine = refined(coarse, guide, side=120, radius=12, epsilon=1e-4)
    assert np.abs(fine[:, 50:60]).max() < 0.2
    assert np.abs(fine[:, 60:70] - 1).max() < 0.2
    assert coarse[45, 59] > 0.4


@pytest.mark.parametrize("make", [matte, lambda tools: style(tools, styles=19)])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 2), (33, 50)])
def test_any_size(tools, make, size):
    """From one pixel on; alpha goes through a style as it is."""
    picture = photograph("coffee.png")[: size[0], : size[1]]
    alpha = np.linspace(0, 1, size[0] * size[1], dtype=np.float32).reshape(size)
    (made,) = run(make(tools), [Picture(picture, alpha)])
    assert made.rgb.shape == (*size, 3)
    assert made.rgb.dtype == made.alpha.dtype == np.float32
    assert np.isfinite(made.rgb).all()
    assert make is matte or made.alpha is alpha


def test_light_is_painted_as_it_looks(tools):
    """Scene-linear footage looks like the painting of its display picture, and has its white."""
    shown = photograph("coffee.png")[:96, :128] * np.float32(0.7)
    light = from_display(shown, scene_linear=True)
    (plain,) = run(style(tools, styles=11), [shown])
    (made,) = run(style(tools, styles=11), [light], footage(128, 96, linear=True))
    np.testing.assert_allclose(to_display(made.rgb, scene_linear=True), plain.rgb, atol=0.12)
    light[:20, :20] = 900
    light[20:40, :20] = -0.2
    light[50, 50] = np.inf
    (bright,) = run(style(tools, styles=11), [light], footage(128, 96, linear=True))
    assert np.isfinite(bright.rgb).all()
    assert 0 <= bright.rgb.min() < bright.rgb.max() <= 1


def test_fewer_lines_make_broader_strokes(tools):
    """The size stays; detail goes."""
    picture = photograph("astronaut.png")[:256, :256]
    (fine,) = run(style(tools, styles=9), [picture])
    (broad,) = run(style(tools, styles=9, lines=64), [picture])
    detail = [cv2.Laplacian(made.rgb, cv2.CV_32F).std() for made in (fine, broad)]
    assert broad.rgb.shape == fine.rgb.shape
    assert detail[1] < detail[0] / 2


def test_what_is_too_large_is_said(tools):
    """8K is painted smaller, and the person who reads the report is told."""
    tools.notes.clear()
    made = style(tools, styles=2)
    made.begin(footage(3840, 2160))
    assert not tools.notes
    made.begin(footage(7680, 4320))
    assert tools.notes == [
        "7680x4320 is more than can be painted at once: it was painted smaller, and enlarged."
    ]
    tools.notes.clear()


def test_locked_off_shot_does_not_change_where_nothing_does(tools):
    """Something enters on the left; the right half changes less than with each frame's own."""
    still = cv2.resize(photograph("coffee.png"), (192, 128), interpolation=cv2.INTER_AREA)
    entering = cv2.resize(photograph("astronaut.png"), (96, 96), interpolation=cv2.INTER_AREA)
    shot = [still.copy() for _ in range(EVERY + 1)]
    for number, picture in enumerate(shot[1:], 1):
        width = min(90, 8 * number)
        picture[32:, :width] = entering[:, 96 - width :]
    jitter = {}
    for locked in (False, True):
        results = run(style(tools, styles=1, locked_off=locked), shot)
        colours = [made.rgb[:, 160:].mean(axis=(0, 1)) for made in results]
        jitter[locked] = np.abs(np.diff(colours, axis=0)).mean()
    assert jitter[True] < 0.6 * jitter[False]


def test_held_figures_lie_on_lines_between_cuts(media):
    """Every twelfth frame has its own; a shot's first frames those of its first that has."""
    held = Held()
    for number, picture in enumerate(frames(media / "bikes.mp4", 0, 121)):
        if held.see(number, picture):
            held.keep(number, np.float32([number]))
    # New shots begin at 30 and 76.
    expected = {0: 0, 5: 5, 24: 24, 29: 24, 30: 36, 40: 40, 75: 72, 76: 84, 90: 90, 99: 99}
    assert {number: float(held.at(number)[0]) for number in expected} == expected
    assert Held().at(3) is None


@pytest.mark.parametrize("given", [19, "19", {19: 2}, {"19": 1.0}])
def test_one_style_can_be_named_in_any_way(given):
    """As a configuration may write it."""
    assert list(StyleOptions(styles=given).styles) == [19]


@pytest.mark.parametrize("given", [{}, 26, -1, "starry", {3: 0}, {3: -1}, {3: float("inf")}])
def test_styles_that_there_are_not_are_refused(given):
    """Before anything runs."""
    with pytest.raises(ValidationError):
        StyleOptions(styles=given)
