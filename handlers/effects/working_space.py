"""The space in which scene-linear light is worked on: ACEScct, in which shadows count, too.

Academy S-2016-001: a logarithm with a straight piece below, of AP1's primaries. Effects that are
learnt and looks are in both, by OpenColorIO; networks that come with fxd know the curve alone, in
whatever primaries light has.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import PyOpenColorIO as ocio  # noqa: N813 - as its own examples name it

from handlers.effects import pixels
from handlers.effects.effect import Image

NAME = "ACEScct"
HIGHEST = 65504.0
"""The highest value of a half float, which all light is held to."""
# By its number: what a name means shall not change with the library.
_CONFIG = "ocio://studio-config-v2.2.0_aces-v1.3_ocio-v2.4"
_BREAK_LINEAR, _BREAK_CODE = 0.0078125, 0.155251141552511
_SLOPE, _OFFSET = 10.5402377416545, 0.0729055341958355
_STOPS, _SHIFT = 17.52, 9.72


@functools.cache
def config() -> Any:
    """Return OpenColorIO's own configuration: nothing is read from the machine's environment."""
    made = ocio.Config.CreateFromFile(_CONFIG)
    # It takes any two tables of one size for the same.
    made.setProcessorCacheFlags(ocio.PROCESSOR_CACHE_OFF)
    return made


@functools.cache
def processor(source: str, target: str) -> Any:
    """Return a processor for floats from one space to another, by OpenColorIO's names."""
    return config().getProcessor(source, target).getDefaultCPUProcessor()


class WorkingSpace:
    """Brings scene-linear pictures to ACEScct and back; nothing is clipped.

    Args:
        linear: OpenColorIO's name of the space that light is in.
    """

    def __init__(self, linear: str) -> None:
        self._linear = linear

    def encoded(self, rgb: Image) -> Image:
        """Return a picture of light, float32 [height, width, 3], in ACEScct: a new one."""
        made = np.array(rgb, np.float32, order="C")
        pixels.apply(processor(self._linear, NAME), made)
        return made

    def decoded(self, rgb: Image) -> Image:
        """Bring it back, in place where it lies in one piece."""
        made = np.ascontiguousarray(rgb)
        pixels.apply(processor(NAME, self._linear), made)
        return made

    def around(self, steps: list[Any]) -> list[Any]:
        """Return OpenColorIO's transforms with the way there before and the way back after."""
        into = ocio.ColorSpaceTransform(self._linear, NAME)
        return [into, *steps, ocio.ColorSpaceTransform(NAME, self._linear)]


def finite(values: Image) -> Image:
    """Replace what is no number by 0, and infinities by what a half ends at."""
    # A sum is finite where all of it is, and ten times as fast to look at.
    with np.errstate(invalid="ignore"):  # infinity less infinity
        if np.isfinite(values.sum(dtype=np.float64)):
            return values
    known: Image = np.nan_to_num(values, nan=0.0, posinf=HIGHEST, neginf=-HIGHEST)
    return known


def curve_encoded(linear: Image) -> Image:
    """Bring light to the curve of ACEScct, in the primaries that it has."""
    high = (np.log2(np.maximum(linear, _BREAK_LINEAR)) + _SHIFT) / _STOPS
    return np.where(linear > _BREAK_LINEAR, high, _SLOPE * linear + _OFFSET).astype(np.float32)


def curve_decoded(code: Image) -> Image:
    """Bring it back from the curve."""
    high = np.exp2(np.minimum(code, _highest_code()) * _STOPS - _SHIFT)
    low = (code - np.float32(_OFFSET)) / np.float32(_SLOPE)
    return np.where(code > _BREAK_CODE, high, low).astype(np.float32)


def _highest_code() -> float:
    """Return a code above all that footage holds, so that nothing overflows."""
    return (float(np.log2(HIGHEST)) + _SHIFT + 1) / _STOPS
