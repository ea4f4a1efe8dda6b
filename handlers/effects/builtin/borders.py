"""How far a steadied picture must be enlarged so that nobody sees its borders."""

from __future__ import annotations

import numpy as np

from handlers.effects.builtin.camera import Way, between

_STEPS = 30


def zoom_for(matrices: Way, width: float, height: float, most: float) -> float | None:
    """Return the least zoom about the middle that hides all borders, None if more than ``most``.

    Args:
        matrices: From source to result, about the middle; float64 [frames, 2, 3].
        width: Of the picture in square pixels, from the middle of its first to that of its last.
        height: Likewise.
        most: The largest zoom there may be.
    """
    if not _hidden(matrices, width, height, most):
        return None
    low, high = 1.0, most
    if _hidden(matrices, width, height, low):
        return low
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if _hidden(matrices, width, height, middle) else (middle, high)
    return high


def _hidden(matrices: Way, width: float, height: float, zoom: float) -> bool:
    """Say whether all corners of the result come from within the source."""
    half = np.array([width, height]) / 2
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half / zoom
    source = np.linalg.solve(
        matrices[:, :, :2], (corners[None] - matrices[:, None, :, 2]).transpose(0, 2, 1)
    )
    # A thousandth of a pixel is nothing to see.
    return bool((np.abs(source) <= half[:, None] + 1e-3).all())


def share_for(way: Way, target: Way, width: float, height: float, most: float) -> float:
    """Return the share of a correction that a zoom of ``most`` can hide the borders of."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        matrices = between(way, way + middle * (target - way))
        low, high = (middle, high) if _hidden(matrices, width, height, most) else (low, middle)
    return low
