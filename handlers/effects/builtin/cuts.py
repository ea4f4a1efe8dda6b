"""Where shots change, from small pictures one after another.

An effect that looks along time must not do so across a cut. This needs no network: it errs on the
side of a cut too many, which costs such an effect little.
"""

from __future__ import annotations

from array import array

import cv2
import numpy as np
from numpy.typing import NDArray

from handlers.effects.effect import Image

_SIZE = (32, 18)
# How unlike pictures on both sides of a cut are, at least: 1 less their correlation.
_UNLIKE = 0.3
# How many times more unlike they are than neighbours about there, and how far "about" goes.
_TIMES, _ABOUT = 3.0, 6
# A picture without contrast resembles nothing; variance of brightness in 0..1.
_FLAT = 1e-5


class Cuts:
    """Told the brightness of one picture after another, says where shots begin.

    Likeness is that of structure, so flicker and fades are no cuts; a flash is none, because the
    picture after it resembles the one before; and fast motion is none, because it lasts.
    """

    def __init__(self) -> None:
        self._last: list[NDArray[np.float32]] = []
        self._one, self._two = array("f"), array("f")

    def see(self, brightness: Image) -> None:
        """Look at the next picture.

        Args:
            brightness: 0..1, float32 [height, width], of any size.
        """
        small = cv2.resize(brightness, _SIZE, interpolation=cv2.INTER_AREA)
        current = np.asarray(small, np.float32)
        one, two = (
            unlike(self._last[-back], current) if len(self._last) >= back else 0.0
            for back in (1, 2)
        )
        self._one.append(one)
        self._two.append(two)
        self._last = [*self._last[-1:], current]

    def begins(self) -> list[int]:
        """Return the numbers of the pictures that begin a shot; the first one does."""
        one, two = np.array(self._one), np.array(self._two)
        across = np.minimum(one, np.append(two[1:], np.inf))
        found = [int(at) for at in np.flatnonzero(across > _UNLIKE) if self._stands_out(one, at)]
        return [0, *(at for at in found if at > 0)]

    @staticmethod
    def _stands_out(distances: NDArray[np.float64], at: int) -> bool:
        about = [*distances[max(1, at - _ABOUT) : at], *distances[at + 1 : at + 1 + _ABOUT]]
        return not about or bool(distances[at] > _TIMES * np.median(about))


def unlike(one: Image, other: Image) -> float:
    """Return 1 less the correlation of two pictures, 0..2; two flat ones are alike."""
    a, b = one - one.mean(), other - other.mean()
    spread = float((a * a).mean()), float((b * b).mean())
    if max(spread) < _FLAT:
        return 0.0
    if min(spread) < _FLAT:
        return 1.0
    return 1.0 - float((a * b).mean()) / float(np.sqrt(spread[0] * spread[1]))
