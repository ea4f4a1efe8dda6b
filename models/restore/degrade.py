"""How pictures become half as large, for a network that shall undo it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.restore.material import Footage

Image = NDArray[np.float32]
Random = np.random.Generator

_TAPS = 12
# Cut generously, so that no border is in the example.
_MARGIN = 8
_NOISY, _COMPRESSED, _FULL_SIZE = 0.3, 0.25, 0.6


def _bicubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' kernel with a = -0.5: Keys, "Cubic convolution interpolation", 1981."""
    x = np.abs(x)
    near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.asarray(np.where(x < 1, near, np.where(x < 2, far, 0.0)), np.float64)


def _lanczos(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


def _area(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.abs(x) < 0.5, 1.0, 0.0)


def _soft(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """A lens and a debayering that leave less than the sensor could hold."""
    return np.asarray(np.exp(-0.5 * (x / 0.5) ** 2), np.float64)


KERNELS: Mapping[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = MappingProxyType(
    {"bicubic": _bicubic, "area": _area, "lanczos": _lanczos, "soft": _soft}
)
_CHANCES = (0.45, 0.25, 0.15, 0.15)


def halve(picture: Image, kernel: str) -> Image:
    """Make a picture half as large, without aliasing.

    Args:
        picture: float32 [2 h, 2 w, 3].
        kernel: One of ``KERNELS``; its argument is in pixels of the small picture.

    Returns:
        float32 [h, w, 3].
    """
    places = (np.arange(_TAPS) - (_TAPS - 1) / 2) / 2
    taps = KERNELS[kernel](places)
    taps /= taps.sum()
    # Tap 0 of the small pixel i lies at 2 i - 5.
    smooth = cv2.sepFilter2D(picture, -1, taps, taps, anchor=(5, 5), borderType=cv2.BORDER_REFLECT)
    return np.ascontiguousarray(smooth[::2, ::2])


def pair(
    footage: Sequence[Footage], size: int, random: Random, *, plain: bool = False
) -> tuple[Image, Image]:
    """Make an example.

    Args:
        footage: What to choose from.
        size: Width and height of the small picture.
        random: Chooses everything.
        plain: Halve by the bicubic kernel, store in 8 bits and do nothing else.

    Returns:
        The small picture float32 [size, size, 3] and the large one [2 size, 2 size, 3], 0..1.

    Raises:
        ModelError: All footage is too small to cut that from.
    """
    large = _cut(footage, 2 * (size + 2 * _MARGIN), random)
    if plain:
        small = _rounded(halve(large, "bicubic"))
    else:
        small = _stored(halve(large, str(random.choice(list(KERNELS), p=_CHANCES))), random)
    inner, outer = slice(_MARGIN, -_MARGIN), slice(2 * _MARGIN, -2 * _MARGIN)
    return small[inner, inner], large[outer, outer]


def fitting(one: Footage, size: int) -> int:
    """Return the size of the largest example up to ``size`` that can be cut from footage."""
    return min(size, min(one.pictures.shape[1:3]) // 2 - 2 * _MARGIN)


def _cut(footage: Sequence[Footage], side: int, random: Random) -> Image:
    large = [each for each in footage if min(each.pictures.shape[1:3]) >= side]
    if not large:
        raise ModelError(f"Upscaling is learnt from pictures of {side} pixels a side, or more.")
    one = large[int(random.integers(len(large)))]
    full = random.random() < _FULL_SIZE or min(one.halved.shape[1:3]) < side
    pictures = one.pictures if full else one.halved
    picture = pictures[int(random.integers(len(pictures)))]
    y, x = (int(random.integers(room + 1)) for room in np.array(picture.shape[:2]) - side)
    cut = picture[y : y + side, x : x + side]
    cut = np.rot90(cut, int(random.integers(4)))
    cut = cut[:, ::-1] if random.random() < 0.5 else cut
    cut = cut[..., random.permutation(3)] if random.random() < 0.3 else cut
    return np.ascontiguousarray(cut, np.float32) / np.float32(255)


def _stored(small: Image, random: Random) -> Image:
    """What a camera and a file leave of it: a little noise, compression, 8 bits."""
    if random.random() < _NOISY:
        level = random.uniform(0, 2.5) / 255
        small = small + np.float32(level) * random.standard_normal(small.shape, np.float32)
    small = _rounded(small)
    if random.random() < _COMPRESSED:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(80, 99))]
        codes = np.rint(small * 255).astype(np.uint8)
        read = cv2.imdecode(cv2.imencode(".jpg", codes, quality)[1], cv2.IMREAD_COLOR)
        small = read.astype(np.float32) / np.float32(255)
    return small


def _rounded(picture: Image) -> Image:
    codes: Image = np.rint(np.clip(picture, 0, 1) * 255, dtype=np.float32) / np.float32(255)
    return codes
