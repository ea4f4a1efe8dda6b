"""The layers that both networks are made of.

No convolution adds a constant. So a network of them is homogeneous: twice the picture gives twice
the result (Mohan et al., "Robust and interpretable blind image denoising via bias-free
convolutional neural networks", 2020). Filters whose weights add to 1 keep any value as well, so
that values beyond 0..1 need no care.
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


@keras.saving.register_keras_serializable(package="fxd.restore")
class Filtered(layers.Layer):  # type: ignore[misc]
    """Filters pictures by kernels that a network chose for each pixel, and adds them up.

    Each pixel of the result is a mean of 3 by 3 pixels of all pictures, whose weights are positive
    and add to 1: Bako et al., "Kernel-predicting convolutional networks for denoising Monte Carlo
    renderings", 2017; for several frames Mildenhall et al., "Burst denoising with kernel prediction
    networks", 2018. Such a network learns in a fraction of the time, and invents nothing.

    Args:
        favour: By how much the weight of the first picture's own pixel is favoured, a logarithm.
    """

    def __init__(self, favour: float, **settings: Any) -> None:
        super().__init__(**settings)
        self._favour = favour

    def call(self, pictures: Any, scores: Any) -> Any:
        """Filter.

        Args:
            pictures: A list of p pictures [n, h, w, 3].
            scores: [n, h, w, 9 p], the weights' logarithms but for a common summand.

        Returns:
            [n, h, w, 3].
        """
        favoured = np.zeros(9 * len(pictures), np.float32)
        favoured[4] = self._favour
        stacked = ops.stack(pictures, axis=3)
        count, rows, columns = ops.shape(stacked)[:3]
        weights = ops.softmax(scores + favoured, axis=-1)
        weights = ops.reshape(weights, (count, rows, columns, len(pictures), 9))
        around = [[0, 0], [1, 1], [1, 1], [0, 0], [0, 0]]
        padded = ops.pad(stacked, around, mode="symmetric")
        total = 0.0
        for tap in range(9):
            y, x = divmod(tap, 3)
            shifted = padded[:, y : y + rows, x : x + columns]
            total += weights[..., tap : tap + 1] * shifted
        return ops.sum(total, axis=3)

    def compute_output_shape(self, pictures_shape: Any, scores_shape: Any) -> Any:  # noqa: ARG002
        """Return the result's shape."""
        return pictures_shape[0]

    def get_config(self) -> dict[str, Any]:
        """Return what it is made again from."""
        return {**super().get_config(), "favour": self._favour}


@keras.saving.register_keras_serializable(package="fxd.restore")
class Coarser(layers.Layer):  # type: ignore[misc]
    """Replaces what a picture shows at half the size by another one's, to the degree asked for.

    Vogels et al., "Denoising with kernel prediction and asymmetric loss functions", 2018.
    """

    def call(self, fine: Any, coarse: Any, degree: Any) -> Any:
        """Combine.

        Args:
            fine: [n, 2 h, 2 w, 3].
            coarse: [n, h, w, 3].
            degree: [n, 2 h, 2 w, 1], a score: 0 is one half.

        Returns:
            [n, 2 h, 2 w, 3].
        """
        change = coarse - _averaged(fine)
        return fine + ops.sigmoid(degree) * _spread_out(change)

    def compute_output_shape(
        self,
        fine_shape: Any,
        coarse_shape: Any,  # noqa: ARG002 - Keras gives all
        degree_shape: Any,  # noqa: ARG002
    ) -> Any:
        """Return the result's shape."""
        return fine_shape


@keras.saving.register_keras_serializable(package="fxd.restore")
class Averaged(layers.Layer):  # type: ignore[misc]
    """Makes pictures half as large."""

    def call(self, inputs: Any) -> Any:
        """Map [n, 2 h, 2 w, c] to [n, h, w, c]."""
        return _averaged(inputs)

    def compute_output_shape(self, shape: Any) -> Any:
        """Return the result's shape."""
        count, height, width, channels = shape
        return count, _half(height), _half(width), channels


def _averaged(pictures: Any) -> Any:
    return ops.average_pool(pictures, 2, 2, padding="valid")


def _spread_out(pictures: Any) -> Any:
    """Make pictures twice as large, bilinearly, borders repeated."""
    padded = ops.pad(pictures, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="symmetric")
    across = _interleaved(padded, 1)
    return _interleaved(across, 2)


def _interleaved(padded: Any, axis: int) -> Any:
    """Put two new pixels in the place of each along an axis that is padded by one."""
    length = ops.shape(padded)[axis] - 2
    before, own, after = (_part(padded, axis, first, length) for first in range(3))
    pair = ops.stack([0.25 * before + 0.75 * own, 0.75 * own + 0.25 * after], axis=axis + 1)
    shape = list(ops.shape(own))
    shape[axis] = 2 * length
    return ops.reshape(pair, shape)


def _part(padded: Any, axis: int, first: int, length: Any) -> Any:
    if axis == 1:
        return padded[:, first : first + length]
    return padded[:, :, first : first + length]


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
