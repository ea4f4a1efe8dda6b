"""Trains the network of an effect: ``tf.data`` in, a plain loop, seed fixed, resumable."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.effects import checkpoint, network
from models.effects.checkpoint import Point, State
from models.effects.examples import Neighbours, Pair, channels, stands_still
from models.effects.look import Look
from models.effects.lut import Lut
from models.effects.sampling import Batch, Crops, Sampler
from models.effects.settings import Check, Progress, Report, Settings, Size
from models.errors import ModelError, OtherNetworkError

Array = NDArray[Any]

_EPSILON = 1e-3
# Of two neighbouring pictures, what differs less than this is the same thing.
_SAME = 0.02
_CALM = 0.2
_WARM = 20
# Some of the time is for what comes after the last step.
_SPARE = 0.95
_MEASURED = 10
_LEAST_RATE = 0.01
_TOLD_EVERY = 2.0  # seconds
_SAVED_EVERY = 20.0
_LOOKS = 20
_PATIENCE = 6


_SEEN = [
    tf.TensorSpec(shape, tf.float32) for shape in ((1, None, None, 3), (1, 4), (1, None, None, 3))
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How networks of one size are trained; ``rate`` is the highest learning rate."""

    steps: int
    rate: float
    crops: Crops
    policy: str = "float32"


