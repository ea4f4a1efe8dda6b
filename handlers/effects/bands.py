"""The fast way for effects that look at each pixel by itself: a band of rows at a time.

Matrices to R'G'B', effects and matrices back become one OpenColorIO processor, and a band's
floats stay in the processor's cache, where whole pictures in float go out to memory and come back
a dozen times. What comes out is what the way over whole pictures makes, but for the
rounding of floats: at most one code, and where nothing changes the source's own samples.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import PyOpenColorIO as ocio  # noqa: N813

from handlers.effects import pixels
from handlers.effects.picture import convert
from handlers.effects.picture.chroma import enlarge, reduce
from handlers.effects.picture.convert import Coding
from handlers.effects.picture.layout import Plane

_ROWS = 32
# Chroma rows beyond a band that its own rows depend on, up and down again.
_HALO = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Band:
    """Rows ``top`` to ``end`` of a picture, and where they lie in what is computed around them."""

    top: int
    end: int
    above: int
    below: int


def cores() -> int:
    """Return how many threads are worth having."""
    return min(8, len(os.sched_getaffinity(0)))


def bands(height: int, halo: int, rows: int = _ROWS) -> list[_Band]:
    """Divide a picture; each band but the last has ``rows`` rows."""
    return [
        _Band(
            top=top,
            end=min(top + rows, height),
            above=max(0, top - halo),
            below=min(height, top + rows + halo),
        )
        for top in range(0, height, rows)
    ]


class BandPath:
    """Takes planes to planes by OpenColorIO processors, a band at a time in several threads.

    Args:
        processors: What is done, one after another.
        source: How the planes that come code a picture.
        target: How those that are made shall.
        pool: Where bands are worked on.
    """

    def __init__(
        self, processors: Sequence[Any], source: Coding, target: Coding, pool: ThreadPoolExecutor
    ) -> None:
        self.source, self._target = source, target
        self._pool = pool
        self._fused = source == target and source.layout.kind == "yuv"
        steps = [each.createGroupTransform() for each in processors]
        if self._fused:
            decode, encode = convert.decoding(source), convert.encoding(target)
            steps = [_affine(decode), *steps, _affine(encode)]
        self._processor = _processor(steps)
        down = max(source.layout.shrink[1], target.layout.shrink[1])
        self._halo = _HALO << down if down else 0
        self._rows = _ROWS << down

    def __call__(self, planes: Sequence[Plane], made: Sequence[Plane]) -> None:
        """Write the colour planes of the result into ``made``; alpha is left alone."""
        work = functools.partial(self._work, planes, made)
        # Consumed, so that what went wrong in a thread is raised here.
        list(self._pool.map(work, bands(planes[0].shape[0], self._halo, self._rows)))

    def _work(self, own: Sequence[Plane], made: Sequence[Plane], band: _Band) -> None:
        cut = [
            plane[band.above >> down : -(-band.below >> down)]
            for plane, down in zip(own, _downs(self.source), strict=False)  # alpha is left out
        ]
        found = self._fused_band(cut) if self._fused else self._any_band(cut)
        for target, part, down in zip(made, found, _downs(self._target), strict=False):
            top, end, first = band.top >> down, -(-band.end >> down), band.above >> down
            target[top:end] = part[top - first : end - first]

    def _any_band(self, planes: list[Plane]) -> list[Plane]:
        rgb = np.ascontiguousarray(convert.to_rgb(planes, self.source))
        pixels.apply(self._processor, rgb)
        return convert.from_rgb(rgb, self._target, planes, self.source)

    def _fused_band(self, planes: list[Plane]) -> list[Plane]:
        """Codes in, codes out: chroma is what it was and what its change comes down to."""
        layout, siting = self.source.layout, self.source.siting
        high, wide = planes[0].shape
        small = [plane.astype(np.float32) for plane in planes[1:]]
        large = [enlarge(plane, layout.shrink, siting, (wide, high)) for plane in small]
        whole = pixels.joined([planes[0].astype(np.float32), *large])
        self._processor.applyRGBA(whole)
        luma, *chroma = cv2.split(whole)[:3]
        made = [convert.coded(luma, layout)]
        for changed, before, plane in zip(chroma, large, small, strict=True):
            change = reduce(changed - before, layout.shrink, siting)
            made.append(convert.coded(change + plane, layout))
        return made


def _downs(coding: Coding) -> tuple[int, ...]:
    """Return log2 of how many times fewer rows each plane of colour has."""
    down = coding.layout.shrink[1]
    return (0,) if coding.layout.kind == "grey" else (0, down, down)


def _affine(matrix: convert.Matrix) -> Any:
    whole = np.eye(4)
    whole[:3, :3] = matrix[:, :3]
    made = ocio.MatrixTransform()
    made.setMatrix(whole.ravel().tolist())
    made.setOffset([*matrix[:, 3].tolist(), 0.0])
    return made


def _processor(steps: Sequence[Any]) -> Any:
    config = ocio.Config.CreateRaw()
    # It takes any two tables of one size for the same.
    config.setProcessorCacheFlags(ocio.PROCESSOR_CACHE_OFF)
    return config.getProcessor(ocio.GroupTransform(list(steps))).getOptimizedCPUProcessor(
        ocio.BIT_DEPTH_F32, ocio.BIT_DEPTH_F32, ocio.OPTIMIZATION_DEFAULT
    )
