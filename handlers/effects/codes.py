"""Codes of Y'CbCr through effects to codes of the same kind, by compiled loops and OpenColorIO.

A loop writes pixels of R'G'B' from planes, whatever matrices come first in its own; OpenColorIO
does the effects and, where a table ends them, the matrix back with it; loops round luma, and move
chroma by what its change comes down to.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import PyOpenColorIO as ocio  # noqa: N813

from handlers.effects import kernels
from handlers.effects.desk import Desk
from handlers.effects.picture import convert
from handlers.effects.picture.chroma import enlarge, reduce
from handlers.effects.picture.convert import Coding
from handlers.effects.picture.layout import Plane


class CodeWay:
    """Takes a band's planes to planes of the same coding.

    Args:
        steps: OpenColorIO's transforms, one after another.
        coding: How planes code a picture; of kind "yuv".
    """

    def __init__(self, steps: Sequence[Any], coding: Coding) -> None:
        rest, matrix = _preceded(list(steps), convert.decoding(coding))
        self._matrix = matrix.astype(np.float32)
        self._processor = processor(_followed(rest, convert.encoding(coding)))
        self._coding = coding
        (across, down), site = coding.layout.shrink, coding.siting[0]
        self._columns = kernels.HALVED[site] if across else kernels.FULL
        # Loops halve columns once.
        self._rest = max(0, across - 1), down
        self._peak = np.float32(coding.layout.peak)
        self._desk = Desk()

    def __call__(
        self, planes: Sequence[Plane], places: Sequence[Plane], skips: Sequence[int]
    ) -> None:
        """Write planes of the result.

        Args:
            planes: The source's, in rows around what is written, too.
            places: Where to.
            skips: How many rows of each plane lie above that.
        """
        high, wide = planes[0].shape
        luma, *own = (kernels.contiguous(plane) for plane in planes)
        lit, *moved = (kernels.contiguous(plane) for plane in places)
        columns = -(-wide // 2) if self._columns else wide
        near = [self._enlarged(plane, (columns, high)) for plane in planes[1:]]
        pixels = self._desk("pixels", high, 4 * wide)
        kernels.join(luma, near[0], near[1], self._columns, self._matrix, pixels)
        self._processor.applyRGBA(pixels.reshape(high, wide, 4))
        kernels.luma(pixels[skips[0] : skips[0] + len(lit)], self._peak, lit)
        for channel in (1, 2):
            change = self._desk("change", high, columns)
            kernels.chroma_change(pixels, channel, near[channel - 1], self._columns, change)
            change = reduce(change, self._rest, self._coding.siting)
            place, skip = moved[channel - 1], skips[channel]
            part = slice(skip, skip + len(place))
            kernels.moved(own[channel - 1][part], change[part], self._peak, place)

    def _enlarged(self, plane: Plane, size: tuple[int, int]) -> Plane:
        """Return chroma after all that loops do not do; contiguous."""
        if not any(self._rest):
            return kernels.contiguous(plane)
        whole = enlarge(np.asarray(plane, np.float32), self._rest, self._coding.siting, size)
        return np.ascontiguousarray(whole)


def _affine(matrix: convert.Matrix) -> Any:
    whole = np.eye(4)
    whole[:3, :3] = matrix[:, :3]
    made = ocio.MatrixTransform()
    made.setMatrix(whole.ravel().tolist())
    made.setOffset([*matrix[:, 3].tolist(), 0.0])
    return made


def _preceded(steps: list[Any], matrix: convert.Matrix) -> tuple[list[Any], convert.Matrix]:
    """Return what is left of steps, and a matrix that does those at the front after it."""
    whole = np.vstack([matrix, [0, 0, 0, 1]])
    for place, step in enumerate(steps):
        if not isinstance(step, ocio.MatrixTransform) or _is_inverse(step):
            return steps[place:], whole[:3]
        own = np.reshape(step.getMatrix(), (4, 4))
        if own[3, :3].any() or own[:3, 3].any():
            return steps[place:], whole[:3]
        # Alpha, which colours do not depend on, gives its place to the offset.
        own[:3, 3], own[3, 3] = step.getOffset()[:3], 1
        whole = own @ whole
    return [], whole[:3]


def _followed(steps: list[Any], matrix: convert.Matrix) -> list[Any]:
    """Return steps with a matrix after them; a table that is the last one takes it in.

    Between its nodes a table's values are weighted means, so it is the same to change those.
    """
    if not steps:
        return [_affine(matrix)]
    *before, last = steps
    if not isinstance(last, ocio.Lut3DTransform) or _is_inverse(last):
        return [*steps, _affine(matrix)]
    table = np.asarray(last.getData()).reshape(-1, 3)
    made = copy.deepcopy(last)
    made.setData((table @ matrix[:, :3].T + matrix[:, 3]).astype(np.float32).ravel())
    return [*before, made]


def _is_inverse(step: Any) -> bool:
    return bool(step.getDirection() == ocio.TRANSFORM_DIR_INVERSE)


def processor(steps: Sequence[Any]) -> Any:
    """Return one OpenColorIO processor for float pixels of four channels."""
    config = ocio.Config.CreateRaw()
    # It takes any two tables of one size for the same.
    config.setProcessorCacheFlags(ocio.PROCESSOR_CACHE_OFF)
    return config.getProcessor(ocio.GroupTransform(list(steps))).getOptimizedCPUProcessor(
        ocio.BIT_DEPTH_F32, ocio.BIT_DEPTH_F32, ocio.OPTIMIZATION_DEFAULT
    )
