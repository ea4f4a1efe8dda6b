"""Takes flicker away: brightness that changes from frame to frame and comes back.

Per shot, the way of the exposure is measured, smoothed, and each picture brought onto the smooth
way. A shot whose exposure does not go to and fro is left alone, bit for bit.
"""

from __future__ import annotations

import itertools
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.ndimage import median_filter

from handlers.effects.builtin.cuts import Cuts
from handlers.effects.builtin.exposure import PIVOT, Exposure
from handlers.effects.builtin.light import luminance, seen, shrunk
from handlers.effects.builtin.smoothing import Curve, smoothed
from handlers.effects.effect import Effect, Footage, Image, Picture, Tools
from handlers.effects.options import DeflickerOptions

# The standard deviation of frame-to-frame flicker, in natural logarithms, below which there is
# none: real footage without flicker measures up to 0.0025, and 0.0071 where contrast or each
# channel is measured too, of which the same pictures say less.
_NONE, _NONE_OF_MORE = 0.004, 0.01
# Where light is switched on or off, brightness jumps and stays: so many frames are compared on
# both sides, and the jump is so many times what they differ by themselves, and at least so large.
_SIDE, _TIMES, _JUMP = 8, 1.5, 0.15
_FLASH = 5
# A window of so many standard deviations holds nearly all of a Gaussian.
_DEVIATIONS = 4
# Below this value contrast is changed by a straight line: a power has no end of slope there.
_TOE = 1e-3
_LOOK = 64
_NOTHING = np.zeros((2, 1), np.float32)


class Deflicker(Effect):
    """Evens out brightness, and contrast and colour where wanted, from frame to frame."""

    studies = True
    keeps_grey = True

    def __init__(self, options: DeflickerOptions, tools: Tools) -> None:
        self._options, self._tools = options, tools
        more = options.colour or options.mode == "gamma"
        self._least = _NONE_OF_MORE if more else _NONE
        self._limit = options.limit * float(np.log(2))
        self._cuts = Cuts()
        self._numbers = array("q")
        self._plan: Image | None = None

    def begin(self, footage: Footage) -> Footage:
        """Take note of the footage; what comes out is of the same kind."""
        self._footage = footage
        contrast = self._options.mode == "gamma"
        self._exposure = Exposure(footage, colour=self._options.colour, contrast=contrast)
        return footage

    def study(self, number: int, picture: Picture) -> None:
        """Measure a picture's exposure."""
        self._numbers.append(number)
        self._exposure.see(picture.rgb)
        small = luminance(shrunk(picture.rgb, _LOOK), self._footage)
        self._cuts.see(seen(small, self._footage))

    def apply(self, window: Sequence[Picture], number: int) -> Picture:
        """Bring the picture onto the smooth way; itself where nothing is to be done."""
        (picture,) = window
        lift, bend = self._correction_of(number)
        if not lift.any() and not bend.any():
            return picture
        return Picture(corrected(picture.rgb, lift, bend), picture.alpha)

    def _correction_of(self, number: int) -> Image:
        """Return lift and bend of a frame, float32 [2, channels]."""
        if self._plan is None:
            self._plan = self._planned()
        at = bisect_left(self._numbers, number)
        known = at < len(self._numbers) and self._numbers[at] == number
        return self._plan[at] if known else _NOTHING

    def _planned(self) -> Image:
        """Return lift and bend of each frame, in natural logarithms; 0 leaves it alone."""
        changes = self._exposure.changes()
        plan = np.zeros_like(changes)
        worst, evened = 0.0, 0
        for first, end in _parts(changes, self._cuts.begins()):
            way = _way(changes[first:end])
            steady = self._without_flashes(way)
            amount = flicker(steady)
            if amount >= self._least:
                plan[first:end] = self._correction(way, steady)
                worst, evened = max(worst, amount), evened + end - first
        self._tell(worst, evened)
        return plan.astype(np.float32)

    def _without_flashes(self, way: Curve) -> Curve:
        """Draw a line over single pictures that are far brighter or darker than all about them."""
        level = way[:, 0].mean(axis=1)
        far = np.abs(level - median_filter(level, _FLASH, mode="nearest")) > self._limit
        steady = np.flatnonzero(~far)
        made = way.copy()
        for column in made.reshape(len(way), -1).T:
            column[:] = np.interp(np.arange(len(way)), steady, column[steady])
        return made

    def _correction(self, way: Curve, steady: Curve) -> Curve:
        """Return lift and bend that take a part's way onto a smooth one."""
        sigma = self._options.window / _DEVIATIONS
        target = smoothed(steady.reshape(len(way), -1), sigma).reshape(way.shape)
        bend = target[:, 1] - way[:, 1]
        lift = target[:, 0] - np.exp(bend) * way[:, 0]
        made: Curve = np.stack([lift, bend], axis=1)
        made[np.abs(target - way)[:, 0].max(axis=1) > self._limit] = 0
        return made

    def _tell(self, worst: float, evened: int) -> None:
        said = "no flicker was found; nothing was changed."
        if evened:
            said = f"flicker of up to {worst:.1%} was evened out in {evened} frames."
        self._tools.notes.append(f"deflicker: {said}")


