"""Training windows: generated or corrected sequences, what is true of them, what the trunk says.

The trunk's answers do not change while only the extension learns, so each window goes
through it once. They are kept in shards; a run that was stopped goes on at the first
shard that is missing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.shots.material import Footage
from models.shots.sequences import Plan, sequence
from models.shots.transitions import Example, Kind, Label
from models.shots.windows import AROUND, WIDE, WINDOW

SHARD = 20
# The order of the extension's classes.
CLASSES = ("none", "cut", "dissolve", "dip", "wipe")
CLASS_OF = {
    Kind.CUT: 1,
    Kind.DISSOLVE: 2,
    Kind.DIP_BLACK: 3,
    Kind.DIP_WHITE: 3,
    Kind.FADE_OUT: 3,
    Kind.FADE_IN: 3,
    Kind.WIPE: 4,
}

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What is true of n frames.

    ``kind``: which class each frame belongs to, int8 [n]; of a cut the last old frame.
    ``middle``: 1 at the last frame before a transition's middle, float32 [n].
    ``before``, ``after``: frames since its first and until its end, float32 [n], 0 outside.
    """

    kind: NDArray[np.int8]
    middle: NDArray[np.float32]
    before: NDArray[np.float32]
    after: NDArray[np.float32]


def targets(labels: Iterable[Label], first: int, count: int) -> Targets:
    """Write labels out for the frames from ``first`` on."""
    made = Targets(
        kind=np.zeros(count, np.int8),
        middle=np.zeros(count, np.float32),
        before=np.zeros(count, np.float32),
        after=np.zeros(count, np.float32),
    )
    for label in labels:
        start, end = label.start - first, label.end - first
        if end == start:
            start -= 1
        at = np.arange(max(0, start), max(0, min(end, count)))
        made.kind[at] = CLASS_OF[label.kind]
        made.before[at], made.after[at] = at - start, end - at
        marked = label.boundary - 1 - first
        if 0 <= marked < count:
            made.middle[marked] = 1
    return made


def generated(footage: Sequence[Footage], plan: Plan, seed: int, numbers: range) -> Any:
    """Make windows as a ``tf.data.Dataset`` of (frames uint8 [200, 27, 48, 3], number).

    Args:
        footage: What to film.
        plan: What to make of it.
        seed: Of the whole set.
        numbers: Which of its windows.
    """
    import tensorflow as tf  # noqa: PLC0415 - labels are written out without it

    def made(number: Any) -> Any:
        return window(footage, plan, seed, int(number)).frames

    def one(number: Any) -> Any:
        frames = tf.numpy_function(made, [number], tf.uint8)
        return tf.ensure_shape(frames, (WIDE, 27, 48, 3)), number

    numbered = tf.data.Dataset.range(numbers.start, numbers.stop)
    # One at a time and in order: the trunk takes far longer than the generator.
    return numbered.map(one, num_parallel_calls=1, deterministic=True).prefetch(2)


def window(footage: Sequence[Footage], plan: Plan, seed: int, number: int) -> Example:
    """Make one window of a generated set."""
    return sequence(footage, plan, WIDE, (seed, number))


def write_shards(
    folder: Path, examples: Callable[[range], Iterator[Example]], count: int, trunk: Any, say: Report
) -> None:
    """Cache ``count`` windows, each with what the trunk says of its middle 100 frames.

    Args:
        folder: Where the shards go; those that are there are kept.
        examples: Gives the windows of a range of numbers.
        count: Windows.
        trunk: :class:`models.shots.extension.Trunk`.
        say: Told after each shard.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(0, count, SHARD):
        path = folder / f"{start:06d}.npz"
        if not path.exists():
            _write_shard(path, examples(range(start, min(start + SHARD, count))), trunk)
            say(f"{min(start + SHARD, count)} of {count} windows are ready.")


def _write_shard(path: Path, examples: Iterator[Example], trunk: Any) -> None:
    kept: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for example in examples:
        said = trunk(example.frames[AROUND : AROUND + WINDOW])
        true = targets(example.labels, AROUND, WINDOW)
        row = (example.frames, said.features, said.cut, said.transition)
        row += (true.kind, true.middle, true.before, true.after)
        for name, value in zip(_COLUMNS, row, strict=True):
            kept[name].append(value)
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        np.savez(file, **{name: np.stack(values) for name, values in kept.items()})
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


_COLUMNS = ("frames", "features", "cut", "transition", "kind", "middle", "before", "after")


def read_shards(folder: Path) -> dict[str, NDArray[Any]]:
    """Read all shards of a folder: each column with one row a window."""
    shards = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as shard:
            shards.append({name: shard[name] for name in _COLUMNS})
    return {name: np.concatenate([shard[name] for shard in shards]) for name in _COLUMNS}
