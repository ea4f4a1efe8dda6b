"""A convolutional network that tells speech, music and noise apart.

Built after Doukhan, Carrive, Vallet, Larcher and Meignier, "An open-source speaker gender
detection framework for monitoring gender equality", ICASSP 2018, in the shape of the weights
that their institute has published since for three classes: four convolutions over a picture of
0.7 s of sound, time by pitch, and five dense layers.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

PACKAGE = "fxd"
FRAMES, BANDS = 68, 21
"""A patch: frames of 10 ms, and the lower bands of 24."""
CLASSES = ("speech", "music", "noise")

# Filters and kernel of each convolution, then the pooling after it.
_CONVOLUTIONS: tuple[tuple[int, tuple[int, int], tuple[int, int] | None, str], ...] = (
    (64, (7, 4), (4, 2), "same"),
    (128, (3, 3), None, ""),
    (128, (3, 3), (2, 2), "same"),
    (256, (3, 3), (4, 1), "valid"),
)
DENSE = (256, 256, 256, 256)
_DROPOUT = (0.2, 0.3, 0.4, 0.5)


@keras.saving.register_keras_serializable(package=PACKAGE)
class PatchNorm(keras.layers.Layer):  # type: ignore[misc]
    """Takes each patch's mean and deviation out: how loud it is must not count."""

    def call(self, patches: Any) -> Any:
        """Normalise float32 [B, frames, bands] over frames and bands."""
        centred = patches - ops.mean(patches, axis=(1, 2), keepdims=True)
        deviation = ops.sqrt(ops.mean(ops.square(centred), axis=(1, 2), keepdims=True))
        # A patch of one value has none; it stays zero.
        return centred / ops.maximum(deviation, 1e-6)


def build() -> Any:
    """Build the network with random weights.

    Returns:
        A ``keras.Model``. Input: ``patches`` float32 [B, 68, 21], logarithms of the energies of
        mel bands. Output: ``probability`` [B, 3] of speech, music and noise.
    """
    patches = keras.Input((FRAMES, BANDS), name="patches")
    x = PatchNorm(name="patch_norm")(patches)[..., None]
    for number, (filters, kernel, pool, padding) in enumerate(_CONVOLUTIONS, start=1):
        x = keras.layers.Conv2D(filters, kernel, name=f"convolution{number}")(x)
        x = _norm(f"convolution{number}_norm", x)
        if pool is not None:
            x = keras.layers.MaxPooling2D(pool, padding=padding, name=f"pool{number}")(x)
    x = keras.layers.Flatten(name="flat")(x)
    for number, (units, rate) in enumerate(zip(DENSE, _DROPOUT, strict=True), start=1):
        x = _norm(f"dense{number}_norm", keras.layers.Dense(units, name=f"dense{number}")(x))
        x = keras.layers.Dropout(rate, name=f"dropout{number}")(x)
    probability = keras.layers.Dense(len(CLASSES), activation="softmax", name="probability")(x)
    return keras.Model(patches, probability, name="speech_music_noise")


def _norm(name: str, x: Any) -> Any:
    x = keras.layers.BatchNormalization(epsilon=1e-3, name=name)(x)
    return keras.layers.ReLU(name=f"{name}_positive")(x)
