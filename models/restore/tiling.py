"""Large pictures in tiles, with the same result as in one piece.

Each tile is computed with a margin of all that its pixels depend on, and only its core is kept, so
there is no seam to hide: as tiles start on the network's own grid, both ways do the same sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.memory import Note, Retreat

Image = NDArray[np.float32]
Place = tuple[slice, slice]
_LEAST = 128


class Area(Protocol):
    """A picture float32 [h, w, c] that can be had in parts: an array, or what makes them."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width and channels."""

    def __getitem__(self, place: Place, /) -> Image:
        """Return rows and columns of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """How a picture is cut.

    ``margin`` is how many pixels away from a pixel a network sees, ``multiple`` what sides of its
    pictures must be multiples of, ``scale`` how many times as large its result is. ``height`` and
    ``width`` are the most of a tile's core.
    """

    margin: int
    multiple: int = 1
    scale: int = 1
    height: int = 1088
    width: int = 1920

    def smaller(self) -> Grid | None:
        """Return one of tiles half as high and wide, None when they are small already."""
        if min(self.height, self.width) <= _LEAST:
            return None
        return replace(self, height=self.height // 2, width=self.width // 2)


class Tiled:
    """Runs a network over pictures of any size.

    Args:
        network: Maps tensors float32 [1, h, w, c], one for each picture given, to one.
        grid: How pictures are cut.
        note: Told where memory was too small.
    """

    def __init__(self, network: Callable[..., Any], grid: Grid, note: Note) -> None:
        self._first = self._grid = grid
        self._run = tf.function(network, reduce_retracing=True)
        self._retreat = Retreat(self._smaller, self._anew, note)

    def __call__(self, pictures: Sequence[Area]) -> Image:
        """Map pictures float32 [h, w, c] to one of ``scale`` times the size, channels its own.

        Raises:
            ModelError: Memory is too small for the smallest tile.
        """
        return self._retreat.run(lambda: self._whole(pictures))

    def _smaller(self) -> str | None:
        smaller = self._grid.smaller()
        if smaller is None:
            return None
        self._grid = smaller
        return f"{smaller.width} x {smaller.height} pixels"

    def _anew(self) -> None:
        self._grid = self._first

    def _whole(self, pictures: Sequence[Area]) -> Image:
        grid = self._grid
        height, width = pictures[0].shape[:2]
        rows = _spans(height, grid.height, grid)
        columns = _spans(width, grid.width, grid)
        made: Image | None = None
        for row in rows:
            for column in columns:
                given = [_seen(one, row, column)[None] for one in pictures]
                tile = self._run(*map(tf.convert_to_tensor, given))[0].numpy()
                if made is None:
                    shape = grid.scale * height, grid.scale * width, tile.shape[-1]
                    made = np.empty(shape, np.float32)
                core = tile[row.inside(grid.scale), column.inside(grid.scale)]
                target = made[row.core(grid.scale), column.core(grid.scale)]
                target[...] = core[: target.shape[0], : target.shape[1]]
        assert made is not None  # noqa: S101 - there is one tile or more
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """One tile along one axis: its core ``start`` to ``end``, and where what it sees begins."""

    start: int
    end: int
    first: int
    length: int
    total: int

    @property
    def seen(self) -> slice:
        return slice(self.first, self.first + self.length)

    def inside(self, scale: int) -> slice:
        return slice(scale * (self.start - self.first), scale * (self.end - self.first))

    def core(self, scale: int) -> slice:
        return slice(scale * self.start, scale * self.end)


def _spans(side: int, most: int, grid: Grid) -> list[_Span]:
    """Cut an axis into cores of the same length, each seen within a window of the same length."""
    total = _up(side, grid.multiple)
    count = -(-total // _up(most, grid.multiple))
    core = _up(-(-total // count), grid.multiple)
    margin = _up(grid.margin, grid.multiple)
    length = min(total, core + 2 * margin)
    return list(_cut(total, core, margin, length))


def _cut(total: int, core: int, margin: int, length: int) -> Iterator[_Span]:
    for start in range(0, total, core):
        first = min(max(0, start - margin), total - length)
        end = min(start + core, total)
        yield _Span(start=start, end=end, first=first, length=length, total=total)


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _seen(picture: Area, row: _Span, column: _Span) -> Image:
    """Return what a tile sees; beyond the picture it is mirrored."""
    there = picture[row.seen, column.seen]
    more = row.length - there.shape[0], column.length - there.shape[1]
    if not any(more):
        return there
    return np.pad(there, ((0, more[0]), (0, more[1]), (0, 0)), mode="symmetric")
