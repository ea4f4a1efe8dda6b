"""Showing scene-linear pictures: from light to what a screen takes.

Scene-linear values have no upper end and are no colour that a screen shows. They become
sRGB of Rec. 709 primaries by a curve that leaves what is below ``KNEE`` as it is and rolls
highlights off towards white, so that neither a lamp nor a broken value leaves 0..1. It is
a view for finding one's way, not a grade: nothing that a facility delivers is made from it.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import PyOpenColorIO
from numpy.typing import NDArray

KNEE = 0.6
"""Linear value up to which the view is exactly sRGB; above, white is approached."""
_CONFIG = "cg-config-v1.0.0_aces-v1.3_ocio-v2.1"
_REC709 = "Linear Rec.709 (sRGB)"
# Red's x of the primaries that EXR headers name, and the space that OpenColorIO calls so.
_SPACES = ((0.7347, "ACES2065-1"), (0.713, "ACEScg"), (0.708, "Linear Rec.2020"),
           (0.68, "Linear P3-D65"))  # fmt: skip
_SAME = 0.001


def space_of(chromaticities: Any) -> str:
    """Return OpenColorIO's name of the linear space that an EXR header's primaries mean.

    Args:
        chromaticities: x and y of red, green, blue and white, or None: Rec. 709, as the
            OpenEXR specification says.
    """
    if chromaticities is None or len(chromaticities) < 8:
        return _REC709
    red = float(chromaticities[0])
    return next((name for x, name in _SPACES if abs(red - x) < _SAME), _REC709)


def display(linear: NDArray[np.float16], space: str = _REC709) -> NDArray[np.uint16]:
    """Encode linear light for a screen.

    Args:
        linear: float16 [height, width, 3]; negative values, infinities and values that are
            no number are allowed.
        space: What :func:`space_of` gave.

    Returns:
        uint16 [height, width, 3], sRGB, full range.
    """
    if space != _REC709:
        linear = _to_rec709(linear, space)
    # A half has 65,536 values: looking each up is faster than any curve.
    shown: NDArray[np.uint16] = _table()[np.ascontiguousarray(linear).view(np.uint16)]
    return shown


def _to_rec709(linear: NDArray[np.float16], space: str) -> NDArray[np.float16]:
    pixels = np.ascontiguousarray(np.nan_to_num(linear.astype(np.float32)))
    _processor(space).applyRGB(pixels)
    limit = float(np.finfo(np.float16).max)
    return np.clip(pixels, -limit, limit).astype(np.float16)


@functools.cache
def _processor(space: str) -> Any:
    config = PyOpenColorIO.Config.CreateFromBuiltinConfig(_CONFIG)
    return config.getProcessor(space, _REC709).getDefaultCPUProcessor()


@functools.cache
def _table() -> NDArray[np.uint16]:
    values = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float64)
    light = np.nan_to_num(values, nan=0.0, posinf=np.inf, neginf=0.0).clip(0.0, 65504.0)
    over = np.maximum(light - KNEE, 0.0) / (1 - KNEE)
    rolled = np.minimum(light, KNEE) + (1 - KNEE) * -np.expm1(-over)
    # IEC 61966-2-1.
    encoded = np.where(rolled <= 0.0031308, rolled * 12.92, 1.055 * rolled ** (1 / 2.4) - 0.055)
    table: NDArray[np.uint16] = np.round(encoded.clip(0.0, 1.0) * 65535).astype(np.uint16)
    return table
