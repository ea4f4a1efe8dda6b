"""Cuts a picture into tiles that a network sees one by one, and puts the results together.

A tile's result counts only where the network saw all that it can see: its radius away from the
tile's border, unless that is the picture's own, beyond which pictures are mirrored. So tiles agree
to the last digits of a float wherever they overlap; there they are blended by Hann's window.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from models.effects.network import Shape
from models.effects.sampling import cut

Image = NDArray[np.float32]

_LEAST_OVERLAP = 128
_BLEND = 16
_MOST_TILES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One tile along one axis: it begins at ``start``, and counts by ``weight`` from ``first``."""

    start: int
    first: int
    weight: Image

    @property
    def inset(self) -> int:
        """How many pixels of the tile do not count before those that do."""
        return self.first - self.start

    def pieces(self) -> list[slice]:
        """Cut what counts into the seam before, what is the tile's alone, and the seam after."""
        length = len(self.weight)
        alone = np.flatnonzero(self.weight == 1)
        begin, end = (int(alone[0]), int(alone[-1]) + 1) if len(alone) else (length, length)
        cuts = [(0, begin), (begin, end), (end, length)]
        return [slice(start, stop) for start, stop in cuts if stop > start]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One tile: its first row and column, outside the picture where negative, and its spans."""

    rows: Span
    columns: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a picture of ``size`` is cut into tiles, all ``sides`` large."""

    size: tuple[int, int]
    sides: tuple[int, int]
    tiles: tuple[Tile, ...]

    @property
    def edges(self) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """How many rows and columns are mirrored before and behind a picture that is one tile.

        None where there are more tiles, or where so small a picture is mirrored over and over.
        """
        if len(self.tiles) > 1:
            return None
        (tile,) = self.tiles
        starts = tile.rows.start, tile.columns.start
        rows, columns = (
            (-start, side - length + start)
            for start, side, length in zip(starts, self.sides, self.size, strict=True)
        )
        fits = all(
            max(pair) < length for pair, length in zip((rows, columns), self.size, strict=True)
        )
        return (rows, columns) if fits else None

    def cut(self, picture: Image) -> Iterator[Image]:
        """Yield the tiles of a picture, float32 [height, width, 3]."""
        for tile in self.tiles:
            yield cut(picture, tile.rows.start, tile.columns.start, self.sides)

    def paste(self, into: Image, made: Image, tile: Tile) -> None:
        """Add what a tile became to the result."""
        rows, columns = tile.rows, tile.columns
        into, made = into[rows.first :, columns.first :], made[rows.inset :, columns.inset :]
        for down, across in product(rows.pieces(), columns.pieces()):
            weights = rows.weight[down], columns.weight[across]
            # Most of a tile is its own alone.
            if all(weight.min() == 1 for weight in weights):
                into[down, across] = made[down, across]
            else:
                weight = weights[0][:, None, None] * weights[1][:, None]
                into[down, across] += made[down, across] * weight


def plan(size: tuple[int, int], shape: Shape, area: int) -> Plan:
    """Cut a picture into the tiles that cost least.

    Args:
        size: Its height and width.
        shape: Of the network.
        area: Pixels that a tile may have, if that is possible.

    Returns:
        The plan.
    """
    best: tuple[int, list[list[Span]], tuple[int, int]] | None = None
    for counts in product(range(1, _MOST_TILES), repeat=2):
        sides = tuple(_side(length, n, shape) for length, n in zip(size, counts, strict=True))
        fits = sides[0] * sides[1] <= area
        cost = sides[0] * sides[1] * counts[0] * counts[1]
        if fits and (best is None or cost < best[0]):
            spans = [_spans(s, n, d, shape) for s, n, d in zip(size, counts, sides, strict=True)]
            best = (cost, spans, (sides[0], sides[1]))
    if best is None:
        raise ValueError(f"no tile of {area} pixels holds what the network looks at")
    tiles = tuple(Tile(rows=r, columns=c) for r, c in product(*best[1]))
    return Plan(size=size, sides=best[2], tiles=tiles)


def smallest(shape: Shape) -> int:
    """Return the least area that :func:`plan` can do with, whatever the picture."""
    side = 2 * _margin(shape) + 4 * shape.stride + _BLEND
    return side * side


def _up(length: int, stride: int) -> int:
    return -(-length // stride) * stride


def _margin(shape: Shape) -> int:
    """How much of a tile does not count, at borders that are not the picture's."""
    return _up(max(shape.radius, (_LEAST_OVERLAP - _BLEND) // 2), shape.stride)


def edge(shape: Shape) -> int:
    """How far a picture is mirrored at its borders."""
    return _up(16, shape.stride)


def _side(length: int, count: int, shape: Shape) -> int:
    """Return how long a tile is, of so many in a row."""
    whole = _up(length + 2 * edge(shape), shape.stride)
    overlap = 2 * _margin(shape) + _BLEND
    return min(whole, _up(-(-(whole + (count - 1) * overlap) // count), shape.stride))


def _spans(length: int, count: int, side: int, shape: Shape) -> list[Span]:
    """Place tiles in a row, and say how much each counts where."""
    begin, margin = -edge(shape), _margin(shape)
    last = _up(length - 2 * begin, shape.stride) - side
    steps = [round(last * n / max(1, count - 1) / shape.stride) for n in range(count)]
    starts = sorted({begin + step * shape.stride for step in steps})
    seams = [(after + margin + before + side - margin) // 2 for before, after in pairwise(starts)]
    return [
        _span(start, low, high, length)
        for start, low, high in zip(starts, [None, *seams], [*seams, None], strict=True)
    ]


def _span(start: int, low: int | None, high: int | None, length: int) -> Span:
    """Weigh a tile between two seams, None being the picture's borders."""
    first = 0 if low is None else max(0, low - _BLEND // 2)
    end = length if high is None else min(length, high + _BLEND // 2)
    at = np.arange(first, end) + 0.5
    weight = np.ones(end - first)
    if low is not None:
        weight *= _rise((at - low) / _BLEND + 0.5)
    if high is not None:
        weight *= 1 - _rise((at - high) / _BLEND + 0.5)
    return Span(start=start, first=first, weight=weight.astype(np.float32))


def _rise(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half of Hann's window, from 0 to 1."""
    made: NDArray[np.float64] = np.sin(np.pi / 2 * np.clip(share, 0, 1)) ** 2
    return made
