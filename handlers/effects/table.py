"""Look-up tables of colours through OpenColorIO: as fast as it is, and nothing clipped."""

from __future__ import annotations

from typing import Any

import numpy as np
import PyOpenColorIO as ocio  # noqa: N813 - as its own examples name it
from numpy.typing import NDArray

from handlers.effects import pixels
from models.effects.lut import Lut

Image = NDArray[np.float32]

# Most nodes that OpenColorIO takes.
_MOST_NODES = 129


def transform_of(lut: Lut) -> Any:
    """Return an OpenColorIO transform that does what a table of three channels does.

    OpenColorIO holds colours to a table's domain. So this one is wider by its own width on each
    side, which is beyond all that footage of few bits can hold. It is read by tetrahedra, as
    grading programs read a ``.cube``: half the work, and no further from what was learnt.
    """
    wide = lut.widened(min((_MOST_NODES - lut.nodes) // 2, lut.nodes - 1))
    table = ocio.Lut3DTransform(wide.nodes)
    table.setInterpolation(ocio.INTERP_TETRAHEDRAL)
    table.setData(np.ascontiguousarray(wide.table).ravel())
    scale = 1 / (wide.high - wide.low)
    matrix = [scale, 0, 0, 0, 0, scale, 0, 0, 0, 0, scale, 0, 0, 0, 0, 1]
    offset = [-wide.low * scale] * 3 + [0]
    into = ocio.MatrixTransform(matrix=matrix, offset=offset)
    return ocio.GroupTransform([into, table])


class Table:
    """Applies a table to pictures, also to colours that are far beyond its domain.

    Args:
        lut: The table; 3 channels, or 1 for a matte.
    """

    def __init__(self, lut: Lut) -> None:
        self._lut = lut
        width = lut.high - lut.low
        self._low, self._high = lut.low - width, lut.high + width
        repeated = Lut(np.repeat(lut.table, 3 // lut.channels, axis=3), lut.low, lut.high)
        processor = ocio.Config.CreateRaw().getProcessor(transform_of(repeated))
        self._fast = processor.getOptimizedCPUProcessor(
            ocio.BIT_DEPTH_F32, ocio.BIT_DEPTH_F32, ocio.OPTIMIZATION_LOSSLESS
        )

    def run(self, picture: Image) -> Image:
        """Return float32 [height, width, channels] of a picture float32 [height, width, 3]."""
        made = np.array(picture, np.float32, order="C")
        pixels.apply(self._fast, made)
        if picture.min() < self._low or picture.max() > self._high:
            far = ((picture < self._low) | (picture > self._high)).any(axis=2)
            made[far] = self._lut.apply(picture[far])
        return made if self._lut.channels == 3 else made[..., :1]
