"""What a run keeps, so that one that was killed goes on: all numbers, to the bit."""

from __future__ import annotations

import json
import os
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle import import_keras

FILE = "checkpoint.npz"
# What reading makes of a file that was cut off, or that never was one of these.
_DAMAGE = (
    OSError, ValueError, EOFError, LookupError, TypeError, AttributeError, RuntimeError,
    SyntaxError, tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


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
    """Write all state beside the last one, then take its place; a power cut leaves either whole."""
    partial = folder / f".{FILE}"
    told = json.dumps(asdict(state) | {"key": key})
    keras = import_keras()
    arrays = {f"v{n}": keras.ops.convert_to_numpy(v) for n, v in enumerate(variables)}
    arrays |= {f"b{n}": values for n, values in enumerate(best)}
    with partial.open("wb") as file:
        np.savez(file, state=np.array(told), **arrays)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / FILE)


def restore(folder: Path, key: str, variables: Sequence[Any]) -> tuple[State, list[Any]] | None:
    """Read what was kept of a run of the same ``key`` into variables.

    Returns:
        The state and the best weights; None where there are none, or where the file is damaged:
        then nothing is changed, and training begins anew.
    """
    try:
        kept = _read(folder / FILE)
        told = json.loads(str(kept.pop("state")))
        if told.pop("key") != key:
            return None
        told["points"] = [Point(**point) for point in told["points"]]
        state = State(**told)
        values = [kept[f"v{number}"] for number in range(len(variables))]
        best = [kept[f"b{n}"] for n in range(sum(name.startswith("b") for name in kept))]
    except _DAMAGE:
        return None
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return state, best


def _read(path: Path) -> dict[str, NDArray[Any]]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
        return {name: kept[name] for name in kept.files}
