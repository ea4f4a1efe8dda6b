"""What an effect is learnt from: pairs of pictures, and pictures that nobody worked on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Image = NDArray[np.float32]

_FEWEST_STILL = 2
# Of full scale: more than noise makes of it.
_STILL = 0.05
_MOSTLY = 0.5


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


def stands_still(pairs: Sequence[Pair]) -> bool:
    """Say whether pictures before are of one shot whose camera stands still.

    Then most of each is the same as in the next, pixel by pixel; one pair alone tells nothing.
    """
    if len({pair.size for pair in pairs}) != 1 or len(pairs) < _FEWEST_STILL:
        return False
    looks = [_thinned(pair.before) for pair in pairs]
    return all(_same(one, other) for one, other in pairwise(looks))


def _thinned(picture: Array) -> Image:
    """Return every n-th row, at least some hundred; whole, for edges are steep only so."""
    return np.asarray(picture[:: max(1, picture.shape[0] // 128)], np.float32)


def _same(one: Image, other: Image) -> bool:
    """Say whether two pictures are mostly the same, where they show anything at all."""
    near = np.abs(one - other).max(axis=2) < _STILL
    # Plain sky is the same wherever the camera looks.
    steep = np.abs(np.diff(one, axis=1, prepend=one[:, :1])).max(axis=2) > 2 * _STILL
    return bool(steep.any() and near[steep].mean() > _MOSTLY)


def differing(pair: Pair) -> Image:
    """Return by how much a pair differs at each pixel: float32 [height, width].

    A matte is compared with nothing at all.
    """
    change = np.array(pair.after, np.float32)
    if change.shape[2] == 3:
        change -= pair.before
    size: Image = np.abs(change).max(axis=2)
    return size
