"""Taking noise away: what the network finds is subtracted, at the recording's own rate.

The network hears the sound at its own rate; what it takes away comes back to the recording's.
So what lies above the network's band stays, and where nothing is taken away the samples are the
recording's own, bit for bit.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handlers.sound.levels import Quiet
from handlers.sound.lined import aligned
from handlers.sound.resample import resampled
from handlers.sound.untouched import taken
from models.enhance.pieces import Denoiser

Samples = NDArray[np.float32]


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


def cleaned(quiet: Quiet, cleaning: Cleaning) -> list[int]:
    """Return the channels, from 0, that a network is to hear; none where nothing would change."""
    kept = [each for each in range(quiet.channels) if each not in cleaning.left_out]
    return kept if cleaning.share and quiet.noisy(cleaning.floor)[:, kept].any() else []


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
    # Timecode in the mean of linked channels would be heard as their noise.
    kept = cleaned(quiet, cleaning)
    if not kept:
        yield from ((was, np.zeros_like(was)) for was in blocks)
        return
    # What waits between the two ends of a tee is what the network holds back: a chunk or two.
    sound, heard = itertools.tee(blocks)
    cleanable = (block[:, kept] for block in heard)
    found = taken(denoiser, resampled(cleanable, rate, denoiser.rate), linked=cleaning.linked)
    share = np.float32(cleaning.share)
    gate = quiet.gate(cleaning.floor)
    for was, lost in aligned(sound, resampled(found, denoiser.rate, rate)):
        away = np.zeros_like(was)
        away[:, kept] = share * lost * gate(len(was))[:, kept]
        yield was, away
