"""What all networks that clean sound have in common: how they are used, and how sound waits.

Their memory is long: started two seconds early instead of at the beginning, DeepFilterNet3 still
differs by more than a tenth of full scale from what it makes of the whole. So none of them runs in
chunks that start from nothing. Sound goes through in pieces, and what is remembered is handed on.
Nothing here knows a network, and nothing loads TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


class Denoiser(Protocol):
    """What cleans a stream of sound.

    ``rate`` is the sample rate in Hz that it takes and gives.
    """

    rate: int

    def denoise(self, blocks: Iterator[Samples], *, linked: bool) -> Iterator[Samples]:
        """Clean a stream.

        Args:
            blocks: Its samples, float32 [n, channels], full scale 1, in blocks of any size.
            linked: One filter, judged by the channels' mean, for all of them, so that stereo and
                surround images stay; else each channel by itself.

        Yields:
            Blocks of other sizes; altogether as many samples as came in, each at its place.
        """
        ...


class Fifo:
    """Samples that wait, float32 [n, channels]; what is no number counts as silence."""

    def __init__(self, channels: int) -> None:
        self._blocks = [np.zeros((0, channels), np.float32)]
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def push(self, block: Samples) -> None:
        """Take more samples; a copy is kept."""
        # One NaN would stay in a recurrent network's memory for good.
        kept = np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)
        self._blocks.append(kept.astype(np.float32, copy=False))
        self._count += len(block)

    def peek(self, count: int) -> Samples:
        """Return the next samples, silence where there are no more, and keep them."""
        self._blocks = [np.concatenate(self._blocks)]
        found = self._blocks[0][:count]
        return np.pad(found, ((0, count - len(found)), (0, 0)))

    def drop(self, count: int) -> None:
        """Forget the next samples, as far as there are any."""
        self._blocks = [np.concatenate(self._blocks)[count:]]
        self._count = len(self._blocks[0])
