"""Trains a network that restores: ``tf.data`` in, a plain loop, seed fixed, resumable.

What a run's folder holds, :mod:`models.stepping` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models.stepping import Loop, Say

Example = tuple[Any, Any]
Make = Callable[[np.random.Generator], Example]
"""Makes one example, (what the network is given, what it shall give), each choice by chance."""

_TOLD_EVERY, _SAVED_EVERY = 25, 100
_FLOOR = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to train; ``rate`` is the highest learning rate, ``fresh`` the steps up to it."""

    seed: int
    steps: int
    batch: int
    size: int
    rate: float
    fresh: int = 50


def loss(wanted: Any, made: Any) -> Any:
    """Return the mean PSNR, negative, in units of 10 dB.

    Each picture counts the same, however strong its noise (Chen et al., "Simple baselines for
    image restoration", 2022, train so); 60 dB are as good as perfect.
    """
    error = tf.reduce_mean(tf.square(wanted - made), axis=[1, 2, 3])
    return tf.reduce_mean(tf.math.log(error + _FLOOR)) / tf.math.log(10.0)


class Learner:
    """Trains one network.

    Args:
        model: The Keras model that is trained.
        variables: Which of its variables are changed.
        make: Makes an example.
        settings: How.
        folder: The run's folder; a checkpoint in it is gone on from.
    """

    def __init__(
        self, model: Any, variables: Sequence[Any], make: Make, settings: Settings, folder: Path
    ) -> None:
        self._loop = Loop(folder, settings, told_every=_TOLD_EVERY, saved_every=_SAVED_EVERY)
        self._model, self._variables, self._make = model, list(variables), make
        self._settings = settings
        fresh = min(settings.fresh, settings.steps // 2)
        rate = keras.optimizers.schedules.CosineDecay(
            0.02 * settings.rate,
            max(1, settings.steps - fresh),
            alpha=0.01,
            warmup_target=settings.rate,
            warmup_steps=fresh,
        )
        self._optimizer = keras.optimizers.Adam(rate, clipnorm=1.0)
        self._optimizer.build(self._variables)
        self._step = tf.function(self._one_step, reduce_retracing=True)

    def train(self, say: Say) -> None:
        """Train to the last step, from the last checkpoint on; see :meth:`Loop.train`."""
        state = [*self._model.weights, *self._optimizer.variables]
        self._loop.train(state, self._examples, self._step, _decibels, say)

    def _examples(self, done: int) -> Any:
        """Yield batches from after the steps that were done; each example has its own seed."""
        batch, seed = self._settings.batch, self._settings.seed

        def generate() -> Iterator[Example]:
            number = done * batch
            while True:
                yield self._make(np.random.default_rng([seed, number]))
                number += 1

        kinds = tf.nest.map_structure(
            lambda one: tf.TensorSpec(one.shape, tf.float32), self._make(np.random.default_rng(0))
        )
        examples = tf.data.Dataset.from_generator(generate, output_signature=kinds)
        return examples.batch(batch, drop_remainder=True).prefetch(4)

    def _one_step(self, given: Any, wanted: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(wanted, self._model(given, training=True))
        gradients = tape.gradient(value, [variable.value for variable in self._variables])
        self._optimizer.apply(gradients, self._variables)
        return value


def _decibels(value: float) -> str:
    return f"{-10 * value:.2f} dB"
