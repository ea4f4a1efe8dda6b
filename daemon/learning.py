"""``fxd learn``: training, in a process of its own, so that fxd itself stays small."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from daemon.status import state_folder

_SHOTS, _VOICE = "models.shots.learn", "models.enhance.learn"
Told = Iterable[tuple[str, Sequence[Path]]]


def learn_shots(config: Path, told: Told, *, quick: bool, seed: int) -> int:
    """Train the shot network's extension; its lines go to the terminal.

    Args:
        config: Names the state folder, in which the run and the new model go.
        told: Options and the folders that each is given, as they were on the command line.
        quick: Whether to train only as much as shows that everything works.
        seed: What every choice of the run follows from; the model's card names it.

    Returns:
        The exit code: 0 done, also where the new model is not put into use; 1 failed.
    """
    return _train(_SHOTS, config, "shots", told, ["--seed", str(seed)], quick=quick)


def learn_voice(config: Path, told: Told, *, steps: int, quick: bool, seed: int) -> int:
    """Train on the network that cleans dialogue; see :func:`learn_shots`.

    Args:
        config: Names the state folder.
        told: Options and their folders.
        steps: How long to train.
        quick: Whether to train only as much as shows that everything works.
        seed: Chooses what is trained on, and how.
    """
    more = ["--steps", str(steps), "--seed", str(seed)]
    return _train(_VOICE, config, "voice", told, more, quick=quick)


def learn_effect(
    name: str,
    module: str,
    config: Path,
    told: Told,
    *,
    steps: int | None,
    quick: bool,
    seed: int,
) -> int:
    """Train the network of a built-in effect; see :func:`learn_shots`.

    Args:
        name: The effect, after which the run's folder is named.
        module: What trains it.
        config: Names the state folder.
        told: Options and their folders.
        steps: How long to train; None leaves it to the module.
        quick: Whether to train only as much as shows that everything works.
        seed: What every choice of the run follows from.
    """
    more = ["--seed", str(seed)] + ([] if steps is None else ["--steps", str(steps)])
    return _train(module, config, name, told, more, quick=quick)


def _train(
    module: str, config: Path, name: str, told: Told, more: Sequence[str] = (), *, quick: bool
) -> int:
    state = state_folder(config)
    command = [sys.executable, "-m", module, "--models", str(state / "models")]
    command += ["--folder", str(state / "learn" / (f"{name}-quick" if quick else name)), *more]
    for option, folders in told:
        for folder in folders:
            command += [option, str(folder.absolute())]
    return subprocess.run(command + ["--quick"] * quick, check=False).returncode
