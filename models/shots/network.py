"""TransNetV2, a network that sees where one shot ends and the next begins.

Built from the description in Soucek and Lokoc, "TransNet V2: An effective deep
network architecture for fast shot transition detection" (2020, arXiv:2008.04838).
Every 3-D convolution of the paper is factored into space and time, so here it is
two 2-D convolutions: one over the picture, one over (time, pixel). That is the
same arithmetic and runs much faster on a CPU.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

PACKAGE = "fxd"
HEIGHT, WIDTH = 27, 48
PARAMETERS = 7_616_258
DILATIONS = (1, 2, 4, 8)
LOOKUP = 101

_STAGE_FILTERS = (16, 32, 64)
_BLOCKS_PER_STAGE = 2
_EMBEDDING = 128
_HIDDEN = 1024
_NORM_EPSILON = 1e-3
_BINS = 8  # levels a colour channel, so 512 colours


@keras.saving.register_keras_serializable(package=PACKAGE)
class Scale(keras.layers.Layer):  # type: ignore[misc]
    """Turns uint8 code values into 0..1, the range the published weights expect."""

    def call(self, frames: Any) -> Any:
        """Scale ``frames`` [B, T, H, W, 3] to the compute dtype."""
        return ops.cast(frames, self.compute_dtype) / 255.0

    def compute_output_spec(self, frames: Any) -> Any:
        """Same shape, another dtype."""
        return keras.KerasTensor(frames.shape, dtype=self.compute_dtype)


@keras.saving.register_keras_serializable(package=PACKAGE)
class DilatedBlock(keras.layers.Layer):  # type: ignore[misc]
    """Four factored convolutions side by side, each looking further in time.

    The spatial parts read the same input and are therefore one convolution with
    four groups of outputs.

    Args:
        filters: Channels of each branch; the block gives four times as many.
        activate: Whether a ReLU follows the normalisation.
    """

    def __init__(self, filters: int, *, activate: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.activate = activate
        conv = keras.layers.Conv2D
        self.spatial = conv(8 * filters, 3, padding="same", use_bias=False, name="spatial")
        self.temporal = [
            conv(
                filters,
                (3, 1),
                dilation_rate=(dilation, 1),
                padding="same",
                use_bias=False,
                name=f"temporal{dilation}",
            )
            for dilation in DILATIONS
        ]
        self.norm = keras.layers.BatchNormalization(epsilon=_NORM_EPSILON, name="norm")

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the weights for an input [B, T, H, W, C]."""
        _, _, height, width, channels = shape
        pixels = height * width if height and width else None
        self.spatial.build((None, height, width, channels))
        for layer in self.temporal:
            layer.build((None, None, pixels, 2 * self.filters))
        self.norm.build((None, None, pixels, 4 * self.filters))
        self.built = True

    def call(self, x: Any, training: bool | None = None) -> Any:  # noqa: FBT001 - Keras's signature
        """Convolve ``x`` [B, T, H, W, C] to [B, T, H, W, 4 x filters]."""
        length, (height, width, channels) = ops.shape(x)[1], x.shape[2:]
        pictures = ops.reshape(x, (-1, height, width, channels))
        wide = self.spatial(pictures)
        rows = ops.reshape(wide, (-1, length, height * width, 8 * self.filters))
        parts = ops.split(rows, len(DILATIONS), axis=-1)
        branches = [layer(part) for layer, part in zip(self.temporal, parts, strict=True)]
        y = self.norm(ops.concatenate(branches, axis=-1), training=training)
        y = ops.relu(y) if self.activate else y
        return ops.reshape(y, (-1, length, height, width, 4 * self.filters))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Only the channels change."""
        return (*shape[:-1], 4 * self.filters)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild the layer."""
        return {**super().get_config(), "filters": self.filters, "activate": self.activate}


@keras.saving.register_keras_serializable(package=PACKAGE)
class FrameMeans(keras.layers.Layer):  # type: ignore[misc]
    """Averages features over the picture: [B, T, H, W, C] to [B, T, C]."""

    def call(self, x: Any) -> Any:
        """Return the mean over height and width."""
        return ops.mean(x, axis=(2, 3))


@keras.saving.register_keras_serializable(package=PACKAGE)
class ColourHistogram(keras.layers.Layer):  # type: ignore[misc]
    """Counts each frame's pixels in 512 colours: uint8 [B, T, H, W, 3] to [B, T, 512]."""

    def call(self, frames: Any) -> Any:
        """Return the counts as the compute dtype."""
        levels = ops.cast(frames, "int32") // (256 // _BINS)
        length, pixels = ops.shape(frames)[1], frames.shape[2] * frames.shape[3]
        levels = ops.reshape(levels, (-1, length, pixels, 3))
        # The joint histogram is the sum of outer products of one-hot codes: a matrix
        # product over the pixels, far smaller than a 512-wide code for each of them.
        red = ops.one_hot(levels[..., 0], _BINS, dtype=self.compute_dtype)
        pair = levels[..., 1] * _BINS + levels[..., 2]
        rest = ops.one_hot(pair, _BINS * _BINS, dtype=self.compute_dtype)
        counts = ops.matmul(ops.transpose(red, (0, 1, 3, 2)), rest)
        return ops.reshape(counts, (-1, length, _BINS**3))

    def compute_output_spec(self, frames: Any) -> Any:
        """One count a colour."""
        shape = (*frames.shape[:2], _BINS**3)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)


