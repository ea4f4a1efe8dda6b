"""What shows only over several frames: repeats, freezes, black, shake, flicker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, median_filter, uniform_filter1d

from handlers.analysis.params import QcParams

Column = NDArray[np.float32]
Marks = NDArray[np.bool_]

# A repeated picture stands among pictures that move: they differ this many times more.
_REPEAT_RATIO, _REPEAT_LEAST = 8.0, 0.002
_REPEAT_REACH = 9
# A frozen picture may be coded anew once in a while, which changes it this much at most.
_RECODED = 0.004
# Slower movement than this, in seconds, is what the operator meant.
_INTENDED = 0.2
_WINDOW = 0.5
_FLICKER_SMOOTH, _FLICKER_WINDOW, _TURNS_A_SECOND = 0.15, 1.0, 6
_DARKEST = 0.03
# A larger difference than this is a cut: no shake, no flicker.
_CUT = 0.08


def add_series(
    columns: Mapping[str, NDArray[Any]], rate: float, params: QcParams, held: Marks
) -> dict[str, NDArray[Any]]:
    """Return shake, flicker, duplicate, black and freeze, each [n], from each frame's measures.

    ``held`` marks the frames of a variable rate in which the picture before is still shown.
    """
    difference, decoded = columns["difference"], columns["decoded"]
    black = (columns["luma_p99"] <= params.black_luma) & decoded
    still = _still(difference, params.freeze_difference) & decoded
    freeze = np.zeros(len(black), bool)
    for start, end in runs(still & ~black):
        # The picture before the first that does not differ is frozen as well.
        if end - start + 1 >= params.freeze_seconds * rate:
            freeze[max(0, start - 1) : end] = True
    same = _duplicate(difference, params.freeze_difference)
    return {
        "shake": _shake(columns["shift_x"], columns["shift_y"], rate),
        "flicker": _flicker(columns["luma_mean"], difference, rate),
        "duplicate": same & decoded & ~(freeze | black | held),
        "black": black,
        "freeze": freeze,
    }


def runs(marks: Marks) -> Iterator[tuple[int, int]]:
    """Yield the runs of true values, end exclusive."""
    edges = np.flatnonzero(np.diff(marks.astype(np.int8), prepend=0, append=0)).tolist()
    yield from zip(edges[::2], edges[1::2], strict=True)


def _still(difference: Column, limit: float) -> Marks:
    """Say which frames are as the one before, but for being coded anew."""
    still = difference <= limit
    still[:1] = False
    slight = difference <= _RECODED
    between = np.zeros_like(still)
    between[2:-2] = still[:-4] & still[1:-3] & still[3:-1] & still[4:]
    marks: Marks = still | (slight & between)
    return marks


def _duplicate(difference: Column, limit: float) -> Marks:
    if len(difference) < 3:
        return np.zeros(len(difference), bool)
    same = difference <= limit
    same[0] = False
    moving = np.where(same, 0, difference)
    # Of those around: the usual difference of pictures that are no repeats.
    around = median_filter(np.maximum(moving[:-1], moving[1:]), _REPEAT_REACH, mode="nearest")
    usual = np.append(around, around[-1:])
    marks: Marks = same & (usual > np.maximum(_REPEAT_LEAST, _REPEAT_RATIO * difference))
    return marks


def _shake(shift_x: Column, shift_y: Column, rate: float) -> Column:
    """Return how far the picture trembles about its smoothed path, RMS over half a second."""
    square = np.zeros(len(shift_x))
    for shift in (shift_x, shift_y):
        path = np.cumsum(shift, dtype=np.float64)
        square += (path - gaussian_filter1d(path, _INTENDED * rate, mode="nearest")) ** 2
    return np.sqrt(_mean(square, _WINDOW * rate)).astype(np.float32)


def _flicker(luma: Column, difference: Column, rate: float) -> Column:
    """Return how much luma wavers, relative to itself, where it does so many times a second."""
    if len(luma) < 3:
        return np.zeros(len(luma), np.float32)
    own = np.where(difference > _CUT, 0, np.diff(luma, prepend=luma[:1]))
    # Put together again without the jumps of cuts.
    level = np.cumsum(own, dtype=np.float64)
    wave = level - gaussian_filter1d(level, _FLICKER_SMOOTH * rate, mode="nearest")
    wave /= np.maximum(luma, _DARKEST)
    turns = np.append(np.diff(np.sign(np.diff(wave, prepend=0))) != 0, [False])
    often = _mean(turns.astype(float), _FLICKER_WINDOW * rate) * rate >= _TURNS_A_SECOND
    return np.where(often, np.sqrt(_mean(wave**2, _FLICKER_WINDOW * rate)), 0).astype(np.float32)


def _mean(values: NDArray[np.float64], size: float) -> NDArray[np.float64]:
    made: NDArray[np.float64] = uniform_filter1d(values, max(1, round(size)), mode="nearest")
    return np.maximum(made, 0)
