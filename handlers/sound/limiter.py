"""A limiter for true peaks: looks ahead, one gain for all channels, no delay.

How it works, all in decibels of reduction: how much each peak (between samples as well) is too
high; the most of that around each sample (so the gain is down before the peak and held after it);
an exponential way back; a smooth bell over the attack (three running means, a quadratic spline),
after which the reduction at each peak is still no less than it needs. The sound itself is only
multiplied; where no reduction is, samples come out bit for bit.

A running maximum under a smoothing filter is Hämäläinen's: Smoothing of the Control Signal Without
Clipped Output in Digital Peak Limiters (DAFx 2002). Peaks are those of ITU-R BS.1770-4, annex 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from handlers.sound.oversample import REACH, Between

Samples = NDArray[np.float32]
Line = NDArray[np.float64]

# Samples that go through at once; whatever comes in is cut to that, so results do not depend on it.
_CHUNK = 1 << 15
# Reductions below these, in dB, are none: the end of a way back, and what running means leave.
_OVER, _DUST = 0.01, 1e-9
_BELLS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """In seconds: how early the gain begins to go down, how long it stays, how it comes back.

    ``hold`` is half a period of 50 Hz, so that a low tone is not bent within its period;
    ``release`` is the time in which the reduction falls to 37 % of its decibels.
    """

    attack: float = 0.005
    hold: float = 0.010
    release: float = 0.150


class Limiter:
    """Keeps one stream below a ceiling; use it once.

    Args:
        rate: Samples a second.
        channels: How many; all get the same gain.
        ceiling: The most, in dBTP.
        times: Attack, hold and release.
    """

    def __init__(
        self, rate: int, channels: int, ceiling: float, times: Times | None = None
    ) -> None:
        self._between = Between(rate, 10 ** (ceiling / 20))
        self._ceiling = ceiling
        self._path = _Path(rate, times or Times())
        self._late = self._path.late + REACH
        self._held: Samples = np.zeros((self._late, channels), np.float32)
        self.deepest = 0.0
        """The most that was taken off, in dB."""
        self.touched = 0
        """How many samples were made quieter."""

    def __call__(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        """Yield the limited sound: as many samples as came in, of the same kind, none late.

        Args:
            blocks: float32 or float64 [n, channels] of any length; no NaN, no infinity.

        Raises:
            ValueError: a sample is no number.
        """
        begin = end = 0
        for chunk, real in _cut(blocks, self._held, self._late):
            end += real
            made = self._limit(chunk)
            first, last = max(0, self._late - begin), min(len(made), end + self._late - begin)
            if first < last:
                yield made[first:last]
            begin += len(chunk)

    def _limit(self, chunk: Samples) -> Samples:
        """Take the next samples, give back as many from ``late`` before them."""
        if not np.isfinite(chunk).all():
            raise ValueError("The sound holds samples that are no numbers: repair it first.")
        held = np.concatenate([self._held, chunk])
        self._held = held[len(chunk) :]
        peaks = self._between.peaks(held[self._late - 2 * REACH :])
        down = self._path(self._over(peaks))
        if down is None:
            return held[: len(chunk)]
        self.deepest = max(self.deepest, float(down.max()))
        self.touched += int(np.count_nonzero(down))
        gain = np.power(10, down / -20).astype(chunk.dtype)
        made: Samples = held[: len(chunk)] * gain[:, None]
        return made

    def _over(self, peaks: Samples) -> Line:
        """Return by how many decibels each peak is too high [n], 0 where it is not."""
        with np.errstate(divide="ignore"):
            return np.clip(20 * np.log10(peaks.astype(np.float64)) - self._ceiling, 0, None)


class _Path:
    """Makes the course of the reduction from what each peak needs; keeps its tails.

    ``late`` is by how many samples what comes out is behind what goes in.
    """

    def __init__(self, rate: int, times: Times) -> None:
        # Odd, so that the bell has a middle.
        self._mean = 2 * round(times.attack * rate / _BELLS / 2) + 1
        bell = _BELLS * (self._mean - 1)
        # All that a peak between samples is made of gets its whole reduction.
        ahead = REACH + bell // 2
        self.late = ahead + bell // 2
        self._window = 2 * ahead + round(times.hold * rate) + 1
        self._fall = 1 / (times.release * rate)
        self._needs: Line = np.zeros(self._window - 1)
        self._course: Line = np.zeros(bell)
        self._last = 0.0

    def __call__(self, need: Line) -> Line | None:
        """Take the next needs [n] in dB; return as many reductions, None where all are 0."""
        if not (need.any() or self._needs.any() or self._course.any() or self._last):
            return None
        course: Line = np.concatenate([self._course, self._released(self._held(need))])
        self._course = course[len(need) :]
        for _ in range(_BELLS):
            course = _inside(uniform_filter1d(course, self._mean), self._mean)
        course[course < _DUST] = 0
        return course

    def _held(self, need: Line) -> Line:
        """Return the most that is needed around each sample."""
        needs = np.concatenate([self._needs, need])
        self._needs = needs[len(need) :]
        return _inside(maximum_filter1d(needs, self._window), self._window)

    def _released(self, held: Line) -> Line:
        """Let each reduction fall exponentially until a higher one comes.

        Seen in its logarithm, with the fall taken out, that is a running maximum.
        """
        slope = np.arange(1, len(held) + 1) * self._fall
        with np.errstate(divide="ignore"):
            lifted = np.log(np.concatenate([[self._last], held]))
        lifted[1:] += slope
        course: Line = np.exp(np.maximum.accumulate(lifted)[1:] - slope)
        course[course < _OVER] = 0
        self._last = float(course[-1])
        return course


def _inside(filtered: Line, size: int) -> Line:
    """Leave away where a filter of this size looked beyond the ends."""
    return filtered[size // 2 : len(filtered) - (size - 1) // 2]


def _cut(blocks: Iterable[Samples], like: Samples, extra: int) -> Iterator[tuple[Samples, int]]:
    """Yield chunks of one size and how much of each is sound; ``extra`` at the end is not."""
    parts: list[Samples] = []
    waiting = 0
    for block in blocks:
        for start in range(0, len(block), _CHUNK):
            parts.append(block[start : start + _CHUNK])
            waiting += len(parts[-1])
            if waiting >= _CHUNK:
                joined = np.concatenate(parts)
                yield joined[:_CHUNK], _CHUNK
                parts, waiting = [joined[_CHUNK:]], waiting - _CHUNK
    last = np.concatenate(parts) if parts else like[:0]
    for start in range(0, len(last) + extra, _CHUNK):
        piece = last[start : start + _CHUNK]
        yield np.pad(piece, ((0, _CHUNK - len(piece)), (0, 0))), len(piece)
