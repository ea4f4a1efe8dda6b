"""Runs that come to no end of their own: not started, outlived by their lease, of another time."""

import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from daemon.journal import transaction
from tests.studio import assert_whole, turn


def events(it, job=1):
    """Return how a job went on."""
    return [
        row[0] for row in it.query("SELECT change FROM job_event WHERE job_id = ? ORDER BY id", job)
    ]


@pytest.fixture
def removable(tmp_path):
    """A Python of its own for a daemon, which can be taken away, and how to start with it."""
    real = Path(sys.prefix)
    folder = tmp_path / "python"
    (folder / "bin").mkdir(parents=True)
    (folder / "lib").symlink_to(real / "lib")
    if (real / "pyvenv.cfg").exists():
        shutil.copy(real / "pyvenv.cfg", folder)
    python = folder / "bin/python"
    python.symlink_to(os.path.realpath(sys.executable))
    return python, ["sh", "-c", f'shift; exec {python} "$@"', "sh"]


def test_process_that_cannot_be_started(studio, removable):
    """No attempt is counted, the reason is shown, and the job runs once a process can be had."""
    python, prefix = removable
    it = studio(
        [{"folder": "in", "run": ["copy"]}],
        run={"attempts": 1, "recycle_after": 1, "drain": "1s"},
        disk={"min_free": 0, "retry": "2s"},
    )
    it.start(prefix=prefix)
    # The child that looks into files is there from now on; that of a run is not kept.
    it.drop("in/a.bin")
    it.wait_states(done=1)
    python.rename(python.with_name("away"))
    it.drop("in/b.bin")
    it.wait_for(lambda: events(it, 2).count("give_back") > 1)
    said = "no process can be started: No such file or directory; it is tried again by itself"
    it.wait_for(lambda: it.live()["blocked"] == {"in_copy": said})
    assert it.query("SELECT attempts FROM job WHERE id = 2") == [(0,)]
    python.with_name("away").rename(python)
    it.wait_states(done=2)
    assert set(events(it, 2)) == {"add", "claim", "give_back", "publish"}
    assert_whole(it.storage / "in_copy/b")


def test_outputs_of_an_earlier_configuration(studio):
    """What was on its way is cleared up there, and its results go where they were to go."""
    it = studio([{"folder": "in", "run": [{"handler": "copy", "seconds": 16}]}], slots={"cpu": 2})
    it.start()
    it.drop("in/a.bin", bytes(1 << 18))
    it.drop("in/b.bin", b"b")
    it.wait_states(done=1, running=1)
    staging = it.wait_for(lambda: next(it.storage.glob("in_copy/.fxd-staging-*/*-1"), None))
    it.process.kill()
    it.process.wait()
    assert staging.is_dir()
    it.watches = [{"folder": "in", "run": [{"handler": "copy", "output": "elsewhere"}]}]
    it.configure()
    it.start()
    assert not staging.exists()
    it.wait_states(done=2)
    assert_whole(it.storage / "in_copy/a")
    it.drop("in/c.bin", b"c")
    it.wait_states(done=3)
    assert_whole(it.storage / "elsewhere/c")
    it.wait_for(lambda: not list(it.storage.glob("*/.fxd-staging-*/*")))


def test_lease_that_expires(service):
    """A run that the daemon has lost goes back once; what it still says makes no result."""
    it, daemon = service
    it.drop("in/late-done.bin")
    with daemon._assembled():
        runs = daemon.parts.runs
        turn(daemon, lambda: any(p.message == "late" for p in runs.executor.running()))
        lost = runs.active.pop(1)
        expired = time.time() + daemon.plan.config.run.time_limit + 1
        for now in (time.time(), expired, expired):
            with transaction(daemon.parts.connection):
                runs.give_back_lost(now)
        assert events(it) == ["add", "claim", "give_back"]
        turn(daemon, lambda: 1 in runs.active)
        assert runs.active[1].token == 2
        # Now the run that was lost comes to its end, before the one in its place.
        turn(daemon, lambda: len(runs.executor.running()) == 1)
        assert it.states() == {"running": 1}
        assert lost.place.staging.is_dir()
        assert not lost.place.target.exists()
        turn(daemon, lambda: it.states() == {"done": 1})
        assert assert_whole(lost.place.target)["attempt"] == 2
    assert events(it) == ["add", "claim", "give_back", "claim", "publish"]
    assert [row[0] for row in it.query("SELECT attempts FROM job")] == [0]
    assert lost.place.staging.is_dir()
    it.start()
    assert not lost.place.staging.exists()
    assert assert_whole(lost.place.target)["attempt"] == 2
