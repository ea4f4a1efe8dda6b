"""What fxd adds to the shot network: the kind of a transition, and its range.

The published network (the trunk) stays as it is. The extension reads what the trunk
makes of each frame, and compares frames directly over distances at which a dissolve, a dip
and a wipe differ: how far the picture has come from what was before to what comes
after, evenly or in places, and whether it goes through black or white. A few dilated
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
from models.shots.windows import AROUND, CLASSES, TRUNK_WIDTH, WIDE, WINDOW, Said

# What is read from the trunk, layer by layer.
TRUNK_LAYERS = ("hidden", "similarity", "colours", "means")

DISTANCES = (1, 2, 3, 5, 8, 12, 18, 26, 36, 48)
_SCALE = 64.0  # code values: brings differences to about one
_FIELD = 3
FARTHEST = 20.0  # standard deviations
AXES = 192
_UNITS, _BLOCKS = 96, (1, 2, 4, 8, 16, 1)


class Trunk:
    """Runs the published network on windows of 100 frames and reads what lies within.

    Args:
        model: The Keras model of the bundle ``transnetv2``.
    """

    def __init__(self, model: Any) -> None:
        import tensorflow as tf  # noqa: PLC0415 - only to trace the one shape

        inner = with_features(model)
        shape = tf.TensorSpec((1, WINDOW, HEIGHT, WIDTH, 3), tf.uint8)
        self._run = tf.function(
            lambda frames: inner(frames, training=False), input_signature=[shape]
        )

    def __call__(self, frames: NDArray[np.uint8]) -> Said:
        """Return what the trunk says of 100 frames, uint8 [100, 27, 48, 3]."""
        said = self._run(frames[None])
        return Said(
            said["features"].numpy()[0].astype(np.float16),
            said["cut"].numpy()[0],
            said["transition"].numpy()[0],
        )


def with_features(model: Any) -> Any:
    """Return the trunk with one more output, ``features`` [B, T, 1728]."""
    layers = [model.get_layer(name).output for name in TRUNK_LAYERS]
    features = ops.concatenate(layers, axis=-1)
    return keras.Model(model.input, {**model.output, "features": features})


@keras.saving.register_keras_serializable(package=PACKAGE)
class Comparisons(keras.layers.Layer):  # type: ignore[misc]
    """Compares each of the middle 100 of 200 frames with those before and after it.

    uint8 [B, 200, 27, 48, 3] to float32 [B, 100, features]. It has no weights.
    """

    def call(self, frames: Any) -> Any:
        """Return a row of figures for each of the middle frames."""
        fields = _fields(ops.cast(frames, "float32"))
        fields = fields * _gain(fields)
        light = ops.mean(fields, axis=(2, 3))
        spread = ops.std(fields, axis=(2, 3)) + 1.0
        rows = [_now(light), _now(spread), *_levels(frames)]
        for distance in DISTANCES:
            rows += _compared(fields, distance)
            rows += _lighting(light, spread, distance)
        return ops.stack(rows, axis=-1)

    def compute_output_spec(self, frames: Any) -> Any:
        """As many figures as there are, whatever the frames."""
        figures = 4 + len(DISTANCES) * 13
        return keras.KerasTensor((frames.shape[0], WINDOW, figures), dtype="float32")


def figures() -> Any:
    """Return a function from uint8 [200, 27, 48, 3] to the comparisons, float32 [100, c]."""
    import tensorflow as tf  # noqa: PLC0415 - only to trace the one shape

    run = tf.function(Comparisons())

    def compared(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        made: NDArray[np.float32] = run(frames[None]).numpy()[0]
        return made

    return compared


def _fields(frames: Any) -> Any:
    """Average over 3x3 pixels: [B, T, 144, 3]."""
    rows, columns = HEIGHT // _FIELD, WIDTH // _FIELD
    parts = ops.reshape(frames, (-1, WIDE, rows, _FIELD, columns, _FIELD, 3))
    return ops.reshape(ops.mean(parts, axis=(3, 5)), (-1, WIDE, rows * columns, 3))


def _gain(fields: Any) -> Any:
    """Raise flat pictures (log, night) towards ordinary contrast, by one factor a window."""
    contrast = ops.mean(ops.std(fields, axis=(2, 3), keepdims=True), axis=1, keepdims=True)
    return 50.0 / ops.clip(contrast, 15.0, 50.0) / _SCALE


def _now(values: Any, offset: int = 0) -> Any:
    """The values of the middle frames, or of those so much later."""
    return values[:, AROUND + offset : AROUND + offset + WINDOW]


def _levels(frames: Any) -> list[Any]:
    """How much of each frame is black, and how much is white."""
    grey = ops.mean(ops.cast(_now(frames), "float32"), axis=-1)
    return [
        ops.mean(ops.cast(grey < 12, "float32"), axis=(2, 3)),
        ops.mean(ops.cast(grey > 243, "float32"), axis=(2, 3)),
    ]


def _compared(fields: Any, distance: int) -> list[Any]:
    """Where each frame lies between the one so far before and the one so far after."""
    now, before, after = _now(fields), _now(fields, -distance), _now(fields, distance)
    from_old, to_new = _off(now, before), _off(after, now)
    way, nearer = ops.mean(_off(after, before), axis=2), ops.minimum(from_old, to_new)
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
        A ``keras.Model`` from ``{"frames": uint8 [B, 200, 27, 48, 3], "trunk": [B, 100,
        1728], "scores": [B, 100, 2]}`` to, for the middle 100 frames, ``kinds`` [B, 100, 5]
        (probabilities of :data:`models.shots.windows.CLASSES`), ``middle`` [B, 100] (whether
        a transition's middle lies between this frame and the next) and ``span`` [B, 100, 2]
        (frames since a transition's start and until its end, where there is one).
    """
    frames = keras.Input((WIDE, HEIGHT, WIDTH, 3), dtype="uint8", name="frames")
    trunk = keras.Input((WINDOW, TRUNK_WIDTH), name="trunk")
    scores = keras.Input((WINDOW, 2), name="scores")
    normal = keras.layers.Normalization
    figures = Comparisons(name="comparisons")(frames)
    # What lies further out than anything seen in training is cut off.
    figures = ops.clip(normal(name="figures_norm")(figures), -FARTHEST, FARTHEST)
    read = ops.clip(normal(name="trunk_norm")(trunk), -FARTHEST, FARTHEST)
    # The trunk says much twice: its principal axes hold what differs.
    read = keras.layers.Dense(AXES, use_bias=False, trainable=False, name="trunk_axes")(read)
    outputs = head(figures.shape[-1])([figures, read, scores])
    inputs = {"frames": frames, "trunk": trunk, "scores": scores}
    return keras.Model(inputs, outputs, name="shots")


