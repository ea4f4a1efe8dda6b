"""What fxd adds to the shot network: the kind of a transition, and its range.

The published network (the trunk) stays as it is. The extension reads its two scores of
each frame, and compares frames directly over distances at which a dissolve, a dip and a
wipe differ: how far the picture, and each field of it, has come from what was before to
what comes after, and whether it goes through black or white. A few dilated
convolutions over time then say, for each frame, which class it is, whether a transition's
middle follows it, and how far the transition's ends are (as in FCOS, Tian et al. 2019,
arXiv:1904.01355, over time instead of the picture).
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from models.shots.network import HEIGHT, PACKAGE, WIDTH
from models.shots.windows import AROUND, CLASSES, WIDE, WINDOW

DISTANCES = (1, 2, 3, 5, 8, 12, 18, 26, 36, 48)
_SCALE = 64.0  # code values: brings differences to about one
_STEEP = 8.0  # small differences of a field count as well as large ones
_FIELD = 3
FIELDS = (HEIGHT // _FIELD) * (WIDTH // _FIELD)
_TONES = 12
FIGURES = 2 + 16 * len(DISTANCES)
_FARTHEST = 10.0  # deviations: beyond what was seen in training
_PLACES = 32
_UNITS, _BLOCKS = 128, (1, 2, 4, 8, 16, 1, 2, 4, 8, 1)


class Trunk:
    """Runs the published network on windows of 100 frames.

    Args:
        model: The Keras model of the bundle ``transnetv2``.
    """

    def __init__(self, model: Any) -> None:
        import tensorflow as tf  # noqa: PLC0415 - only to trace the one shape

        shape = tf.TensorSpec((1, WINDOW, HEIGHT, WIDTH, 3), tf.uint8)
        self._run = tf.function(
            lambda frames: _scores(model(frames, training=False)), input_signature=[shape]
        )

    def __call__(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return its scores, cut and transition, of 100 frames: float32 [100, 2].

        Args:
            frames: uint8 [100, 27, 48, 3].
        """
        scores: NDArray[np.float32] = self._run(frames[None]).numpy()[0]
        return scores


def _scores(said: Any) -> Any:
    return ops.stack([said["cut"], said["transition"]], axis=-1)


@keras.saving.register_keras_serializable(package=PACKAGE)
class Fields(keras.layers.Layer):  # type: ignore[misc]
    """Averages frames over 3x3 pixels: uint8 [B, 200, 27, 48, 3] to float32 [B, 200, 144, 3]."""

    def call(self, frames: Any) -> Any:
        """Return code values, row by row."""
        rows, columns = HEIGHT // _FIELD, WIDTH // _FIELD
        parts = ops.reshape(
            ops.cast(frames, "float32"), (-1, WIDE, rows, _FIELD, columns, _FIELD, 3)
        )
        return ops.reshape(ops.mean(parts, axis=(3, 5)), (-1, WIDE, FIELDS, 3))

    def compute_output_spec(self, frames: Any) -> Any:
        """One colour a field."""
        return keras.KerasTensor((frames.shape[0], WIDE, FIELDS, 3), dtype="float32")


@keras.saving.register_keras_serializable(package=PACKAGE)
class Comparisons(keras.layers.Layer):  # type: ignore[misc]
    """Compares each of the middle 100 of 200 frames with those before and after it.

    float32 [B, 200, 144, 3] to two tensors: figures of the whole picture, [B, 100, 162], and of
    each field, [B, 100, 144, 32]. It has no weights.
    """

    def call(self, fields: Any) -> tuple[Any, Any]:
        """Return both for each of the middle frames."""
        dark, white = _levels(fields)
        fields = fields * _gain(fields)
        light = ops.mean(fields, axis=(2, 3))
        spread = ops.std(fields, axis=(2, 3)) + 1.0
        tones = _tones(fields)
        # Nothing tells what the picture itself looks like: it would be learnt by heart.
        rows, places = [dark, white], _where(fields)
        for distance in DISTANCES:
            offs = _offs(fields, distance)
            rows += _compared(fields, offs, distance)
            rows += _lighting(light, spread, distance)
            rows += [ops.mean(off, axis=2) for off in _offs(tones, distance)]
            places += [ops.log1p(_STEEP * off) for off in offs]
        return ops.stack(rows, axis=-1), ops.stack(places, axis=-1)

    def compute_output_spec(self, fields: Any) -> Any:
        """As many as there are, whatever the frames."""
        batch = fields.shape[0]
        return (
            keras.KerasTensor((batch, WINDOW, FIGURES), dtype="float32"),
            keras.KerasTensor((batch, WINDOW, FIELDS, 2 + 3 * len(DISTANCES)), dtype="float32"),
        )


