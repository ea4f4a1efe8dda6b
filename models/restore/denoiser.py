"""Denoising of whole pictures by the network ``denoise``, in its two stages.

A stage's result for a frame serves the frames beside it too, so in order each frame costs one run
of each stage instead of four.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.memory import Note
from models.restore.denoise_network import FRAMES, MULTIPLE, RADIUS
from models.restore.tiling import Area, Grid, Tiled

Image = NDArray[np.float32]
# A pixel of a tile takes 1.25 kB while a stage is run; so UHD stays below 3 GB in all.
_TILE_HEIGHT, _TILE_WIDTH = 544, 960
_Key = tuple[Area, ...]


class Denoiser:
    """Cleans frames; made for one stretch of footage.

    Args:
        model: The network ``denoise``.
        note: Told where memory was too small.
        grid: How large pictures are cut, None for as usual.
    """

    def __init__(self, model: Any, note: Note, grid: Grid | None = None) -> None:
        grid = grid or Grid(
            margin=RADIUS, multiple=MULTIPLE, height=_TILE_HEIGHT, width=_TILE_WIDTH
        )
        self._first = Tiled(_call(model.get_layer("first")), grid, note)
        self._second = Tiled(_call(model.get_layer("second")), grid, note)
        self._kept: deque[tuple[_Key, Image]] = deque(maxlen=FRAMES - 2)

    def clean(self, frames: Sequence[Area], sigmas: Sequence[Area]) -> Image:
        """Clean the middle one of five frames.

        Args:
            frames: float32 [h, w, 3] each. One that is the very same object as in the call before
                is not computed again.
            sigmas: float32 [h, w, 1] for the three in the middle: the noise's standard deviation.

        Returns:
            float32 [h, w, 3].
        """
        around = [(frames[at], frames[at - 1], frames[at + 1]) for at in (1, 2, 3)]
        before, middle, after = (
            self._once(three, sigma) for three, sigma in zip(around, sigmas, strict=True)
        )
        return self._second([middle, before, after, frames[FRAMES // 2], sigmas[1]])

    def _once(self, three: _Key, sigma: Area) -> Image:
        for key, made in self._kept:
            if all(one is other for one, other in zip(key, three, strict=True)):
                return made
        made = self._first([*three, sigma])
        self._kept.append((three, made))
        return made


def _call(stage: Any) -> Any:
    return lambda *given: stage(list(given), training=False)
