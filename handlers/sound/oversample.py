"""Peaks between samples: what a converter, a codec or a true-peak meter makes of them.

ITU-R BS.1770-4, annex 2, measures at four times the rate with a filter of 12 samples, which reads
too low near half the sample rate (5 dB at 0.45 of it). Here two filters look at once and the
higher reading counts: one as short as that (a sinc under a Hann window, with which libebur128
measures), and one of 32 samples that is right to 0.05 dB up to 0.45 of the rate.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Line = NDArray[np.float64]

REACH = 16
"""Samples on either side that a value between two samples is made of."""
BLOCK = 32
"""Samples whose neighbours one product of matrices makes."""

_BETA = 5.0
# Rates up to which to look at so many times the rate, with so many samples on either side. Short
# is libebur128's own: 49 taps at four times the rate below 96 kHz, at twice below 192 kHz.
_LONG = ((50_000, 4, REACH), (200_000, 2, REACH))
_SHORT = ((95_999, 4, 6), (191_999, 2, 12))
# What is seen at twice the rate is at most 3 dB below the peak; a little more for the filters.
_HALFWAY = 0.6


class Between:
    """Finds the highest value near each sample, over all channels.

    Args:
        rate: Samples a second.
        threshold: Full scale is 1; what cannot reach it is not looked at closely.
    """

    def __init__(self, rate: int, threshold: float) -> None:
        bank = _bank(rate)
        self._all = _banded(bank)
        self._half = _banded(_column(0.5, REACH, _kaiser)[:, None])
        # No sum of samples below this can reach the threshold.
        self._silent = threshold / max(1.0, float(np.abs(bank).sum(axis=0).max()))
        self._low = threshold * _HALFWAY

    def peaks(self, samples: Samples) -> Samples:
        """Return the highest magnitude at each sample and between it and its neighbours.

        Where that is below the threshold it may be the magnitude of the sample itself.

        Args:
            samples: float32 or float64 [REACH + n + REACH, channels], n a multiple of BLOCK.

        Returns:
            float32 [n]
        """
        found = np.zeros(len(samples) - 2 * REACH, np.float32)
        for channel in range(samples.shape[1]):
            self._raise(found, np.ascontiguousarray(samples[:, channel], np.float32))
        return found

    def _raise(self, found: Samples, line: Samples) -> None:
        """Raise ``found`` to what one channel has, [REACH + n + REACH]."""
        level = np.abs(line)
        np.maximum(found, level[REACH:-REACH], out=found)
        if level.max() < self._silent:
            return
        windows = _windows(line)
        loud = self._loud(_windows(level).max(axis=1), windows)
        if len(loud):
            blocks = found.reshape(-1, BLOCK)
            blocks[loud] = np.maximum(blocks[loud], self._around(windows[loud]))

    def _loud(self, near: Samples, windows: Samples) -> NDArray[np.intp]:
        """Return which blocks may reach the threshold; ``near`` is the highest sample of each."""
        found = near >= self._low
        unsure = np.flatnonzero((near >= self._silent) & ~found)
        if len(unsure):
            halfway = np.abs(windows[unsure] @ self._half).max(axis=1)
            found[unsure] = halfway >= self._low
        return np.flatnonzero(found)

    def _around(self, windows: Samples) -> Samples:
        """Return the highest between each sample and its neighbours, [blocks, BLOCK]."""
        values = windows @ self._all
        np.abs(values, out=values)
        highest = values.reshape(len(windows), -1, BLOCK + 1).max(axis=1)
        higher: Samples = np.maximum(highest[:, :-1], highest[:, 1:])
        return higher


def _windows(line: Samples) -> Samples:
    """Return each block with the samples around it, [n / BLOCK, REACH + BLOCK + REACH]."""
    made: Samples = np.lib.stride_tricks.sliding_window_view(line, BLOCK + 2 * REACH)[::BLOCK]
    return made


@lru_cache(maxsize=8)
def _bank(rate: int) -> Samples:
    """Return the weights [2 * REACH, phases] of the samples around each place between two."""
    columns = []
    for table, window in ((_LONG, _kaiser), (_SHORT, _hann)):
        times, reach = next(((t, r) for most, t, r in table if rate <= most), (1, REACH))
        columns += [_column(phase / times, reach, window) for phase in range(1, times)]
    return np.stack(columns, axis=1)


def _column(place: float, reach: int, window: Callable[[Line], Line]) -> Samples:
    """Return what each sample adds at ``place`` (0..1) between the two in the middle."""
    away = place - np.arange(1 - REACH, REACH + 1)
    shape = np.where(np.abs(away) < reach, window(away / reach), 0)
    return np.asarray(np.sinc(away) * shape, np.float32)


def _kaiser(where: Line) -> Line:
    made: Line = np.i0(_BETA * np.sqrt(np.clip(1 - where**2, 0, None))) / np.i0(_BETA)
    return made


def _hann(where: Line) -> Line:
    made: Line = 0.5 + 0.5 * np.cos(np.pi * where)
    return made


def _banded(bank: Samples) -> Samples:
    """Return the bank for a block at once, [REACH + BLOCK + REACH, phases * (BLOCK + 1)].

    Column p * (BLOCK + 1) + i gives phase p before sample i of the block; the last lies after it.
    """
    taps, phases = bank.shape
    made = np.zeros((BLOCK + taps, phases, BLOCK + 1), np.float32)
    for place in range(BLOCK + 1):
        made[place : place + taps, :, place] = bank
    return made.reshape(BLOCK + taps, -1)
