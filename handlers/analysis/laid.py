"""Sound laid against the picture: decoded pieces become one run of samples from frame 0 on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

# Shorter breaks than this, in seconds, are rounding of the container's clock, not lost sound.
_GAP = Fraction(1, 20)
# Longer ones are a broken clock: filling them would mean silence for hours.
_LONGEST = 3600
_DIVISORS = {"u8": 1 << 7, "s16": 1 << 15, "s32": 1 << 31, "s64": 1 << 63}


def samples(frame: av.AudioFrame) -> Samples:
    """Return a decoded frame as float32 [samples, channels], full scale 1."""
    channels = frame.layout.nb_channels
    made: Any = frame.to_ndarray()
    made = made.T if frame.format.is_planar else made.reshape(-1, channels)
    name = frame.format.name.rstrip("p")
    if name in _DIVISORS:
        bias = 1 << 7 if name == "u8" else 0
        made = (made.astype(np.float32) - bias) / np.float32(_DIVISORS[name])
    return np.asarray(made, np.float32)


class Laid:
    """Lays one stream's sound from frame 0 on; sound before it is cut off, gaps are silent.

    ``end`` counts the samples so far. ``late`` is how many of them, before the first
    that the file has, are silence; ``gaps`` lists later ones as (first sample, count).

    Args:
        rate: Samples a second.
        channels: How many there are at first; more or fewer later on are made to fit.
        read: What makes samples [n, channels] of a frame, float32 unless it says otherwise.
    """

    def __init__(
        self,
        rate: int,
        channels: int,
        read: Callable[[av.AudioFrame], NDArray[Any]] = samples,
    ) -> None:
        self._rate, self._channels, self._read = rate, channels, read
        self.end = 0
        self.late = 0
        self.gaps: list[tuple[int, int]] = []
        self._skip = 0
        self._begun = False

    def __call__(self, frame: av.AudioFrame, since: Fraction | None) -> Iterator[Samples]:
        """Yield float32 [n, channels] pieces; ``since`` is seconds after frame 0."""
        wanted = None if since is None else round(since * self._rate)
        yield from self._fill(wanted)
        piece = self._fitting(self._read(frame))
        kept, self._skip = piece[self._skip :], max(0, self._skip - len(piece))
        if len(kept):
            self.end += len(kept)
            yield kept

    def _fill(self, wanted: int | None) -> Iterator[Samples]:
        first, self._begun = not self._begun, True
        if wanted is None:
            return
        missing = wanted - self.end
        if first and missing < 0:
            self._skip = -missing
        least = 0 if first else round(_GAP * self._rate)
        if not least < missing <= _LONGEST * self._rate:
            return
        self._note(missing, first=first)
        while missing > 0:
            count = min(missing, self._rate)
            missing -= count
            self.end += count
            yield np.zeros((count, self._channels), np.float32)

    def _note(self, missing: int, *, first: bool) -> None:
        if first:
            self.late = missing
        elif len(self.gaps) < 1000:
            self.gaps.append((self.end, missing))

    def _fitting(self, piece: Samples) -> Samples:
        """Broadcasts change their channels in mid-stream; those there were at first count."""
        have = piece.shape[1]
        if have < self._channels:
            return np.pad(piece, ((0, 0), (0, self._channels - have)))
        return piece[:, : self._channels]
