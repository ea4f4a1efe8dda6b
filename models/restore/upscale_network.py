"""A small network that makes pictures twice as large.

In the manner of EDSR (Lim et al., 2017), without its width: residual blocks on the small picture,
and what they find is added to what Lanczos' kernel makes of it.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from models.restore.layers import DepthToSpace, Lanczos, convolution, nothing, residual

FACTOR = 2
RADIUS = 16
"""How many pixels of the small picture away from a pixel it sees."""
_WIDTH, _BLOCKS = 32, 6


def phases(model: Any) -> list[tuple[str, float, Any, list[Any]]]:
    """Return how it is trained: all at once; see ``denoise_network.phases``."""
    return [("whole", 1.0, model, model.trainable_variables)]


def build(width: int = _WIDTH, blocks: int = _BLOCKS) -> Any:
    """Build the network; untrained it is Lanczos' kernel.

    Returns:
        A model of float32 [n, h, w, 3] to [n, 2 h, 2 w, 3].
    """
    picture = keras.Input((None, None, 3), name="picture")
    first = convolution(width, active=False)(picture)
    features = first
    for _ in range(blocks):
        features = residual(features, width)
    features = layers.Add()([first, convolution(width, active=False)(features)])
    change = DepthToSpace()(nothing(12)(features))
    return keras.Model(picture, layers.Add()([Lanczos()(picture), change]), name="upscale2")
