"""``fxd learn``: training, in a process of its own, so that fxd itself stays small."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from daemon.status import state_folder

_MODULE = "models.shots.learn"


def learn_shots(
    config: Path, told: Iterable[tuple[str, Sequence[Path]]], *, quick: bool, seed: int
) -> int:
    """Train the shot network's extension; its lines go to the terminal.

    Args:
        config: Names the state folder, in which the run and the new model go.
        told: Options and the folders that each is given, as they were on the command line.
        quick: Whether to train only as much as shows that everything works.
        seed: What every choice of the run follows from; the model's card names it.

    Returns:
        The exit code: 0 done, also where the new model is not put into use; 1 failed.
    """
    state = state_folder(config)
    command = [sys.executable, "-m", _MODULE, "--models", str(state / "models")]
    command += [
        "--seed",
        str(seed),
        "--folder",
        str(state / "learn" / ("shots-quick" if quick else "shots")),
    ]
    for option, folders in told:
        for folder in folders:
            command += [option, str(folder.absolute())]
    return subprocess.run(command + ["--quick"] * quick, check=False).returncode
