"""DTLN, two small recurrent networks in a row that take noise from speech; 16 kHz.

Built after Westhausen and Meyer, "Dual-signal transformation LSTM network for real-time noise
suppression", Interspeech 2020, arXiv:2005.07551. The first stage gives each frequency of a frame
a gain. The second does the same in a basis of its own, which it has learned: one matrix leads
from a frame's samples into it and another back.

Both stages only multiply; so the gains that are found on one channel can be put on others.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

PACKAGE = "fxd"
RATE = 16000
FRAME, HOP = 512, 128
BINS = FRAME // 2 + 1
BASIS = 256
UNITS = 128
MEMORIES = 8
_EPSILON = 1e-7


@keras.saving.register_keras_serializable(package=PACKAGE)
class FrameNorm(keras.layers.Layer):  # type: ignore[misc]
    """Takes each frame's mean and deviation out, then puts learned ones in."""

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the weights."""
        self.gamma = self.add_weight(shape=shape[-1:], initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=shape[-1:], initializer="zeros", name="beta")

    def call(self, frames: Any) -> Any:
        """Normalise float32 [..., values] over the values of each frame."""
        centred = frames - ops.mean(frames, axis=-1, keepdims=True)
        variance = ops.mean(ops.square(centred), axis=-1, keepdims=True)
        return centred / ops.sqrt(variance + _EPSILON) * self.gamma + self.beta


@keras.saving.register_keras_serializable(package=PACKAGE)
class Spectrum(keras.layers.Layer):  # type: ignore[misc]
    """The magnitude of each frequency: float32 [..., 512] to [..., 257]."""

    def call(self, frames: Any) -> Any:
        """Transform ``frames``."""
        real, imaginary = ops.rfft(frames, FRAME)
        return ops.sqrt(ops.square(real) + ops.square(imaginary))


@keras.saving.register_keras_serializable(package=PACKAGE)
class SpectralGain(keras.layers.Layer):  # type: ignore[misc]
    """Puts a gain on each frequency of a frame: [..., 512] and [..., 257] to [..., 512]."""

    def call(self, frames: Any, gain: Any) -> Any:
        """Apply ``gain``; the phase stays."""
        real, imaginary = ops.rfft(frames, FRAME)
        return ops.irfft((real * gain, imaginary * gain), FRAME)


def build() -> Any:
    """Build both stages with random weights.

    Returns:
        A ``keras.Model``. Inputs: ``guide`` float32 [B, T, 512], the frames that decide about the
        gains; ``frames`` [B, C, T, 512], those of C channels to be cleaned with them;
        ``memory`` [B, 8, 128], what the recurrent layers remember (zeros at first).
        Outputs: ``cleaned`` [B, C, T, 512], to be added up where frames overlap; ``spectral``
        [B, T, 257] and ``learned`` [B, T, 256], the gains; ``memory`` after the last frame.
    """
    guide = keras.Input((None, FRAME), name="guide")
    frames = keras.Input((None, None, FRAME), name="frames")
    memory = keras.Input((MEMORIES, UNITS), name="memory")
    encode = keras.layers.Dense(BASIS, use_bias=False, name="encode")
    apply = SpectralGain(name="apply")
    spectral, kept = _gain("spectral", Spectrum(name="spectrum")(guide), memory[:, :4])
    values = FrameNorm(name="norm")(encode(apply(guide, spectral)))
    learned, kept_too = _gain("learned", values, memory[:, 4:])
    cleaned = encode(apply(frames, spectral[:, None])) * learned[:, None]
    outputs = {
        "cleaned": keras.layers.Dense(FRAME, use_bias=False, name="decode")(cleaned),
        "spectral": spectral,
        "learned": learned,
        "memory": ops.stack([*kept, *kept_too], axis=1),
    }
    return keras.Model({"guide": guide, "frames": frames, "memory": memory}, outputs, name="dtln")


def _gain(name: str, x: Any, memory: Any) -> tuple[Any, list[Any]]:
    """Return a gain for each of the values ``x``, and what two recurrent layers then remember."""
    width, kept = x.shape[-1], []
    for number in range(2):
        layer = keras.layers.LSTM(
            UNITS, return_sequences=True, return_state=True, name=f"{name}_recurrent{number + 1}"
        )
        before = [memory[:, 2 * number], memory[:, 2 * number + 1]]
        x, h, c = layer(x, initial_state=before)
        kept += [h, c]
    return keras.layers.Dense(width, activation="sigmoid", name=f"{name}_gain")(x), kept
