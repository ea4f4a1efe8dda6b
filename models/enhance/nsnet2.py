"""Runs NSNet2 over sound of any length at 48 kHz."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.enhance.carried import Carried, Frames, Run, traced

RATE = 48000
FFT = 1024
# The published half step is half a transform, 10.7 ms, not half a window.
FRAMES = Frames(window=960, hop=512, memory=(2, 600), together=800)
# Power below which a bin counts as empty, as in the published features.
_FLOOR = 1e-12


def denoiser(model: Any) -> Carried:
    """Return what cleans sound at 48 kHz.

    Args:
        model: The Keras model of the bundle ``nsnet2``.
    """
    return Carried(_compiled(model), FRAMES, RATE)


def features(power: Any) -> Any:
    """Return what the network looks at: log10 of each bin's power, a tensor of any shape."""
    import tensorflow as tf  # noqa: PLC0415 - handlers import this without TensorFlow

    return tf.math.log(tf.maximum(power, _FLOOR)) / np.float32(np.log(10))


def windows() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the windows there and back, [960] each; with a gain of one the sound comes back."""
    # The square root of a periodic Hann window.
    there = np.sin(np.pi * np.arange(FRAMES.window) / FRAMES.window)
    hops = np.pad(np.square(there), (0, -FRAMES.window % FRAMES.hop)).reshape(-1, FRAMES.hop)
    together = np.tile(hops.sum(axis=0), len(hops))[: FRAMES.window]
    return there.astype(np.float32), (there / together).astype(np.float32)


def _compiled(model: Any) -> Run:
    import tensorflow as tf  # noqa: PLC0415 - handlers import this without TensorFlow

    there, back = windows()

    def forward(heard: Any, sound: Any, memory: Any) -> tuple[Any, Any]:
        power = tf.square(tf.abs(tf.signal.rfft(heard * there, [FFT])))
        judged = model({"power": features(power), "memory": memory}, training=False)
        gain = tf.cast(judged["gain"][:, None], tf.complex64)
        filtered = tf.signal.irfft(tf.signal.rfft(sound * there, [FFT]) * gain, [FFT])
        return filtered[..., : FRAMES.window] * back, judged["memory"]

    return traced(forward, FRAMES)
