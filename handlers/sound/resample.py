"""Changing the sample rate of sound of any length, aligned to the sample.

Both rates have a common grid; on it lies one linear-phase low-pass, a sinc under a Kaiser window
(Smith, "Digital Audio Resampling", CCRMA 2020), whose delay is taken out. What comes there and
back therefore lies where it lay.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray
from scipy import signal

Samples = NDArray[np.float32]

# Zero crossings of the sinc at the lower rate, each side; and the Kaiser window's shape: the
# stop band lies 85 dB down, the pass band ends at 0.92 of the lower rate's half.
_CROSSINGS, _BETA = 32, 8.5
_CUTOFF = 0.955
_STEP_SECONDS = 0.5


class Resampler:
    """Brings blocks from one rate to another; memory is about a second of sound.

    Args:
        source: The rate that comes in, in hertz.
        target: The rate that goes out.
    """

    def __init__(self, source: int, target: int) -> None:
        common = gcd(source, target)
        self._up, self._down = target // common, source // common
        # Steps begin where both grids meet, so that each is filtered as the whole would be.
        self._step = self._down * max(1, round(_STEP_SECONDS * source / self._down))
        reach = -(-_CROSSINGS * max(self._up, self._down) // self._up)
        self._margin = -(-reach // self._down) * self._down
        self._held: Samples | None = None
        self._count = self._given = 0

    def push(self, block: Samples) -> Iterator[Samples]:
        """Take float32 [n, channels]; yield what is ready at the new rate."""
        if self._up == self._down:
            yield block
            return
        if self._held is None:
            self._held = np.zeros((self._margin, block.shape[1]), np.float32)
        self._count += len(block)
        self._held = np.concatenate([self._held, block])
        while len(self._held) >= self._step + 2 * self._margin:
            yield self._resampled(self._step)

    def finish(self) -> Iterator[Samples]:
        """Yield the rest; in all, count * target / source samples, rounded up, have come out."""
        if self._held is None:
            return
        whole = -(-self._count * self._up // self._down)
        tail = np.zeros((self._step + 2 * self._margin, self._held.shape[1]), np.float32)
        self._held = np.concatenate([self._held, tail])
        while (left := whole - self._given) > 0:
            yield self._resampled(self._step)[:left]

    def _resampled(self, count: int) -> Samples:
        assert self._held is not None  # noqa: S101 - both callers have seen to it
        piece = self._held[: count + 2 * self._margin]
        made = signal.resample_poly(
            piece, self._up, self._down, axis=0, window=_low_pass(self._up, self._down)
        )
        first = self._margin * self._up // self._down
        given: Samples = made[first : first + count * self._up // self._down].astype(np.float32)
        self._held = self._held[count:]
        self._given += len(given)
        return given


def resampled(blocks: Iterator[Samples], source: int, target: int) -> Iterator[Samples]:
    """Yield ``blocks`` (float32 [n, channels]) at another rate, both in hertz."""
    resampler = Resampler(source, target)
    for block in blocks:
        yield from resampler.push(block)
    yield from resampler.finish()


@lru_cache(maxsize=8)
def _low_pass(up: int, down: int) -> Samples:
    widest = max(up, down)
    taps = signal.firwin(
        2 * _CROSSINGS * widest + 1, _CUTOFF / widest, window=("kaiser", _BETA), scale=True
    )
    return np.asarray(taps, np.float32)
