"""Stabilise: a known shake goes, a pan stays, tripods stay bit for bit, cuts are kept."""

import cv2
import numpy as np
import pytest

from handlers.effects.builtin.smoothing import smoothed
from handlers.effects.builtin.stabilise import Stabilise
from handlers.effects.effect import Picture
from handlers.effects.options import StabiliseOptions
from tests.real_pictures import footage, frames, run, tools

HIGH, WIDE, COUNT = 270, 480, 24


@pytest.fixture(scope="module")
def still(media):
    """A real picture that is larger than those shot of it."""
    return cv2.resize(frames(media / "bikes.mp4", 140, 1)[0], (1440, 612))


def shaky(still, *, pan=1.5, shake=(6, 6, 0.008, 0.006), size=(WIDE, HIGH), squeeze=1.0):
    """Shoot a still from an unsteady hand; return pictures and what took the still to each."""
    noise = np.random.default_rng(3).standard_normal((COUNT, 4)) * shake
    pictures, matrices = [], []
    for at, (x, y, turn, zoom) in enumerate(noise):
        cos, sin = np.exp(zoom) * np.cos(turn), np.exp(zoom) * np.sin(turn)
        linear = np.array([[cos, -sin], [sin, cos]]) * [[1 / squeeze], [1]]
        middle = np.array([size[0] - 1, size[1] - 1]) / 2
        from_middle = np.array([720 - pan * COUNT / 2 + pan * at, 306])
        shift = middle + np.array([x / squeeze, y]) - linear @ from_middle
        matrices.append(np.column_stack([linear, shift]))
        pictures.append(
            cv2.warpAffine(still, matrices[-1], size, flags=cv2.INTER_LANCZOS4, borderMode=1)
        )
    return pictures, matrices


def steadied(pictures, said=None, **options):
    """Return the effect, results and notes."""
    given = tools()
    effect = Stabilise(StabiliseOptions(**options), given)
    return effect, run(effect, pictures, said), given.notes


def places(matrices):
    """Where five points of the still come to lie in each picture, float64 [frames, 5, 2]."""
    points = np.array([[560, 220], [880, 220], [720, 306], [560, 400], [880, 400]], float)
    return np.array([points @ each[:, :2].T + each[:, 2] for each in matrices])


def jerk(places):
    """Second differences, root of the mean square: nothing for a steady pan."""
    return float(np.sqrt((np.diff(places, n=2, axis=0) ** 2).sum(axis=-1).mean()))


def through(effect, places):
    """Where places lie in the results."""
    return np.array(
        [p @ effect.matrix(n)[:, :2].T + effect.matrix(n)[:, 2] for n, p in enumerate(places)]
    )


@pytest.mark.parametrize("borders", ["zoom", "edge"])
def test_shake_is_reduced_ten_times(still, borders):
    """By the truth of where points lie, not by what the effect believes."""
    pictures, matrices = shaky(still)
    effect, results, _ = steadied(pictures, borders=borders)
    before, after = jerk(places(matrices)), jerk(through(effect, places(matrices)))
    assert before / after >= 10
    # The pictures themselves are where the plan says: the still, moved there at once.
    at = 20
    matrix = np.vstack([effect.matrix(at), [0, 0, 1]]) @ np.vstack([matrices[at], [0, 0, 1]])
    expected = cv2.warpAffine(still, matrix[:2], (WIDE, HIGH), flags=cv2.INTER_LANCZOS4)
    inside = (slice(60, -60), slice(60, -60))
    assert np.abs(results[at].rgb[inside] - expected[inside]).mean() < 0.01


def test_a_pan_stays_a_pan(still):
    """Its speed is what it was, at its ends too."""
    pictures, matrices = shaky(still)
    effect, _, _ = steadied(pictures, borders="edge")
    found = through(effect, places(matrices))[:, 2, 0]
    assert np.diff(found).mean() == pytest.approx(-1.5, abs=0.3)
    assert abs(found - places(matrices)[:, 2, 0]).max() < 20


def test_lock_holds_still(still):
    """As on a tripod: points stay within a tenth of a pixel, a pan included."""
    pictures, matrices = shaky(still, pan=0.5)
    effect, _, _ = steadied(pictures, mode="lock", borders="edge")
    assert through(effect, places(matrices)).std(axis=0).max() < 0.1


