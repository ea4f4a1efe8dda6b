"""Silero VAD, a small network that hears whether somebody speaks; 16 kHz.

Built after the description that Silero Team, "Silero VAD: pre-trained enterprise-grade
Voice Activity Detector" (version 6, 2025), publish beside the weights: the magnitudes of a
short Fourier transform, written as a convolution, four convolutions over its four time
steps, and one recurrent cell that goes from window to window. All but that cell sees each window by
itself, so here all windows of a piece of sound pass it at once.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

PACKAGE = "fxd"
RATE = 16000
NEW, CONTEXT = 512, 64
WINDOW = CONTEXT + NEW
"""Samples of a window: 32 ms, and the 4 ms before them."""
UNITS = 128

_PAD = 64
_FFT, _HOP = 256, 128
_BINS = _FFT // 2 + 1
# Filters and stride of the four convolutions.
CONVOLUTIONS = ((128, 1), (64, 2), (64, 2), (128, 1))


@keras.saving.register_keras_serializable(package=PACKAGE)
class WindowEncoder(keras.layers.Layer):  # type: ignore[misc]
    """Turns each window into 128 numbers: float32 [B, T, 576] to [B, T, 128]."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.transform = keras.layers.Conv1D(
            2 * _BINS, _FFT, strides=_HOP, use_bias=False, name="transform"
        )
        self.steps = [
            keras.layers.Conv1D(filters, 3, strides=stride, activation="relu", name=f"step{n + 1}")
            for n, (filters, stride) in enumerate(CONVOLUTIONS)
        ]

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the weights."""
        self.transform.build((None, shape[-1] + _PAD if shape[-1] else None, 1))
        channels = _BINS
        for layer, (filters, _) in zip(self.steps, CONVOLUTIONS, strict=True):
            layer.build((None, None, channels))
            channels = filters
        self.built = True

    def call(self, windows: Any) -> Any:
        """Encode ``windows`` [B, T, 576]."""
        batch, length = ops.shape(windows)[0], ops.shape(windows)[1]
        x = ops.reshape(windows, (-1, WINDOW))
        # The end is mirrored, its last sample left out, as the weights were trained.
        x = ops.concatenate([x, ops.flip(x[:, -_PAD - 1 : -1], axis=1)], axis=1)
        x = self.transform(x[..., None])
        x = ops.sqrt(ops.square(x[..., :_BINS]) + ops.square(x[..., _BINS:]))
        for layer in self.steps:
            x = layer(ops.pad(x, ((0, 0), (1, 1), (0, 0))))
        return ops.reshape(x, (batch, length, UNITS))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """One vector a window."""
        return (*shape[:-1], UNITS)


def build() -> Any:
    """Build the network with random weights.

    Returns:
        A ``keras.Model``. Inputs: ``windows`` float32 [B, T, 576], ``h`` and ``c`` [B, 128], what
        the cell remembers (zeros at first). Outputs: ``speech`` [B, T], the probability that
        somebody speaks in each window; ``h`` and ``c`` after the last one.
    """
    windows = keras.Input((None, WINDOW), name="windows")
    memory = [keras.Input((UNITS,), name=name) for name in ("h", "c")]
    x = WindowEncoder(name="encoder")(windows)
    cell = keras.layers.LSTM(UNITS, return_sequences=True, return_state=True, name="cell")
    x, h, c = cell(x, initial_state=memory)
    x = keras.layers.ReLU(name="positive")(x)
    speech = keras.layers.Dense(1, activation="sigmoid", name="speech")(x)
    inputs = {"windows": windows, "h": memory[0], "c": memory[1]}
    outputs = {"speech": speech[..., 0], "h": h, "c": c}
    return keras.Model(inputs, outputs, name="silero_vad")
