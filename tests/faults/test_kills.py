"""SIGKILL at random instants: nothing lost, nothing half there, nothing done twice."""

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from daemon.jobs import TRANSITIONS, JobState
from tests.studio import assert_whole

pytestmark = pytest.mark.lengthy

RUN = {"attempts": 1000, "backoff": "0.05s", "backoff_most": "0.1s", "drain": "1s"}


def random_kill(it, chance):
    """Kill the daemon or one of its children; return what was killed."""
    if chance.random() < 0.4 and (child := some_child(it, chance)) is not None:
        time.sleep(chance.uniform(0.0, 0.4))
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        return "child"
    it.process.kill()
    it.process.wait()
    it.start(wait=False)
    return "daemon"


def some_child(it, chance, patience=5.0):
    """Return a child of the daemon; a daemon that has just been started needs a moment for one."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        if children := children_of(it.process.pid):
            return chance.choice(children)
        time.sleep(0.02)
    return None


def children_of(pid):
    """Return the pids of a process's children."""
    with contextlib.suppress(OSError):
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def check_journal(it):
    """Check what must hold of a journal at any time."""
    events = it.query("SELECT job_id, before, after, change FROM job_event ORDER BY id")
    last = {}
    for job, before, after, change in events:
        assert last.get(job) == before, (job, before, after)
        assert before is None or TRANSITIONS[JobState(before), change] == after
        last[job] = after
    assert last == dict(it.query("SELECT id, state FROM job"))
    published = it.query(
        "SELECT job_id, COUNT(*) FROM job_event WHERE change = 'publish' GROUP BY job_id"
    )
    assert all(count == 1 for _, count in published)
    double = it.query(
        "SELECT asset_id, handler, version FROM job GROUP BY 1, 2, 3 HAVING COUNT(*) > 1"
    )
    assert double == []
    with contextlib.closing(sqlite3.connect(it.state / "journal.sqlite3")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def kill_until_done(it, kills, jobs, seed, pause):
    """Kill at random instants, then let the queue finish."""
    chance = random.Random(seed)
    killed = {"daemon": 0, "child": 0}
    while sum(killed.values()) < kills:
        time.sleep(chance.uniform(*pause))
        killed[random_kill(it, chance)] += 1
    it.wait_states(timeout=300, done=jobs)
    return killed


def check_outputs(it, root, count):
    """Check that every asset has exactly one whole output, and nothing else is left."""
    folders = [path.parent for path in (it.storage / root).rglob("manifest.json")]
    assert len(folders) == count
    jobs = {assert_whole(folder)["job"] for folder in folders}
    assert len(jobs) == count
    it.stop()
    check_journal(it)
    it.start()
    it.wait_states(done=count)
    for staging in (it.storage / root).glob(".fxd-staging-*"):
        assert list(staging.iterdir()) == []
    return folders


@pytest.mark.timeout(900)
def test_hundred_kills_while_copying(studio):
    """100 kills of daemon or child over a queue of copies on real files."""
    watch = [{"folder": "in", "run": [{"handler": "copy", "seconds": 0.3}]}]
    it = studio(watch, run=RUN, slots={"cpu": 2})
    chance = random.Random(7)
    sizes = [chance.randrange(1, 1 << 20) for _ in range(120)]
    for number, size in enumerate(sizes[:60]):
        it.drop(f"in/{number:03}.bin", chance.randbytes(size))
    it.start(wait=False)
    for number, size in enumerate(sizes[60:], 60):
        it.drop(f"in/late/{number:03}.bin", chance.randbytes(size))
    killed = kill_until_done(it, 100, len(sizes), seed=11, pause=(0.05, 1.2))
    assert min(killed.values()) > 10
    folders = check_outputs(it, "in_copy", len(sizes))
    for folder in folders:
        source = json.loads((folder / "manifest.json").read_text())["source"]["path"]
        copy = next(folder.glob("*.copy"))
        assert copy.read_bytes() == (it.storage / source).read_bytes()


def test_kills_while_versions_change(studio):
    """Kills while every file is replaced again and again: the last version wins, whole."""
    it = studio([{"folder": "in", "run": ["copy"]}], run=RUN)
    chance = random.Random(3)
    last = {}
    it.start(wait=False)
    for round_ in range(12):
        for number in range(6):
            last[number] = f"round {round_} of {number} ".encode() * chance.randrange(1, 5000)
            it.drop(f"in/{number}.bin", last[number])
        time.sleep(chance.uniform(0.3, 1.5))
        random_kill(it, chance)

    def settled():
        return all(
            (copy := it.storage / f"in_copy/{n}/{n}.bin.copy").exists()
            and copy.read_bytes() == content
            for n, content in last.items()
        )

    it.wait_for(settled, 90)
    for number in last:
        assert_whole(it.storage / f"in_copy/{number}")
    it.stop()
    check_journal(it)


@pytest.mark.timeout(900)
def test_ten_kills_while_editing(studio, media, models_dir):
    """10 kills of daemon or child while real clips are edited."""
    it = studio([{"folder": "dailies", "run": ["edit"]}], models=models_dir, run=RUN)
    for number in range(3):
        shutil.copy(media / "bikes.mp4", it.storage / f"dailies/A001_C00{number}.mp4")
    it.start(wait=False)
    killed = kill_until_done(it, 10, 3, seed=5, pause=(1.0, 6.0))
    assert sum(killed.values()) == 10
    for folder in check_outputs(it, "dailies_edit", 3):
        shots = json.loads((folder / "shots.json").read_text())["shots"]
        assert [shot["start"] for shot in shots] == [0, 30, 76, 137, 187, 242]
