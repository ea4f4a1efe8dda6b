"""Smoothing a way over time without bending its ends."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]


def smoothed(values: Curve, sigma: float) -> Curve:
    """Fit a straight line about each frame, weighted by a Gaussian, and take its middle.

    Local linear regression (Cleveland 1979, without the robust weights): a steady pan or
    fade comes out as it went in, to its very ends.

    Args:
        values: float64 [frames, quantities].
        sigma: The Gaussian's standard deviation, in frames.

    Returns:
        The same shape.
    """
    reach = max(1, min(round(4 * sigma), len(values)))
    offset = np.arange(-reach, reach + 1, dtype=np.float64)
    weight = np.exp(-0.5 * (offset / sigma) ** 2)
    count = len(values)
    total, first, second = (_sums(np.ones((count, 1)), weight * offset**n) for n in range(3))
    level, slope = (_sums(values, weight * offset**n) for n in range(2))
    spread = total * second - first**2
    # A frame alone has no slope.
    alone = spread <= 1e-9 * total**2
    line = (second * level - first * slope) / np.where(alone, 1, spread)
    return np.where(alone, level / total, line)


def _sums(values: Curve, weight: Curve) -> Curve:
    """Sum ``values`` about each frame, weighted; what lies beyond the ends counts nothing."""
    reach = len(weight) // 2
    padded = np.pad(values, ((reach, reach), (0, 0)))
    return np.stack(
        [np.convolve(column, weight[::-1], mode="valid") for column in padded.T], axis=1
    )
