"""Runs the voice network over sound of any length, piece by piece."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

RATE = 16000
NEW, CONTEXT, UNITS = 512, 64, 128
# Windows at once: enough that the network's fixed cost vanishes, 16 s and a few MB.
TOGETHER = 500


class VoiceJudge:
    """Compiles the network once; makes one listener for each stream of sound.

    Args:
        model: The Keras model of the bundle ``silero-vad``.
    """

    def __init__(self, model: Any) -> None:
        self._run = _compiled(model)

    def listener(self, channels: int) -> Listener:
        """Return what hears the channels of one stream."""
        return Listener(self._run, channels)


class Listener:
    """Hears one stream from its beginning on; each channel by itself, all at once."""

    def __init__(self, run: Any, channels: int) -> None:
        self._run = run
        self._heard = np.zeros((channels, CONTEXT), np.float32)
        self._memory = np.zeros((2, channels, UNITS), np.float32)
        self._pieces: list[Samples] = []
        self._waiting = 0
        self._made: list[Samples] = [np.zeros((0, channels), np.float32)]

    def push(self, samples: Samples) -> None:
        """Take the next samples at 16 kHz, float32 [n, channels]."""
        self._pieces.append(samples)
        self._waiting += len(samples)
        while self._waiting >= TOGETHER * NEW:
            self._judge(self._take(TOGETHER * NEW))

    def finish(self) -> Samples:
        """Return the probabilities, float32 [windows, channels]; each window is 32 ms."""
        if self._waiting:
            left = self._take(self._waiting)
            self._judge(np.pad(left, ((0, -len(left) % NEW), (0, 0))))
        return np.concatenate(self._made)

    def _take(self, count: int) -> Samples:
        together = np.concatenate(self._pieces)
        self._pieces = [together[count:]]
        self._waiting -= count
        return together[:count]

    def _judge(self, samples: Samples) -> None:
        """Judge whole windows, float32 [n * 512, channels]."""
        heard = np.concatenate([self._heard, samples.T], axis=1)
        self._heard = heard[:, -CONTEXT:]
        step = heard.strides[1]
        count = len(samples) // NEW
        shape, strides = (len(heard), count, CONTEXT + NEW), (heard.strides[0], NEW * step, step)
        windows = np.lib.stride_tricks.as_strided(heard, shape, strides, writeable=False)
        speech, self._memory = self._run(windows, self._memory)
        self._made.append(speech.T)


def _compiled(model: Any) -> Any:
    """Trace the network once; eager Keras would run the recurrent cell at real time."""
    import tensorflow as tf  # noqa: PLC0415 - cutting windows must not load TensorFlow

    shapes = [
        tf.TensorSpec((None, None, CONTEXT + NEW), tf.float32),
        tf.TensorSpec((2, None, UNITS), tf.float32),
    ]

    def forward(windows: Any, memory: Any) -> Any:
        inputs = {"windows": windows, "h": memory[0], "c": memory[1]}
        outputs = model(inputs, training=False)
        return outputs["speech"], tf.stack([outputs["h"], outputs["c"]])

    traced = tf.function(forward, input_signature=shapes, jit_compile=False)

    def run(windows: Samples, memory: Samples) -> tuple[Samples, Samples]:
        speech, after = traced(windows, memory)
        return speech.numpy(), after.numpy()

    return run