@keras.saving.register_keras_serializable(package=PACKAGE)
class Neighbourhood(keras.layers.Layer):  # type: ignore[misc]
    """Compares each frame with the 50 before and after it, then mixes the results.

    Input [B, T, C]; cosine similarities of every pair of frames, of which each frame
    keeps the 101 around itself (zero beyond the window); output [B, T, 128].
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mix = keras.layers.Dense(_EMBEDDING, activation="relu", name="mix")

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the weights; they do not depend on the input's size."""
        self.mix.build((shape[0], shape[1], LOOKUP))
        self.built = True

    def call(self, x: Any) -> Any:
        """Return the mixed similarities of ``x``."""
        x = x / ops.maximum(ops.norm(x, axis=-1, keepdims=True), 1e-12)
        return self.mix(_band(ops.matmul(x, ops.transpose(x, (0, 2, 1)))))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Only the channels change."""
        return (*shape[:-1], _EMBEDDING)


def _band(similarities: Any) -> Any:
    """Cut [B, T, T] down to the 101 columns around each row's own: [B, T, 101].

    Once the rows are padded, laying them end to end and cutting them one longer
    shifts each row one further left than the last, so that the band stands upright.
    """
    length, half = ops.shape(similarities)[1], LOOKUP // 2
    width = length + 2 * half
    padded = ops.pad(similarities, ((0, 0), (0, 0), (half, half)))
    flat = ops.reshape(padded, (-1, length * width))
    flat = ops.pad(flat, ((0, 0), (0, length)))
    return ops.reshape(flat, (-1, length, width + 1))[:, :, :LOOKUP]


def _stage(x: Any, filters: int, number: int) -> Any:
    """Two blocks with a shortcut around the second, then half the picture size."""
    name = f"stage{number}"
    shortcut = x = DilatedBlock(filters, name=f"{name}_block1")(x)
    for block in range(2, _BLOCKS_PER_STAGE + 1):
        last = block == _BLOCKS_PER_STAGE
        x = DilatedBlock(filters, activate=not last, name=f"{name}_block{block}")(x)
    x = keras.layers.Add(name=f"{name}_add")([keras.layers.ReLU(name=f"{name}_relu")(x), shortcut])
    return keras.layers.AveragePooling3D((1, 2, 2), name=f"{name}_pool")(x)


def _embedding(frames: Any) -> Any:
    """Everything below the two heads: [B, T, 1024]."""
    x, means = Scale(name="scale")(frames), []
    for number, filters in enumerate(_STAGE_FILTERS, 1):
        x = _stage(x, filters, number)
        means.append(FrameMeans(name=f"stage{number}_means")(x))
    features = keras.layers.Concatenate(name="means")(means)
    projected = keras.layers.Dense(_EMBEDDING, name="projection")(features)
    similar = Neighbourhood(name="similarity")(projected)
    colours = Neighbourhood(name="colours")(ColourHistogram(name="histogram")(frames))
    flat = keras.layers.Reshape((-1, x.shape[2] * x.shape[3] * x.shape[4]), name="flat")(x)
    joined = keras.layers.Concatenate(name="joined")([colours, similar, flat])
    hidden = keras.layers.Dense(_HIDDEN, activation="relu", name="hidden")(joined)
    return keras.layers.Dropout(0.5, name="dropout")(hidden)


def _head(x: Any, name: str) -> Any:
    score = keras.layers.Dense(1, activation="sigmoid", name=f"{name}_score")(x)
    return keras.layers.Reshape((-1,), name=name)(score)


def build() -> Any:
    """Build the network with random weights.

    Returns:
        A ``keras.Model`` from uint8 [B, T, 27, 48, 3] (RGB, full frames squeezed to
        that size) to ``{"cut": [B, T], "transition": [B, T]}``, scores in 0..1:
        whether a transition's middle lies between this frame and the next, and
        whether the frame is part of any transition. T is 100 in training and use.
    """
    frames = keras.Input((None, HEIGHT, WIDTH, 3), dtype="uint8", name="frames")
    x = _embedding(frames)
    outputs = {"cut": _head(x, "cut"), "transition": _head(x, "transition")}
    return keras.Model(frames, outputs, name="transnetv2")
