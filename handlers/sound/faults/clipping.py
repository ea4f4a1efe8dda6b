"""Clipping: flat tops at a level that nothing in the sound around them exceeds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from handlers.analysis.findings import count
from handlers.sound.faults.params import FaultParams
from handlers.sound.faults.record import Fault, Ranges, within
from handlers.sound.faults.windows import Window, spans

Sound = NDArray[np.float32]
Places = NDArray[np.intp]

# Samples of a flat top differ by no more than this part of their level from each other.
_FLAT = 3e-3
# Its corners are sharp: each step beside it is so many times the steps within it, the larger one
# so many. The rounded top of a slow wave has steps that grow by less. Steps of less than one of
# 16 bits say nothing.
_CORNER, _SHARPER, _STEP = 3.0, 6.0, 1 / 32768
# Flat tops stand this near the highest sample around, of their own sign.
_CEILING = 0.997
# Full scale, less what dithering and the rounding of 24 bits leave below it.
_FULL = 0.9995
# Below full scale one flat top may be chance; so many, or one so long, are none.
_SEVERAL, _LONG = 3, 8
_TOGETHER_SECONDS = 1.0
# More than this share of samples cannot be taken for a chance overload.
_HEAVY_SHARE = 0.001


def clipped_runs(sound: Sound, params: FaultParams) -> Places:
    """Find flat tops in one channel.

    Args:
        sound: Float [n]; a second or so, so that its highest sample is the clip level.
        params: How many samples make a top, and from which level on.

    Returns:
        Where they begin and end, int [tops, 2], end exclusive, in order.
    """
    tops = _flat(sound, params)
    if not len(tops):
        return tops
    begin, end = tops.T
    sign = np.sign(sound[begin])
    level = np.abs(sound[begin])
    kept = np.zeros(len(tops), bool)
    for side in (1, -1):
        own = sign == side
        ceiling = float((side * sound).max())
        near = own & (level >= _CEILING * ceiling)
        if near.any() and (ceiling >= _FULL or near.sum() >= _SEVERAL
                           or (end - begin)[near].max() >= _LONG):  # fmt: skip
            kept |= near
    return np.asarray(tops[kept], np.intp)


def _flat(sound: Sound, params: FaultParams) -> Places:
    """Find runs of nearly equal samples that stick out and have sharp corners."""
    step = np.diff(sound)
    size = np.abs(sound[:-1])
    lowest = 10 ** (params.clipped_level_db / 20)
    found = spans((np.abs(step) <= _FLAT * size) & (size >= lowest))
    # A run of n steps is n + 1 samples; at the ends it is not known what is beside it.
    long = found[:, 1] - found[:, 0] + 1 >= params.audio_clipped_samples
    inside = (found[:, 0] > 0) & (found[:, 1] < len(step))
    found = found[long & inside]
    if not len(found):
        return found
    begin, end = found.T
    sign = np.sign(sound[begin])
    rise, fall = sign * step[begin - 1], -sign * step[end]
    wobble = np.array([np.abs(step[a:b]).max() for a, b in found.tolist()])
    wobble = np.maximum(wobble, _STEP)
    sharp = (np.minimum(rise, fall) >= _CORNER * wobble) & (
        np.maximum(rise, fall) >= _SHARPER * wobble
    )
    return np.asarray(np.stack([begin, end + 1], axis=1)[sharp], np.intp)


class Clipping:
    """Counts flat tops in each channel."""

    def __init__(self, rate: int, channels: int, params: FaultParams) -> None:
        self._rate, self._params = rate, params
        self._found = [Ranges(round(_TOGETHER_SECONDS * rate)) for _ in range(channels)]
        self._longest = [0] * channels
        self._level = [0.0] * channels
        self._heard = 0

    def hear(self, window: Window, channel: int) -> Places:
        """Take one channel of a window; return its flat tops, in samples of the window."""
        if channel == 0:
            self._heard += window.last - window.first
        sound = window.sound[channel]
        tops = clipped_runs(sound, self._params)
        for begin, end in tops.tolist():
            if window.first <= begin < window.last:
                self._found[channel].add(window.start + begin, window.start + end)
                self._longest[channel] = max(self._longest[channel], end - begin)
                self._level[channel] = max(self._level[channel], abs(float(sound[begin])))
        return tops

    def faults(self) -> Iterator[Fault]:
        """Yield what was found."""
        for channel, found in enumerate(self._found):
            if found:
                yield self._fault(channel, found)

    def _fault(self, channel: int, found: Ranges) -> Fault:
        level = float(20 * np.log10(self._level[channel]))
        share = found.samples / self._heard
        start, end = next(iter(found))
        text = f"{within(start, end, self._rate)} channel {channel + 1} clips at {level:.1f} dBFS"
        text += f": {count(found.count, 'flat top')}, {count(found.samples, 'sample')} in all."
        return Fault(
            kind="audio_clipping", severity="error" if share > _HEAVY_SHARE else "warning",
            text=text, channels=(channel + 1,), ranges=found.few(),
            figures={"count": found.count, "samples": found.samples, "level_db": level,
                     "share": share, "longest_ms": 1000 * self._longest[channel] / self._rate},
        )  # fmt: skip
