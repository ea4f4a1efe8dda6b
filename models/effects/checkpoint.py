"""What a run keeps, so that one that was killed goes on: all numbers, to the bit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.bundle import import_keras

FILE = "checkpoint.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What was known at one step of the network's training: for the curve.

    ``loss`` is that of the steps since the last point, ``held_out`` the PSNR in dB of the held-out
    pairs, None where there are none.
    """

    step: int
    loss: float
    held_out: float | None


@dataclass(slots=True, kw_only=True)
class State:
    """Where a run is: steps done and planned, seconds used, and what it saw so far."""

    step: int = 0
    planned: int = 0
    seconds: float = 0.0
    losses: list[float]
    points: list[Point]
    best: float | None = None
    best_step: int = 0


def save(folder: Path, key: str, state: State, variables: Sequence[Any], best: list[Any]) -> None:
    """Write all state beside the last one, then take its place."""
    partial = folder / f".{FILE}"
    told = json.dumps(asdict(state) | {"key": key})
    keras = import_keras()
    arrays = {f"v{n}": keras.ops.convert_to_numpy(v) for n, v in enumerate(variables)}
    arrays |= {f"b{n}": values for n, values in enumerate(best)}
    np.savez(partial, state=np.array(told), **arrays)
    partial.replace(folder / FILE)


def restore(folder: Path, key: str, variables: Sequence[Any]) -> tuple[State, list[Any]] | None:
    """Read what was kept of a run of the same ``key`` into variables; None where there is none."""
    path = folder / FILE
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as kept:
        told = json.loads(str(kept["state"]))
        if told.pop("key") != key:
            return None
        for number, variable in enumerate(variables):
            variable.assign(kept[f"v{number}"])
        best = [kept[f"b{n}"] for n in range(sum(name.startswith("b") for name in kept.files))]
    told["points"] = [Point(**point) for point in told["points"]]
    return State(**told), best
