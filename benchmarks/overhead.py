"""What the daemon itself costs a job: null jobs, one child, everything durable.

The files are journaled while the daemon is paused; measured is the time from ``fxd resume``
to the last result in place. The peer makes as much durable as the daemon does for a job, in
one plain loop: two commits of the journal (claimed; done), and a folder with a manifest,
synced, renamed into place, its parent synced. It decides nothing, runs nothing, tells nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from pathlib import Path

from benchmarks.bench import NULL_WATCH, has_work, journal_all, make_files, pause, scratch, studio
from benchmarks.row import Row, at_most, figure
from daemon.journal import open_writer, transaction
from tests.studio import Studio

JOBS, PEER_JOBS = 10_000, 2_000
PER_FOLDER = 100
# Shared memory, where a sync costs nothing: what remains is the daemon's own work.
MEMORY = Path("/dev/shm")


def drain(it: Studio, jobs: int) -> float:
    """Return the seconds that a daemon takes for all queued jobs, from resume to the last."""
    it.start()
    pause(it)
    it.stop()
    make_files(it.storage / "in", jobs // PER_FOLDER, PER_FOLDER)
    assert journal_all(it) == jobs
    it.start()
    it.fxd("resume")
    it.wait_for(lambda: it.query("SELECT 1 FROM job_event WHERE change = 'publish'"), 30)
    it.wait_for(lambda: not has_work(it), 60 + jobs * 0.1)
    assert it.states() == {"done": jobs}
    ((first, last),) = it.query("SELECT MIN(at), MAX(at) FROM job_event WHERE change <> 'add'")
    assert len(list((it.storage / "in_null").rglob("manifest.json"))) == jobs
    return float(last - first)


def drained(jobs: int, parent: Path | None = None) -> float:
    """Return the milliseconds a job, in a studio of its own."""
    with studio(NULL_WATCH, parent, slots={"cpu": 1}) as it:
        return 1000 * drain(it, jobs) / jobs


def durable_work(folder: Path, jobs: int) -> float:
    """Return the seconds of the bare durable work for as many jobs."""
    staging = folder / "staging"
    staging.mkdir()
    connection = open_writer(folder)
    connection.executemany(
        "INSERT INTO meta VALUES (?, 'queued')", [(str(number),) for number in range(jobs)]
    )
    began = time.perf_counter()
    with contextlib.closing(connection):
        for number in range(jobs):
            _one(connection, folder, staging, number)
        return time.perf_counter() - began


def _one(connection: sqlite3.Connection, folder: Path, staging: Path, number: int) -> None:
    with transaction(connection):
        connection.execute("UPDATE meta SET value = 'running' WHERE key = ?", (str(number),))
    mine = staging / str(number)
    mine.mkdir()
    (mine / "manifest.json").write_text(json.dumps({"job": number, "artifacts": []}, indent=1))
    parent = folder / f"out{number // PER_FOLDER}"
    parent.mkdir(exist_ok=True)
    _sync(mine / "manifest.json")
    _sync(mine)
    mine.rename(parent / str(number))
    _sync(parent)
    with transaction(connection):
        connection.execute("UPDATE meta SET value = 'done' WHERE key = ?", (str(number),))


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def run(quick: bool) -> list[Row]:  # noqa: FBT001 - called by its place
    """Measure with 10,000 jobs, or 1,000; the peer with a fifth of that."""
    share = 10 if quick else 1
    jobs, peer_jobs = JOBS // share, PEER_JOBS // share
    with scratch() as folder:
        before = 1000 * durable_work(folder, peer_jobs) / peer_jobs
    own = drained(jobs)
    with scratch() as folder:
        after = 1000 * durable_work(folder, peer_jobs) / peer_jobs
    peer = (before + after) / 2
    rows = [
        figure("null jobs", jobs, ""),
        at_most("daemon, wall time a job", own, "ms", 5),
        figure("bare durable work, a job", peer, "ms"),
        figure("daemon / bare durable work", own / peer, "times"),
    ]
    if os.access(MEMORY, os.W_OK):
        rows.append(figure("daemon in memory, a job", drained(jobs, MEMORY), "ms"))
    return rows
