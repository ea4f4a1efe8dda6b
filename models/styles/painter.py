"""Paints pictures with the styles' network, large ones without holding all of it at full size.

Statistics are of the whole picture, always: taken from three quarters of one, in squares spread
evenly, they changed the painting by a tenth of its range. Of all layers only the first has many
channels at full size, so only that one is made in strips, twice: once to measure it, once to go on
from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What network.py says, too; importing it would load TensorFlow.
STYLES, NORMED = 26, 495
_FIRST = "contract0"
_BORDER, _STRIDE, _LEAST = 4, 4, 16
_STRIP = 500_000

LARGEST = 9_000_000
"""Pixels of a picture that can be painted in about 2 GB."""

Image = NDArray[np.float32]
Statistics = NDArray[np.float32]


def blend_of(styles: Mapping[int, float]) -> NDArray[np.float32]:
    """Return the weights of all styles, in all 1, from those that are meant.

    Args:
        styles: Number of a style to its weight, none negative, not all 0.
    """
    weights = np.zeros(STYLES, np.float64)
    for number, weight in styles.items():
        weights[number] = weight
    return np.asarray(weights / weights.sum(), np.float32)


class Painter:
    """Paints in one blend of styles.

    Args:
        model: The Keras model of the bundle ``styles26``.
        blend: The weight of each style, [26].
        strip: How many pixels of the first layer are made at once.
    """

    def __init__(self, model: Any, blend: NDArray[np.float32], strip: int = _STRIP) -> None:
        self._first, self._second, self._rest = _stages(model)
        self._blend = blend
        self._strip = strip

    def paint(self, picture: Image, held: Statistics | None = None) -> tuple[Image, Statistics]:
        """Paint a picture float32 [h, w, 3], 0..1, of at most ``LARGEST`` pixels.

        Args:
            picture: What to paint.
            held: The means and variances to normalise with; None takes the picture's own.

        Returns:
            The painting in the same form, and the statistics that were measured, [2, 495].
        """
        height, width = picture.shape[:2]
        padded = _padded(picture)
        statistics = np.zeros((2, NORMED), np.float32) if held is None else held.copy()
        measured = self._measured(padded)
        if held is None:
            statistics[:, : measured.shape[1]] = measured
        half = np.concatenate(list(self._half(padded, statistics)), axis=1)
        hold = np.float32(0 if held is None else 1)
        painted, others = self._rest(half, self._blend, statistics, hold)
        cut = np.asarray(painted.numpy()[0, :height, :width], np.float32)
        return cut, np.concatenate([measured, others.numpy()], axis=1)

    def _measured(self, padded: Image) -> Statistics:
        """Return mean and variance of the first layer's channels."""
        sums = sum(self._first(padded[None, rows]).numpy() for rows in self._strips(padded))
        height, width = (size - 2 * _BORDER for size in padded.shape[:2])
        mean, square = sums / (height * width)
        return np.asarray([mean, np.maximum(square - mean**2, 0)], np.float32)

    def _half(self, padded: Image, statistics: Statistics) -> Iterator[Image]:
        """Yield what the second convolution makes, half as large, from top to bottom."""
        for rows in self._strips(padded):
            # It looks one row up; above the picture there is its mirror image.
            first = max(0, rows.start - 1)
            part = padded[None, first : rows.stop]
            yield self._second(part, self._blend, statistics, rows.start == 0).numpy()

    def _strips(self, padded: Image) -> Iterator[slice]:
        """Yield the rows of each strip, with those around it that the first convolution sees."""
        height, width = (size - 2 * _BORDER for size in padded.shape[:2])
        step = max(1, self._strip // (width * _STRIDE)) * _STRIDE
        for first in range(0, height, step):
            yield slice(first, min(first + step, height) + 2 * _BORDER)


def _padded(picture: Image) -> Image:
    """Mirror the picture: below and right to sizes that the network takes, then all around."""
    sides = []
    for size in picture.shape[:2]:
        whole = max(_LEAST, -(-size // _STRIDE) * _STRIDE)
        sides.append((0, whole - size))
    fitting = np.pad(picture, (*sides, (0, 0)), mode="reflect")
    around = (_BORDER, _BORDER)
    return np.pad(fitting, (around, around, (0, 0)), mode="reflect")


@lru_cache(maxsize=1)
def _stages(model: Any) -> tuple[Any, Any, Any]:
    """Return the network in three: measure the first layer, go on from it, and all the rest.

    Compiled once for all blends: tracing takes a second.
    """
    import keras  # noqa: PLC0415 - handlers import this without TensorFlow
    import tensorflow as tf  # noqa: PLC0415

    convolution, norm = model.get_layer(_FIRST), model.get_layer(f"{_FIRST}_norm")
    norms = [layer for layer in model.layers if layer.name.endswith("_norm") and layer is not norm]
    second = model.get_layer("contract1")
    inputs = [second.output, *(model.input[name] for name in ("blend", "statistics", "hold"))]
    outputs = [model.output["painted"], *(layer.output[1] for layer in norms)]
    later = keras.Model(inputs, outputs)

    def first(part: Any) -> Any:
        made = tf.cast(convolution(part), tf.float64)
        return tf.stack([tf.reduce_sum(each, axis=(0, 1, 2)) for each in (made, made**2)])

    def on(part: Any, blend: Any, statistics: Any, top: Any) -> Any:
        made = tf.nn.relu(norm(convolution(part), blend, statistics, tf.ones(()))[0])
        made = tf.cond(top, lambda: tf.concat([made[:, 1:2], made], axis=1), lambda: made)
        return second(tf.pad(made, ((0, 0), (0, 0), (1, 1), (0, 0)), mode="REFLECT"))

    def rest(half: Any, blend: Any, statistics: Any, hold: Any) -> Any:
        painted, *measured = later([half, blend, statistics, hold], training=False)
        return painted, tf.concat(measured, axis=1)

    picture, figures = tf.TensorSpec((1, None, None, 3)), tf.TensorSpec((2, NORMED))
    weights, flag = tf.TensorSpec((STYLES,)), tf.TensorSpec((), tf.bool)
    halved, scalar = tf.TensorSpec((1, None, None, 32)), tf.TensorSpec(())
    return (
        tf.function(first, input_signature=[picture]),
        tf.function(on, input_signature=[picture, weights, figures, flag]),
        tf.function(rest, input_signature=[halved, weights, figures, scalar]),
    )
