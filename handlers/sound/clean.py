"""Taking noise away: what the network finds is subtracted, at the recording's own rate.

The network hears the sound at its own rate; what it takes away comes back to the recording's.
So what lies above the network's band stays, and where nothing is taken away the samples are the
recording's own, bit for bit.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from handlers.sound.levels import Quiet
from handlers.sound.resample import resampled

Samples = NDArray[np.float32]


class Denoiser(Protocol):
    """What cleans sound at its own ``rate``; see ``models.enhance.pieces``."""

    rate: int

    def denoise(self, blocks: Iterator[Samples], *, linked: bool) -> Iterator[Samples]:
        """Yield the cleaned sound, as many samples as came in, each at its place."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaning:
    """How to clean: at most ``limit`` dB off the noise, ``mix`` of it (0..1), ``linked`` channels.

    Where the pauses lie below ``floor`` dBFS, and in the channels ``left_out`` (from 0), nothing
    is changed.
    """

    limit: float
    mix: float
    linked: bool
    floor: float
    left_out: frozenset[int] = frozenset()

    @property
    def share(self) -> float:
        """How much of the noise is taken away, 0..1."""
        kept = 0.0 if self.limit >= 100 else 10 ** (-self.limit / 20)
        return self.mix * (1 - kept)


def noise(
    blocks: Iterator[Samples], rate: int, denoiser: Denoiser, cleaning: Cleaning, quiet: Quiet
) -> Iterator[tuple[Samples, Samples]]:
    """Yield the sound as it came and what is to be taken away from it.

    Args:
        blocks: float32 [n, channels].
        rate: Their rate, in hertz.
        denoiser: The network.
        cleaning: How to clean.
        quiet: Where the pauses of the same sound are silent.

    Yields:
        Both float32 [n, channels], of one length; in all as many samples as came in.
    """
    # What waits between the two ends of a tee is what the network holds back: a chunk or two.
    sound, heard = itertools.tee(blocks)
    heard, unclean = itertools.tee(resampled(heard, rate, denoiser.rate))
    clean = denoiser.denoise(unclean, linked=cleaning.linked)
    found = (was - now for was, now in aligned(heard, clean))
    share = np.float32(cleaning.share)
    gate = quiet.gate(cleaning.floor)
    for was, taken in aligned(sound, resampled(found, denoiser.rate, rate)):
        gains = gate(len(was))
        gains[:, list(cleaning.left_out)] = 0
        yield was, share * taken * gains


def aligned(first: Iterator[Any], second: Iterator[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield blocks of two streams of sound in pieces of one length, as long as both go on."""
    one = two = None
    while True:
        one = _some(one, first)
        two = _some(two, second)
        if one is None or two is None:
            return
        count = min(len(one), len(two))
        yield one[:count], two[:count]
        one, two = one[count:], two[count:]


def _some(held: Any, blocks: Iterator[Any]) -> Any:
    while held is None or not len(held):
        held = next(blocks, None)
        if held is None:
            return None
    return held
