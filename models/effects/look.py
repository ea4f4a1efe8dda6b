"""Looks at held-out pairs while a network is trained."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.effects import tiling
from models.effects.examples import Pair
from models.effects.network import Shape
from models.effects.sampling import cut, placed, small

Image = NDArray[np.float32]

_PART = 512


class Look:
    """One held-out pair, looked at again and again: all of it where it is small, else four parts.

    Args:
        pair: The pair.
        shape: Of the network.
    """

    def __init__(self, pair: Pair, shape: Shape) -> None:
        self._small = small(pair.before)[None]
        edge = tiling.edge(shape)
        self._parts = [_part(pair, shape, edge, *corner) for corner in _corners(pair.size)]

    def error(self, see: Any) -> float:
        """Return the weighted mean square error of what a network makes of it."""
        total, count = 0.0, 0.0
        for before, after, weight, place in self._parts:
            made = see(before[None], place[None], self._small).numpy()[0]
            total += float(np.sum(np.square(made - after) * weight, dtype=np.float64))
            count += float(weight.sum(dtype=np.float64)) * after.shape[2]
        return total / max(count, 1e-9)


def _corners(size: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    """Return top, left, height and width of the parts."""
    if size[0] * size[1] <= 4 * _PART**2:
        return [(0, 0, size[0], size[1])]
    height, width = min(_PART, size[0]), min(_PART, size[1])
    spare = (size[0] - height, size[1] - width)
    tops, lefts = ((length // 3, 2 * length // 3) for length in spare)
    return [(top, left, height, width) for top in tops for left in lefts]


def _part(pair: Pair, shape: Shape, edge: int, *where: int) -> tuple[Image, ...]:
    """Cut a part with what is around it: before, after, weight, place."""
    top, left, *inner = where
    height, width = (-(-(side + 2 * edge) // shape.stride) * shape.stride for side in inner)
    sides = (height, width)
    corner = (top - edge, left - edge)
    weight = np.zeros((*sides, 1), np.float32)
    rows, columns = (slice(edge, edge + side) for side in inner)
    weight[rows, columns] = 1
    if pair.weight is not None:
        weight *= cut(pair.weight[..., None], *corner, sides)
    place = placed(corner, sides, pair.size)
    return cut(pair.before, *corner, sides), cut(pair.after, *corner, sides), weight, place
