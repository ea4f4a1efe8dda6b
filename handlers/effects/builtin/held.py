"""Figures that are measured now and then in a shot and hold, smoothly, for all of it."""

from __future__ import annotations

from bisect import bisect_right

import cv2
import numpy as np
from numpy.typing import NDArray

from handlers.effects.effect import Image

_APART = 12
# Of the range of a display: how far pictures this small differ in the mean at a cut.
_CUT = 0.1
_THUMBNAIL = (32, 18)

Figures = NDArray[np.float32]


class Held:
    """Keeps figures of some frames and gives those of any frame, between cuts.

    Between two frames of a shot that have figures those of others lie on a line; before the first
    and after the last of a shot they stay. So they neither jump nor tremble but at a cut.
    """

    def __init__(self) -> None:
        self._before: Image | None = None
        self._numbers: list[int] = []
        self._figures: list[Figures] = []
        self._begins: list[bool] = []

    def wants(self, number: int, shown: Image) -> bool:
        """Say whether figures of this frame shall be kept; to be asked of each, in order.

        Args:
            number: The frame's number.
            shown: Its picture, float32 [h, w, 3], as on a display.
        """
        thumbnail = cv2.resize(shown, _THUMBNAIL, interpolation=cv2.INTER_AREA)
        cut = self._before is None or float(np.abs(thumbnail - self._before).mean()) > _CUT
        self._before = thumbnail
        if cut or number - self._numbers[-1] >= _APART:
            self._begins.append(cut)
            self._numbers.append(number)
            return True
        return False

    def keep(self, figures: Figures) -> None:
        """Keep figures of the frame that was last wanted."""
        self._figures.append(figures)

    def at(self, number: int) -> Figures | None:
        """Return the figures for a frame, or None where nothing was kept."""
        after = bisect_right(self._numbers, number)
        if not self._figures or not after:
            return None
        last = after - 1
        if after == len(self._numbers) or self._begins[after]:
            return self._figures[last]
        span = self._numbers[after] - self._numbers[last]
        share = np.float32((number - self._numbers[last]) / span)
        return self._figures[last] + share * (self._figures[after] - self._figures[last])
