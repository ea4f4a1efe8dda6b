"""Keyer: real pictures over painted screens, of which the matte is known, and without one."""

import cv2
import numpy as np
import pytest

from handlers.effects.builtin.keyer import Keyer
from handlers.effects.effect import Picture
from handlers.effects.options import KeyerOptions
from tests.real_pictures import footage, frames, run, tools
from tests.screens import body, hair, moved, over, screen, without_colour

MATTES = {
    "body": body,
    "hair": lambda high, wide: np.maximum(body(high, wide), hair(high, wide)),
    "motion": lambda high, wide: moved(body(high, wide), 41),
}


@pytest.fixture(scope="module")
def front(media):
    """A picture of live action."""
    return frames(media / "bikes.mp4", 200, 1)[0]


def keyed(pictures, *, linear=False, **options):
    """Return results and what was said."""
    given = tools()
    first = pictures[0].rgb if isinstance(pictures[0], Picture) else pictures[0]
    said = footage(first.shape[1], first.shape[0], linear=linear)
    return run(Keyer(KeyerOptions(**options), given), pictures, said), given.notes


@pytest.mark.parametrize("colour", ["green", "blue"])
@pytest.mark.parametrize("edge", MATTES)
@pytest.mark.parametrize(("uneven", "noise"), [(0, 0), (1, 0.01)])
def test_the_matte_is_the_known_one(front, colour, edge, uneven, noise):
    """Solid where solid, clear where clear, and soft edges within a few hundredths on average."""
    high, wide = front.shape[:2]
    matte = MATTES[edge](high, wide)
    front = without_colour(front, colour)
    behind = screen(high, wide, colour, uneven=uneven, noise=noise)
    (result,), notes = keyed([over(front, matte, behind)])
    error = np.abs(result.alpha - matte)
    soft = (matte > 0.02) & (matte < 0.98)
    assert error.mean() < 0.006
    assert error[soft].mean() < 0.05
    assert result.alpha[matte == 1].min() > 0.99
    # Next to a hair, noise cannot be told from hair.
    clear = cv2.dilate((matte > 0).astype(np.uint8), np.ones((9, 9))) == 0
    assert np.quantile(result.alpha[clear], 0.999) < 0.035
    assert notes == [f"keyer: the screen was taken to be {colour}."]


def test_the_matte_does_not_flicker(front):
    """Noise is another in each frame; what is found of the screen and of spill stays."""
    high, wide = front.shape[:2]
    matte = moved(body(high, wide), 21)
    spilled = without_colour(front, "green") + np.array([0, 0.04, 0], np.float32)
    given = [
        over(spilled, matte, screen(high, wide, uneven=1, noise=0.006, seed=seed))
        for seed in range(5)
    ]
    results, _ = keyed(given, screen="green")
    soft = (matte > 0.05) & (matte < 0.95)
    assert np.ptp([result.alpha[soft].mean() for result in results]) < 0.005


@pytest.mark.parametrize("edge", MATTES)
def test_over_another_background_it_looks_as_if_it_had_been_shot_there(front, edge):
    """Colours are straight and without green, so edges take on the new background alone."""
    high, wide = front.shape[:2]
    matte = MATTES[edge](high, wide)
    front = without_colour(front, "green")
    background = np.full_like(front, (0.7, 0.4, 0.5))
    (result,), _ = keyed([over(front, matte, screen(high, wide, uneven=1, noise=0.005))])
    soft = (matte > 0.02) & (matte < 0.98)
    error = over(result.rgb, result.alpha, background) - over(front, matte, background)
    as_it_was = over(front, matte, screen(high, wide, uneven=1)) - over(front, matte, background)
    assert np.sqrt((error[soft] ** 2).mean()) < 0.02
    assert np.abs(error[soft]).mean() < np.abs(as_it_was[soft]).mean() / 15


