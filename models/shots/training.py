"""Trains the extension on cached windows: ``tf.data`` in, Keras's ``fit``, seed fixed.

A run's folder holds its settings, a checkpoint that a stopped run goes on from, and
``loss.csv`` with every epoch's losses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from models.shots import extension
from models.shots.dataset import FIELD, UNKNOWN, backwards
from models.shots.network import HEIGHT, WIDTH
from models.shots.windows import CONTEXT, WIDE, WINDOW

Columns = Mapping[str, NDArray[Any]]

_RIM = 0.3  # what the window's outer frames count, of which use never asks
_SPAN_SCALE = 8.0
_TYPICAL = 800  # windows are enough to know what figures are usual


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to train."""

    seed: int = 7
    epochs: int = 12
    batch: int = 16
    rate: float = 2e-3
    weight_decay: float = 1e-4
    held_back: float = 0.05  # of the windows, for the validation loss
    # How often an epoch shows a window that the trunk was asked about: they are few and dear.
    asked_counts: int = 2
    # How often the trunk is taken away, so that the direct comparisons learn to stand alone.
    without_trunk: float = 0.25


def train(columns: Columns, settings: Settings, folder: Path) -> Any:
    """Train the extension.

    Args:
        columns: As :func:`models.shots.dataset.read_shards` gives them.
        settings: How.
        folder: The run's folder; a checkpoint in it is gone on from.

    Returns:
        The whole extension, as :func:`models.shots.extension.build` makes it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.json").write_text(json.dumps(asdict(settings), indent=1) + "\n")
    keras.utils.set_random_seed(settings.seed)
    # The same seed and windows give the same weights, bit for bit, on the same machine.
    tf.config.experimental.enable_op_determinism()
    whole = extension.build()
    learner = whole.get_layer("learner")
    seen, kept = _split(len(columns["kind"]), settings)
    _standardise(learner, columns["fields"][seen[:_TYPICAL]])
    asked = seen[(columns["scores"][seen] != UNKNOWN).any(axis=(1, 2))]
    seen = np.concatenate([seen, *[asked] * (settings.asked_counts - 1)])
    drawn, held = Windows(columns, seen, settings), Windows(columns, kept, settings)
    steps = -(-len(seen) // settings.batch)
    _compile(learner, settings, steps)
    validation = held.in_order()
    # All variables there are before the step is traced: what makes some in it is traced twice.
    learner.optimizer.build(learner.trainable_variables)
    learner.evaluate(validation, verbose=0)
    learner.fit(
        drawn.shuffled(),
        validation_data=validation,
        epochs=settings.epochs,
        steps_per_epoch=steps,
        shuffle=False,  # the set shuffles itself
        callbacks=_callbacks(folder),
        verbose=0,
    )
    # What is saved must not ask for the losses when it is loaded.
    plain = extension.build()
    plain.set_weights(whole.get_weights())
    return plain


def _standardise(learner: Any, fields: NDArray[np.float16]) -> None:
    compare = tf.function(lambda some: learner.get_layer("comparisons")(some)[0])
    parts = [compare(tf.cast(fields[n : n + 16], tf.float32)) for n in range(0, len(fields), 16)]
    figures = np.concatenate([part.numpy() for part in parts])
    mean, deviation = figures.mean(axis=(0, 1)), figures.std(axis=(0, 1)) + 0.01
    learner.get_layer("standardised").set_weights([mean, deviation])


def _split(count: int, settings: Settings) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Hold back whole windows, the same ones in every run of one size."""
    order = np.random.default_rng(settings.seed).permutation(count)
    kept = max(1, int(count * settings.held_back))
    return order[kept:], order[:kept]


