"""What is remembered of a clip's pictures while they pass, for slates, trims and set-ups.

Of each frame two grids of 16x9 fields are kept: how bright each field is, and how much it
changed since the frame before. For the clip's first and last minutes, where slates are, they
are kept frame by frame; of the time between only some pictures remain.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Tiny = NDArray[np.uint8]
Grids = NDArray[np.uint8]

ROWS, COLUMNS = 9, 16
# Frames at either end of which every one is kept: 2 minutes 43 at 25 a second.
REACH = 4096
_KEPT = 96  # pictures of the whole clip, evenly spread; thinned when there are twice as many


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen of ``frames`` pictures.

    ``numbers`` int64 [m] are the pictures of which ``bright`` and ``change``, uint8 [m, 9, 16],
    tell: the mean luma of each field, of 255, and twice the mean absolute change of luma in it
    since the picture before. ``pictures`` uint8 [k, 27, 48, 3] are RGB, those of ``places``
    int64 [k], spread over the whole clip.
    """

    frames: int
    numbers: NDArray[np.int64]
    bright: Grids
    change: Grids
    places: NDArray[np.int64]
    pictures: Tiny

    def on_grid(self, rows: NDArray[np.int64], frames: int) -> Seen:
        """Count in frames of the edit rate: ``rows`` names the frame of each picture.

        For a variable frame rate, where a picture may stand for several frames or for none.

        Args:
            rows: int64, one a picture, rising.
            frames: The clip's length in frames of the edit rate.
        """
        return Seen(
            frames=frames,
            numbers=rows[self.numbers],
            bright=self.bright,
            change=self.change,
            places=rows[self.places],
            pictures=self.pictures,
        )


class TakeWatcher:
    """Takes tiny pictures one by one and remembers what :class:`Seen` holds, in bounded memory."""

    def __init__(self) -> None:
        self._count = 0
        self._before: NDArray[np.int16] | None = None
        self._head: list[tuple[int, Tiny, Tiny]] = []
        self._tail: deque[tuple[int, Tiny, Tiny]] = deque(maxlen=REACH)
        self._pictures: list[tuple[int, Tiny]] = []
        self._every = 1

    def push(self, tiny: Tiny) -> None:
        """Take the next picture, RGB uint8 [27, 48, 3], as the shot detector's are."""
        luma = _luma(tiny)
        before = luma if self._before is None else self._before
        change = np.minimum(2 * fields(np.abs(luma - before)), 255)
        row = self._count, fields(luma).astype(np.uint8), change.astype(np.uint8)
        if len(self._head) < REACH:
            self._head.append(row)
        else:
            self._tail.append(row)
        self._keep(tiny)
        self._before = luma
        self._count += 1

    def finish(self) -> Seen:
        """Return what was seen."""
        rows = [*self._head, *self._tail]
        shape = (len(rows), ROWS, COLUMNS)
        kept = len(self._pictures)
        return Seen(
            frames=self._count,
            numbers=np.array([row[0] for row in rows], np.int64),
            bright=np.array([row[1] for row in rows], np.uint8).reshape(shape),
            change=np.array([row[2] for row in rows], np.uint8).reshape(shape),
            places=np.array([place for place, _ in self._pictures], np.int64),
            pictures=np.array([each for _, each in self._pictures], np.uint8).reshape(
                kept, 27, 48, 3
            ),
        )

    def _keep(self, tiny: Tiny) -> None:
        if self._count % self._every:
            return
        self._pictures.append((self._count, tiny))
        if len(self._pictures) >= 2 * _KEPT:
            del self._pictures[1::2]
            self._every *= 2


def fields(values: NDArray[np.int16]) -> NDArray[np.float32]:
    """Average [27, 48] over 9x16 fields of 3x3."""
    rows = values[::3] + values[1::3] + values[2::3]
    sums = rows[:, ::3] + rows[:, 1::3] + rows[:, 2::3]
    means: NDArray[np.float32] = sums / np.float32(9)
    return means


def _luma(tiny: Tiny) -> NDArray[np.int16]:
    wide = tiny.astype(np.int16)
    luma: NDArray[np.int16] = (wide[..., 0] + 2 * wide[..., 1] + wide[..., 2]) >> 2
    return luma
