"""Paints pictures of any size with the styles' network, in parts that join without a seam."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What network.py says, too; importing it would load TensorFlow.
STYLES, NORMED = 26, 495
_REACH, _STRIDE, _LEAST = 64, 4, 16
_PART = 960
_MEASURED = 1_500_000
_SAMPLE = 320

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
    """

    def __init__(self, model: Any, blend: NDArray[np.float32]) -> None:
        self._run = _traced(model)
        self._blend = blend

    def measure(self, picture: Image) -> Statistics:
        """Return the statistics of a picture float32 [h, w, 3], 0..1; [2, 495].

        Those of a picture of more than 1.5 million pixels are taken from parts of it, spread
        evenly, so that memory is bounded.
        """
        parts = np.stack(list(_samples(_padded(picture))))
        nothing = np.zeros((2, NORMED), np.float32)
        _, found = self._run(parts, self._blend, nothing, np.float32(0))
        return np.asarray(found.numpy(), np.float32)

    def paint(self, picture: Image, statistics: Statistics) -> Image:
        """Paint a picture float32 [h, w, 3], 0..1, with given statistics; the same form.

        It is done in parts, each with so much around it that they are equal to the whole.
        """
        padded = _padded(picture)
        painted = np.empty_like(padded)
        for rows in _pieces(padded.shape[0]):
            for columns in _pieces(padded.shape[1]):
                painted[rows, columns] = self._piece(padded, statistics, rows, columns)
        return painted[: picture.shape[0], : picture.shape[1]]

    def _piece(self, padded: Image, statistics: Statistics, rows: slice, columns: slice) -> Image:
        around, inside = zip(
            *(
                _around(each, size)
                for each, size in zip((rows, columns), padded.shape, strict=False)
            ),
            strict=True,
        )
        part, _ = self._run(padded[around][None], self._blend, statistics, np.float32(1))
        return np.asarray(part[0].numpy()[inside], np.float32)


def _padded(picture: Image) -> Image:
    """Mirror the picture at its right and lower border up to sizes that the network takes."""
    height, width = picture.shape[:2]
    more = [max(_LEAST - size, -size % _STRIDE) for size in (height, width)]
    more = [
        each + -(size + each) % _STRIDE for each, size in zip(more, (height, width), strict=True)
    ]
    return np.pad(picture, ((0, more[0]), (0, more[1]), (0, 0)), mode="reflect")


def _pieces(size: int) -> Iterator[slice]:
    """Cut a side of the picture into parts of about the same size, each a multiple of 4."""
    count = -(-size // _PART)
    step = -(-size // (count * _STRIDE)) * _STRIDE
    return (slice(first, min(first + step, size)) for first in range(0, size, step))


def _around(piece: slice, size: int) -> tuple[slice, slice]:
    """Return a part with what it depends on, and where it lies in that."""
    first, last = max(0, piece.start - _REACH), min(size, piece.stop + _REACH)
    return slice(first, last), slice(piece.start - first, piece.stop - first)


def _samples(picture: Image) -> Iterator[Image]:
    """Yield the picture, or so many squares of it as may be measured at once."""
    height, width = picture.shape[:2]
    if height * width <= _MEASURED:
        yield picture
        return
    count = _MEASURED / _SAMPLE**2
    across = max(1, min(round((count * width / height) ** 0.5), width // _SAMPLE))
    down = max(1, min(int(count / across), height // _SAMPLE))
    high, wide = min(_SAMPLE, height), min(_SAMPLE, _MEASURED // min(_SAMPLE, height), width)
    for top in np.linspace(0, height - high, down).astype(int) // _STRIDE * _STRIDE:
        for left in np.linspace(0, width - wide, across).astype(int) // _STRIDE * _STRIDE:
            yield picture[top : top + high, left : left + wide]


def _traced(model: Any) -> Any:
    import tensorflow as tf  # noqa: PLC0415 - handlers import this without TensorFlow

    shapes = [(None, None, None, 3), (STYLES,), (2, NORMED), ()]

    def forward(picture: Any, blend: Any, statistics: Any, hold: Any) -> tuple[Any, Any]:
        inputs = {"picture": picture, "blend": blend, "statistics": statistics, "hold": hold}
        made = model(inputs, training=False)
        return made["painted"], made["statistics"]

    signature = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    return tf.function(forward, input_signature=signature, jit_compile=False)
