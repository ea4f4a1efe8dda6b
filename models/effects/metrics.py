"""How near two pictures are: PSNR, SSIM, colour difference, and what people would see.

All take pictures as a screen shows them, float32 [height, width, 3], 0..1 nominal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Doubles = NDArray[np.float64]

_BEST = 120.0
"""PSNR of pictures that are the same, in dB: what six more digits would give."""
# Wang et al. 2004: a Gaussian window of 11x11, deviation 1.5, and the two constants.
_WINDOW, _DEVIATION = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2
# IEC 61966-2-1 to CIE XYZ under D65.
_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]], np.float64
)
_WHITE = _XYZ.sum(axis=1)
# Xue et al. 2014.
_GMSD = 0.0026
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """How near pictures are to what they should be; means over pictures.

    ``psnr`` in dB. ``ssim`` from -1 to 1, the same. ``delta_e`` is the mean CIEDE2000 difference,
    about 1 being just visible side by side. ``gmsd`` is the perceptual one, 0 for the same
    picture: how unevenly edges differ.
    """

    psnr: float
    ssim: float
    delta_e: float
    gmsd: float


def scores(result: Image, truth: Image) -> Scores:
    """Compare a picture with what it should be; a matte [height, width, 1] by its grey."""
    wide = [np.broadcast_to(each, (*each.shape[:2], 3)) for each in (result, truth)]
    made, true = (np.ascontiguousarray(each, np.float32) for each in wide)
    return Scores(
        psnr=psnr(made, true),
        ssim=ssim(made, true),
        delta_e=float(delta_e(lab(made), lab(true)).mean()),
        gmsd=gmsd(made, true),
    )


def mean(all_scores: list[Scores]) -> Scores:
    """Return the mean of scores, at least one."""
    names = ("psnr", "ssim", "delta_e", "gmsd")
    return Scores(**{n: float(np.mean([getattr(s, n) for s in all_scores])) for n in names})


def psnr(result: Image, truth: Image) -> float:
    """Return the ratio of 1 to the root mean square error, in dB; at most 120."""
    error = float(np.mean(np.square(result - truth), dtype=np.float64))
    return min(_BEST, -10 * math.log10(max(error, 1e-12)))


def ssim(result: Image, truth: Image) -> float:
    """Return the structural similarity of luma.

    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to
    structural similarity", 2004; borders are mirrored.
    """
    x, y = (image.astype(np.float64) @ _LUMA for image in (result, truth))
    mean_x, mean_y = _blurred(x), _blurred(y)
    spread_x = _blurred(x * x) - mean_x**2
    spread_y = _blurred(y * y) - mean_y**2
    both = _blurred(x * y) - mean_x * mean_y
    light = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    return float(np.mean(light * (2 * both + _C2) / (spread_x + spread_y + _C2)))


def _blurred(values: Doubles) -> Doubles:
    border = cv2.BORDER_REFLECT_101
    made: Doubles = cv2.GaussianBlur(values, (_WINDOW, _WINDOW), _DEVIATION, borderType=border)
    return made


def gmsd(result: Image, truth: Image) -> float:
    """Return the deviation of the similarity of gradients.

    Xue, Zhang, Mou and Bovik, "Gradient magnitude similarity deviation", 2014: it follows
    what people say of pictures better than SSIM, and costs little.
    """
    sizes = [_gradients(np.asarray(image @ _LUMA, np.float64)) for image in (result, truth)]
    alike = (2 * sizes[0] * sizes[1] + _GMSD) / (sizes[0] ** 2 + sizes[1] ** 2 + _GMSD)
    return float(np.std(alike))


def _gradients(grey: Doubles) -> Doubles:
    """Return the size of Prewitt's gradient of every second pixel, of blocks of 2x2 averaged."""
    small = cv2.blur(grey, (2, 2), anchor=(0, 0), borderType=cv2.BORDER_REPLICATE)[::2, ::2]
    prewitt = np.array([[1, 0, -1]] * 3) / 3
    along = cv2.filter2D(np.ascontiguousarray(small), -1, prewitt)
    down = cv2.filter2D(np.ascontiguousarray(small), -1, prewitt.T)
    made: Doubles = np.hypot(along, down)
    return made


def lab(picture: Image) -> Doubles:
    """Return CIELAB under D65 of sRGB; values outside 0..1 are held to it."""
    held = np.clip(picture, 0, 1).astype(np.float64)
    light = np.where(held <= 0.04045, held / 12.92, ((held + 0.055) / 1.055) ** 2.4)
    ratio = light @ _XYZ.T / _WHITE
    curve = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = (curve[..., n] for n in range(3))
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def delta_e(one: Doubles, other: Doubles) -> Doubles:
    """Return the CIEDE2000 difference of colours in CIELAB, [..., 3] to [...].

    Sharma, Wu and Dalal, "The CIEDE2000 color-difference formula: implementation notes,
    supplementary test data, and mathematical observations", 2005.
    """
    chroma = np.hypot(one[..., 1], one[..., 2]), np.hypot(other[..., 1], other[..., 2])
    seventh = ((chroma[0] + chroma[1]) / 2) ** 7
    stretch = 1.5 - 0.5 * np.sqrt(seventh / (seventh + 25.0**7))
    first, second = (_polar(colour, stretch) for colour in (one, other))
    light, size = second[0] - first[0], second[1] - first[1]
    turn, hue = _hues(first, second)
    mean_light, mean_size = (first[0] + second[0]) / 2, (first[1] + second[1]) / 2
    middle = (mean_light - 50) ** 2
    by_light = light / (1 + 0.015 * middle / np.sqrt(20 + middle))
    by_size = size / (1 + 0.045 * mean_size)
    by_hue = turn / (1 + 0.015 * mean_size * _uneven(hue))
    power = mean_size**7
    blue = 60 * np.exp(-(((hue - 275) / 25) ** 2))
    rotated = -np.sin(np.radians(blue)) * 2 * np.sqrt(power / (power + 25.0**7))
    total = by_light**2 + by_size**2 + by_hue**2 + rotated * by_size * by_hue
    made: Doubles = np.sqrt(np.maximum(total, 0))
    return made


def _polar(colour: Doubles, stretch: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """Return lightness, chroma and hue in degrees, with a* stretched."""
    a, b = colour[..., 1] * stretch, colour[..., 2]
    return colour[..., 0], np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360


def _hues(
    first: tuple[Doubles, Doubles, Doubles], second: tuple[Doubles, Doubles, Doubles]
) -> tuple[Doubles, Doubles]:
    """Return the difference of hues, as a length, and their mean in degrees."""
    product = first[1] * second[1]
    apart = second[2] - first[2]
    apart = np.where(apart > 180, apart - 360, np.where(apart < -180, apart + 360, apart))
    apart = np.where(product == 0, 0.0, apart)
    turn = 2 * np.sqrt(product) * np.sin(np.radians(apart / 2))
    total = first[2] + second[2]
    # Hues that are exactly opposite must not be taken for farther apart by a rounding.
    far = np.abs(first[2] - second[2]) > 180 + 1e-9
    round_trip = np.where(total < 360, total + 360, total - 360)
    hue = np.where(far, round_trip, total) / 2
    return turn, np.where(product == 0, total, hue)


def _uneven(hue: Doubles) -> Doubles:
    """Return how much differences of hue count at a mean hue."""
    terms = ((-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6), (-0.20, 4, -63))
    made: Doubles = np.ones_like(hue)
    for factor, times, degrees in terms:
        made = made + factor * np.cos(np.radians(times * hue + degrees))
    return made
