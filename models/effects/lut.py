"""A look-up table of colours: what it does to pictures, inside its domain and beyond it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]

NODES = 33
_CORNERS = tuple((r, g, b) for r in (0, 1) for g in (0, 1) for b in (0, 1))
# Pixels at once: what is worked out for each takes a hundred times its room.
_TOGETHER = 1 << 18


@dataclass(frozen=True, slots=True, eq=False)
class Lut:
    """A table of colours on a regular grid, read by trilinear interpolation.

    Beyond its domain it goes on straight, with the slope that it has at its border: highlights
    are never clipped.

    Attributes:
        table: float32 [nodes, nodes, nodes, channels], by red, green and blue; 3 channels, or 1
            for a matte.
        low: The colour value of the first node, the same for red, green and blue.
        high: That of the last one.
    """

    table: Image
    low: float = 0.0
    high: float = 1.0

    @property
    def nodes(self) -> int:
        """How many nodes each axis has."""
        return self.table.shape[0]

    @property
    def channels(self) -> int:
        """How many channels come out."""
        return self.table.shape[3]

    def apply(self, picture: Image) -> Image:
        """Return what becomes of colours: float32 [..., 3] to [..., channels]."""
        flat = np.asarray(picture, np.float32).reshape(-1, 3)
        made = np.empty((len(flat), self.channels), np.float32)
        for at in range(0, len(flat), _TOGETHER):
            made[at : at + _TOGETHER] = self._apply(flat[at : at + _TOGETHER])
        return made.reshape(*picture.shape[:-1], self.channels)

    def _apply(self, colours: Image) -> Image:
        inside = np.clip(colours, self.low, self.high)
        cell, share = located(inside, self.nodes, self.low, self.high)
        corners = [self.table[tuple((cell + corner).T)] for corner in _CORNERS]
        made = np.zeros((len(colours), self.channels), np.float32)
        for corner, values in zip(_CORNERS, corners, strict=True):
            made += _weight(share, corner) * values
        beyond = np.flatnonzero((inside != colours).any(axis=1))
        if len(beyond):
            far = (colours - inside)[beyond] * (self.nodes - 1) / (self.high - self.low)
            made[beyond] += _onward(share[beyond], [v[beyond] for v in corners], far)
        return made

    def widened(self, cells: int) -> Lut:
        """Return a table with so many more cells on each side, that does the same beyond."""
        step = (self.high - self.low) / (self.nodes - 1)
        low, high = self.low - cells * step, self.high + cells * step
        return Lut(self.apply(grid(self.nodes + 2 * cells, low, high)), low, high)


def grid(nodes: int, low: float = 0.0, high: float = 1.0) -> Image:
    """Return the colours of a table's nodes: float32 [nodes, nodes, nodes, 3]."""
    axis = np.linspace(low, high, nodes, dtype=np.float32)
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)


def identity(nodes: int = NODES, low: float = 0.0, high: float = 1.0) -> Lut:
    """Return the table that changes nothing."""
    return Lut(grid(nodes, low, high), low, high)


def located(colours: Image, nodes: int, low: float, high: float) -> tuple[NDArray[np.intp], Image]:
    """Return the first corner of the cell that each colour is in, and where in the cell it is.

    Args:
        colours: float32 [n, 3], within the domain.
        nodes: Of the table, on each axis.
        low: Value of the first node.
        high: Value of the last one.

    Returns:
        int [n, 3], and float32 [n, 3] from 0 to 1.
    """
    place = (colours - low) * ((nodes - 1) / (high - low))
    cell = np.clip(np.floor(place), 0, nodes - 2).astype(np.intp)
    return cell, (place - cell).astype(np.float32)


def _weight(share: Image, corner: tuple[int, int, int]) -> Image:
    sides = [share[:, a] if up else 1 - share[:, a] for a, up in enumerate(corner)]
    weight: Image = np.prod(sides, axis=0)[:, None]
    return weight


def _onward(share: Image, corners: list[Image], far: Image) -> Image:
    """Return what the slopes at the border add, ``far`` cells beyond it on each axis."""
    made = np.zeros_like(corners[0])
    for axis in range(3):
        at_ends = share.copy()
        for end, sign in ((1, 1), (0, -1)):
            at_ends[:, axis] = end
            weights = [_weight(at_ends, corner) for corner in _CORNERS]
            along = sum(w * v for w, v in zip(weights, corners, strict=True))
            made += sign * far[:, axis, None] * along
    return made
