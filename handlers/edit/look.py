"""What a set-up looks like, in three kilobytes, and how much two of them look alike.

Of a take's tiny pictures the median is kept: what moves through is not in it, what stands is. Two
looks are compared by the correlation of their luma and of its detail, at the shift
that fits best (another take is framed a little differently), where both stand still; and by
their colours. Correlation does not see exposure.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from handlers.edit.watch import Seen

Plane = NDArray[np.uint8]
Floats = NDArray[np.float32]

_SIZE, _COARSE = (27, 48), (9, 16)
_REACH = (3, 4)  # rows and columns by which two looks may be shifted against each other
_LENGTHS = (27 * 48, 27 * 48, 9 * 16 * 2)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """The look of a take: ``luma`` and its ``spread`` over time uint8 [27, 48], code values.

    ``chroma`` uint8 [9, 16, 2] is blue and red less green, 128 for grey.
    """

    luma: Plane
    spread: Plane
    chroma: Plane

    def to_text(self) -> str:
        """Return it as base64 of its bytes."""
        planes = (self.luma, self.spread, self.chroma)
        return base64.b64encode(b"".join(plane.tobytes() for plane in planes)).decode()

    @classmethod
    def from_text(cls, text: str) -> Look:
        """Read what :meth:`to_text` wrote.

        Raises:
            ValueError: It is something else.
        """
        try:
            data = base64.b64decode(text, validate=True)
        except (ValueError, TypeError) as error:
            raise ValueError(f"a look is no base64: {error}") from error
        if len(data) != sum(_LENGTHS):
            raise ValueError(f"a look has {len(data)} of {sum(_LENGTHS)} bytes")
        luma, spread, chroma = np.split(np.frombuffer(data, np.uint8), np.cumsum(_LENGTHS)[:2])
        return cls(
            luma=luma.reshape(_SIZE),
            spread=spread.reshape(_SIZE),
            chroma=chroma.reshape(*_COARSE, 2),
        )


def look(seen: Seen, start: int, end: int) -> Look | None:
    """Return the look of frames ``start`` to ``end``; None where no picture of them was kept."""
    inside = (seen.places >= start) & (seen.places < end)
    pictures = seen.pictures[inside].astype(np.int16)
    if not len(pictures):
        return None
    luma = (pictures[..., 0] + 2 * pictures[..., 1] + pictures[..., 2]) // 4
    middle = np.median(luma, axis=0)
    spread = np.median(np.abs(luma - middle), axis=0)
    still = np.median(pictures, axis=0)
    colours = np.stack([still[..., 2] - still[..., 1], still[..., 0] - still[..., 1]], axis=-1)
    fields = colours.reshape(9, 3, 16, 3, 2).mean(axis=(1, 3))
    return Look(
        luma=middle.astype(np.uint8),
        spread=spread.astype(np.uint8),
        chroma=np.clip(fields / 2 + 128, 0, 255).astype(np.uint8),
    )


def likeness(one: Look, other: Look) -> float:
    """Return how much two looks are alike, -1..1: from about 0.5 on they are one set-up's."""
    shapes = (_fit(one, other) + _fit(other, one)) / 2
    return 0.8 * shapes + 0.2 * _colour(one, other)


def _fit(one: Look, other: Look) -> float:
    """Return how well the middle of one look fits the other, at the shift that fits best."""
    down, right = _REACH
    middle = np.s_[down:-down, right:-right]
    weight = _trust(one)[middle] * _windows(_trust(other))
    weight /= weight.sum(axis=(2, 3), keepdims=True)
    whole, detail = (
        _correlation(plane(one)[middle], _windows(plane(other)), weight)
        for plane in (_plane, _detail)
    )
    return float((0.4 * whole + 0.6 * detail).max())


def _windows(plane: Floats) -> Floats:
    """Return the plane at every shift that is tried: [7, 9, 21, 40]."""
    made: Floats = sliding_window_view(plane, (_SIZE[0] - 2 * _REACH[0], _SIZE[1] - 2 * _REACH[1]))
    return made


def _trust(one: Look) -> Floats:
    """Return how much a place counts: where things move about, little."""
    made: Floats = 1 / (1 + (one.spread.astype(np.float32) / 12) ** 2)
    return made


def _plane(one: Look) -> Floats:
    made: Floats = one.luma.astype(np.float32)
    return made


def _detail(one: Look) -> Floats:
    luma = _plane(one)
    made: Floats = luma - uniform_filter(luma, 7, mode="nearest")
    # A few lights would otherwise decide alone.
    return np.clip(made, -40, 40)


def _correlation(one: Floats, shifted: Floats, weight: Floats) -> Floats:
    """Correlate [21, 40] with [7, 9, 21, 40], each place weighted: [7, 9]."""
    a = one - (weight * one).sum(axis=(2, 3), keepdims=True)
    b = shifted - (weight * shifted).sum(axis=(2, 3), keepdims=True)
    # Flat pictures have nothing to compare: noise counts for little.
    power = ((weight * a * a).sum(axis=(2, 3)) + 4) * ((weight * b * b).sum(axis=(2, 3)) + 4)
    made: Floats = (weight * a * b).sum(axis=(2, 3)) / np.sqrt(power)
    return made


def _colour(one: Look, other: Look) -> float:
    """Return 1 for the same colours in the same places, apart from white balance, down to -1."""
    a, b = (each.chroma.astype(np.float64) - each.chroma.mean(axis=(0, 1)) for each in (one, other))
    apart = np.abs(a - b).mean() / (np.abs(a).mean() + np.abs(b).mean() + 2)
    return float(1 - 2 * apart)
