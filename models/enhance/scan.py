"""Runs a gated recurrent unit along one long sound, faster than Keras does on a processor.

Recurrent networks for speech remember for many seconds, so that a sound cannot be cut into
pieces that start from nothing: frame follows frame, and what each costs is the price of starting
its few operations. XLA makes one loop of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import keras


def scans_here() -> bool:
    """Whether :func:`gated` works and pays: on TensorFlow without a GPU, which has cuDNN."""
    return (
        keras.backend.backend() == "tensorflow"
        and not _tensorflow().config.list_physical_devices("GPU")
    )


def gated(x: Any, before: Any, weights: list[Any]) -> Any:
    """Run a gated recurrent unit, its reset after the product as in cuDNN.

    Args:
        x: What comes in, float32 [B, T, inputs].
        before: The state before the first frame, [B, units].
        weights: Kernel, recurrent kernel and biases as ``keras.layers.GRU`` keeps them.

    Returns:
        The state after each frame, [B, T, units].
    """
    tf = _tensorflow()
    kernel, again, bias = (tf.convert_to_tensor(each) for each in weights)
    inward = tf.matmul(x, kernel) + bias[0]
    return tf.transpose(_loop()(tf.transpose(inward, (1, 0, 2)), before, again, bias[1]), (1, 0, 2))


@cache
def _loop() -> Any:
    """Make the compiled loop; it is compiled once for each shape."""
    tf = _tensorflow()
    with tf.init_scope(), _without_stderr():
        tf.function(lambda x: x, jit_compile=True)(tf.constant(0.0))

    def run(inward: Any, state: Any, again: Any, bias: Any) -> Any:
        length, units = tf.shape(inward)[0], state.shape[1]
        again = tf.transpose(again)

        def step(time: Any, state: Any, states: Any) -> tuple[Any, Any, Any]:
            own = tf.matmul(state, again, transpose_b=True) + bias
            new = inward[time]
            update, reset = tf.split(
                tf.sigmoid(new[:, : 2 * units] + own[:, : 2 * units]), 2, axis=1
            )
            candidate = tf.tanh(new[:, 2 * units :] + reset * own[:, 2 * units :])
            state = candidate + update * (state - candidate)
            return time + 1, state, states.write(time, state)

        states = tf.TensorArray(tf.float32, length, element_shape=state.shape)
        start = (0, state, states)
        *_, states = tf.while_loop(
            lambda time, *_: time < length, step, start, maximum_iterations=length
        )
        return states.stack()

    return tf.function(run, jit_compile=True)


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Let nothing be printed: XLA tells at its start that it starts, and no setting stops it."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def _tensorflow() -> Any:
    import tensorflow as tf  # noqa: PLC0415 - other backends do without it

    return tf
