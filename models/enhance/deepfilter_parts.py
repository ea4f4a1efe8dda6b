"""The three parts of DeepFilterNet3 that are trained: an encoder and two decoders."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from models.enhance.deepfilter_layers import (
    CHANNELS,
    PACKAGE,
    Certainty,
    Closing,
    Doubled,
    Grouped,
    Opening,
    Paired,
    Pathway,
    Recurrent,
    Separable,
    Shape,
)
from models.enhance.deepfilter_signal import BANDS, DEEP, ORDER

EMBEDDING = 512

# What the encoder's estimate can say, dB.
_SNR_LOW, _SNR_SPAN = -15.0, 50.0


class Part(keras.layers.Layer):  # type: ignore[misc]
    """A part, made of layers that know their shapes."""

    def build(self, *_: Shape) -> None:
        """Make the weights of all layers."""
        for layer in self._flatten_layers(include_self=False, recursive=False):
            layer.build((None, None, None, CHANNELS))
        self.built = True


@keras.saving.register_keras_serializable(package=PACKAGE)
class Encoder(Part):
    """Turns features into what both decoders start from."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bands0 = Opening(name="bands0")
        self.bands1, self.bands2 = Separable(2, name="bands1"), Separable(2, name="bands2")
        self.bands3 = Separable(name="bands3")
        self.bins0 = Paired((3, 3), 2, CHANNELS, name="bins0")
        self.bins1 = Separable(2, name="bins1")
        self.bins = Grouped(32, 96, 16, name="bins")
        self.inward = Grouped(16, 32, 16, name="inward")
        self.memory = Recurrent(name="memory")
        self.outward = Grouped(16, 16, 32, name="outward")
        self.snr = Certainty(name="snr")

    def call(self, bands: Any, bins: Any, before: Any) -> dict[str, Any]:
        """Encode ``bands`` [B, 2 + T, 32, 1] and ``bins`` [B, 2 + T, 96, 2].

        Returns:
            ``levels``, the four stages of the bands' convolutions; ``convolved`` [B, T, 96, 64];
            ``embedding`` [B, T, 512]; ``snr`` [B, T], dB; ``state`` [B, 256].
        """
        levels = [self.bands0(bands)]
        for layer in (self.bands1, self.bands2, self.bands3):
            levels.append(layer(levels[-1]))
        convolved = self.bins0(bins)
        x = _flat(levels[-1]) + self.bins(_flat(self.bins1(convolved)))
        states = self.memory(self.inward(x), before)
        x = self.outward(states)
        made = {"levels": levels, "convolved": convolved, "embedding": x, "state": states[:, -1]}
        return {**made, "snr": self.snr(x) * _SNR_SPAN + _SNR_LOW}


@keras.saving.register_keras_serializable(package=PACKAGE)
class GainDecoder(Part):
    """Turns the embedding into a gain for each band."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inward = Grouped(16, 32, 16, name="inward")
        self.memory1 = Recurrent(name="memory1")
        self.memory2 = Recurrent(name="memory2")
        self.outward = Grouped(16, 16, 32, name="outward")
        self.pathways = [Pathway(name=f"pathway{n}") for n in range(4)]
        self.widened = [Doubled(name="widened1"), Doubled(name="widened2"), Separable(name="same")]
        self.gain = Closing(name="gain")

    def call(self, coded: dict[str, Any], before: tuple[Any, Any]) -> dict[str, Any]:
        """Return ``gains`` [B, T, 32], 0..1, and the units' ``states``, each [B, 256].

        Args:
            coded: What the encoder made.
            before: The units' states before the first frame.
        """
        first = self.memory1(self.inward(coded["embedding"]), before[0])
        second = self.memory2(first, before[1])
        x = self.outward(second)
        x = ops.reshape(x, (ops.shape(x)[0], ops.shape(x)[1], BANDS // 4, CHANNELS))
        for number in (3, 2, 1):
            x = self.widened[number - 1](self.pathways[number](coded["levels"][number]) + x)
        gains = self.gain(self.pathways[0](coded["levels"][0]) + x)
        return {"gains": gains, "states": (first[:, -1], second[:, -1])}


@keras.saving.register_keras_serializable(package=PACKAGE)
class DeepDecoder(Part):
    """Turns the embedding into a deep filter for each of the low bins."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inward = Grouped(8, 64, 32, name="inward")
        self.memory1 = Recurrent(name="memory1")
        self.memory2 = Recurrent(name="memory2")
        self.around = Grouped(16, 32, 16, "linear", name="around")
        self.outward = Grouped(16, 16, 60, "tanh", name="outward")
        self.pathway = Paired((ORDER, 1), CHANNELS, 2 * ORDER, name="pathway")

    def call(self, embedding: Any, convolved: Any, before: tuple[Any, Any]) -> dict[str, Any]:
        """Return ``deep`` [B, T, 96, 5, 2] and the units' ``states``, each [B, 256].

        Args:
            embedding: [B, T, 512].
            convolved: [B, 4 + T, 96, 64].
            before: The units' states before the first frame.
        """
        first = self.memory1(self.inward(embedding), before[0])
        second = self.memory2(first, before[1])
        x = self.outward(second + self.around(embedding))
        batch, time = ops.shape(x)[0], ops.shape(x)[1]
        x = ops.reshape(x, (batch, time, DEEP, 2 * ORDER)) + self.pathway(convolved)
        deep = ops.reshape(x, (batch, time, DEEP, ORDER, 2))
        return {"deep": deep, "states": (first[:, -1], second[:, -1])}


def _flat(x: Any) -> Any:
    """Lay bands and channels side by side: [B, T, F, C] to [B, T, F * C]."""
    return ops.reshape(x, (ops.shape(x)[0], ops.shape(x)[1], x.shape[2] * x.shape[3]))
