"""A small network that says where in a picture people are; 256 x 256 pixels.

Built after the model card of MediaPipe Selfie Segmentation (Google, 2021): a MobileNetV3 (Howard et
al., "Searching for MobileNetV3", ICCV 2019, arXiv:1905.02244) finds features at a half to a
sixteenth of the size, and on the way back each size's features are weighted by what the whole
picture says.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

PACKAGE = "fxd"
SIDE = 256
CONVOLUTIONS, DEPTHWISE = 43, 11
# The published weights are halves, and so is this; an exact sixth would be other by a 4000th.
_SIXTH = 0.1666259765625


@keras.saving.register_keras_serializable(package=PACKAGE)
class HardSwish(keras.layers.Layer):  # type: ignore[misc]
    """The activation of MobileNetV3."""

    def call(self, x: Any) -> Any:
        """Apply it to each value."""
        return x * _SIXTH * ops.relu6(x + 3.0)


def relu() -> Any:
    """Return the other activation, a layer like HardSwish."""
    return keras.layers.ReLU()


class _Layers:
    """Makes layers that are numbered as the published ones are."""

    def __init__(self) -> None:
        self._convolutions = 0
        self._depthwise = 0

    def mixed(self, x: Any, filters: int, kernel: int = 1, stride: int = 1) -> Any:
        """Return a convolution of ``x``."""
        self._convolutions += 1
        name = f"convolution{self._convolutions}"
        layer = keras.layers.Conv2D(filters, kernel, stride, padding="same", name=name)
        return layer(x)

    def apart(self, x: Any, kernel: int, stride: int = 1) -> Any:
        """Return a convolution of each channel by itself."""
        name = f"depthwise{self._depthwise}"
        self._depthwise += 1
        return keras.layers.DepthwiseConv2D(kernel, stride, padding="same", name=name)(x)

    def gate(self, x: Any, judged: Any, filters: int) -> Any:
        """Return ``x``, each channel weighted by what all of ``judged`` says."""
        hidden = relu()(self.mixed(_overall(judged), filters))
        weight = self.mixed(hidden, x.shape[-1])
        return keras.layers.Multiply()([x, keras.layers.Activation("sigmoid")(weight)])


def _overall(x: Any) -> Any:
    return keras.layers.GlobalAveragePooling2D(keepdims=True)(x)


def build() -> Any:
    """Build the network with random weights.

    Returns:
        A ``keras.Model`` from ``picture`` float32 [n, 256, 256, 3], a whole picture squeezed to
        that size, display values 0..1, to [n, 256, 256, 1], how likely a person is there, 0..1.
    """
    picture = keras.Input((SIDE, SIDE, 3), name="picture")
    layers = _Layers()
    half = HardSwish()(layers.mixed(picture, 16, 3, 2))
    quarter = _quarter(layers, half)
    eighth = _eighth(layers, quarter)
    x = _head(layers, _sixteenth(layers, eighth))
    for skipped in (eighth, quarter, half):
        x = _larger(layers, x, skipped)
    x = keras.layers.Conv2DTranspose(1, 2, 2, activation="sigmoid", name="person")(x)
    return keras.Model(picture, x, name="person_matte")


def _quarter(layers: _Layers, x: Any) -> Any:
    x = relu()(layers.apart(relu()(layers.mixed(x, 16)), 3, 2))
    return layers.mixed(layers.gate(x, x, 8), 16)


def _eighth(layers: _Layers, x: Any) -> Any:
    x = relu()(layers.apart(relu()(layers.mixed(x, 72)), 3, 2))
    before = layers.mixed(x, 24)
    x = relu()(layers.apart(relu()(layers.mixed(before, 88)), 3))
    return keras.layers.Add()([layers.mixed(x, 24), before])


def _sixteenth(layers: _Layers, x: Any) -> Any:
    x = _gated(layers, x, 96, 24, stride=2)
    for wide, narrow in ((128, 32), (128, 32), (96, 24), (96, 24)):
        x = keras.layers.Add()([_gated(layers, x, wide, narrow), x])
    return x


def _gated(layers: _Layers, x: Any, wide: int, narrow: int, stride: int = 1) -> Any:
    x = HardSwish()(layers.mixed(x, wide))
    x = HardSwish()(layers.apart(x, 5, stride))
    return layers.mixed(layers.gate(x, x, narrow), 32)


def _head(layers: _Layers, x: Any) -> Any:
    found = relu()(layers.mixed(x, 128))
    weight = keras.layers.Activation("sigmoid")(layers.mixed(_overall(x), 128))
    return keras.layers.Multiply()([found, weight])


def _larger(layers: _Layers, x: Any, skipped: Any) -> Any:
    """Return ``x`` twice as large, together with features of that size."""
    width = skipped.shape[-1]
    x = keras.layers.UpSampling2D(2, interpolation="bilinear")(x)
    x = layers.mixed(x, width)
    both = keras.layers.Add()([skipped, x])
    x = keras.layers.Add()([layers.gate(skipped, both, width), x])
    x = relu()(layers.mixed(x, width))
    return keras.layers.Add()([x, relu()(layers.apart(x, 3))])
