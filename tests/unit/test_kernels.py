"""Loops over samples, compiled and as Python runs them, against numpy's way over whole planes."""

import numpy as np
import pytest

from handlers.effects import kernels
from handlers.effects.picture.chroma import enlarge, reduce

WAYS = {"compiled": lambda loop: loop, "plain": lambda loop: loop.py_func}
SITES = {
    kernels.FULL: (0, "cosited"),
    kernels.COSITED: (1, "cosited"),
    kernels.BETWEEN: (1, "between"),
}
SIZES = [(3, 8), (2, 7), (1, 2), (2, 1)]


@pytest.fixture(params=WAYS)
def way(request):
    """One of two ways to run a loop."""
    return WAYS[request.param]


def padded(plane):
    """The same samples in lines that are longer than the picture."""
    lines = np.full((plane.shape[0], plane.shape[1] + 5), 77, plane.dtype)
    lines[:, : plane.shape[1]] = plane
    return lines[:, : plane.shape[1]]


def planes(size, across, kind):
    """Codes of luma, Cb and Cr."""
    rng = np.random.default_rng(3)
    small = size[0], -(-size[1] >> across)
    return [rng.integers(0, 256, shape).astype(kind) for shape in (size, small, small)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("columns", SITES)
def test_widened_chroma_is_what_whole_planes_become(way, columns, size):
    """Between samples lie their weighted means; borders are repeated."""
    across, site = SITES[columns]
    _, own, _ = planes(size, across, np.uint16)
    wide = np.empty(size[1], np.float32)
    wanted = enlarge(own.astype(np.float32), (across, 0), (site, "between"), size[::-1])
    for line, result in zip(own, wanted, strict=True):
        way(kernels._widen)(line, columns, wide)
        np.testing.assert_allclose(wide, result, rtol=1e-6)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("columns", SITES)
def test_pixels_are_the_matrix_of_codes(way, columns, size, kind):
    """What lies between lines is not read; the fourth channel is 1."""
    across, site = SITES[columns]
    own = planes(size, across, kind)
    matrix = np.random.default_rng(1).normal(0, 1, (3, 4)).astype(np.float32)
    made = np.empty((size[0], 4 * size[1]), np.float32)
    lines = [kernels.contiguous(padded(plane)) for plane in own]
    assert all(line.flags.c_contiguous for line in lines)
    way(kernels.join)(*lines, columns, matrix, made)
    floats = [plane.astype(np.float32) for plane in own]
    chroma = [enlarge(one, (across, 0), (site, "between"), size[::-1]) for one in floats[1:]]
    wanted = np.stack([floats[0], *chroma, np.ones(size, np.float32)], axis=-1)
    wanted[..., :3] = wanted @ matrix.T
    np.testing.assert_allclose(made.reshape(*size, 4), wanted, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("columns", SITES)
def test_change_of_chroma_is_that_of_whole_planes(way, columns, size):
    """What effects did, reduced; nothing where they did nothing."""
    across, site = SITES[columns]
    _, own, _ = planes(size, across, np.uint16)
    wide = enlarge(own.astype(np.float32), (across, 0), (site, "between"), size[::-1])
    move = np.random.default_rng(2).normal(0, 9, size).astype(np.float32)
    made = np.empty(own.shape, np.float32)
    for by in (move, np.zeros_like(move)):
        pixels = np.zeros((*size, 4), np.float32)
        pixels[..., 2] = wide + by
        lines = kernels.contiguous(padded(own))
        way(kernels.chroma_change)(pixels.reshape(size[0], -1), 2, lines, columns, made)
        wanted = reduce(by, (across, 0), (site, "between"))
        np.testing.assert_allclose(made, wanted, atol=1e-4)
    assert not made.any()


def test_luma_is_rounded_and_held(way):
    """To the nearest code of those that there are."""
    pixels = np.zeros((1, 6, 4), np.float32)
    pixels[0, :, 0] = [-3, 0.4, 0.6, 511.5, 1022.7, 2000]
    made = np.full((1, 6), 9, np.uint16)
    way(kernels.luma)(pixels.reshape(1, -1), np.float32(1023), made)
    assert made.tolist() == [[0, 0, 1, 512, 1023, 1023]]


def test_moved_codes_are_rounded_and_held(way):
    """Also of eight bits; what lies beyond the picture's columns stays."""
    own = np.array([[0, 100, 100, 250, 7]], np.uint8)
    change = np.array([[-4, 0.3, 0.7, 9]], np.float32)
    made = np.full((1, 5), 9, np.uint8)
    way(kernels.moved)(own, change, np.float32(255), made)
    assert made.tolist() == [[0, 100, 101, 255, 9]]


def test_loop_with_no_place_to_be_kept_in_is_compiled_all_the_same():
    """As where neither the package's folder nor a home may be written to."""
    space = {}
    exec("def loop(made):\n    made[0] = 7", space)
    made = np.zeros(1, np.int32)
    kernels._compiled(space["loop"])(made)
    assert made.tolist() == [7]