@keras.saving.register_keras_serializable(package=PACKAGE)
class Standardised(keras.layers.Layer):  # type: ignore[misc]
    """Brings figures to mean 0 and deviation 1, and cuts off what lies beyond 10 of these.

    Keras's own Normalization would not do: weights that are set on it count only once the
    model has been saved and loaded.
    """

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make room for mean and deviation of each figure, which training measures."""
        width = (shape[-1],)
        self.mean = self.add_weight(shape=width, initializer="zeros", trainable=False, name="mean")
        self.deviation = self.add_weight(
            shape=width, initializer="ones", trainable=False, name="deviation"
        )

    def call(self, figures: Any) -> Any:
        """Return figures of the same shape."""
        return ops.clip((figures - self.mean) / self.deviation, -_FARTHEST, _FARTHEST)


def _gain(fields: Any) -> Any:
    """Raise flat pictures (log, night) towards ordinary contrast, by one factor a window."""
    contrast = ops.mean(ops.std(fields, axis=(2, 3), keepdims=True), axis=1, keepdims=True)
    return 50.0 / ops.clip(contrast, 15.0, 50.0) / _SCALE


def _now(values: Any, offset: int = 0) -> Any:
    """The values of the middle frames, or of those so much later."""
    return values[:, AROUND + offset : AROUND + offset + WINDOW]


def _levels(fields: Any) -> tuple[Any, Any]:
    """How much of each frame is black, and how much is white."""
    grey = ops.mean(_now(fields), axis=-1)
    dark, white = ops.cast(grey < 12, "float32"), ops.cast(grey > 243, "float32")
    return ops.mean(dark, axis=2), ops.mean(white, axis=2)


def _tones(fields: Any) -> Any:
    """What tones a picture has, wherever they are: [B, 200, 12, 3], which motion hardly changes."""
    sorted_ = ops.sort(ops.transpose(fields, (0, 1, 3, 2)), axis=-1)
    kept = ops.mean(ops.reshape(sorted_, (-1, WIDE, 3, _TONES, FIELDS // _TONES)), axis=-1)
    return ops.transpose(kept, (0, 1, 3, 2))


def _where(fields: Any) -> list[Any]:
    """Each field's place: across and down, -1..1."""
    still = ops.zeros_like(_now(fields)[..., 0])
    y, x = np.mgrid[-1 : 1 : 1j * (HEIGHT // _FIELD), -1 : 1 : 1j * (WIDTH // _FIELD)]
    return [still + axis.reshape(1, 1, -1).astype(np.float32) for axis in (x, y)]


def _offs(fields: Any, distance: int) -> tuple[Any, Any, Any]:
    """How far each field is off its earlier self, its later self, and those two: [B, 100, n]."""
    now, before, after = _now(fields), _now(fields, -distance), _now(fields, distance)
    return _off(now, before), _off(after, now), _off(after, before)


def _compared(fields: Any, offs: tuple[Any, Any, Any], distance: int) -> list[Any]:
    """Where each frame lies between the one so far before and the one so far after."""
    now, before, after = _now(fields), _now(fields, -distance), _now(fields, distance)
    from_old, to_new, between = offs
    way, nearer = ops.mean(between, axis=2), ops.minimum(from_old, to_new)
    bent = ops.mean(ops.abs(2 * now - before - after), axis=(2, 3))
    change, come = after - before, now - before
    part = ops.sum(come * change, axis=(2, 3)) / (ops.sum(change * change, axis=(2, 3)) + 0.2)
    share = from_old / (from_old + to_new + 0.03)
    return [
        way,
        ops.mean(from_old, axis=2),
        ops.mean(to_new, axis=2),
        ops.max(to_new, axis=2),
        way * ops.clip(1 - bent / (way + 0.015), 0, 1),
        ops.clip(part, -1, 2),
        bent / (way + 0.05),
        ops.mean(share, axis=2),
        ops.std(share, axis=2),
        ops.mean(nearer, axis=2) / (way + 0.05),
    ]


def _off(one: Any, other: Any) -> Any:
    """How far two pictures differ in each field."""
    return ops.mean(ops.abs(one - other), axis=-1)


def _lighting(light: Any, spread: Any, distance: int) -> list[Any]:
    """Whether the picture is darker, lighter and flatter than on both sides."""
    before, after = _now(light, -distance), _now(light, distance)
    flat = ops.minimum(_now(spread, -distance), _now(spread, distance))
    return [
        ops.minimum(before, after) - _now(light),
        _now(light) - ops.maximum(before, after),
        _now(spread) / flat - 1,
    ]


def build() -> Any:
    """Build the extension with random weights.

    Returns:
        A ``keras.Model`` from ``{"frames": uint8 [B, 200, 27, 48, 3], "scores": [B, 100, 2]}``
        to, for the middle 100 frames, ``kinds`` [B, 100, 5] (probabilities of
        :data:`models.shots.windows.CLASSES`), ``middle`` [B, 100] (whether a transition's
        middle lies between this frame and the next) and ``span`` [B, 100, 2] (frames since a
        transition's start and until its end, where there is one).
    """
    frames = keras.Input((WIDE, HEIGHT, WIDTH, 3), dtype="uint8", name="frames")
    scores = keras.Input((WINDOW, 2), name="scores")
    outputs = learner()([Fields(name="fields")(frames), scores])
    return keras.Model({"frames": frames, "scores": scores}, outputs, name="shots")


def joint(trunk: Any, extension: Any) -> Any:
    """Put the published network and the extension together.

    Returns:
        A ``keras.Model`` from uint8 [B, 200, 27, 48, 3] to the fields of
        :class:`models.shots.windows.FrameScores`, of the middle 100 frames.
    """
    frames = keras.Input((WIDE, HEIGHT, WIDTH, 3), dtype="uint8", name="frames")
    said = extension({"frames": frames, "scores": _scores(trunk(_now(frames)))})
    outputs = {
        "cut": said["middle"],
        "transition": 1 - said["kinds"][..., 0],
        "kinds": said["kinds"],
        "span": said["span"],
    }
    return keras.Model(frames, outputs, name="joint")


def learner() -> Any:
    """Build the part that learns: from fields [B, 200, 144, 3] and scores [B, 100, 2]."""
    fields = keras.Input((WIDE, FIELDS, 3), name="fields")
    scores = keras.Input((WINDOW, 2), name="scores")
    layers = keras.layers
    figures, places = Comparisons(name="comparisons")(fields)
    figures = Standardised(name="standardised")(figures)
    own = layers.Dense(_UNITS, activation="relu", name="figures_in")(figures)
    x = layers.Concatenate(name="joined")([own, *_seen(places), scores])
    x = layers.Dense(_UNITS, name="mixed")(x)
    for number, dilation in enumerate(_BLOCKS, 1):
        x = _block(x, dilation, f"block{number}")
    x = layers.LayerNormalization(name="last_norm")(x)
    outputs = {
        "kinds": layers.Dense(len(CLASSES), activation="softmax", name="kinds")(x),
        "middle": layers.Reshape((-1,), name="middle")(
            layers.Dense(1, activation="sigmoid", name="middle_score")(x)
        ),
        "span": layers.Dense(2, activation="softplus", name="span")(x),
    }
    return keras.Model([fields, scores], outputs, name="learner")


def _seen(places: Any) -> list[Any]:
    """What each field says by itself, gathered over the picture: its mean and its most.

    A wipe changes every field at a time of its own; how many have changed is how far it is.
    """
    layers = keras.layers
    y = layers.Dense(_PLACES, activation="relu", name="places_in")(places)
    y = layers.Dense(_PLACES, activation="relu", name="places_out")(y)
    return [ops.mean(y, axis=2), ops.max(y, axis=2)]


def _block(x: Any, dilation: int, name: str) -> Any:
    layers = keras.layers
    y = layers.LayerNormalization(name=f"{name}_norm")(x)
    y = layers.Conv1D(
        _UNITS, 3, dilation_rate=dilation, padding="same", activation="relu", name=f"{name}_time"
    )(y)
    y = layers.Dropout(0.2, name=f"{name}_dropout")(y)
    y = layers.Dense(_UNITS, name=f"{name}_out")(y)
    return layers.Add(name=f"{name}_add")([x, y])