def test_squeezed_pictures_are_turned_as_they_will_be_seen(still):
    """Anamorphic pixels are not square: a turn of the camera is no turn of what is stored."""
    pictures, matrices = shaky(still, shake=(4, 4, 0.02, 0), size=(WIDE // 2, HIGH), squeeze=2.0)
    said = footage(WIDE // 2, HIGH, pixel_aspect=2)
    effect, _, _ = steadied(pictures, said, borders="edge")
    assert jerk(places(matrices)) / jerk(through(effect, places(matrices))) >= 10


def test_a_tripod_stays_bit_for_bit(media, still):
    """A static picture; a real shot of a bus from a tripod, and not the hand-held one after it."""
    results = steadied([still[:HIGH, :WIDE]] * 5)[1]
    assert all(result.rgb.base is still for result in results)
    pictures = frames(media / "bikes.mp4", 0, 60)
    _, results, notes = steadied(pictures)
    kept = [result.rgb is picture for result, picture in zip(results, pictures, strict=True)]
    assert all(kept[:30])
    assert not any(kept[30:])
    assert notes == []


def test_nothing_is_smoothed_across_a_cut(still, media):
    """A shaky shot between others is steadied as it would be alone."""
    pictures, _ = shaky(still)
    other = cv2.resize(frames(media / "bikes.mp4", 0, 1)[0], (WIDE, HIGH))
    alone, _, _ = steadied(pictures, borders="edge")
    within, results, _ = steadied([other] * 8 + pictures + [other] * 8, borders="edge")
    moved = [at for at in range(COUNT + 16) if within.matrix(at) is not None]
    assert moved == list(range(8, 8 + COUNT))
    assert np.allclose(within.matrix(20), alone.matrix(12), atol=1e-6)
    assert results[0].rgb is other


def test_zoom_hides_every_border(still):
    """The least zoom that does; a white picture stays white in a shot whose borders were black."""
    pictures, _ = shaky(still)
    effect, _, _ = steadied(pictures)
    corners = np.array([[0, 0], [WIDE - 1, 0], [WIDE - 1, HIGH - 1], [0, HIGH - 1]], float)
    nearest = np.inf
    for matrix in map(effect.matrix, range(COUNT)):
        source = (corners - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
        inside = np.concatenate([source, [WIDE - 1, HIGH - 1] - source])
        assert inside.min() > -0.01
        nearest = min(nearest, inside.min())
    assert nearest < 0.1


def test_too_little_zoom_steadies_less_and_says_so(still):
    """As much as the zoom can hide, and no black corner."""
    pictures, matrices = shaky(still)
    effect, _, notes = steadied(pictures, zoom=1.02)
    before, after = jerk(places(matrices)), jerk(through(effect, places(matrices)))
    assert 1.1 < before / after < 10
    assert "is steadied by" in notes[0]
    assert "a zoom of 1.02" in notes[0]


def test_transparent_borders_have_alpha(still):
    """What was never shot is transparent; colours at the edge are not darkened by it."""
    pictures, _ = shaky(still)
    effect = Stabilise(StabiliseOptions(borders="transparent"), tools())
    assert effect.begin(footage(WIDE, HIGH)).has_alpha
    _, results, _ = steadied(pictures, borders="transparent")
    _, edges, _ = steadied(pictures, borders="edge")
    assert min(result.alpha.min() for result in results) == 0
    assert all(result.alpha[70:-70, 70:-70].min() > 0.999 for result in results)
    seen = results[7].alpha > 0.5
    assert np.abs(results[7].rgb - edges[7].rgb)[seen].max() < 0.05


def test_alpha_goes_with_the_picture_and_hidden_colours_stay_hidden(still):
    """Red where alpha is 0 must not come in at the edge of what is seen."""
    pictures, _ = shaky(still)
    alpha = np.zeros((HIGH, WIDE), np.float32)
    alpha[60:210, 140:340] = 1
    given = []
    for picture in pictures:
        hidden = picture.copy()
        hidden[alpha == 0] = (50, 0, 0)
        given.append(Picture(hidden, alpha))
    _, results, _ = steadied([Picture(p) for p in pictures], borders="edge")
    effect = Stabilise(StabiliseOptions(borders="edge"), tools())
    effect.begin(footage(WIDE, HIGH))
    for number, picture in enumerate(pictures):
        effect.study(number, Picture(picture))
    made = effect.apply([given[5]], 5)
    seen = made.alpha > 0.5
    assert 0.9 * alpha.sum() < made.alpha.sum() < 1.1 * alpha.sum()
    assert not np.array_equal(made.alpha, alpha)
    assert np.abs(made.rgb - results[5].rgb)[seen].max() < 0.3


def test_highlights_and_negatives_are_not_clipped(still):
    """Light of 50 and below zero goes through the filter as it is."""
    pictures, _ = shaky(still**2.4 * 50 - 0.2)
    _, results, _ = steadied(pictures, footage(WIDE, HIGH, linear=True), borders="edge")
    assert results[3].rgb.max() > 20
    assert results[3].rgb.min() < -0.15


def test_what_cannot_be_followed_is_said():
    """Noise has no corners that stay."""
    rng = np.random.default_rng(1)
    pictures = [rng.random((90, 160, 3), np.float32) for _ in range(4)]
    _, results, notes = steadied(pictures, smooth=0.1)
    assert len(results) == 4
    assert all("nothing could be followed" in note for note in notes)


def test_pictures_that_are_too_large_are_refused():
    """In one sentence."""
    from handlers.contract import UnusableMedia

    with pytest.raises(UnusableMedia, match="too large for stabilise"):
        Stabilise(StabiliseOptions(), tools()).begin(footage(40_000, 20))


def test_straight_lines_pass_the_smoothing_unbent():
    """A line stays a line to its ends; one value stays one value."""
    line = np.arange(30.0)[:, None] * [[2.0, -1.0]] + 5
    assert np.allclose(smoothed(line, 6), line)
    assert np.allclose(smoothed(line[:1], 6), line[:1])
    noise = np.random.default_rng(1).standard_normal((500, 1))
    assert np.diff(smoothed(noise, 6), axis=0).std() < np.diff(noise, axis=0).std() / 30
