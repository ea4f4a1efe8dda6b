"""The layers that both networks are made of.

No layer adds a constant. So a network of them is homogeneous: twice the picture with twice the
noise gives twice the result (Mohan et al., "Robust and interpretable blind image denoising via
bias-free convolutional neural networks", 2020), and values beyond 0..1 need no care.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

_LANCZOS = 3


@keras.saving.register_keras_serializable(package="fxd.restore")
class SpaceToDepth(layers.Layer):  # type: ignore[misc]
    """Squares of 2 by 2 pixels become one of four times the channels."""

    def call(self, inputs: Any) -> Any:
        """Map [n, 2 h, 2 w, c] to [n, h, w, 4 c]."""
        import tensorflow as tf  # noqa: PLC0415 - Keras has no such operation

        return tf.nn.space_to_depth(inputs, 2)

    def compute_output_shape(self, shape: Any) -> Any:
        """Return the result's shape."""
        count, height, width, channels = shape
        return count, _half(height), _half(width), 4 * channels


@keras.saving.register_keras_serializable(package="fxd.restore")
class DepthToSpace(layers.Layer):  # type: ignore[misc]
    """The reverse: Shi et al., "Real-time single image and video super-resolution", 2016."""

    def call(self, inputs: Any) -> Any:
        """Map [n, h, w, 4 c] to [n, 2 h, 2 w, c]."""
        import tensorflow as tf  # noqa: PLC0415 - Keras has no such operation

        return tf.nn.depth_to_space(inputs, 2)

    def compute_output_shape(self, shape: Any) -> Any:
        """Return the result's shape."""
        count, height, width, channels = shape
        return count, _double(height), _double(width), channels // 4


def _half(side: int | None) -> int | None:
    return None if side is None else side // 2


def _double(side: int | None) -> int | None:
    return None if side is None else 2 * side


def lanczos_taps() -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return what twice the size takes of six pixels in a row, for a new pixel's left, right.

    Returns:
        float32 [2, 7]: seven, the outer ones 0, so that both are centred on the same pixel.
    """
    away = np.arange(-_LANCZOS, _LANCZOS + 1) - np.array([[-0.25], [0.25]])
    taps = np.where(np.abs(away) < _LANCZOS, np.sinc(away) * np.sinc(away / _LANCZOS), 0)
    return np.asarray(taps / taps.sum(axis=1, keepdims=True), np.float32)


@keras.saving.register_keras_serializable(package="fxd.restore")
class Lanczos(layers.Layer):  # type: ignore[misc]
    """Makes pictures twice as large by Lanczos' kernel of three lobes, borders repeated."""

    def build(self, _: Any) -> None:
        """Make the kernel: nothing of it is trained."""
        taps = lanczos_taps()
        # [7, 7, 1, 4]: for one channel the four new pixels of each old one.
        both = np.einsum("iy,jx->yxij", taps, taps).reshape(7, 7, 1, 4)
        self._kernel = ops.convert_to_tensor(np.ascontiguousarray(both, np.float32))
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Map [n, h, w, c] to [n, 2 h, 2 w, c]."""
        import tensorflow as tf  # noqa: PLC0415 - Keras has no such operation

        padded = inputs
        for _ in range(_LANCZOS):
            padded = ops.pad(padded, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="symmetric")
        planes = [
            tf.nn.depth_to_space(ops.conv(padded[..., c : c + 1], self._kernel, padding="valid"), 2)
            for c in range(inputs.shape[-1])
        ]
        return ops.concatenate(planes, axis=-1)

    def compute_output_shape(self, shape: Any) -> Any:
        """Return the result's shape."""
        count, height, width, channels = shape
        return count, _double(height), _double(width), channels


def convolution(width: int, *, stride: int = 1, active: bool = True, size: int = 3) -> Any:
    """Return a convolution that adds no constant."""
    return layers.Conv2D(
        width,
        size,
        strides=stride,
        padding="same",
        use_bias=False,
        activation="relu" if active else None,
        kernel_initializer="he_normal" if active else "glorot_normal",
    )


def nothing(width: int) -> Any:
    """Return a convolution that gives zero until it is trained."""
    return layers.Conv2D(width, 3, padding="same", use_bias=False, kernel_initializer="zeros")


def residual(inputs: Any, width: int) -> Any:
    """Add what two convolutions make of the features to them."""
    inner = convolution(width)(inputs)
    return layers.Add()([inputs, convolution(width, active=False)(inner)])
