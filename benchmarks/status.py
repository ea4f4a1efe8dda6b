"""How soon the command line answers, with 10,000 jobs in the journal.

The limit is absolute: a person waits for it. The ratio is to a Python that imports the three
libraries that a command needs at least. All commands are run in turn, many times, and the
median counts.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.bench import NULL_WATCH, journal_all, make_files, pause, studio
from benchmarks.row import Row, at_most, figure
from tests.studio import Studio

JOBS, RUNS = 10_000, 15
LIMIT = 0.4
FXD = Path(sys.executable).with_name("fxd")
BARE = "python -c 'import typer, rich, yaml'"
COMMANDS = ("status", "status --json", "show 5000", "pause", "check-config", "models list")
STOPPED = ("status", "pause")


def answer_time(it: Studio, command: list[str]) -> float:
    """Return the seconds that a command takes from start to end."""
    environment = it.environment | {"FXD_CONFIG": str(it.config)}
    environment["PYTHONPATH"] = environment["PYTHONPATH"].partition(os.pathsep)[0]
    # What is installed has been compiled once; else each answer would compile fxd's own modules.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
    return time.perf_counter() - began


def in_turn(it: Studio, commands: dict[str, list[str]], runs: int) -> dict[str, float]:
    """Run all commands in turn; return the median seconds of each."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            times[name].append(answer_time(it, command))
    return {name: statistics.median(each) for name, each in times.items()}


def fxd(names: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the command lines of fxd commands, and of the bare Python beside them."""
    ours = {f"fxd {name}": [str(FXD), *name.split()] for name in names}
    return {BARE: [sys.executable, "-c", "import typer, rich, yaml"]} | ours


def rows(times: dict[str, float], suffix: str) -> list[Row]:
    """Hold the times of commands against the limit."""
    limited = [name for name in times if name != BARE]
    return [at_most(f"{name}{suffix}", times[name], "s", LIMIT) for name in limited]


def run(quick: bool) -> list[Row]:  # noqa: FBT001 - called by its place
    """Measure 15 answers of each command, or 3, while the daemon runs and when it does not."""
    runs = 3 if quick else RUNS
    with studio(NULL_WATCH) as it:
        it.start()
        pause(it)
        it.stop()
        make_files(it.storage / "in", JOBS // 100, 100)
        assert journal_all(it) == JOBS
        it.start()
        running = in_turn(it, fxd(COMMANDS), runs)
        it.stop()
        stopped = in_turn(it, fxd(STOPPED), runs)
    return [
        figure("jobs in the journal", JOBS, ""),
        figure(BARE, running[BARE], "s"),
        figure("fxd status / bare imports", running["fxd status"] / running[BARE], "times"),
        *rows(running, ""),
        *rows(stopped, ", daemon stopped"),
    ]
