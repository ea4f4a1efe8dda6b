"""What all trainings that ``fxd learn`` starts have in common.

Each runs in a process of its own, tells lines to a person, and goes on in its folder where a
stopped run of the same settings was.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from models.errors import FxdError

ORDER_FILE = "order.json"


def say(line: str) -> None:
    """Tell the person who waits."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def arguments(name: str) -> argparse.ArgumentParser:
    """Return a parser of what ``fxd learn NAME`` passes to every training."""
    parser = argparse.ArgumentParser(prog=f"fxd learn {name}")
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--quick", action="store_true")
    return parser


def carried_out(learn: Callable[[], object]) -> int:
    """Run a training and return the exit code; what went wrong is one sentence for a person."""
    try:
        learn()
    except FxdError as error:
        sys.stderr.write(f"fxd: {error}\n")
        return 1
    return 0


def claim(folder: Path, data: str, told: Mapping[str, Any]) -> None:
    """Make a run's folder; what a run of other settings left there is deleted.

    Args:
        folder: Where checkpoints and figures of the run are kept.
        data: A digest of all that the result follows from.
        told: The settings, kept beside it for whoever looks.
    """
    path = folder / ORDER_FILE
    text = json.dumps({"data": data, **told}, indent=1, default=str)
    known = json.loads(path.read_text(encoding="utf-8"))["data"] if path.is_file() else data
    if known != data:
        say("The last run had other settings or material: begun anew.")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def once(path: Path, make: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Return what a stopped run has measured already, else measure it and keep it."""
    if path.is_file():
        kept: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
        return kept
    made = make()
    path.write_text(json.dumps(made), encoding="utf-8")
    return made
