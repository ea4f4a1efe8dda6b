"""Look-up tables of learnt effects: learnt, applied beyond their domain, exchanged; and metrics."""

from pathlib import Path

import av
import numpy as np
import PyOpenColorIO as ocio  # noqa: N813 - as its own examples name it
import pytest

from handlers.effects.table import Table, transform_of
from models.effects import lut_fit, metrics
from models.effects.cube import write_cube
from models.effects.examples import Pair
from models.effects.lut import Lut, grid, identity
from tests.media import default_folder, fetch

# L, a, b of two colours and their difference: Sharma, Wu and Dalal 2005, table 1.
SHARMA = """
50 2.6772 -79.7751 50 0 -82.7485 2.0425
50 3.1571 -77.2803 50 0 -82.7485 2.8615
50 2.8361 -74.0200 50 0 -82.7485 3.4412
50 -1.3802 -84.2814 50 0 -82.7485 1.0000
50 -1.1848 -84.8006 50 0 -82.7485 1.0000
50 -0.9009 -85.5211 50 0 -82.7485 1.0000
50 0 0 50 -1 2 2.3669
50 -1 2 50 0 0 2.3669
50 2.4900 -0.0010 50 -2.4900 0.0009 7.1792
50 2.4900 -0.0010 50 -2.4900 0.0010 7.1792
50 2.4900 -0.0010 50 -2.4900 0.0011 7.2195
50 2.4900 -0.0010 50 -2.4900 0.0012 7.2195
50 -0.0010 2.4900 50 0.0009 -2.4900 4.8045
50 -0.0010 2.4900 50 0.0010 -2.4900 4.8045
50 -0.0010 2.4900 50 0.0011 -2.4900 4.7461
50 2.5 0 50 0 -2.5 4.3065
50 2.5 0 73 25 -18 27.1492
50 2.5 0 61 -5 29 22.8977
50 2.5 0 56 -27 -3 31.9030
50 2.5 0 58 24 15 19.4535
50 2.5 0 50 3.1736 0.5854 1.0000
50 2.5 0 50 3.2972 0 1.0000
50 2.5 0 50 1.8634 0.5757 1.0000
50 2.5 0 50 3.2592 0.3350 1.0000
60.2574 -34.0099 36.2677 60.4626 -34.1751 39.4387 1.2644
63.0109 -31.0961 -5.8663 62.8187 -29.7946 -4.0864 1.2630
61.2901 3.7196 -5.3901 61.4292 2.2480 -4.9620 1.8731
35.0831 -44.1164 3.7933 35.0232 -40.0716 1.5901 1.8645
22.7233 20.0904 -46.6940 23.0331 14.9730 -42.5619 2.0373
36.4612 47.8580 18.3852 36.2715 50.5065 21.2231 1.4146
90.8027 -2.0831 1.4410 91.1528 -1.6435 0.0447 1.4441
90.9257 -0.5406 -0.9208 88.6381 -0.8985 -0.7239 1.5381
6.7747 -0.2908 -2.4247 5.8714 -0.0985 -2.2286 0.6377
2.0776 0.0795 -1.1350 0.9033 -0.0636 -0.5514 0.9082
"""


def bent(nodes: int = 33, low: float = 0.0, high: float = 1.0) -> Lut:
    """A table that is no straight line anywhere."""
    chance = np.random.default_rng(1).normal(0, 0.01, (nodes, nodes, nodes, 3))
    return Lut((grid(nodes, low, high) ** 3 * 0.9 + chance).astype(np.float32), low, high)


@pytest.fixture(scope="module")
def street() -> list[np.ndarray]:
    """Two frames of one shot of live action, float32 0..1."""
    with av.open(str(fetch(default_folder()) / "bikes.mp4")) as clip:
        wanted = {140, 180}
        frames = [f for n, f in enumerate(clip.decode(video=0)) if n in wanted]
    return [f.to_ndarray(format="rgb24").astype(np.float32) / 255 for f in frames]


def graded(x: np.ndarray) -> np.ndarray:
    """A grade: gamma and gain by channel, and a curve."""
    y = x ** np.float32(0.9) * np.array([1.1, 1.0, 0.85], np.float32) + np.float32(0.02)
    return (y - 0.05 * np.sin(2 * np.pi * y)).astype(np.float32)


def test_identity_leaves_highlights_and_negatives() -> None:
    """Colours far outside the domain come out as they went in."""
    colours = np.array([[0.2, 0.5, 0.9], [-3, 0.5, 40], [1000, -1000, 0]], np.float32)
    np.testing.assert_allclose(identity().apply(colours), colours, rtol=1e-5, atol=1e-6)


