"""The building blocks of DeepFilterNet3 (Schroeter et al., 2023, arXiv:2305.08227), in Keras 3.

Sound is [batch, time, frequency, channels] throughout. A depthwise convolution with nothing
between it and the pointwise one behind it is kept as published, two kernels, but run as one: on
every machine a single dense product is the faster of the two.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from models.enhance import scan

PACKAGE = "fxd"
CHANNELS = 64
UNITS = 256
Shape = tuple[int | None, ...]


class Weighted(keras.layers.Layer):  # type: ignore[misc]
    """A layer whose weights are listed by shape before its input is known."""

    weight_shapes: dict[str, Shape]

    def build(self, *_: Shape) -> None:
        """Make the weights."""
        for name, shape in self.weight_shapes.items():
            kind = "zeros" if name == "bias" else "glorot_uniform"
            setattr(self, name, self.add_weight(shape=shape, initializer=kind, name=name))
        self.built = True


@keras.saving.register_keras_serializable(package=PACKAGE)
class Separable(Weighted):
    """Three bands wide along frequency, then across channels, ReLU.

    Args:
        stride: 2 halves the number of bands.
    """

    def __init__(self, stride: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stride = stride
        self.weight_shapes = {
            "depthwise": (3, CHANNELS),
            "pointwise": (CHANNELS, CHANNELS),
            "bias": (CHANNELS,),
        }

    def call(self, x: Any) -> Any:
        """Map [B, T, F, 64] to [B, T, F / stride, 64]."""
        kernel = self.depthwise[None, :, :, None] * self.pointwise[None, None]
        # Keras would pad an even width on the right only.
        x = ops.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
        return ops.relu(ops.conv(x, kernel, (1, self.stride), "valid") + self.bias)

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made from."""
        return {**super().get_config(), "stride": self.stride}


@keras.saving.register_keras_serializable(package=PACKAGE)
class Doubled(Weighted):
    """Twice as many bands, a transposed convolution; then across channels, ReLU."""

    weight_shapes = {  # noqa: RUF012 - read only
        "depthwise": (3, CHANNELS),
        "pointwise": (CHANNELS, CHANNELS),
        "bias": (CHANNELS,),
    }

    def call(self, x: Any) -> Any:
        """Map [B, T, F, 64] to [B, T, 2 F, 64]."""
        taps = self.depthwise[:, :, None] * self.pointwise[None]
        # An even band sees the band below it alone, an odd one both its neighbours.
        here = ops.concatenate([taps[1], taps[2]], axis=1)
        above = ops.concatenate([ops.zeros_like(taps[0]), taps[0]], axis=1)
        x = ops.pad(x, ((0, 0), (0, 0), (0, 1), (0, 0)))
        x = ops.conv(x, ops.stack([here, above])[None], 1, "valid")
        batch, time, width = ops.shape(x)[0], ops.shape(x)[1], x.shape[2]
        x = ops.reshape(x, (batch, time, 2 * width, CHANNELS))
        return ops.relu(x + self.bias)


@keras.saving.register_keras_serializable(package=PACKAGE)
class Pathway(Weighted):
    """A gain and an offset for each channel, ReLU."""

    weight_shapes = {"scale": (CHANNELS,), "bias": (CHANNELS,)}  # noqa: RUF012 - read only

    def call(self, x: Any) -> Any:
        """Map [B, T, F, 64] to the same shape."""
        return ops.relu(x * self.scale + self.bias)


@keras.saving.register_keras_serializable(package=PACKAGE)
class Opening(Weighted):
    """The first convolution of bands: three frames, three bands wide, ReLU."""

    weight_shapes = {"kernel": (3, 3, 1, CHANNELS), "bias": (CHANNELS,)}  # noqa: RUF012

    def call(self, x: Any) -> Any:
        """Map [B, 2 + T, F, 1] to [B, T, F, 64]; a frame sees the two before it."""
        x = ops.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
        return ops.relu(ops.conv(x, self.kernel, 1, "valid") + self.bias)