def joint(trunk: Any, extension: Any) -> Any:
    """Put the published network and the extension together.

    Returns:
        A ``keras.Model`` from uint8 [B, 200, 27, 48, 3] to the fields of
        :class:`models.shots.windows.FrameScores`, of the middle 100 frames.
    """
    frames = keras.Input((WIDE, HEIGHT, WIDTH, 3), dtype="uint8", name="frames")
    read = with_features(trunk)(_now(frames))
    scores = ops.stack([read["cut"], read["transition"]], axis=-1)
    said = extension({"frames": frames, "trunk": read["features"], "scores": scores})
    outputs = {
        "cut": said["middle"],
        "transition": 1 - said["kinds"][..., 0],
        "kinds": said["kinds"],
        "span": said["span"],
        "published": ops.max(scores, axis=-1),
    }
    return keras.Model(frames, outputs, name="joint")


def head(figures: int) -> Any:
    """Build the part that learns: from normalised figures, the trunk's axes, and scores."""
    inputs = [
        keras.Input((WINDOW, figures), name="figures"),
        keras.Input((WINDOW, AXES), name="trunk"),
        keras.Input((WINDOW, 2), name="scores"),
    ]
    layers = keras.layers
    own = layers.Dense(_UNITS, activation="relu", name="figures_in")(inputs[0])
    read = layers.Dropout(0.2, name="trunk_dropout")(inputs[1])
    read = layers.Dense(_UNITS, activation="relu", name="trunk_in")(read)
    x = layers.Concatenate(name="joined")([own, read, inputs[2]])
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
    return keras.Model(inputs, outputs, name="head")


def _block(x: Any, dilation: int, name: str) -> Any:
    layers = keras.layers
    y = layers.LayerNormalization(name=f"{name}_norm")(x)
    y = layers.Conv1D(
        _UNITS, 3, dilation_rate=dilation, padding="same", activation="relu", name=f"{name}_time"
    )(y)
    y = layers.Dropout(0.2, name=f"{name}_dropout")(y)
    y = layers.Dense(_UNITS, name=f"{name}_out")(y)
    return layers.Add(name=f"{name}_add")([x, y])
