"""How loud each channel is every twentieth of a second: where there is nothing to take away.

Where even the pauses are silent, a network has no noise to find: what it changed would be speech.
"""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Samples = NDArray[np.float32]

HOPS = 20
"""Levels a second."""
_FLOOR_DB = -126
# The pauses of speech: the quietest tenth of two seconds.
_BEFORE, _PERCENT = 2 * HOPS, 10


class Levels:
    """Measures levels; an hour of one channel takes 72 kB.

    Args:
        rate: Samples a second.
    """

    def __init__(self, rate: int) -> None:
        self._length = max(1, round(rate / HOPS))
        self._held: Samples | None = None
        self._channels = 0
        self._levels = array("b")

    def push(self, block: Samples) -> None:
        """Take float32 [n, channels]."""
        self._channels = block.shape[1]
        self._held = block if self._held is None else np.concatenate([self._held, block])
        count = len(self._held) // self._length
        if count:
            self._measure(count * self._length)

    def finish(self) -> Quiet:
        """Return where the pauses are silent."""
        if self._held is not None and len(self._held):
            missing = self._length - len(self._held)
            self._held = np.pad(self._held, ((0, missing), (0, 0)))
            self._measure(self._length)
        levels = np.frombuffer(self._levels, np.int8).reshape(-1, max(1, self._channels))
        return Quiet(levels, self._length)

    def _measure(self, length: int) -> None:
        held = self._held
        if held is None:
            return
        pieces = held[:length].reshape(-1, self._length, held.shape[1])
        power = np.square(pieces).mean(axis=1, dtype=np.float64)
        decibels = 10 * np.log10(np.maximum(power, 10.0 ** (_FLOOR_DB / 10)))
        self._levels.frombytes(np.clip(decibels, _FLOOR_DB, 0).astype(np.int8).tobytes())
        self._held = held[length:]


class Quiet:
    """Where the pauses of a channel are silent.

    Args:
        levels: dB of full scale, int8 [hops, channels].
        length: Samples of one hop.
    """

    def __init__(self, levels: NDArray[np.int8], length: int) -> None:
        # Noise that ends in silence is no silence: the pauses before count as those after do.
        self._pauses = np.maximum(_pauses(levels), _pauses(levels[::-1])[::-1])
        self._length = length

    @property
    def channels(self) -> int:
        """How many channels there are."""
        return self._pauses.shape[1]

    def noisy(self, floor: float) -> NDArray[np.bool_]:
        """Return where there is noise above ``floor`` dBFS, bool [hops, channels]."""
        marks: NDArray[np.bool_] = self._pauses > floor
        return marks

    def gate(self, floor: float) -> Gate:
        """Return what lets the noise above ``floor`` dBFS through."""
        return Gate(self.noisy(floor), self._length)


def _pauses(levels: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return the quietest tenth of the two seconds before, dB, int8 [hops, channels]."""
    size = min(_BEFORE, max(1, len(levels)))
    found: NDArray[np.int8] = ndimage.percentile_filter(
        levels, _PERCENT, size=(size, 1), origin=((size - 1) // 2, 0), mode="mirror"
    )
    return found


class Gate:
    """Gains from the beginning on: 0 where the pauses are silent, 1 where not.

    Args:
        marks: Where there is noise, bool [hops, channels].
        length: Samples of one hop.
    """

    def __init__(self, marks: NDArray[np.bool_], length: int) -> None:
        # Where a hop is noisy the whole of it is cleaned: fades lie in the quiet ones beside it.
        self._marks = ndimage.maximum_filter(marks, size=(3, 1)).astype(np.float32)
        self._length = length
        self._position = 0

    def __call__(self, count: int) -> Samples:
        """Return the next gains, float32 [count, channels]."""
        places = (np.arange(self._position, self._position + count) + 0.5) / self._length - 0.5
        last = len(self._marks) - 1
        below = np.clip(np.floor(places), 0, last).astype(int)
        above = np.minimum(below + 1, last)
        part = np.clip(places - below, 0, 1)[:, np.newaxis].astype(np.float32)
        self._position += count
        gains: Samples = self._marks[below] * (1 - part) + self._marks[above] * part
        return gains