@keras.saving.register_keras_serializable(package=PACKAGE)
class Paired(Weighted):
    """A convolution of inputs in two groups, then across channels, ReLU.

    Args:
        size: Its reach in frames and bands.
        inputs: Channels that come in.
        outputs: Channels that go out.
    """

    def __init__(self, size: tuple[int, int], inputs: int, outputs: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size, self.inputs, self.outputs = tuple(size), inputs, outputs
        self.weight_shapes = {
            "kernel": (*self.size, inputs // 2, outputs),
            "pointwise": (outputs, outputs),
            "bias": (outputs,),
        }

    def call(self, x: Any) -> Any:
        """Map [B, reach - 1 + T, F, inputs] to [B, T, F, outputs]; a frame sees earlier ones."""
        half = self.outputs // 2
        both = [
            ops.einsum("abio,op->abip", self.kernel[..., part], self.pointwise[part])
            for part in (slice(half), slice(half, None))
        ]
        side = (self.size[1] - 1) // 2
        x = ops.pad(x, ((0, 0), (0, 0), (side, side), (0, 0)))
        return ops.relu(ops.conv(x, ops.concatenate(both, axis=2), 1, "valid") + self.bias)

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made from."""
        own = {"size": self.size, "inputs": self.inputs, "outputs": self.outputs}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package=PACKAGE)
class Grouped(Weighted):
    """A linear layer in groups that do not see each other.

    Args:
        groups: How many.
        inputs: Numbers that each group takes.
        outputs: Numbers that each group gives.
        activation: What follows; "linear" is nothing.
    """

    def __init__(
        self, groups: int, inputs: int, outputs: int, activation: str = "relu", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.groups, self.inputs, self.outputs = groups, inputs, outputs
        self.activation = activation
        self.weight_shapes = {"kernel": (groups, inputs, outputs)}

    def call(self, x: Any) -> Any:
        """Map [B, T, groups * inputs] to [B, T, groups * outputs]."""
        batch, time = ops.shape(x)[0], ops.shape(x)[1]
        x = ops.reshape(x, (batch, time, self.groups, self.inputs))
        x = ops.einsum("btgi,gio->btgo", x, self.kernel)
        x = ops.reshape(x, (batch, time, self.groups * self.outputs))
        return keras.activations.get(self.activation)(x)

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made from."""
        own = {"groups": self.groups, "inputs": self.inputs, "outputs": self.outputs}
        return {**super().get_config(), **own, "activation": self.activation}


@keras.saving.register_keras_serializable(package=PACKAGE)
class Recurrent(keras.layers.Layer):  # type: ignore[misc]
    """A gated recurrent unit that goes on from a state."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gru = keras.layers.GRU(UNITS, return_sequences=True, name="gru")

    def build(self, *_: Shape) -> None:
        """Make the weights."""
        self.gru.build((None, None, UNITS))
        self.built = True

    def call(self, x: Any, before: Any, training: Any = None) -> Any:
        """Run [B, T, 256] on from the state ``before`` [B, 256].

        Returns:
            The state after each frame, [B, T, 256].
        """
        if training or not scan.scans_here():
            return self.gru(x, initial_state=before)
        return scan.gated(x, before, self.gru.trainable_weights)


@keras.saving.register_keras_serializable(package=PACKAGE)
class Closing(Weighted):
    """The last convolution of bands: one number for each, 0..1."""

    weight_shapes = {"kernel": (1, 3, CHANNELS, 1), "bias": (1,)}  # noqa: RUF012 - read only

    def call(self, x: Any) -> Any:
        """Map [B, T, F, 64] to [B, T, F]."""
        x = ops.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
        return ops.sigmoid(ops.conv(x, self.kernel, 1, "valid") + self.bias)[..., 0]


@keras.saving.register_keras_serializable(package=PACKAGE)
class Certainty(Weighted):
    """One number for each frame, 0..1."""

    weight_shapes = {"kernel": (2 * UNITS, 1), "bias": (1,)}  # noqa: RUF012 - read only

    def call(self, x: Any) -> Any:
        """Map [B, T, 512] to [B, T]."""
        return ops.sigmoid(ops.matmul(x, self.kernel) + self.bias)[..., 0]