RECIPES: dict[Size, Recipe] = {
    "small": Recipe(
        steps=1200,
        rate=1.5e-3,
        crops=Crops(side=128, margin=16, batch=4, pictures=2, neighbours=1),
    ),
    "medium": Recipe(
        steps=8000,
        rate=1e-3,
        crops=Crops(side=256, margin=32, batch=8, pictures=4, neighbours=2),
        policy="mixed_bfloat16",
    ),
    "large": Recipe(
        steps=20000,
        rate=6e-4,
        crops=Crops(side=320, margin=48, batch=12, pictures=6, neighbours=3),
        policy="mixed_bfloat16",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material:
    """What a network is trained and looked at with."""

    pairs: Sequence[Pair]
    held_out: Sequence[Pair]
    unlabelled: Sequence[Neighbours]


class NetworkTrainer:
    """Trains the network after a table.

    Args:
        material: Pairs and the like.
        lut: The table.
        settings: How.
        folder: The run's folder; a checkpoint in it is gone on from.
        initial: An earlier model to begin from, or None.
    """

    def __init__(
        self,
        material: Material,
        lut: Lut,
        settings: Settings,
        folder: Path,
        initial: Any | None = None,
    ) -> None:
        self._material, self._settings, self._folder = material, settings, folder
        self._recipe = RECIPES[settings.size]
        self._policy = self._recipe.policy if tf.config.list_physical_devices("GPU") else "float32"
        keras.utils.set_random_seed(settings.seed)
        # The same seed and pairs give the same weights, bit for bit, on the same machine.
        tf.config.experimental.enable_op_determinism()
        self._lut = lut
        self._memory = remembered(
            [*material.pairs, *material.held_out], initial, locked=settings.locked
        )
        self._model = network.build(settings.size, lut, self._policy, self._memory)
        if initial is not None:
            begin_from(self._model, initial)
        self._tuned = initial is not None
        self._trained = [v for v in self._model.trainable_variables if not v.path.startswith("lut")]
        self._rate = tf.Variable(0.0, dtype=tf.float32)
        self._optimizer = keras.optimizers.Adam(self._recipe.rate, beta_2=0.99, clipnorm=1.0)
        self._optimizer.build(self._trained)
        self._sampler = Sampler(
            material.pairs, material.unlabelled, lut, self._recipe.crops, settings
        )
        self._step = tf.function(self._one_step, reduce_retracing=True)
        self._looked_at = [Look(pair, network.SHAPES[settings.size]) for pair in material.held_out]
        self._see = tf.function(self._seen, input_signature=_SEEN)
        self._state, self._best = self._begun()

    @property
    def key(self) -> str:
        """What a checkpoint must be of to be gone on from."""
        sizes = [(pair.name, *pair.size) for pair in self._material.pairs]
        error = float(np.abs(self._lut.table, dtype=np.float64).sum())
        return repr((asdict(self._settings), channels(self._material.pairs), sizes, error))

    def _begun(self) -> tuple[State, list[Array]]:
        wanted = self._settings.steps or self._recipe.steps
        kept = checkpoint.restore(self._folder, self.key, self._variables())
        return kept or (State(planned=wanted, losses=[], points=[]), [])

    def _variables(self) -> list[Any]:
        return [*self._trained, *self._optimizer.variables]

    def train(self, seconds: float, report: Report, check: Check) -> tuple[Any, str]:
        """Train to the last step, or until nothing gets better, or for so many seconds.

        Returns:
            The model at its best, in single precision, and how it ended: see
            :class:`models.effects.training.Trained`.

        Raises:
            ModelError: The loss is no number any more.
        """
        state, clock = self._state, _Clock(self._state.seconds)
        ended = self._loop(clock, seconds, report, check)
        state.seconds = clock.used()
        self._save()
        return self._finished(), ended

    def _loop(self, clock: _Clock, seconds: float, report: Report, check: Check) -> str:
        state = self._state
        for batch in self._dataset(state.step):
            if state.step >= state.planned:
                break
            self._learn(batch)
            check()
            state.seconds = clock.used()
            self._plan(clock, seconds)
            if self._is_time_to_look():
                self._look()
                if self._is_stale():
                    return "early"
            self._tell(clock, report)
            if clock.since("saved") > _SAVED_EVERY:
                self._save()
                clock.mark("saved")
        wanted = self._settings.steps or self._recipe.steps
        return "done" if state.planned >= wanted else "time"

    def _dataset(self, first: int) -> Any:
        """Return the batches from a step on, cut while the network works."""
        one = self._sampler.batch(first)
        shapes = {name: tf.TensorSpec(_open(name, v.shape), tf.float32) for name, v in one.items()}

        def batches() -> Iterator[Batch]:
            return self._sampler.batches(first)

        return tf.data.Dataset.from_generator(batches, output_signature=shapes).prefetch(2)

    def _learn(self, batch: Any) -> None:
        state = self._state
        share = state.step / max(1, state.planned)
        warm = min(1.0, (state.step + 1) / _WARM)
        falling = _LEAST_RATE + (1 - _LEAST_RATE) * (1 + math.cos(math.pi * share)) / 2
        self._rate.assign(self._recipe.rate * warm * falling * (0.3 if self._tuned else 1.0))
        loss = float(self._step(batch))
        state.step += 1
        state.losses.append(loss)
        if not math.isfinite(loss):
            raise ModelError(
                f"Training came apart at step {state.step:,}: its loss is no number any more. "
                "Look for pictures with infinite values, or begin again with another seed."
            )

    def _one_step(self, batch: Any) -> Any:
        with tf.GradientTape() as tape:
            inputs = {name: batch[name] for name in ("picture", "place", "whole")}
            result = self._model(inputs, training=True)["result"]
            size = tf.reduce_sum(batch["weight"]) * result.shape[-1] + 1e-6
            away = tf.sqrt(tf.square(result - batch["after"]) + _EPSILON**2) - _EPSILON
            loss = total = tf.reduce_sum(away * batch["weight"]) / size
            if "first" in batch:
                total += _CALM * self._restlessness(batch)
        gradients = tape.gradient(total, [variable.value for variable in self._trained])
        self._optimizer.learning_rate = self._rate
        self._optimizer.apply(gradients, self._trained)
        return loss

    def _restlessness(self, batch: Any) -> Any:
        """Return how much what is added changes from picture to picture where those do not."""
        rests = [
            self._model(
                {"picture": batch[name], "place": batch["place2"], "whole": batch["whole2"]},
                training=True,
            )["rest"]
            for name in ("first", "second")
        ]
        apart = tf.reduce_max(tf.abs(batch["second"] - batch["first"]), axis=-1, keepdims=True)
        return tf.reduce_mean(tf.exp(-apart / _SAME) * tf.abs(rests[1] - rests[0]))

    def _plan(self, clock: _Clock, seconds: float) -> None:
        """Take fewer steps where there is no time for all; more again when it goes faster."""
        state = self._state
        clock.step()
        if clock.steps < _MEASURED:
            return
        possible = state.step + int((_SPARE * seconds - clock.used()) / clock.each())
        wanted = self._settings.steps or self._recipe.steps
        # Late on the rate has fallen: raising it again would only begin anew.
        faster = state.step < state.planned / 2 and possible > 1.1 * state.planned
        if possible < state.planned or faster:
            state.planned = min(wanted, max(state.step, possible))

    def _is_time_to_look(self) -> bool:
        state = self._state
        every = max(10, state.planned // _LOOKS)
        return state.step % every == 0 or state.step >= state.planned

    def _look(self) -> None:
        """Add a point to the curve; keep the weights where they are the best so far."""
        state = self._state
        seen = self._held_out()
        loss = float(np.mean(state.losses)) if state.losses else math.nan
        state.losses.clear()
        state.points.append(Point(step=state.step, loss=loss, held_out=seen))
        if seen is not None and (state.best is None or seen > state.best):
            state.best, state.best_step = seen, state.step
            self._best = [keras.ops.convert_to_numpy(v) for v in self._trained]

    def _held_out(self) -> float | None:
        if not self._looked_at:
            return None
        error = float(np.mean([look.error(self._see) for look in self._looked_at]))
        return -10 * math.log10(max(error, 1e-12))

    def _seen(self, picture: Any, place: Any, whole: Any) -> Any:
        inputs = {"picture": picture, "place": place, "whole": whole}
        return self._model(inputs, training=False)["result"]

    def _is_stale(self) -> bool:
        """Say whether the held-out pairs have got no better for long."""
        state = self._state
        if state.best is None:
            return False
        every = max(10, state.planned // _LOOKS)
        return state.step - state.best_step >= _PATIENCE * every

    def _tell(self, clock: _Clock, report: Report) -> None:
        if clock.since("told") < _TOLD_EVERY:
            return
        clock.mark("told")
        state = self._state
        points = state.points
        recent = state.losses[-20:] or [point.loss for point in points[-1:]]
        report(
            Progress(
                stage="network",
                fraction=state.step / max(1, state.planned),
                step=state.step,
                steps=state.planned,
                loss=float(np.mean(recent)) if recent else None,
                held_out=points[-1].held_out if points else None,
                left=(state.planned - state.step) * clock.each() if clock.steps > 2 else None,
            )
        )

    def _save(self) -> None:
        checkpoint.save(self._folder, self.key, self._state, self._variables(), self._best)

    def _finished(self) -> Any:
        for variable, values in zip(self._trained, self._best, strict=bool(self._best)):
            variable.assign(values)
        # Whoever applies it may have no GPU, and half precision is slow without one.
        plain = network.build(self._settings.size, self._lut, memory=self._memory)
        plain.set_weights(self._model.get_weights())
        return plain

    @property
    def locked(self) -> bool:
        """Say whether it remembers places."""
        return self._memory is not None

    @property
    def points(self) -> tuple[Point, ...]:
        """The curve so far."""
        return tuple(self._state.points)


class _Clock:
    """Says how long things take, those before a restart included."""

    def __init__(self, before: float) -> None:
        self._began = time.monotonic() - before
        self._marks: dict[str, float] = {}
        self._first = 0.0
        self.steps = 0

    def used(self) -> float:
        return time.monotonic() - self._began

    def step(self) -> None:
        # The first step compiles, which no other does.
        if self.steps == 0:
            self._first = time.monotonic()
        self.steps += 1

    def each(self) -> float:
        return (time.monotonic() - self._first) / max(1, self.steps - 1)

    def since(self, what: str) -> float:
        now = time.monotonic()
        return now - self._marks.setdefault(what, now)

    def mark(self, what: str) -> None:
        self._marks[what] = time.monotonic()


def _open(name: str, shape: tuple[int, ...]) -> tuple[int | None, ...]:
    """Small pictures may differ in size from step to step."""
    return (shape[0], None, None, 3) if name.startswith("whole") else shape


def remembered(
    pairs: Sequence[Pair], initial: Any | None = None, *, locked: bool | None = None
) -> tuple[int, int] | None:
    """Return how large a memory of places shall be, or None where there shall be none.

    Args:
        pairs: All of them.
        initial: The model to begin from, which decides where it has a network.
        locked: What a person says of the camera; None looks whether it stands still.

    Raises:
        OtherNetworkError: That one is otherwise than was asked for.
    """
    if initial is None or len(initial.inputs) == 1:
        locked = stands_still(pairs) if locked is None else locked
        return network.memory_for(pairs[0].size) if locked else None
    kept = network.memory_of(initial)
    if locked is not None and locked != (kept is not None):
        does = "does not remember" if locked else "remembers"
        raise OtherNetworkError(
            f"The effect to begin from {does} places of a locked-off shot: begin from another one "
            "or from none, or take locked_off away."
        )
    return kept


def begin_from(model: Any, initial: Any) -> None:
    """Take over what an earlier model's network learnt, where it is of the same kind.

    Raises:
        OtherNetworkError: It is of another kind.
    """
    if len(initial.inputs) == 1:
        return
    names = {layer.name for layer in model.layers if layer.weights} - {"lut"}
    for name in sorted(names):
        try:
            model.get_layer(name).set_weights(initial.get_layer(name).get_weights())
        except ValueError as error:
            raise OtherNetworkError(
                f"The effect to begin from has a network of another size ({initial.name} rather "
                f"than {model.name}): set the size that it was learnt with."
            ) from error
