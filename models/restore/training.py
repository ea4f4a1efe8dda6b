"""Trains a network that restores: ``tf.data`` in, a plain loop, seed fixed, resumable.

A run's folder holds its settings, checkpoints that a stopped run goes on from, and ``loss.csv``.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models.errors import ModelError

Say = Callable[[str], None]
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
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(settings), indent=1) + "\n"
        (folder / "settings.json").write_text(text, encoding="utf-8")
        # The same seed and footage give the same weights on the same machine, but for rounding.
        tf.config.experimental.enable_op_determinism()
        self._model, self._variables, self._make = model, list(variables), make
        self._settings, self._folder = settings, folder
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
        """Train to the last step, from the last checkpoint on.

        Raises:
            ModelError: The loss is no number any more, and no step would change that.
        """
        done, total = self._restored(), self._settings.steps
        if done:
            say(f"Going on after step {done:,}.")
        with (self._folder / "loss.csv").open("a", newline="", encoding="utf-8") as file:
            log = csv.writer(file)
            recent: list[float] = []
            for given, wanted in self._examples(done).take(total - done):
                recent.append(float(self._step(given, wanted)))
                done += 1
                _require_number(recent[-1], done)
                log.writerow([done, f"{recent[-1]:.6f}"])
                if done % _TOLD_EVERY == 0 or done == total:
                    mean = -10 * sum(recent) / len(recent)
                    say(f"Step {done:,} of {total:,}, {mean:.2f} dB.")
                    recent.clear()
                if done % _SAVED_EVERY == 0 or done == total:
                    file.flush()
                    self._save(done)

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

    def _state(self) -> list[Any]:
        return [*self._model.weights, *self._optimizer.variables]

    def _save(self, done: int) -> None:
        """Write all state beside the last one, then take its place."""
        partial = self._folder / ".checkpoint.npz"
        values = {f"v{n}": keras.ops.convert_to_numpy(v) for n, v in enumerate(self._state())}
        np.savez(partial, done=np.int64(done), **values)
        partial.replace(self._folder / "checkpoint.npz")

    def _restored(self) -> int:
        path = self._folder / "checkpoint.npz"
        if not path.is_file():
            return 0
        with np.load(path, allow_pickle=False) as kept:
            for number, variable in enumerate(self._state()):
                variable.assign(kept[f"v{number}"])
            return int(kept["done"])


def _require_number(value: float, done: int) -> None:
    if not np.isfinite(value):
        raise ModelError(
            f"Training came apart at step {done:,}: its loss is no number any more. "
            "Nothing is put into use; begin again with another seed."
        )
