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
from models.shots.dataset import UNKNOWN
from models.shots.windows import CONTEXT, WINDOW

Columns = Mapping[str, NDArray[Any]]

_RIM = 0.3  # what the window's outer frames count, of which use never asks
_SPAN_SCALE = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to train."""

    seed: int = 7
    epochs: int = 12
    batch: int = 16
    rate: float = 2e-3
    weight_decay: float = 1e-4
    held_back: float = 0.1  # of the windows, for the validation loss
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
    whole = extension.build()
    inputs = _normalised(whole, columns)
    learner = whole.get_layer("head")
    seen, kept = _split(len(columns["kind"]), settings)
    sets = [_set(inputs, columns, rows, settings, live=rows is seen) for rows in (seen, kept)]
    steps = -(-len(seen) // settings.batch)
    _compile(learner, settings, steps)
    learner.fit(
        sets[0],
        validation_data=sets[1],
        epochs=settings.epochs,
        shuffle=False,  # the set shuffles itself
        callbacks=_callbacks(folder),
        verbose=0,
    )
    # What is saved must not ask for the losses when it is loaded.
    plain = extension.build()
    plain.set_weights(whole.get_weights())
    return plain


def _normalised(whole: Any, columns: Columns) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Set the extension's normalisation, and apply it; zero is the mean of both."""
    asked = columns["asked"]
    seen = _fitted(whole.get_layer("trunk_norm"), columns["features"][asked].astype(np.float32))
    axes = _axes(seen)
    whole.get_layer("trunk_axes").set_weights([axes])
    trunk = np.zeros((*columns["features"].shape[:2], extension.AXES), np.float32)
    trunk[asked] = seen @ axes
    return _fitted(whole.get_layer("figures_norm"), columns["figures"]), trunk


def _axes(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the principal axes [width, 192], scaled so that what lies along them is about one."""
    flat = values.reshape(-1, values.shape[-1])
    power, axes = np.linalg.eigh(flat.T @ flat / max(1, len(flat)))
    kept = axes[:, ::-1][:, : extension.AXES]
    scale = np.sqrt(power[::-1][: extension.AXES].mean() + 1e-6)
    scaled: NDArray[np.float32] = (kept / scale).astype(np.float32)
    return scaled


def _fitted(layer: Any, values: NDArray[np.float32]) -> NDArray[np.float32]:
    if len(values) == 0:
        return values
    mean, variance = values.mean(axis=(0, 1)), values.var(axis=(0, 1)) + 1e-4
    layer.set_weights([mean, variance, np.zeros((), np.int64)])
    scaled: NDArray[np.float32] = ((values - mean) / np.sqrt(variance)).astype(np.float32)
    return np.clip(scaled, -extension.FARTHEST, extension.FARTHEST)


def _split(count: int, settings: Settings) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Hold back whole windows, the same ones in every run of one size."""
    order = np.random.default_rng(settings.seed).permutation(count)
    kept = max(1, int(count * settings.held_back))
    return order[kept:], order[:kept]


def _set(
    inputs: tuple[NDArray[np.float32], NDArray[np.float32]],
    columns: Columns,
    rows: NDArray[np.int64],
    settings: Settings,
    *,
    live: bool,
) -> Any:
    span = np.stack([columns["before"], columns["after"]], axis=-1)
    gradual = (columns["kind"] > 1).astype(np.float32)
    marks = np.concatenate([span, gradual[..., None]], axis=-1)
    parts = (inputs[0][rows], inputs[1][rows], columns["scores"][rows])
    true = (columns["kind"][rows], columns["middle"][rows], marks[rows])
    made = tf.data.Dataset.from_tensor_slices((parts, true))
    if live:
        made = made.shuffle(len(rows), seed=settings.seed, reshuffle_each_iteration=True)
        made = made.map(lambda part, said: (_dropped(part, settings), said))
    return made.map(_named).batch(settings.batch)


def _dropped(parts: Any, settings: Settings) -> Any:
    figures, trunk, scores = parts
    gone = tf.random.uniform(()) < settings.without_trunk
    trunk = tf.where(gone, tf.zeros_like(trunk), trunk)
    return figures, trunk, tf.where(gone, tf.fill(tf.shape(scores), UNKNOWN), scores)


def _named(parts: Any, true: Any) -> Any:
    figures, trunk, scores = parts
    inputs = (figures, trunk, scores)
    kind, middle, span = true
    weight = np.full(WINDOW, _RIM, np.float32)
    weight[CONTEXT - 5 : -CONTEXT + 5] = 1.0
    said = {"kinds": tf.cast(kind, tf.int32), "middle": middle, "span": span}
    return inputs, said, {name: tf.constant(weight) for name in said}


def kinds_loss(true: Any, said: Any) -> Any:
    """Cross entropy, in which each kind of transition counts more than its frames' share."""
    weight = ops.take(ops.convert_to_tensor([1.0, 6.0, 1.5, 1.5, 1.5]), ops.cast(true, "int32"))
    return weight * keras.losses.sparse_categorical_crossentropy(true, said)


def middle_loss(true: Any, said: Any) -> Any:
    """Binary cross entropy of one marked frame among many."""
    said = ops.clip(said, 1e-6, 1 - 1e-6)
    return -(5 * true * ops.log(said) + (1 - true) * ops.log(1 - said))


def span_loss(true: Any, said: Any) -> Any:
    """How many frames both ends are off, within gradual transitions; outliers count less."""
    off = ops.abs(true[..., :2] - said) / _SPAN_SCALE
    return true[..., 2] * ops.sum(ops.log1p(4 * off), axis=-1) / 4


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
