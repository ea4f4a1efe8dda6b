"""Scene-linear light in a curve that networks know: shadows and highlights both within reach."""

from __future__ import annotations

import numpy as np

from handlers.effects.effect import Image

# ACEScct, S-2016-001 of the Academy: a logarithm with a straight piece below.
_BREAK_LINEAR, _BREAK_CODE = 0.0078125, 0.155251141552511
_SLOPE, _OFFSET = 10.5402377416545, 0.0729055341958355
_STOPS, _SHIFT = 17.52, 9.72
_HIGHEST = 65504.0  # of a half float


def encoded(linear: Image) -> Image:
    """Bring light to the curve of ACEScct, in the primaries that it has."""
    high = (np.log2(np.maximum(linear, _BREAK_LINEAR)) + _SHIFT) / _STOPS
    return np.where(linear > _BREAK_LINEAR, high, _SLOPE * linear + _OFFSET).astype(np.float32)


def decoded(code: Image) -> Image:
    """Bring it back."""
    high = np.exp2(np.minimum(code, _highest_code()) * _STOPS - _SHIFT)
    low = (code - np.float32(_OFFSET)) / np.float32(_SLOPE)
    return np.where(code > _BREAK_CODE, high, low).astype(np.float32)


def _highest_code() -> float:
    """Return a code above all that footage holds, so that nothing overflows."""
    return (float(np.log2(_HIGHEST)) + _SHIFT + 1) / _STOPS
