"""Pictures twice or four times as large by a network, in tiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.memory import Note
from models.restore import upscale_network
from models.restore.tiling import Grid, Tiled

Image = NDArray[np.float32]
# A quarter of what the network's grid for denoising takes, since its result is larger.
_TILES = {2: (544, 960), 4: (192, 192)}
# The published network sees further than that, but what it sees there changes nothing visible.
_MARGINS = {2: upscale_network.RADIUS, 4: 48}


def upscaler(model: Any, factor: int, note: Note) -> Callable[[Image], Image]:
    """Return a function that makes pictures float32 [h, w, 3] ``factor`` times as large.

    Args:
        model: A network that maps [n, h, w, 3] to [n, factor h, factor w, 3].
        factor: 2 or 4.
        note: Told where memory was too small.
    """
    height, width = _TILES[factor]
    grid = Grid(margin=_MARGINS[factor], scale=factor, height=height, width=width)
    tiled = Tiled(lambda given: model(given, training=False), grid, note)
    return lambda picture: tiled([np.ascontiguousarray(picture, np.float32)])