def _parts(changes: Curve, begins: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the ranges of frames in which brightness is one way: shots, cut at jumps of light."""
    for first, end in itertools.pairwise([*begins, len(changes)]):
        level = _way(changes[first:end])[:, 0].mean(axis=1)
        jumps = [first + at for at in _jumps(median_filter(level, _FLASH, mode="nearest"))]
        yield from itertools.pairwise([first, *jumps, end])


def _way(changes: Curve) -> Curve:
    """Add up changes from frame to frame to levels and contrasts as of a shot's first frame.

    Args:
        changes: float64 [frames, 2, channels]; the first frame's do not count.
    """
    way = np.zeros_like(changes)
    for at in range(1, len(changes)):
        way[at, 1] = way[at - 1, 1] + changes[at, 1]
        way[at, 0] = np.exp(changes[at, 1]) * way[at - 1, 0] + changes[at, 0]
    return way


def flicker(way: Curve) -> float:
    """Return how much a shot flickers: the standard deviation of what goes to and fro.

    Second differences let what changes steadily pass; six is their variance for values that
    have nothing to do with each other.

    Args:
        way: float64 [frames, 2, channels], natural logarithms.
    """
    if len(way) < 3:
        return 0.0
    bent = np.diff(way.reshape(len(way), -1), n=2, axis=0)
    return float(np.sqrt((bent**2).mean(axis=0).max() / 6))


def _jumps(level: Curve) -> list[int]:
    """Return the frames at which brightness jumps and stays.

    There, all pictures on one side are brighter than all on the other, by far more than
    they differ among themselves: of flicker and fades, neither is.
    """
    rise = np.zeros(len(level))
    for at in range(_SIDE, len(level) - _SIDE + 1):
        before, after = level[at - _SIDE : at], level[at : at + _SIDE]
        gap = max(after.min() - before.max(), before.min() - after.max())
        if gap > max(_JUMP, _TIMES * max(np.ptp(before), np.ptp(after))):
            rise[at] = gap
    return [at for at in np.flatnonzero(rise) if rise[at] == rise[at - _SIDE : at + _SIDE].max()]


def corrected(rgb: Image, lift: Image, bend: Image) -> Image:
    """Return a picture with its values raised and its contrast changed.

    Values become ``exp(lift) * value`` where ``bend`` is 0, else a power of them about the pivot.

    Args:
        rgb: float32 [height, width, 3].
        lift: At the pivot, in natural logarithms; float32 of one value or three.
        bend: The logarithm of the power, likewise.
    """
    if not bend.any():
        made: Image = rgb * np.exp(lift)
        return made
    power = np.exp(bend)
    scale = np.exp(lift + np.float32(PIVOT) * (1 - power))
    raised = scale * np.maximum(rgb, np.float32(_TOE)) ** power
    toe = scale * np.float32(_TOE) ** (power - 1)
    return np.where(rgb > _TOE, raised, rgb * toe).astype(np.float32)
