"""Figures that are measured now and then in a shot and hold, smoothly, for all of it."""

from __future__ import annotations

from bisect import bisect_right

import cv2
import numpy as np
from numpy.typing import NDArray

from handlers.effects.builtin.cuts import Cuts
from handlers.effects.effect import Image

EVERY = 12
"""How many frames lie between those that are measured."""

Figures = NDArray[np.float32]


class Held:
    """Keeps figures of every 12th frame and gives those of any, between cuts.

    Between two frames of a shot that have figures those of others lie on a line; before the first
    and after the last of a shot they stay. So they neither jump nor tremble but at a cut.
    """

    def __init__(self) -> None:
        self._cuts = Cuts()
        self._begins: list[int] | None = None
        self._figures: list[Figures] = []

    def see(self, shown: Image) -> None:
        """Look at the next picture, float32 [h, w, 3], as on a display."""
        self._cuts.see(cv2.cvtColor(shown, cv2.COLOR_RGB2GRAY))
        self._begins = None

    def keep(self, figures: Figures) -> None:
        """Keep figures of the next frame that is to be measured."""
        self._figures.append(figures)

    def at(self, number: int) -> Figures | None:
        """Return the figures for a frame, or None where its shot has none."""
        first, last = self._shot(number)
        within = self._figures[-(-first // EVERY) : -(-last // EVERY)]
        if not within:
            return None
        place = np.clip(number / EVERY - -(-first // EVERY), 0, len(within) - 1)
        before, share = int(place), np.float32(place % 1)
        after = min(before + 1, len(within) - 1)
        return within[before] + share * (within[after] - within[before])

    def _shot(self, number: int) -> tuple[int, int]:
        """Return the first frame of a frame's shot, and the one behind its last."""
        if self._begins is None:
            self._begins = self._cuts.begins()
        at = bisect_right(self._begins, number)
        end = self._begins[at] if at < len(self._begins) else EVERY * len(self._figures)
        return self._begins[at - 1], end
