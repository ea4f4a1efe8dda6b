"""Memory that a thread keeps from band to band."""

from __future__ import annotations

import math
import threading

import numpy as np
from numpy.typing import NDArray


class Desk(threading.local):
    """Hands out arrays by name: under one name the same memory again, to be written anew.

    Fresh memory for each step of each band costs more than the step: the system clears its pages.
    Each thread has its own.
    """

    def __init__(self) -> None:
        self._kept: dict[str, NDArray[np.float32]] = {}

    def __call__(self, name: str, *shape: int) -> NDArray[np.float32]:
        """Return an array whose content is left over from before."""
        size = math.prod(shape)
        kept = self._kept.get(name)
        if kept is None or kept.size < size:
            kept = self._kept[name] = np.empty(size, np.float32)
        return kept[:size].reshape(shape)
