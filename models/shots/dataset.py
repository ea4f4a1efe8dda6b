"""Training windows: generated or corrected sequences, what is true of them, what the trunk says.

The trunk's answers do not change while only the extension learns, so each window goes
through it once. They are kept in shards; a run that was stopped goes on at the first
shard that is missing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.shots.material import Footage
from models.shots.sequences import Plan, sequence
from models.shots.transitions import Example, Kind, Label
from models.shots.windows import AROUND, TRUNK_WIDTH, WIDE, WINDOW, Said

SHARD = 10
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """What is read from a window: the direct comparisons, and, unless None, the trunk.

    Windows without the trunk cost a tenth; the extension learns from both.
    """

    figures: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
    trunk: Callable[[NDArray[np.uint8]], Said] | None = None


def write_shards(
    folder: Path, examples: Callable[[int], Example], numbers: range, read: Readers, say: Report
) -> None:
    """Cache windows, each with what is read from its middle 100 frames.

    Args:
        folder: Where the shards go; those that are there are kept.
        examples: Gives the window of a number.
        numbers: Of all windows, counted up by one.
        read: How they are read.
        say: Told after each shard.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(numbers.start, numbers.stop, SHARD):
        path = folder / f"{start:06d}.npz"
        some = range(start, min(start + SHARD, numbers.stop))
        if not path.exists():
            _write_shard(path, [_row(examples(number), read) for number in some])
            say(f"{some.stop - numbers.start} of {len(numbers)} windows are ready.")


def _row(example: Example, read: Readers) -> dict[str, NDArray[Any]]:
    true = targets(example.labels, AROUND, WINDOW)
    row: dict[str, NDArray[Any]] = {name: getattr(true, name) for name in Targets.__slots__}
    row["figures"] = read.figures(example.frames)
    if read.trunk is not None:
        said = read.trunk(example.frames[AROUND : AROUND + WINDOW])
        row["features"] = said.features
        row["scores"] = np.stack([said.cut, said.transition], axis=-1)
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

    Where the trunk was not asked ``features`` are zero, ``scores`` 0.5 and ``asked`` False.
    """
    shards = []
    for path in (path for folder in folders for path in sorted(folder.glob("*.npz"))):
        with np.load(path, allow_pickle=False) as shard:
            shards.append(_whole({name: shard[name] for name in shard.files}))
    return {name: np.concatenate([shard[name] for shard in shards]) for name in shards[0]}


def _whole(shard: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    count = len(shard["kind"])
    shard["asked"] = np.full(count, "features" in shard)
    if "features" not in shard:
        shard["features"] = np.zeros((count, WINDOW, TRUNK_WIDTH), np.float16)
        shard["scores"] = np.full((count, WINDOW, 2), UNKNOWN, np.float32)
    return shard
