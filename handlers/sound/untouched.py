"""Where a network hears no noise: there what it would change is speech, and nothing is changed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from handlers.sound.lined import Lined, aligned

Samples = NDArray[np.float32]

HOP = 480
"""Samples that share one estimate of the noise."""
CLEAN_DB = 33.0
"""Speech over noise from where on there is none: the network's scale ends at 35 dB."""
# Two seconds before and after; in speech it is the loud parts that tell how much noise there is.
_AROUND, _PERCENT = 200, 75
_TOGETHER = 500


class Untouched:
    """Lets what a network takes away through where it hears noise, and nothing elsewhere.

    What goes through waits for two seconds, until what comes after it is known.
    """

    def __init__(self) -> None:
        self._noise: list[Samples] = []
        self._snr: Samples | None = None
        self._waiting = 0

    def push(self, noise: Samples, snr: Samples) -> Iterator[Samples]:
        """Take noise, float32 [n, channels], and the network's dB for each hop of it.

        Args:
            noise: n is a multiple of 480 except at the end.
            snr: float32 [ceil(n / 480), channels], or [.., 1] for all channels.
        """
        if self._snr is None:
            self._snr = _mirrored(snr)
        self._snr = np.concatenate([self._snr, snr])
        self._noise.append(noise)
        self._waiting += len(noise)
        while len(self._snr) >= 2 * _AROUND + _TOGETHER:
            yield self._let_through(_TOGETHER)

    def finish(self) -> Iterator[Samples]:
        """Give the rest."""
        if self._snr is None or not self._waiting:
            return
        hops = len(self._snr) - _AROUND
        self._snr = np.concatenate([self._snr, _mirrored(self._snr[_AROUND:])])
        yield self._let_through(hops)

    def _let_through(self, hops: int) -> Samples:
        assert self._snr is not None  # noqa: S101 - both callers have seen to it
        part = self._snr[: hops + 2 * _AROUND]
        before = _percentile(part)
        after = _percentile(part[::-1])[::-1]
        noisy = np.minimum(before, after) < CLEAN_DB
        # Fades lie in the clean hops beside a noisy one.
        marks = ndimage.maximum_filter(noisy, size=(3, 1)).astype(np.float32)
        self._snr = self._snr[hops:]
        together = np.concatenate(self._noise)
        now, rest = together[: hops * HOP], together[hops * HOP :]
        self._noise, self._waiting = [rest], len(rest)
        return now * _interpolated(marks[_AROUND - 1 : _AROUND + hops + 1], len(now))


def _mirrored(snr: Samples) -> Samples:
    """Return what stands beyond an end: what lies before it, again, as often as it takes."""
    return np.resize(snr[::-1][:_AROUND], (_AROUND, snr.shape[1]))


def _percentile(snr: Samples) -> Samples:
    """Return what the loud parts of the two seconds before say, [hops, channels]."""
    found: Samples = ndimage.percentile_filter(
        snr, _PERCENT, size=(_AROUND, 1), origin=((_AROUND - 1) // 2, 0), mode="nearest"
    )
    return found


def _interpolated(marks: Samples, count: int) -> Samples:
    """Return a gain for each sample; ``marks`` has a hop more at both ends."""
    places = (np.arange(count) + 0.5) / HOP + 0.5
    below = np.minimum(places.astype(int), len(marks) - 2)
    part = np.clip(places - below, 0, 1)[:, np.newaxis].astype(np.float32)
    gains: Samples = marks[below] * (1 - part) + marks[below + 1] * part
    return gains


def taken(denoiser: Any, heard: Iterator[Samples], *, linked: bool) -> Iterator[Samples]:
    """Yield what a network takes away from sound at its own rate, where it hears noise.

    A network that does not tell how much noise it hears is believed everywhere.

    Args:
        denoiser: Has ``denoise``; those that tell have ``clean``, too.
        heard: float32 [n, channels].
        linked: Whether all channels are filtered alike.

    Yields:
        float32 [n, channels], as many samples as came in, each at its place.
    """
    sound, unclean = itertools.tee(heard)
    if not hasattr(denoiser, "clean"):
        pairs = aligned(sound, denoiser.denoise(unclean, linked=linked))
        yield from (was - now for was, now in pairs)
        return
    gate, waiting = Untouched(), Lined(sound)
    for cleaned in denoiser.clean(unclean, linked=linked):
        was = waiting.take(len(cleaned.samples))
        yield from gate.push(was - cleaned.samples, cleaned.snr)
    yield from gate.finish()
