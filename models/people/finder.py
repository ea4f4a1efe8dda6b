"""Finds people in pictures of any size, coarsely."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 256

Image = NDArray[np.float32]


class Finder:
    """Says how likely people are where.

    Args:
        model: The Keras model of the bundle ``person-matte``.
    """

    def __init__(self, model: Any) -> None:
        self._run = _traced(model)

    def find(self, small: Image) -> Image:
        """Return how likely a person is at each pixel, float32 [256, 256], 0..1.

        Args:
            small: A picture as :func:`squeezed` gives it.
        """
        return np.asarray(self._run(small[None]).numpy()[0, ..., 0], np.float32)


def squeezed(picture: Image) -> Image:
    """Return a picture float32 [h, w, 3] as the network takes it, [256, 256, 3].

    Its proportions are not kept: that is how the network was trained.
    """
    larger = min(picture.shape[:2]) < SIDE
    method = cv2.INTER_LINEAR if larger else cv2.INTER_AREA
    return np.asarray(cv2.resize(picture, (SIDE, SIDE), interpolation=method), np.float32)


@lru_cache(maxsize=1)
def _traced(model: Any) -> Any:
    import tensorflow as tf  # noqa: PLC0415 - handlers import this without TensorFlow

    signature = [tf.TensorSpec((None, SIDE, SIDE, 3), tf.float32)]

    def forward(picture: Any) -> Any:
        return model(picture, training=False)

    return tf.function(forward, input_signature=signature, jit_compile=False)