def test_table_goes_on_with_its_slope() -> None:
    """Twice the light inside is twice the light beyond."""
    doubled = Lut(grid(33) * 2)
    colours = np.array([[1.5, 0.5, -0.25]], np.float32)
    np.testing.assert_allclose(doubled.apply(colours), colours * 2, rtol=1e-5)


def by_tetrahedra(lut: Lut, colours: np.ndarray) -> np.ndarray:
    """The mean of four of a cell's corners, on the way from the first to the last one."""
    place = (colours.reshape(-1, 3) - lut.low) * ((lut.nodes - 1) / (lut.high - lut.low))
    corner = np.clip(np.floor(place), 0, lut.nodes - 2).astype(int)
    share = place - corner
    farthest = np.argsort(-share, axis=1)
    along = np.take_along_axis(share, farthest, axis=1)
    ends = np.ones(len(place)), np.zeros(len(place))
    weights = -np.diff(np.column_stack([ends[0], along, ends[1]]), axis=1)
    made = weights[:, :1] * lut.table[tuple(corner.T)]
    for turn in range(3):
        corner[np.arange(len(corner)), farthest[:, turn]] += 1
        made += weights[:, turn + 1 : turn + 2] * lut.table[tuple(corner.T)]
    return made.reshape(colours.shape)


def test_opencolorio_does_the_same_everywhere() -> None:
    """Within a domain by tetrahedra, far outside as the plain way; nodes are what they are."""
    colours = np.random.default_rng(0).normal(0.5, 2, (50, 60, 3)).astype(np.float32)
    for lut in (bent(), bent(17, -0.25, 1.5)):
        width = lut.high - lut.low
        far = ((colours < lut.low - width) | (colours > lut.high + width)).any(axis=2)
        made = Table(lut).run(colours)
        np.testing.assert_allclose(made[far], lut.apply(colours[far]), atol=1e-4)
        near = np.clip(colours, lut.low, lut.high)
        np.testing.assert_allclose(Table(lut).run(near), by_tetrahedra(lut, near), atol=1e-4)
        nodes = grid(lut.nodes, lut.low, lut.high).reshape(1, -1, 3)
        np.testing.assert_allclose(Table(lut).run(nodes), lut.apply(nodes), atol=1e-4)


def test_integers_of_a_clip_are_never_clipped() -> None:
    """The processor alone reaches a whole domain beyond each end."""
    lut = bent()
    cpu = ocio.Config.CreateRaw().getProcessor(transform_of(lut)).getDefaultCPUProcessor()
    colours = np.random.default_rng(0).uniform(-0.99, 1.99, (40, 40, 3)).astype(np.float32)
    made = colours.copy()
    cpu.applyRGB(made)
    np.testing.assert_allclose(made, by_tetrahedra(lut.widened(32), colours), atol=1e-4)


def test_either_way_to_read_a_table_is_as_near_to_what_was_learnt(street: list[np.ndarray]) -> None:
    """A grade on another frame, by tetrahedra and by trilinear interpolation."""
    first, second = street
    lut = lut_fit.fit([Pair(name="one", before=first, after=graded(first))]).lut
    truth = graded(second)
    fast, plain = (
        metrics.psnr(made, truth) for made in (Table(lut).run(second), lut.apply(second))
    )
    assert fast > plain - 2
    assert fast > 60


@pytest.mark.parametrize("lut", [bent(), bent(33, -0.5, 1.25)], ids=["usual", "wide"])
def test_cube_reads_back_through_opencolorio(tmp_path: Path, lut: Lut) -> None:
    """Another program gets the same colours out of the file."""
    path = tmp_path / "effect.cube"
    write_cube(lut, path, 'glow "warm"\n')
    read = ocio.FileTransform(str(path), interpolation=ocio.INTERP_LINEAR)
    cpu = ocio.Config.CreateRaw().getProcessor(read).getDefaultCPUProcessor()
    colours = np.random.default_rng(0).uniform(lut.low, lut.high, (30, 30, 3)).astype(np.float32)
    made = colours.copy()
    cpu.applyRGB(made)
    np.testing.assert_allclose(made, lut.apply(colours), atol=2e-5)


def test_grade_is_learnt_from_one_pair(street: list[np.ndarray]) -> None:
    """It holds on another frame of the shot, to a few parts in a thousand."""
    first, second = street
    lut = lut_fit.fit([Pair(name="a", before=first, after=graded(first))]).lut
    assert metrics.psnr(lut.apply(second), graded(second)) > 50


