"""Streams of sound in blocks of other sizes than they came in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


class Lined:
    """A stream of which any number of samples is taken at a time.

    Args:
        blocks: float32 [n, channels].
    """

    def __init__(self, blocks: Iterator[Samples]) -> None:
        self._blocks = blocks
        self._held: Samples | None = None

    def take(self, count: int) -> Samples:
        """Return the next samples, float32 [count, channels], fewer at the end of the stream."""
        pieces = [] if self._held is None else [self._held]
        have = sum(len(piece) for piece in pieces)
        while have < count and (block := next(self._blocks, None)) is not None:
            pieces.append(block)
            have += len(block)
        together = np.concatenate(pieces) if pieces else np.zeros((0, 1), np.float32)
        self._held = together[count:]
        return together[:count]


def aligned(
    first: Iterator[Samples], second: Iterator[Samples]
) -> Iterator[tuple[Samples, Samples]]:
    """Yield blocks of two streams in pieces of one length, as long as both go on."""
    other = Lined(second)
    for block in first:
        piece = other.take(len(block))
        if len(piece):
            yield block[: len(piece)], piece
        if len(piece) < len(block):
            return


def telling(
    blocks: Iterator[Samples], samples: int, tell: Callable[[float], None]
) -> Iterator[Samples]:
    """Yield blocks, and tell after each which share of so many samples is done."""
    done = 0
    for block in blocks:
        yield block
        done += len(block)
        tell(min(1.0, done / max(1, samples)))