def test_light_mixes_as_it_does_in_the_lens(front):
    """Scene-linear pictures with a highlight of 30: nothing is clipped."""
    high, wide = front.shape[:2]
    matte = MATTES["motion"](high, wide)
    light = without_colour(front, "green") ** 2.4
    light[130:140, 320:330] = 30
    behind = screen(high, wide, uneven=1) ** 2.4
    (result,), _ = keyed([over(light, matte, behind)], linear=True, screen="green")
    assert np.abs(result.alpha - matte).mean() < 0.008
    assert result.rgb.max() == pytest.approx(30, rel=1e-3)


def test_spill_is_taken_as_far_as_asked(front):
    """Green light on the foreground goes; half of it at a half; skin keeps its brightness."""
    high, wide = front.shape[:2]
    matte = body(high, wide)
    spilled = without_colour(front, "green")
    spilled[..., 1] += 0.05
    given = over(spilled, matte, screen(high, wide))
    inside = matte == 1
    (result,), _ = keyed([given], screen="green")
    assert result.alpha[inside].min() > 0.95
    left = {}
    for despill in (0, 0.5, 1):
        (result,), _ = keyed([given], screen="green", despill=despill)
        rgb = result.rgb[inside]
        left[despill] = np.maximum(rgb[:, 1] - np.maximum(rgb[:, 0], rgb[:, 2]), 0).mean()
    assert left[0] > 0.02
    assert left[0.5] == pytest.approx(left[0] / 2, rel=1e-3)
    assert left[1] == pytest.approx(0, abs=1e-6)


def test_average_takes_more_than_max(front):
    """The two ways of limiting are what compositors know by these names."""
    high, wide = front.shape[:2]
    given = over(front, body(high, wide), screen(high, wide))
    (mild,), _ = keyed([given], screen="green", spill="max")
    (strong,), _ = keyed([given], screen="green", spill="average")
    inside = body(high, wide) == 1
    assert strong.rgb[inside][:, 1].mean() < mild.rgb[inside][:, 1].mean()
    assert np.array_equal(strong.alpha, mild.alpha)


def test_clip_points_make_it_harder(front):
    """White below 1 makes solid what is slightly green; black clears what is slightly solid."""
    high, wide = front.shape[:2]
    matte = moved(body(high, wide), 41)
    given = over(without_colour(front, "green"), matte, screen(high, wide))
    (soft,), _ = keyed([given], screen="green", black=0, white=1)
    (hard,), _ = keyed([given], screen="green", black=0.2, white=0.8)
    assert (hard.alpha == 0).mean() > (soft.alpha == 0).mean()
    assert (hard.alpha == 1).mean() > (soft.alpha == 1).mean()
    with pytest.raises(ValueError, match="black must be below white"):
        KeyerOptions(black=0.9, white=0.5)


def test_the_colour_is_that_of_the_whole_clip(front):
    """A frame whose foreground hides the screen does not change the colour of the screen."""
    high, wide = front.shape[:2]
    with_screen = over(front, body(high, wide), screen(high, wide, "blue"))
    results, notes = keyed([front, with_screen, with_screen])
    assert notes[0] == "keyer: the screen was taken to be blue."
    assert results[1].alpha.mean() < 0.7


def test_without_a_screen_all_is_foreground(front):
    """And somebody is told, once."""
    grey = np.full_like(front, 0.4)
    results, notes = keyed([grey, grey], screen="green")
    assert all((result.alpha == 1).all() for result in results)
    assert all(np.array_equal(result.rgb, grey) for result in results)
    assert notes == [
        "keyer: frame 0 shows no green screen; it and others like it are all foreground."
    ]


def test_what_was_transparent_stays_so(front):
    """A garbage matte that came in holds."""
    high, wide = front.shape[:2]
    given = over(front, body(high, wide), screen(high, wide))
    alpha = np.zeros((high, wide), np.float32)
    alpha[:, : wide // 2] = 1
    (result,), _ = keyed([Picture(given, alpha)], screen="green")
    assert (result.alpha[:, wide // 2 :] == 0).all()
    assert result.alpha[:, : wide // 2].max() == 1


def test_it_says_that_it_makes_a_matte():
    """So it can be the mask of another effect, too; naming the screen saves a pass."""
    assert Keyer.matte
    assert Keyer(KeyerOptions(), tools()).studies
    assert not Keyer(KeyerOptions(screen="green"), tools()).studies
