"""Peak and level of sound over time, for a page's waveform."""

from __future__ import annotations

from array import array
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

_FLOOR_DB = -120.0


class Trace:
    """The largest peak of any channel, and the mean power of all, in each frame of time.

    Args:
        rate: Samples a second.
        frames: Frames a second.
    """

    def __init__(self, rate: int, frames: Fraction) -> None:
        self._length = Fraction(rate) / frames
        self._held: Samples | None = None
        self._begin = 0
        self._rows = 0
        self._peaks, self._powers = array("f"), array("f")

    def push(self, block: Samples) -> None:
        """Take float32 [n, channels]."""
        self._held = block if self._held is None else np.concatenate([self._held, block])
        rows = int((self._begin + len(self._held)) / self._length)
        if rows > self._rows:
            self._measure(rows)

    def finish(self) -> dict[str, NDArray[np.float32]]:
        """Return ``peak_db`` and ``level_db``, float32 [frames], in dB of full scale."""
        if self._held is not None and len(self._held):
            self._measure(self._rows + 1)
        return {
            "peak_db": _decibels(np.frombuffer(self._peaks, np.float32), 20),
            "level_db": _decibels(np.frombuffer(self._powers, np.float32), 10),
        }

    def _measure(self, rows: int) -> None:
        held = self._held
        if held is None:
            return
        edges = [-(-row * self._length.numerator // self._length.denominator)
                 for row in range(self._rows, rows + 1)]  # fmt: skip
        end = min(edges[-1] - self._begin, len(held))
        first = np.array(edges[:-1]) - self._begin
        now = held[:end]
        peaks = np.maximum.reduceat(np.abs(now).max(axis=1), first)
        counts = np.diff([*first, end])
        powers = np.add.reduceat(np.square(now).mean(axis=1, dtype=np.float64), first) / counts
        self._peaks.frombytes(peaks.astype(np.float32).tobytes())
        self._powers.frombytes(powers.astype(np.float32).tobytes())
        self._held = held[end:]
        self._begin += end
        self._rows = rows


def _decibels(values: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    least = 10.0 ** (_FLOOR_DB / factor)
    made: NDArray[np.float32] = (factor * np.log10(np.maximum(values, least))).astype(np.float32)
    return made
