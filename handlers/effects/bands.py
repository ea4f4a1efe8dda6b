"""The fast way for effects that look at each pixel by itself: a band of rows at a time.

A band's floats stay in the processor's cache, where whole pictures in float go out to memory and
come back a dozen times; of Y'CbCr, compiled loops make them and take them back to codes. What comes
out is what the way over whole pictures makes, but for the rounding of floats: at most one code, and
where nothing changes the source's own samples.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from handlers.effects import pixels
from handlers.effects.codes import CodeWay, processor
from handlers.effects.picture import convert
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
        self._pool, self._threads = pool, cores()
        steps = [step for each in processors for step in each.createGroupTransform()]
        self._way: CodeWay | _FloatWay
        if source == target and source.layout.kind == "yuv":
            self._way = CodeWay(steps, source)
        else:
            self._way = _FloatWay(steps, source, target)
        self._down = max(source.layout.shrink[1], target.layout.shrink[1])
        self._halo = _HALO << self._down if self._down else 0

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
        self._way(cut, places, skips)


class _FloatWay:
    """Takes a band's planes to planes of any coding, over R'G'B' in float."""

    def __init__(self, steps: Sequence[Any], source: Coding, target: Coding) -> None:
        self._processor = processor(steps)
        self._source, self._target = source, target

    def __call__(self, planes: list[Plane], places: Sequence[Plane], skips: Sequence[int]) -> None:
        rgb = np.ascontiguousarray(convert.to_rgb(planes, self._source))
        pixels.apply(self._processor, rgb)
        made = convert.from_rgb(rgb, self._target, planes, self._source)
        for place, part, skip in zip(places, made, skips, strict=True):
            place[...] = part[skip : skip + len(place)]


def _downs(coding: Coding) -> tuple[int, ...]:
    """Return log2 of how many times fewer rows each plane of colour has."""
    down = coding.layout.shrink[1]
    return (0,) if coding.layout.kind == "grey" else (0, down, down)
