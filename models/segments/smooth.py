"""The most likely run of states behind what was heard step by step (Viterbi)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def most_likely(heard: Floats, change: Floats, before: int | None = None) -> Labels:
    """Return the most likely state at each step.

    Args:
        heard: Logarithm of how well each step fits each state, [steps, states].
        change: Logarithm of the weight of going from each state (row) to each, [states, states].
        before: The state just before the first step, None where nothing was.

    Returns:
        States, [steps].
    """
    if not len(heard):
        return np.zeros(0, np.int64)
    score = heard[0] if before is None else heard[0] + change[before]
    came_from = np.zeros(heard.shape, np.int64)
    for step in range(1, len(heard)):
        ways = score[:, None] + change
        came_from[step] = ways.argmax(axis=0)
        score = ways.max(axis=0) + heard[step]
    return _followed_back(came_from, int(score.argmax()))


def _followed_back(came_from: Labels, last: int) -> Labels:
    states = np.zeros(len(came_from), np.int64)
    for step in range(len(came_from) - 1, -1, -1):
        states[step] = last
        last = int(came_from[step, last])
    return states