def test_unseen_colours_go_on_as_their_neighbours() -> None:
    """Dark pictures teach bright colours, too: the change goes on, it does not end."""
    dark = np.random.default_rng(0).uniform(0.1, 0.4, (90, 90, 3)).astype(np.float32)
    lut = lut_fit.fit([Pair(name="a", before=dark, after=dark * 1.5)]).lut
    bright = np.array([[0.7, 0.6, 0.65]], np.float32)
    np.testing.assert_allclose(lut.apply(bright), bright * 1.5, rtol=0.02)


def test_what_was_painted_out_does_not_colour_the_rest(street: list[np.ndarray]) -> None:
    """One in fourteen pixels became something else; the others keep their colours."""
    first = street[0]
    after = first.copy()
    after[60:140, 200:360] = 0.1
    lut = lut_fit.fit([Pair(name="a", before=first, after=after)]).lut
    untouched = np.abs(lut.apply(first) - first)[150:]
    assert np.median(untouched) < 0.004


def test_masked_pixels_do_not_count() -> None:
    """Where the person's mask is black, nothing is learnt."""
    x = np.random.default_rng(0).random((60, 60, 3)).astype(np.float32)
    after, weight = x * 0.5, np.ones((60, 60), np.float32)
    after[:30], weight[:30] = 0.0, 0.0
    lut = lut_fit.fit([Pair(name="a", before=x, after=after, weight=weight)]).lut
    np.testing.assert_allclose(lut.apply(x[30:]), after[30:], atol=0.01)


def test_matte_of_a_colour_is_learnt() -> None:
    """One channel after, and one comes out."""
    x = np.random.default_rng(0).random((80, 80, 3)).astype(np.float32)
    after = np.clip(x[..., 1:2] - x[..., :1] + 0.3, 0, 1)
    lut = lut_fit.fit([Pair(name="a", before=x, after=after)]).lut
    assert lut.channels == 1
    assert Table(lut).run(x).shape == (80, 80, 1)
    assert metrics.psnr(lut.apply(x), after) > 40


@pytest.mark.parametrize("size", [(1, 1), (3, 1)])
def test_tiniest_pictures_are_learnt_from(size: tuple[int, int]) -> None:
    """One pixel is a pair as well."""
    x = np.full((*size, 3), 0.25, np.float32)
    lut = lut_fit.fit([Pair(name="a", before=x, after=x + 0.1)]).lut
    np.testing.assert_allclose(lut.apply(x), x + 0.1, atol=1e-3)


def test_pair_outside_the_domain_leaves_the_table_alone() -> None:
    """All highlights: nothing is known of what lies in the domain."""
    x = np.full((4, 4, 3), 7.0, np.float32)
    lut = lut_fit.fit([Pair(name="a", before=x, after=x)]).lut
    np.testing.assert_allclose(lut.table, identity().table, atol=1e-5)


def test_colour_difference_is_the_published_one() -> None:
    """All 34 pairs of the paper, to its four digits."""
    rows = np.array([line.split() for line in SHARMA.strip().splitlines()], np.float64)
    found = metrics.delta_e(rows[:, :3], rows[:, 3:6])
    np.testing.assert_allclose(found, rows[:, 6], atol=5e-5)


def test_white_and_grey_in_lab() -> None:
    """White is 100, 0, 0; 18 % grey in sRGB is half as light."""
    shown = np.array([[1, 1, 1], [0.4613561, 0.4613561, 0.4613561]], np.float32)
    np.testing.assert_allclose(metrics.lab(shown), [[100, 0, 0], [49.496, 0, 0]], atol=2e-3)


def test_ssim_of_even_pictures_is_its_formula() -> None:
    """Without structure only the light's term is left."""
    a, b = (np.full((20, 30, 3), v, np.float32) for v in (0.5, 0.7))
    expected = (2 * 0.5 * 0.7 + 1e-4) / (0.5**2 + 0.7**2 + 1e-4)
    assert metrics.ssim(a, b) == pytest.approx(expected, abs=1e-5)


def test_scores_of_the_same_and_of_worse(street: list[np.ndarray]) -> None:
    """The same picture has the best of each; more noise is worse by each."""
    x = street[0]
    same = metrics.scores(x, x)
    assert (same.psnr, same.ssim, same.gmsd) == (120.0, 1.0, 0.0)
    assert same.delta_e == pytest.approx(0, abs=1e-9)
    noise = np.random.default_rng(0).normal(0, 1, x.shape).astype(np.float32)
    little, much = (metrics.scores(x + noise * by, x) for by in (0.01, 0.05))
    assert little.psnr == pytest.approx(40, abs=0.1)
    assert little.psnr > much.psnr
    assert little.ssim > much.ssim
    assert little.delta_e < much.delta_e
    assert little.gmsd < much.gmsd
