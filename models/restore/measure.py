"""How strong the noise of footage is, and how it depends on brightness."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
_Values = NDArray[np.float64]

BLOCK = 16
_BINS, _LEAST_BINS, _LEAST_BLOCKS = 12, 3, 24
_QUIETEST = 0.2
# Where noise is cut off by black or white it says nothing of its strength.
_DARKEST, _BRIGHTEST = 0.02, 0.97
_RANGE = (0.4, 2.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The noise's standard deviation at brightnesses, both in the pictures' unit, ascending."""

    brightness: tuple[float, ...]
    sigma: tuple[float, ...]

    def at(self, picture: Image) -> Image:
        """Return the standard deviation at each pixel of a picture: [h, w, 3] to [h, w, 1]."""
        local = cv2.blur(picture.mean(axis=-1), (5, 5))
        found = np.interp(local, self.brightness, self.sigma)
        return found.astype(np.float32).reshape(*picture.shape[:2], 1)

    @property
    def mean(self) -> float:
        """One figure for all brightnesses."""
        return float(np.mean(self.sigma))


def constant(sigma: float) -> Curve:
    """Return the curve of noise that is the same everywhere."""
    return Curve(brightness=(0.0,), sigma=(sigma,))


def blocks(picture: Image, before: Image | None) -> _Values:
    """Measure how much each block of 16 by 16 pixels varies.

    Where the frame before is given it is the difference of both that counts: what stands still or
    is flat is gone from it, and noise that neighbouring pixels share is not. Without it, or where
    both are the same picture, what remains of blocks without their slope is taken.

    Args:
        picture: float32 [h, w, 3].
        before: The same of the frame before.

    Returns:
        [n, 2]: brightness and standard deviation of usable blocks.
    """
    if min(picture.shape[:2]) < BLOCK:
        return np.zeros((0, 2))
    if before is not None and not np.array_equal(picture, before):
        spread = _spread(picture - before) / np.sqrt(2)
    else:
        spread = _spread(picture, flattened=True)
    level = _cut(picture).mean(axis=(1, 3, 4))
    usable = (level > _DARKEST) & (level < _BRIGHTEST) & (spread > 0)
    return np.stack([level[usable], spread[usable]], axis=1)


def _cut(picture: Image) -> _Values:
    """Cut into blocks: [rows, 16, columns, 16, 3]."""
    rows, columns = (side // BLOCK for side in picture.shape[:2])
    whole = picture[: rows * BLOCK, : columns * BLOCK]
    return whole.reshape(rows, BLOCK, columns, BLOCK, 3).astype(np.float64)


def _spread(picture: Image, *, flattened: bool = False) -> _Values:
    """Return the standard deviation of each block, [rows, columns], a mean over colours."""
    cut = _cut(picture)
    cut -= cut.mean(axis=(1, 3), keepdims=True)
    if flattened:
        ramp = np.arange(BLOCK) - (BLOCK - 1) / 2
        for along in (ramp[:, None, None, None], ramp[:, None]):
            slope = (cut * along).mean(axis=(1, 3), keepdims=True) / np.square(along).mean()
            cut -= slope * along
    spread: _Values = np.sqrt(np.square(cut).mean(axis=(1, 3, 4)))
    return spread


def curve(measured: Sequence[_Values]) -> Curve:
    """Find how the noise depends on brightness.

    In every range of brightness the quietest fifth of blocks counts: there nothing moves and
    nothing but noise varies.

    Args:
        measured: What :func:`blocks` returned for some frames.
    """
    known = np.concatenate([*measured, np.zeros((0, 2))])
    if not len(known):
        return constant(0.0)
    overall = float(np.quantile(known[:, 1], _QUIETEST))
    found: list[tuple[float, float]] = []
    edges = np.quantile(known[:, 0], np.linspace(0, 1, _BINS + 1))
    for low, high in itertools.pairwise(edges):
        inside = known[(known[:, 0] >= low) & (known[:, 0] <= high)]
        if len(inside) >= _LEAST_BLOCKS and (not found or low > found[-1][0]):
            found.append((inside[:, 0].mean(), np.quantile(inside[:, 1], _QUIETEST)))
    if len(found) < _LEAST_BINS:
        return constant(overall)
    brightness, sigma = np.array(found).T
    typical = np.median(sigma)
    limited = np.clip(sigma, _RANGE[0] * typical, _RANGE[1] * typical)
    return Curve(brightness=tuple(brightness.tolist()), sigma=_smooth(limited.tolist()))


def _smooth(values: Sequence[float]) -> tuple[float, ...]:
    """Take the median of three, so that one odd range of brightness does not count."""
    padded = [values[0], *values, values[-1]]
    return tuple(float(np.median(padded[at : at + 3])) for at in range(len(values)))
