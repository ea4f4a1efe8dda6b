"""What a green or blue screen looks like, also where somebody stands before it.

No screen is lit evenly. Its colour is taken wherever it is surely seen, and goes on from there
smoothly behind what hides it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from handlers.effects.builtin.light import shrunk
from handlers.effects.effect import Image

Colour = Literal["green", "blue"]
CHANNELS: dict[Colour, int] = {"green": 1, "blue": 2}

_LONGEST = 240
# Screen is what is at least so saturated, of the most saturated there is, and of the picture.
_SHARE, _LEAST = 0.6, 0.15
# Below this share of the brightest of its channel, a pixel is too dark to have a colour.
_DARK = 0.02
# The least share of a picture that must be screen to learn its colour from.
_SEEN = 0.002
_ROUNDS, _OUTLIER = 4, 3.0
# How far screen colours spread, of the longer side, and the weight of the whole screen's trend.
_SPREADS, _TREND = (0.06, 0.025), 0.02
_NORMAL = 1.4826
# So many standard deviations hold 95 % of a Gaussian.
_WITHIN = 1.96


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Screen:
    """A screen's colour everywhere, float32 [height, width, 3].

    ``noise`` is the standard deviation of its pixels' difference, and ``bias`` by how much noise
    makes that differ from its colour's on average: of two noisy channels, the larger counts.
    """

    colour: Image
    noise: float
    bias: float


def difference(rgb: Image, channel: int) -> Image:
    """Return by how much the screen's channel is above the larger of the others (Vlahos).

    Where a value is infinite or no number, that is nothing: no screen is there.
    """
    own, one, other = (cv2.extractChannel(rgb, each) for each in _order(channel))
    with np.errstate(invalid="ignore"):
        made: Image = own - np.maximum(one, other)
    made[~np.isfinite(made)] = 0
    return made


def _order(channel: int) -> tuple[int, int, int]:
    """Return the screen's channel before the other two."""
    return channel, (channel + 1) % 3, (channel + 2) % 3


def saturation(rgb: Image, channel: int) -> Image:
    """Return the difference as a share of the channel, 0 in the dark: light does not change it."""
    level = rgb[..., channel]
    bright = level > max(1e-5, _DARK * float(np.quantile(level, 0.98)))
    return np.where(bright, difference(rgb, channel) / np.where(bright, level, 1), 0)


def share_of(rgb: Image, channel: int) -> float:
    """Return how much of a picture may be a screen of that colour."""
    return float(_candidates(np.nan_to_num(shrunk(rgb, _LONGEST)), channel).mean())


def find(rgb: Image, channel: int) -> Screen | None:
    """Find out what the screen looks like, None where the picture shows none.

    Args:
        rgb: float32 [height, width, 3], display values or light.
        channel: The screen's: 1 for green, 2 for blue.
    """
    small = np.nan_to_num(shrunk(rgb, _LONGEST))
    sure = _eroded(_candidates(small, channel))
    if sure.mean() < _SEEN:
        return None
    trend, sure = _trend(small, sure, channel)
    colour = _filled(small, sure, trend)
    size = (rgb.shape[1], rgb.shape[0])
    whole = cv2.resize(colour, size, interpolation=cv2.INTER_LINEAR)
    # Noise is that of single pixels: it must not be averaged.
    pixels = cv2.resize(rgb, sure.shape[::-1], interpolation=cv2.INTER_NEAREST)
    strays = (difference(pixels, channel) - difference(colour, channel))[sure]
    bias = float(np.median(strays))
    # What the model of the light misses in a few places counts as noise.
    noise = float(np.quantile(np.abs(strays - bias), 0.95)) / _WITHIN
    return Screen(colour=whole, noise=noise, bias=bias)


def _candidates(rgb: Image, channel: int) -> NDArray[np.bool_]:
    strength = saturation(rgb, channel)
    most = float(np.quantile(strength, 0.98))
    return strength > max(_LEAST, _SHARE * most)


def _eroded(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Leave edges out, where hair and motion blur mix with the screen; all of a tiny picture."""
    kernel = np.ones((5, 5), np.uint8)
    made = cv2.erode(mask.astype(np.uint8), kernel, borderType=cv2.BORDER_REPLICATE) > 0
    return made if made.mean() >= _SEEN else mask


def _trend(rgb: Image, sure: NDArray[np.bool_], channel: int) -> tuple[Image, NDArray[np.bool_]]:
    """Fit the screen's light by a quadratic, without what does not belong to it.

    Returns:
        The trend, of ``rgb``'s shape, and where the screen surely is.
    """
    basis = _quadratic(rgb.shape[:2])
    trend = rgb
    for _ in range(_ROUNDS):
        used = basis[sure]
        # A picture of one pixel has no trend: that of least squares and least size is taken.
        found = np.linalg.pinv(used.T @ used, rcond=1e-9) @ (used.T @ rgb[sure])
        low, high = rgb[sure].min(axis=0), rgb[sure].max(axis=0)
        trend = np.clip(basis @ found, low, high).astype(np.float32)
        ratio = difference(rgb, channel) / np.maximum(difference(trend, channel), 1e-6) - 1
        spread = _NORMAL * float(np.median(np.abs(ratio[sure])))
        kept = sure & (np.abs(ratio) < max(_OUTLIER * spread, 0.1))
        if kept.mean() < _SEEN:
            break
        sure = kept
    return trend, sure


def _quadratic(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return 1, x, y, x², xy and y² of each pixel, float64 [height, width, 6]."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij")
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)


def _filled(rgb: Image, sure: NDArray[np.bool_], trend: Image) -> Image:
    """Spread the screen's own unevenness from where it is seen; far from there the trend holds.

    Normalised convolution (Knutsson and Westin 1993), of broad shades first, then of folds.
    """
    weight = sure.astype(np.float32)
    made = trend
    for spread in _SPREADS:
        sigma = max(0.5, spread * max(rgb.shape[:2]))
        apart = (rgb - made) * weight[..., None]
        around = _blurred(weight, sigma)[..., None] + np.float32(_TREND)
        made = made + _blurred(apart, sigma) / around
    return made


def _blurred(image: Image, sigma: float) -> Image:
    made = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(made, np.float32)
