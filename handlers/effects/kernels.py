"""Loops over samples, compiled by numba: planes to pixels of four floats, and pixels to planes.

What numpy and OpenCV do in a dozen passes takes one each way. Planes are contiguous and may be
wider than the picture, as a decoder's lines are; pixels are float32 [height, 4 * width].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from handlers.effects.picture.layout import Plane

Floats = NDArray[np.float32]
_F = TypeVar("_F", bound=Callable[..., None])

FULL, COSITED, BETWEEN = 0, 1, 2
"""How chroma's columns lie: as luma's, or half as many, on luma's even ones or between two each."""
HALVED = {"cosited": COSITED, "between": BETWEEN}

_ONE, _HALF, _QUARTER, _THREE_QUARTERS = (np.float32(value) for value in (1, 0.5, 0.25, 0.75))
_BLACK = np.float32(0)


def _compiled(function: _F) -> _F:
    """Compile for this processor at the first call, and keep that for other processes.

    Sums may be contracted, but NaNs are left what they are: a camera's float may hold one.
    """
    settings: dict[str, Any] = {
        "nogil": True,
        "error_model": "numpy",
        "fastmath": {"contract", "nsz"},
    }
    try:
        return cast("_F", numba.njit(cache=True, **settings)(function))
    except RuntimeError:
        # There is no folder to keep it in: a second more for each child.
        return cast("_F", numba.njit(**settings)(function))


def contiguous(plane: Plane) -> Plane:
    """Return a plane's memory with what lies between its lines, [height, stride].

    Only of such arrays does the compiler know that neighbours lie side by side.
    """
    lines = plane.shape[0], plane.strides[0] // plane.itemsize
    return np.lib.stride_tricks.as_strided(plane, lines, (plane.strides[0], plane.itemsize))


@_compiled
def _widen(own: Plane, columns: int, wide: Floats) -> None:
    """Write a line of chroma at every pixel; borders are repeated."""
    width = wide.size
    last = (width + 1) // 2 - 1
    if columns == FULL:
        for x in range(width):
            wide[x] = own[x]
        return
    if columns == COSITED:
        for x in range(last):
            wide[2 * x] = own[x]
            wide[2 * x + 1] = _HALF * (np.float32(own[x]) + np.float32(own[x + 1]))
        wide[2 * last] = own[last]
    else:
        wide[0] = own[0]
        for x in range(last):
            here, after = np.float32(own[x]), np.float32(own[x + 1])
            wide[2 * x + 1] = _THREE_QUARTERS * here + _QUARTER * after
            wide[2 * x + 2] = _THREE_QUARTERS * after + _QUARTER * here
    if width % 2 == 0:
        wide[width - 1] = own[last]


@_compiled
def join(luma: Plane, blue: Plane, red: Plane, columns: int, matrix: Floats, made: Floats) -> None:
    """Write pixels from codes of Y', Cb and Cr.

    Args:
        luma: [height, at least width].
        blue: Cb, of any type; [height, at least as many columns as it has].
        red: Cr.
        columns: FULL, COSITED or BETWEEN.
        matrix: float32 [3, 4] from Y', Cb, Cr and 1 to the first three channels; the fourth is 1.
        made: Where to.
    """
    width = made.shape[1] // 4
    blues, reds = np.empty(width, np.float32), np.empty(width, np.float32)
    for y in range(made.shape[0]):
        line, lights = made[y], luma[y]
        _widen(blue[y], columns, blues)
        _widen(red[y], columns, reds)
        for x in range(width):
            light, cb, cr = np.float32(lights[x]), blues[x], reds[x]
            for channel in range(3):
                line[4 * x + channel] = (
                    matrix[channel, 0] * light
                    + matrix[channel, 1] * cb
                    + matrix[channel, 2] * cr
                    + matrix[channel, 3]
                )
            line[4 * x + 3] = _ONE


@_compiled
def luma(pixels: Floats, peak: np.float32, made: Plane) -> None:
    """Write the pixels' first channel as codes, held to 0..peak and rounded to the nearest."""
    for y in range(made.shape[0]):
        line, codes = pixels[y], made[y]
        for x in range(line.size // 4):
            codes[x] = np.int32(min(max(line[4 * x], _BLACK), peak) + _HALF)


@_compiled
def chroma_change(pixels: Floats, channel: int, own: Plane, columns: int, made: Floats) -> None:
    """Write by how much a channel of pixels differs from chroma, at the places of chroma.

    Args:
        pixels: What effects made of what ``join`` wrote.
        channel: 1 or 2.
        own: Chroma as it was given there.
        columns: As there.
        made: float32 [height, columns of chroma].
    """
    width, narrow = pixels.shape[1] // 4, made.shape[1]
    wide, even = np.empty(width, np.float32), np.empty(narrow, np.float32)
    # The first one is left of the picture.
    odd = np.empty(narrow + 1, np.float32)
    for y in range(made.shape[0]):
        line, change = pixels[y], made[y]
        _widen(own[y], columns, wide)
        if columns == FULL:
            for x in range(width):
                change[x] = line[4 * x + channel] - wide[x]
            continue
        for x in range(width // 2):
            even[x] = line[8 * x + channel] - wide[2 * x]
            odd[x + 1] = line[8 * x + 4 + channel] - wide[2 * x + 1]
        if width % 2:
            even[-1] = odd[-1] = line[4 * width - 4 + channel] - wide[-1]
        odd[0] = even[0]
        for x in range(narrow):
            if columns == BETWEEN:
                change[x] = _HALF * (even[x] + odd[x + 1])
            else:
                change[x] = _HALF * even[x] + _QUARTER * (odd[x] + odd[x + 1])


@_compiled
def moved(own: Plane, change: Floats, peak: np.float32, made: Plane) -> None:
    """Write codes that are moved by a change, held to 0..peak and rounded to the nearest."""
    for y in range(change.shape[0]):
        was, move, codes = own[y], change[y], made[y]
        for x in range(move.size):
            codes[x] = np.int32(min(max(np.float32(was[x]) + move[x], _BLACK), peak) + _HALF)
