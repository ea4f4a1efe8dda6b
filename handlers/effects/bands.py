"""The fast way for effects that look at each pixel by itself: a band of rows at a time.

Matrices to R'G'B', effects and matrices back become one OpenColorIO processor, and a band's
floats stay in the processor's cache, where whole pictures in float go out to memory and come back
a dozen times. What comes out is what the way over whole pictures makes, but for the
rounding of floats: at most one code, and where nothing changes the source's own samples.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import PyOpenColorIO as ocio  # noqa: N813
from numpy.typing import DTypeLike

from handlers.effects import pixels
from handlers.effects.desk import Desk
from handlers.effects.picture import convert
from handlers.effects.picture.chroma import (
    columns_apart,
    columns_together,
    enlarge,
    halved,
    interleave,
    reduce,
)
from handlers.effects.picture.convert import Coding
from handlers.effects.picture.layout import Plane

# So many pixels at once cost few calls, and what is made of them stays in a processor's cache.
_PIXELS = 1 << 17
_LEAST_ROWS = 8
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


def bands(height: int, halo: int, rows: int) -> list[_Band]:
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
        self._layout = target.layout
        self._pool, self._threads = pool, cores()
        self._desk = Desk()
        self._fused = source == target and source.layout.kind == "yuv"
        steps = [step for each in processors for step in each.createGroupTransform()]
        if self._fused:
            decode, encode = convert.decoding(source), convert.encoding(target)
            steps = _followed([_affine(decode), *steps], encode)
        self._processor = _processor(steps)
        down = max(source.layout.shrink[1], target.layout.shrink[1])
        self._halo = _HALO << down if down else 0
        self._down = down

    def __call__(self, planes: Sequence[Plane], made: Sequence[Plane]) -> None:
        """Write the colour planes of the result into ``made``; alpha is left alone."""
        height, width = planes[0].shape
        rows = max(_LEAST_ROWS, _PIXELS // width >> self._down) << self._down
        waiting = iter(bands(height, self._halo, rows))

        # A task a thread, which takes the next band when it has done one: one a band would cost
        # more to hand over.
        def work(_: int) -> None:
            for band in waiting:
                self._work(planes, made, band)

        # Consumed, so that what went wrong in a thread is raised here.
        list(self._pool.map(work, range(self._threads)))

    def _work(self, own: Sequence[Plane], made: Sequence[Plane], band: _Band) -> None:
        cut = [
            plane[band.above >> down : -(-band.below >> down)]
            for plane, down in zip(own, _downs(self.source), strict=False)  # alpha is left out
        ]
        downs = _downs(self._target)
        places = [
            plane[band.top >> down : -(-band.end >> down)]
            for plane, down in zip(made, downs, strict=False)
        ]
        skips = [(band.top >> down) - (band.above >> down) for down in downs]
        if self._fused:
            self._fused_band(cut, places, skips)
            return
        for place, part, skip in zip(places, self._any_band(cut), skips, strict=True):
            place[...] = part[skip : skip + len(place)]

    def _any_band(self, planes: list[Plane]) -> list[Plane]:
        rgb = np.ascontiguousarray(convert.to_rgb(planes, self.source))
        pixels.apply(self._processor, rgb)
        return convert.from_rgb(rgb, self._target, planes, self.source)

    def _fused_band(self, planes: list[Plane], places: list[Plane], skips: Sequence[int]) -> None:
        """Codes in, codes out: chroma is what it was and what its change comes down to.

        Where chroma has half the columns, a picture's even and odd ones are worked on apart: that
        saves writing chroma twice as wide and back.
        """
        (across, down), siting = self.source.layout.shrink, self.source.siting
        once = min(across, 1)
        rest = across - once, down
        high, wide = planes[0].shape
        size = -(-wide >> once), high
        # Cb above Cr: what has no neighbours above is done to both at once.
        own = self._desk("own", 2 * planes[1].shape[0], planes[1].shape[1])
        np.concatenate(planes[1:], out=own)
        near = _each(own, lambda plane: enlarge(plane, rest, siting, size)) if any(rest) else own
        rows = slice(skips[0], skips[0] + len(places[0]))
        if once:
            change = self._by_columns(planes[0], near, places[0], rows)
        else:
            change = self._desk("change", *near.shape)
            convert.coded(self._changed(planes[0], near, change)[rows], self._layout, 0, places[0])
        if any(rest):
            change = _each(change, lambda plane: reduce(plane, rest, siting))
        halves = zip(np.split(own, 2), np.split(change, 2), places[1:], skips[1:], strict=True)
        for before, move, place, skip in halves:
            part = slice(skip, skip + len(place))
            convert.coded(before[part], self._layout, move[part], place)

    def _by_columns(self, luma: Plane, chroma: Plane, place: Plane, rows: slice) -> Plane:
        """Write luma; return by how much chroma is moved."""
        site = self.source.siting[0]
        shape = luma.shape[0], -(-luma.shape[1] // 2)
        lumas = halved(luma, self._two("luma", *shape, dtype=luma.dtype))
        chromas = columns_apart(chroma, site, self._two("chroma", *chroma.shape))
        changes = self._two("change", *chroma.shape)
        for light, colour, change in zip(lumas, chromas, changes, strict=True):
            convert.coded(self._changed(light, colour, change), self._layout, 0, light)
        interleave(lumas[0][rows], lumas[1][rows], place)
        return columns_together(*changes, site, self._desk("change", *chroma.shape))

    def _two(self, name: str, *shape: int, dtype: DTypeLike = np.float32) -> tuple[Plane, Plane]:
        even, odd = self._desk(f"{name}s", 2, *shape, dtype=dtype)
        return even, odd

    def _changed(self, luma: Plane, chroma: Plane, change: Plane) -> Plane:
        """Return luma as the effects make it; write by how much they move chroma."""
        high = luma.shape[0]
        light = self._desk("light", *luma.shape)
        light[...] = luma
        made = pixels.apply_to_planes(self._processor, [light, *np.split(chroma, 2)], self._desk)
        cv2.subtract(made[high:], chroma, dst=change)
        return made[:high]


def _each(stacked: Plane, work: Callable[[Plane], Plane]) -> Plane:
    """Do something to each of two planes that lie one above the other."""
    return np.concatenate([work(plane) for plane in np.split(stacked, 2)])


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


def _followed(steps: list[Any], matrix: convert.Matrix) -> list[Any]:
    """Return steps with a matrix after them; a table that is the last one takes it in.

    Between its nodes a table's values are weighted means, so it is the same to change those.
    """
    *before, last = steps
    if not isinstance(last, ocio.Lut3DTransform) or _is_inverse(last):
        return [*steps, _affine(matrix)]
    table = np.asarray(last.getData()).reshape(-1, 3)
    made = copy.deepcopy(last)
    made.setData((table @ matrix[:, :3].T + matrix[:, 3]).astype(np.float32).ravel())
    return [*before, made]


def _is_inverse(step: Any) -> bool:
    return bool(step.getDirection() == ocio.TRANSFORM_DIR_INVERSE)


def _processor(steps: Sequence[Any]) -> Any:
    config = ocio.Config.CreateRaw()
    # It takes any two tables of one size for the same.
    config.setProcessorCacheFlags(ocio.PROCESSOR_CACHE_OFF)
    return config.getProcessor(ocio.GroupTransform(list(steps))).getOptimizedCPUProcessor(
        ocio.BIT_DEPTH_F32, ocio.BIT_DEPTH_F32, ocio.OPTIMIZATION_DEFAULT
    )
