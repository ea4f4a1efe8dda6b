"""How bright pictures are, on a scale on which display and scene-linear footage can be compared."""

from __future__ import annotations

import cv2
import numpy as np

from handlers.effects.effect import Footage, Image

# The shares of red, green and blue in luminance: ITU-R BT.709, BT.2020, and AP1 (Academy
# S-2014-004).
_BT709 = (0.2126, 0.7152, 0.0722)
_BT2020 = (0.2627, 0.6780, 0.0593)
_AP1 = (0.2722, 0.6741, 0.0537)
_GREY = 0.18


def weights(footage: Footage) -> tuple[float, float, float]:
    """Return the shares of red, green and blue in the luminance of such footage."""
    if "ACES" in footage.space:
        return _AP1
    wide = "2020" in footage.space or footage.colour.primaries == "bt2020"
    return _BT2020 if wide else _BT709


def luminance(rgb: Image, footage: Footage) -> Image:
    """Return luminance (or luma, of display values), float32 [height, width]."""
    made = cv2.transform(rgb, np.array([weights(footage)], np.float32))
    return np.asarray(made, np.float32).reshape(rgb.shape[:2])


def shrunk(image: Image, longest: int) -> Image:
    """Return an image averaged down to at most ``longest`` pixels a side; never enlarged."""
    height, width = image.shape[:2]
    by = max(height, width) / longest
    if by <= 1:
        return image
    size = (max(1, round(width / by)), max(1, round(height / by)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)


def seen(luma: Image, footage: Footage) -> Image:
    """Return brightness as the eye takes it, 0..1: display values as they are, light compressed.

    Grey of 18 % becomes one half, and no highlight passes 1 (Naka and Rushton 1966). What is no
    number becomes black.
    """
    luma = np.maximum(np.nan_to_num(luma, nan=0.0), 0)
    if not footage.scene_linear:
        return np.minimum(luma, 1)
    half = np.float32(np.sqrt(_GREY))
    made: Image = 1 - half / (np.sqrt(luma) + half)
    return made
