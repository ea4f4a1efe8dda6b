"""What shows only over several frames: repeats, drops, freezes, black, shake, flicker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, median_filter, uniform_filter1d

from handlers.analysis.params import QcParams
from models.shots.decode import runs

Column = NDArray[np.float32]
Marks = NDArray[np.bool_]

# A repeated picture stands among pictures that move: they differ this many times more,
# or more, whatever a codec adds to the repeat.
_REPEAT_RATIO, _REPEAT_LEAST, _REPEAT_MOST = 6.0, 0.003, 0.002
_REPEAT_REACH = 9
# A frame that the camera dropped shows where it moves evenly, by this much of the width a frame at
# least: the picture moves as far as in two frames or more, to within a part of the usual way.
_EVEN_LEAST, _EVEN_OFF, _EVEN_REACH, _EVEN_FEWEST = 0.004, 0.2, 4, 6
_MOST_DROPPED = 4
# A frozen picture may be coded anew once in a while, which changes it this much at most.
_RECODED = 0.004
# Over so many frames codecs come near to it; any more may be a locked-off shot before it.
_SETTLES = 3
# Slower movement than this, in seconds, is what the operator meant.
_INTENDED = 0.12
_SHAKE_WINDOW = 1.0
_FLICKER_SMOOTH, _FLICKER_WINDOW, _TURNS_A_SECOND = 0.15, 1.0, 6
# A larger difference than this is a cut: no shake, no flicker.
_CUT = 0.08


def add_series(
    columns: Mapping[str, NDArray[Any]], rate: float, params: QcParams, held: Marks
) -> dict[str, NDArray[Any]]:
    """Return shake, flicker, duplicate, dropped, black and freeze, each [n].

    ``held`` marks the frames of a variable rate in which the picture before is still shown.
    """
    difference, decoded = columns["difference"], columns["decoded"]
    black = (columns["luma_p99"] <= params.black_luma) & decoded
    still = _still(difference, params.freeze_difference) & decoded
    freeze = np.zeros(len(black), bool)
    for start, end in runs(still & ~black):
        # Codecs come nearer to a still picture over its first frames; and the picture
        # before the first that does not differ is frozen as well.
        first = start
        while first > max(1, start - _SETTLES) and difference[first - 1] <= _RECODED:
            first -= 1
        if end - first + 1 >= params.freeze_seconds * rate:
            freeze[max(0, first - 1) : end] = True
    # Beside a lost frame the same picture stands twice.
    same = _duplicate(difference) & np.append(True, decoded[:-1])
    duplicate = same & decoded & ~(freeze | black | held)
    path = np.stack([columns["shift_x"], columns["shift_y"]], axis=1)
    return {
        "shake": _shake(columns["shift_x"], columns["shift_y"], rate),
        "flicker": _flicker(columns["luma_change"], difference, rate),
        "duplicate": duplicate,
        "dropped": _dropped(path, duplicate, decoded & ~held),
        "black": black,
        "freeze": freeze,
    }


def _still(difference: Column, limit: float) -> Marks:
    """Say which frames are as the one before, but for being coded anew."""
    still = difference <= limit
    still[:1] = False
    slight = difference <= _RECODED
    between = np.zeros_like(still)
    between[2:-2] = still[:-4] & still[1:-3] & still[3:-1] & still[4:]
    marks: Marks = still | (slight & between)
    return marks


def _duplicate(difference: Column) -> Marks:
    if len(difference) < 3:
        return np.zeros(len(difference), bool)
    # Of two neighbours the larger: every second picture may be a repeat.
    larger = np.maximum(difference[:-1], difference[1:])
    usual = median_filter(np.append(larger, larger[-1:]), _REPEAT_REACH, mode="nearest")
    marks: Marks = (difference <= _REPEAT_MOST) & (
        usual > np.maximum(_REPEAT_LEAST, _REPEAT_RATIO * difference)
    )
    marks[0] = False
    return marks


def _dropped(shift: NDArray[Any], repeated: Marks, shown: Marks) -> NDArray[np.uint8]:
    """Return how many frames are missing before each one, by a leap in an even movement.

    Args:
        shift: How far the picture moved, float [n, 2].
        repeated: Frames that repeat the one before; they stand in an even movement.
        shown: Frames that are pictures of their own.
    """
    missing = np.zeros(len(shift), np.uint8)
    usual = np.stack([median_filter(each, 2 * _EVEN_REACH + 1) for each in shift.T], axis=1)
    way = np.hypot(*usual.T)
    times = (shift * usual).sum(axis=1) / np.maximum(way, _EVEN_LEAST) ** 2
    leaps = (way >= _EVEN_LEAST) & (times > 2 - _EVEN_OFF) & (times < _MOST_DROPPED + 1.5)
    for place in np.flatnonzero(leaps[_EVEN_REACH:-_EVEN_REACH]) + _EVEN_REACH:
        around = np.r_[place - _EVEN_REACH : place, place + 1 : place + _EVEN_REACH + 1]
        even = around[~repeated[around]]
        count = round(float(times[place]))
        off = np.append(shift[even] - usual[place], [shift[place] - count * usual[place]], axis=0)
        steady = np.hypot(*off.T).max() <= _EVEN_OFF * way[place]
        if steady and len(even) >= _EVEN_FEWEST and shown[around].all() and shown[place]:
            missing[place] = count - 1
    return missing


def _shake(shift_x: Column, shift_y: Column, rate: float) -> Column:
    """Return how far the picture trembles about its smoothed path: the median over a second.

    The median, because a pan that begins or ends at once leaves the path for an instant.
    """
    square = np.zeros(len(shift_x))
    for shift in (shift_x, shift_y):
        path = np.cumsum(shift, dtype=np.float64)
        square += (path - _smooth(path, _INTENDED * rate)) ** 2
    size = max(1, round(_SHAKE_WINDOW * rate))
    return np.asarray(median_filter(np.sqrt(square), size, mode="nearest"), np.float32)


def _flicker(change: Column, difference: Column, rate: float) -> Column:
    """Return how much luma wavers, relative to itself, where it does so many times a second."""
    if len(change) < 3:
        return np.zeros(len(change), np.float32)
    # Put together again without the jumps of cuts.
    level = np.cumsum(np.where(difference > _CUT, 0, change), dtype=np.float64)
    wave = level - _smooth(level, _FLICKER_SMOOTH * rate)
    turns = np.append(np.diff(np.sign(np.diff(wave, prepend=0))) != 0, [False])
    often = _mean(turns.astype(float), _FLICKER_WINDOW * rate) * rate >= _TURNS_A_SECOND
    return np.where(often, np.sqrt(_mean(wave**2, _FLICKER_WINDOW * rate)), 0).astype(np.float32)


def _smooth(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Smooth; beyond its ends a path goes on as it did, so that a steady pan stays steady."""
    reach = min(len(values) - 1, round(4 * sigma))
    if reach < 1:
        return values
    longer = np.pad(values, reach, mode="reflect", reflect_type="odd")
    smooth: NDArray[np.float64] = gaussian_filter1d(longer, sigma)[reach:-reach]
    return smooth


def _mean(values: NDArray[np.float64], size: float) -> NDArray[np.float64]:
    made: NDArray[np.float64] = uniform_filter1d(values, max(1, round(size)), mode="nearest")
    return np.maximum(made, 0)
