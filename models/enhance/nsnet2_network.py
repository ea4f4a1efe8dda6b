"""NSNet2, a recurrent network that says how much of each frequency is speech; 48 kHz.

Built after Braun and Tashev, "Data augmentation and loss normalization for deep noise
suppression", 2020, arXiv:2008.06412, in the size of the published 48 kHz weights: one dense layer,
two gated recurrent layers and three dense ones, from the logarithm of each bin's power to that
bin's gain.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

PACKAGE = "fxd"
RATE = 48000
BINS = 513
LAYERS, UNITS = 2, 600
HIDDEN = 800
LOWEST_GAIN = 1e-4
"""-80 dB: no bin is taken away further, as the published network was made."""


@keras.saving.register_keras_serializable(package=PACKAGE)
class LimitedGain(keras.layers.Layer):  # type: ignore[misc]
    """A gain between :data:`LOWEST_GAIN` and one, from any number."""

    def call(self, values: Any) -> Any:
        """Return the gain of each value."""
        return ops.maximum(ops.sigmoid(values), LOWEST_GAIN)


def build() -> Any:
    """Build the network with random weights.

    Returns:
        A ``keras.Model``. Inputs: ``power`` float32 [B, T, 513], log10 of each bin's power in each
        frame; ``memory`` [B, 2, 600], what the recurrent layers remember (zeros at first).
        Outputs: ``gain`` [B, T, 513] from 1e-4 to 1; ``memory`` after the last frame.
    """
    power = keras.Input((None, BINS), name="power")
    memory = keras.Input((LAYERS, UNITS), name="memory")
    x = keras.layers.Dense(UNITS, activation="relu", name="enter")(power)
    after = []
    for number in range(LAYERS):
        layer = keras.layers.GRU(
            UNITS, return_sequences=True, return_state=True, name=f"recurrent{number + 1}"
        )
        x, state = layer(x, initial_state=memory[:, number])
        after.append(state)
    for number in (1, 2):
        x = keras.layers.Dense(HIDDEN, activation="relu", name=f"hidden{number}")(x)
    gain = LimitedGain(name="gain")(keras.layers.Dense(BINS, name="leave")(x))
    outputs = {"gain": gain, "memory": ops.stack(after, axis=1)}
    return keras.Model({"power": power, "memory": memory}, outputs, name="nsnet2")