class Windows:
    """Feeds windows to ``fit``: each epoch in another order, turned and lit differently.

    Args:
        columns: As :func:`models.shots.dataset.read_shards` gives them.
        rows: Which windows of the columns to use.
        settings: How to train.
    """

    def __init__(self, columns: Columns, rows: NDArray[np.int64], settings: Settings) -> None:
        self._columns, self._rows, self._settings = columns, rows, settings

    def shuffled(self) -> Any:
        """A ``tf.data`` set without end, in which no window comes twice the same."""
        rows = tf.data.Dataset.from_tensor_slices(self._rows)
        rows = rows.shuffle(
            len(self._rows), seed=self._settings.seed, reshuffle_each_iteration=True
        )
        return self._batches(rows.repeat().enumerate())

    def in_order(self) -> Any:
        """A ``tf.data`` set of each window once, as it is."""
        rows = tf.data.Dataset.from_tensor_slices(self._rows)
        return self._batches(rows.map(lambda row: (tf.constant(-1, tf.int64), row)))

    def _batches(self, numbered: Any) -> Any:
        def mapped(number: Any, row: Any) -> Any:
            made = tf.numpy_function(self._one, (number, row), [kind for kind, _ in _SHAPES])
            for one, (_, shape) in zip(made, _SHAPES, strict=True):
                one.set_shape(shape)
            return _named(*made)

        made = numbered.map(mapped, num_parallel_calls=2, deterministic=True)
        return made.batch(self._settings.batch).prefetch(2)

    def _one(self, number: int, row: int) -> tuple[NDArray[Any], ...]:
        """Return one window's fields, scores, kind, middle and marks; changed unless -1."""
        one = {name: column[row] for name, column in self._columns.items()}
        if number >= 0:
            random = np.random.default_rng([self._settings.seed, number])
            one = varied(one, random, self._settings.without_trunk)
        gradual = (one["kind"] > 1).astype(np.float32)
        marks = np.stack([one["before"], one["after"], gradual], axis=-1)
        fields = one["fields"].astype(np.float32)
        return fields, one["scores"], one["kind"].astype(np.int32), one["middle"], marks


_SHAPES = (
    (tf.float32, (WIDE, extension.FIELDS, 3)),
    (tf.float32, (WINDOW, 2)),
    (tf.int32, (WINDOW,)),
    (tf.float32, (WINDOW,)),
    (tf.float32, (WINDOW, 3)),
)


def varied(
    row: dict[str, NDArray[Any]], random: np.random.Generator, without_trunk: float
) -> dict[str, NDArray[Any]]:
    """Mirror a window, play it backwards, light it anew: what is true of it stays true.

    Args:
        row: The columns of one window.
        random: Chooses.
        without_trunk: How often the trunk's scores are taken away.
    """
    if random.random() < 0.5:
        row = backwards(row)
    turned = row["fields"].reshape(-1, HEIGHT // FIELD, WIDTH // FIELD, 3)
    turned = turned[:, :: random.choice([-1, 1]), :: random.choice([-1, 1])]
    turned = turned[..., random.permutation(3)].astype(np.float32)
    gain = random.uniform(0.7, 1.25) * random.uniform(0.85, 1.15, 3).astype(np.float32)
    lit = np.clip(turned * gain + random.uniform(-12, 12), 0, 255)
    scores = row["scores"]
    if random.random() < without_trunk:
        scores = np.full_like(scores, UNKNOWN)
    fields = lit.astype(np.float32).reshape(row["fields"].shape)
    return {**row, "fields": fields, "scores": scores}


def _named(fields: Any, scores: Any, kind: Any, middle: Any, span: Any) -> Any:
    weight = np.full(WINDOW, _RIM, np.float32)
    weight[CONTEXT - 5 : -CONTEXT + 5] = 1.0
    said = {"kinds": kind, "middle": middle, "span": span}
    return (fields, scores), said, {name: tf.constant(weight) for name in said}


def kinds_loss(true: Any, said: Any) -> Any:
    """Cross entropy, in which each kind of transition counts more than its frames' share."""
    weight = ops.take(ops.convert_to_tensor([1.0, 6.0, 1.5, 1.5, 1.5]), ops.cast(true, "int32"))
    return weight * keras.losses.sparse_categorical_crossentropy(true, said)


def middle_loss(true: Any, said: Any) -> Any:
    """Binary cross entropy of one marked frame among many."""
    said = ops.clip(said, 1e-6, 1 - 1e-6)
    return -(5 * true * ops.log(said) + (1 - true) * ops.log(1 - said))


def span_loss(true: Any, said: Any) -> Any:
    """How many frames both ends and the middle between them are off; outliers count less."""
    off = true[..., :2] - said
    middle = (off[..., 1] - off[..., 0]) / 2
    ends = ops.sum(ops.log1p(4 * ops.abs(off) / _SPAN_SCALE), axis=-1)
    return true[..., 2] * (ends / 4 + ops.log1p(ops.abs(middle)) / 2)


def _compile(learner: Any, settings: Settings, steps: int) -> None:
    rate = keras.optimizers.schedules.CosineDecay(
        0.1 * settings.rate,
        settings.epochs * steps,
        warmup_target=settings.rate,
        warmup_steps=min(100, settings.epochs * steps // 4),
    )
    learner.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay, clipnorm=1.0),
        loss={"kinds": kinds_loss, "middle": middle_loss, "span": span_loss},
    )


def _callbacks(folder: Path) -> list[Any]:
    return [
        keras.callbacks.CSVLogger(folder / "loss.csv", append=True),
        keras.callbacks.BackupAndRestore(folder / "checkpoint", delete_checkpoint=False),
    ]
