"""Comparing unchanged files with the journal, against a bare walk of the same folders.

The peer reads each folder with scandir and each file with lstat, and keeps nothing. The
comparison is what a watch does at start and on its period. The daemon's memory is that of a
real ``fxd run`` on the same storage, after its own comparison.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.bench import NULL_WATCH, journal_all, make_files, pause, resident_mib, studio
from benchmarks.row import Row, at_most, figure
from daemon.config_file import load_plan
from daemon.modes import WatchMode
from daemon.storage import read_marker
from daemon.watcher import Differs, Report, Watcher, WatcherSettings
from tests.studio import Studio

FOLDERS, FILES = 1000, 100
RUNS = 7


def bare_walk(top: str) -> int:
    """Scan and stat everything below a folder; return how many files there are."""
    count, stack = 0, [top]
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)
                else:
                    count += 1
    return count


def watcher(config: Path, reports: list[Report]) -> Watcher:
    """Return the daemon's own watcher of a configuration's one watch, not started."""
    plan = load_plan(config)
    marker = read_marker(plan.storage)
    assert marker is not None
    settings = WatcherSettings(
        storage=plan.storage, state=plan.state, marker=marker, notice=plan.config.notice
    )
    return Watcher(plan.watches[0], WatchMode.INOTIFY, settings, reports.append)


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def compare(it: Studio, count: int) -> tuple[float, float]:
    """Time walk and comparison in turn; return the median seconds of each."""
    reports: list[Report] = []
    ours = watcher(it.config, reports)
    top = str(it.storage / "in")
    assert bare_walk(top) == count
    ours._compare_everything()
    pairs = [
        (seconds(lambda: bare_walk(top)), seconds(ours._compare_everything)) for _ in range(RUNS)
    ]
    assert not [report for report in reports if isinstance(report, Differs)]
    return statistics.median(walk for walk, _ in pairs), statistics.median(own for _, own in pairs)


def memory(it: Studio) -> float:
    """Return the MiB that a daemon holds after it has compared everything."""
    it.start()
    time.sleep(2.0)
    return resident_mib(it.process.pid)


def run(quick: bool) -> list[Row]:  # noqa: FBT001 - called by its place
    """Measure with 1,000 folders of 100 files, or a tenth of that."""
    folders = FOLDERS // 10 if quick else FOLDERS
    with studio(NULL_WATCH) as it:
        it.start()
        pause(it)
        it.stop()
        make_files(it.storage / "in", folders, FILES)
        count = journal_all(it)
        assert count == folders * FILES
        walk, own = compare(it, count)
        held = memory(it)
        assert it.query("SELECT COUNT(*) FROM job") == [(count,)]
    return [
        figure("files", count, f"in {folders} folders"),
        figure("bare walk", walk, "s"),
        figure("comparison", own, "s"),
        at_most("comparison / bare walk", own / walk, "times", 1.5),
        at_most("daemon's memory after its own", held, "MiB", 120),
    ]
