"""What an effect is learnt from: pairs of pictures, and pictures that nobody worked on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Image = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """One picture before and after.

    Arrays may be memory-mapped and of half precision: only crops and rows of them are read.

    Attributes:
        name: What people call it.
        before: [height, width, 3], in the space that is worked in: 0..1 nominal, not clipped.
        after: The same, or [height, width, 1] where a matte is to be learnt.
        weight: [height, width], how much each pixel counts, 0..1 (a person's mask); None where
            all count alike.
    """

    name: str
    before: Array
    after: Array
    weight: Array | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, in pixels."""
        return self.before.shape[0], self.before.shape[1]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Neighbours:
    """Two pictures that follow each other in a shot, nobody having worked on them.

    Attributes:
        first: [height, width, 3], as a pair's ``before``.
        second: The next one.
    """

    first: Array
    second: Array


def channels(pairs: Sequence[Pair]) -> int:
    """Return how many channels results have: 3, or 1 for a matte."""
    return int(pairs[0].after.shape[2])


def differing(pair: Pair) -> Image:
    """Return by how much a pair differs at each pixel: float32 [height, width].

    A matte is compared with nothing at all.
    """
    change = np.array(pair.after, np.float32)
    if change.shape[2] == 3:
        change -= pair.before
    size: Image = np.abs(change).max(axis=2)
    return size
