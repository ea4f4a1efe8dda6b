"""Pictures as networks are given them, made in parts where they are needed.

A picture of 8K takes 400 MB in float, so an effect that looks at five keeps no second copy of any.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from handlers.effects import working_space
from handlers.effects.effect import Image
from models.restore.measure import Curve
from models.restore.tiling import Place

_ROWS = 256
# Half of the square over which a curve takes the mean.
_AROUND = 2


class Coded:
    """A picture in the curve that networks know, with 0 for what is no number.

    Args:
        rgb: float32 [h, w, 3].
        scene_linear: Whether it is light, to be brought to the curve of ACEScct.

    ``finite`` says that all of it is numbers.
    """

    def __init__(self, rgb: Image, *, scene_linear: bool) -> None:
        self._rgb, self._linear = rgb, scene_linear
        with np.errstate(invalid="ignore"):  # infinity less infinity
            self.finite = bool(np.isfinite(rgb.sum(dtype=np.float64)))

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width and 3."""
        return self._rgb.shape

    def __getitem__(self, place: Place) -> Image:
        """Return rows and columns of it."""
        part = self._rgb[place]
        if not self.finite:
            part = np.nan_to_num(part, nan=0.0, posinf=0.0, neginf=0.0)
        return working_space.curve_encoded(part) if self._linear else part

    def whole(self) -> Image:
        """Return all of it: the picture itself where nothing is to be done."""
        if self.finite and not self._linear:
            return self._rgb
        made = np.empty(self.shape, np.float32)
        for rows in _bands(len(made)):
            made[rows] = self[rows, :]
        return made


class Strength:
    """How strong the noise is at each pixel of a picture: float32 [h, w, 1], made in parts."""

    def __init__(self, code: Coded, curve: Curve) -> None:
        self._code, self._curve = code, curve

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width and 1."""
        return (*self._code.shape[:2], 1)

    def __getitem__(self, place: Place) -> Image:
        """Return rows and columns of it."""
        wide = [slice(max(0, one.start - _AROUND), one.stop + _AROUND) for one in place]
        kept = [
            slice(one.start - more.start, one.stop - more.start)
            for one, more in zip(place, wide, strict=True)
        ]
        return self._curve.at(self._code[wide[0], wide[1]])[kept[0], kept[1]]


def decoded(code: Image) -> None:
    """Bring a picture back from the curve of ACEScct to light, in place."""
    for rows in _bands(len(code)):
        code[rows] = working_space.curve_decoded(code[rows])


def _bands(height: int) -> Iterator[slice]:
    return (slice(at, at + _ROWS) for at in range(0, height, _ROWS))
