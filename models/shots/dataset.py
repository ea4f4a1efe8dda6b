"""Training windows: generated or corrected sequences, what is true of them, what the trunk says.

The trunk's answers do not change while only the extension learns, so a window goes
through it once. That costs ten times what the window itself does, so most windows do
without it. All are kept in shards; a run that was stopped goes on at the first shard that
is missing.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.shots.material import Footage, read_folder
from models.shots.sequences import Plan, sequence
from models.shots.transitions import Example, Kind, Label
from models.shots.windows import AROUND, WIDE, WINDOW

SHARD = 10
FIELD = 3  # pixels of a frame along a field's side
UNKNOWN = 0.5  # both scores, where the trunk was not asked
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
Trunk = Callable[[NDArray[np.uint8]], NDArray[np.float32]]  # its scores, [100, 2]


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


def window(footage: Sequence[Footage], plan: Plan, seed: int, number: int) -> Example:
    """Make one window of a generated set."""
    return sequence(footage, plan, WIDE, (seed, number))


def fields(frames: NDArray[np.uint8]) -> NDArray[np.float16]:
    """What the extension's first layer makes of frames [n, 27, 48, 3]: float16 [n, 144, 3]."""
    count, height, width, _ = frames.shape
    parts = frames.reshape(count, height // FIELD, FIELD, width // FIELD, FIELD, 3)
    means: NDArray[np.float16] = parts.mean(axis=(2, 4), dtype=np.float32).astype(np.float16)
    return means.reshape(count, -1, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Which windows to generate: what they are made of, how, and from which seed."""

    folders: tuple[Path, ...]
    plan: Plan
    seed: int


def generate(folder: Path, recipe: Recipe, numbers: range, say: Report) -> None:
    """Cache generated windows, without the trunk, in as many processes as there are cores.

    Args:
        folder: Where the shards go; those that are there are kept.
        recipe: What the windows are made of; the same one makes the same windows.
        numbers: Of all windows, counted up by one.
        say: Told after each shard.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [(path, some) for path, some in _shards(folder, numbers) if not path.exists()]
    if not missing:
        return
    # TensorFlow may run in this process, and what it holds does not survive a fork.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        os.cpu_count(), mp_context=spawn, initializer=_read_footage, initargs=(recipe,)
    ) as pool:
        jobs = [pool.submit(_generate, path, some) for path, some in missing]
        for done, job in enumerate(as_completed(jobs), 1):
            job.result()
            say(f"{done} of {len(jobs)} parts of {folder.name} are ready.")


_making: list[tuple[Recipe, list[Footage]]] = []  # what a generating process has read


def _read_footage(recipe: Recipe) -> None:
    footage = [item for folder in recipe.folders for item in read_folder(folder)]
    _making.append((recipe, footage))


def _generate(path: Path, numbers: range) -> None:
    recipe, footage = _making[-1]
    made = (window(footage, recipe.plan, recipe.seed, number) for number in numbers)
    _write_shard(path, [_row(example, None) for example in made])


def write_shards(
    folder: Path, examples: Callable[[int], Example], numbers: range, trunk: Trunk, say: Report
) -> None:
    """Cache windows, each with what the trunk says of its middle 100 frames.

    Args:
        folder: Where the shards go; those that are there are kept.
        examples: Gives the window of a number.
        numbers: Of all windows, counted up by one.
        trunk: Asked about each.
        say: Told after each shard.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path, some in _shards(folder, numbers):
        if not path.exists():
            _write_shard(path, [_row(examples(number), trunk) for number in some])
            say(f"{some.stop - numbers.start} of {len(numbers)} windows are ready.")


def _shards(folder: Path, numbers: range) -> list[tuple[Path, range]]:
    starts = range(numbers.start, numbers.stop, SHARD)
    return [
        (folder / f"{start:06d}.npz", range(start, min(start + SHARD, numbers.stop)))
        for start in starts
    ]


def _row(example: Example, trunk: Trunk | None) -> dict[str, NDArray[Any]]:
    true = targets(example.labels, AROUND, WINDOW)
    row: dict[str, NDArray[Any]] = {name: getattr(true, name) for name in Targets.__slots__}
    row["fields"] = fields(example.frames)
    row["scores"] = np.full((WINDOW, 2), UNKNOWN, np.float32)
    if trunk is not None:
        row["scores"] = trunk(example.frames[AROUND : AROUND + WINDOW])
    return row


def _write_shard(path: Path, rows: Sequence[dict[str, NDArray[Any]]]) -> None:
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        np.savez(file, **{name: np.stack([row[name] for row in rows]) for name in rows[0]})
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def read_shards(folders: Iterable[Path]) -> dict[str, NDArray[Any]]:
    """Read the shards of several folders: each column with one row a window.

    Where the trunk was not asked both ``scores`` are 0.5.
    """
    shards = []
    for path in (path for folder in folders for path in sorted(folder.glob("*.npz"))):
        with np.load(path, allow_pickle=False) as shard:
            shards.append({name: shard[name] for name in shard.files})
    return {name: np.concatenate([shard[name] for shard in shards]) for name in shards[0]}


def backwards(row: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Play a window from its end: every transition is one backwards, too.

    The trunk would say nearly the same of it, so its scores are turned as well.

    Args:
        row: ``fields``, ``scores`` and the columns of :class:`Targets`, of one window.
    """
    kind = row["kind"][::-1].copy()
    cut = kind == CLASS_OF[Kind.CUT]
    kind[cut] = 0
    # A mark stands at the last frame before what it marks, so played from the end one earlier.
    kind[:-1][cut[1:]] = CLASS_OF[Kind.CUT]
    middle = np.append(row["middle"][::-1][1:], np.float32(0))
    cuts, parts = row["scores"][::-1].T
    gradual = kind > CLASS_OF[Kind.CUT]
    before, after = (row[name][::-1] for name in ("after", "before"))
    return {
        "fields": row["fields"][::-1],
        "scores": np.stack([np.append(cuts[1:], cuts[-1:]), parts], axis=-1),
        "kind": kind,
        "middle": middle,
        "before": np.where(gradual, before - 1, 0).astype(np.float32),
        "after": np.where(gradual, after + 1, kind).astype(np.float32),
    }
