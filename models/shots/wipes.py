"""Wipes: the new picture uncovers the old one along a moving edge.

A wipe is an order in which the places of the picture change, 0 first and 1 last, and a
softness of its edge. The same code draws straight wipes in any direction, barn doors,
an iris and a clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Order = NDArray[np.float32]
Weights = NDArray[np.float32]

# A pixel wide: even a hard edge covers part of the pixels that it goes through.
_HARD, _SOFT = 0.02, 0.35


def straight(height: int, width: int, random: np.random.Generator) -> Order:
    """An edge that runs across the picture, in one of eight directions or any other."""
    turns = random.integers(8) / 8 if random.random() < 0.8 else random.random()
    x, y = _grid(height, width)
    return _ranked(x * np.cos(2 * np.pi * turns) + y * np.sin(2 * np.pi * turns))


def barn_door(height: int, width: int, random: np.random.Generator) -> Order:
    """Two edges, from the middle outwards or back, level or upright."""
    x, y = _grid(height, width)
    away = np.abs(x if random.random() < 0.5 else y)
    return _ranked(away if random.random() < 0.5 else -away)


def iris(height: int, width: int, random: np.random.Generator) -> Order:
    """A circle that opens or closes around a place near the middle."""
    x, y = _grid(height, width)
    at = random.uniform(-0.2, 0.2, 2)
    away = np.hypot((x - at[0]) * width / height, y - at[1])
    return _ranked(away if random.random() < 0.6 else -away)


def clock(height: int, width: int, random: np.random.Generator) -> Order:
    """A hand that turns once around the middle."""
    x, y = _grid(height, width)
    turned = (np.arctan2(y, x) / (2 * np.pi) + random.random()) % 1
    return _ranked(turned if random.random() < 0.5 else -turned)


SHAPES: tuple[Callable[[int, int, np.random.Generator], Order], ...] = (
    straight,
    straight,
    straight,
    barn_door,
    iris,
    clock,
)


def weights(height: int, width: int, level: Weights, random: np.random.Generator) -> Weights:
    """Draw a wipe.

    Args:
        height: Of the picture, in pixels.
        width: Of the picture, in pixels.
        level: How far the wipe has come in each frame, 0..1, float32 [n].
        random: Chooses the shape and the softness of the edge.

    Returns:
        The weight of the new picture, float32 [n, height, width], 0..1.
    """
    order = SHAPES[int(random.integers(len(SHAPES)))](height, width, random)
    soft = _HARD if random.random() < 0.5 else float(random.uniform(_HARD, _SOFT))
    # Runs a little over both ends, so that a soft edge enters and leaves wholly.
    edge = (level * (1 + soft))[:, None, None]
    return np.clip((edge - order[None]) / soft, 0, 1).astype(np.float32)


def _grid(height: int, width: int) -> tuple[Order, Order]:
    """Return x and y of each pixel's middle, -0.5..0.5."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return (x + 0.5) / width - 0.5, (y + 0.5) / height - 0.5


def _ranked(values: NDArray[np.floating[Any]]) -> Order:
    """Scale to 0..1."""
    low, high = values.min(), values.max()
    ranked: Order = ((values - low) / max(high - low, 1e-6)).astype(np.float32)
    return ranked
