"""Figures that are measured now and then in a shot and hold, smoothly, for all of it."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right

import cv2
import numpy as np
from numpy.typing import NDArray

from handlers.effects.builtin.cuts import Cuts
from handlers.effects.effect import Image

EVERY = 12
"""How many frames lie between those that are measured, where none is missing."""

Figures = NDArray[np.float32]


class Held:
    """Keeps figures of every 12th frame and gives those of any, between cuts.

    Sequences may lack frames: in place of a 12th that is missing the next one is measured.

    Between two frames of a shot that have figures those of others lie on a line; before the first
    and after the last of a shot they stay. So they neither jump nor tremble but at a cut.
    """

    def __init__(self) -> None:
        self._cuts = Cuts()
        self._begins: list[int] | None = None
        self._seen = array("q")
        self._measured: list[int] = []
        self._figures: list[Figures] = []

    def see(self, number: int, shown: Image) -> bool:
        """Look at the next picture, float32 [h, w, 3], as on a display.

        Returns:
            Whether it is to be measured.
        """
        self._cuts.see(cv2.cvtColor(shown, cv2.COLOR_RGB2GRAY))
        self._seen.append(number)
        self._begins = None
        return not self._measured or number // EVERY > self._measured[-1] // EVERY

    def keep(self, number: int, figures: Figures) -> None:
        """Keep the figures of a frame."""
        self._measured.append(number)
        self._figures.append(figures)

    def at(self, number: int) -> Figures | None:
        """Return the figures for a frame, or None where its shot has none."""
        first, last = self._shot(number)
        if first == last:
            return None
        after = min(bisect_right(self._measured, number, first, last), last - 1)
        before = max(first, after - 1)
        low, high = self._measured[before], self._measured[after]
        share = np.float32(np.clip((number - low) / max(high - low, 1), 0, 1))
        return self._figures[before] + share * (self._figures[after] - self._figures[before])

    def _shot(self, number: int) -> tuple[int, int]:
        """Return the first of the measured frames of a frame's shot, and the one behind them."""
        if self._begins is None:
            self._begins = [self._seen[at] for at in self._cuts.begins()] if self._seen else [0]
        at = bisect_right(self._begins, number)
        first = bisect_left(self._measured, self._begins[at - 1]) if at else 0
        if at == len(self._begins):
            return first, len(self._measured)
        return first, bisect_left(self._measured, self._begins[at])
