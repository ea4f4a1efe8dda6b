"""The generator of ESRGAN in the form that idealo's image-super-resolution gave it, times four.

Built after Wang et al., "ESRGAN: enhanced super-resolution generative adversarial networks",
ECCV Workshops 2018, arXiv:1809.00219: residual blocks of residual dense blocks, without
normalisation. Here each dense block has four convolutions before the one that joins them, and the
picture is enlarged by moving 48 channels into 4 x 4 pixels.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

PACKAGE = "fxd"
FACTOR = 4
BLOCKS, DENSE, CONVOLUTIONS = 10, 3, 4
GROWTH, WIDTH = 32, 64
_RESIDUE = 0.2


@keras.saving.register_keras_serializable(package=PACKAGE)
class PixelShuffle(keras.layers.Layer):  # type: ignore[misc]
    """Makes float [n, h, w, 16 c] into [n, 4 h, 4 w, c]: rows first, then columns, then colours."""

    def call(self, x: Any) -> Any:
        """Move channels into pixels."""
        n, h, w, c = ops.shape(x)
        parts = ops.reshape(x, (n, h, w, FACTOR, FACTOR, c // FACTOR**2))
        parts = ops.transpose(parts, (0, 1, 3, 2, 4, 5))
        return ops.reshape(parts, (n, FACTOR * h, FACTOR * w, c // FACTOR**2))


def build() -> Any:
    """Build the generator with random weights.

    Returns:
        A ``keras.Model`` from ``picture`` float32 [n, h, w, 3], display values 0..1, to
        [n, 4 h, 4 w, 3] in the same, which can go a little beyond. A pixel of it depends on no
        pixel of the picture that is further away than 154 of the picture's own.
    """
    picture = keras.Input((None, None, 3), name="picture")
    shallow = _convolution("before", WIDTH)(picture)
    x = shallow
    for block in range(1, BLOCKS + 1):
        x = _block(f"block{block}", x)
    x = keras.layers.Add()([_convolution("after", WIDTH)(x), shallow])
    x = PixelShuffle()(_convolution("shuffled", 3 * FACTOR**2)(x))
    return keras.Model(picture, _convolution("enlarged", 3)(x), name="esrgan4")


def _convolution(name: str, filters: int) -> Any:
    return keras.layers.Conv2D(filters, 3, padding="same", name=name)


def _block(name: str, before: Any) -> Any:
    """Dense blocks one after another, of which a fifth is added to what came in."""
    x = before
    for number in range(1, DENSE + 1):
        x = _dense(f"{name}_dense{number}", x)
    return keras.layers.Add()([before, keras.layers.Rescaling(_RESIDUE)(x)])


def _dense(name: str, before: Any) -> Any:
    """Convolutions that each see all results before; a fifth of what joins them is added."""
    seen = before
    for number in range(1, CONVOLUTIONS + 1):
        new = _convolution(f"{name}_convolution{number}", GROWTH)(seen)
        seen = keras.layers.Concatenate()([seen, keras.layers.ReLU()(new)])
    joined = keras.layers.Rescaling(_RESIDUE)(_convolution(f"{name}_joined", WIDTH)(seen))
    return keras.layers.Add()([before, joined])
