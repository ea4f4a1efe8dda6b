"""Children that look into files or run handlers, and what happens when they do not come back."""

import contextlib
import os
import queue
import signal
import time

import pytest

from daemon import walk
from daemon.prober import Prober


@pytest.fixture
def prober(tmp_path):
    """Give a prober with a real child and a queue that it wakes."""
    woken = queue.SimpleQueue()
    made = Prober(tmp_path, tmp_path / "models", 60.0, lambda: woken.put(None))
    yield made
    made.close()


def look_at(folder, name):
    """Return what a scan shows of one file."""
    found = walk.looks(walk.scan(os.fsencode(folder), b""))
    return next(look for look in found if look.path == os.fsencode(name))


def answers_of(prober, count, each=lambda: None, timeout=60.0):
    """Poll until there are so many answers."""
    answers = []
    until = time.monotonic() + timeout
    while len(answers) < count and time.monotonic() < until:
        answers += prober.poll(time.monotonic())
        each()
        time.sleep(0.02)
    return answers


def test_file_that_kills_the_child_is_taken_plainly(prober, tmp_path):
    """After two deaths a file is fingerprinted without a look inside; the others lose nothing."""
    with (tmp_path / "deadly.bin").open("wb") as file:
        file.truncate(2 << 30)
    (tmp_path / "fine.bin").write_bytes(b"x")
    prober.submit(look_at(tmp_path, "deadly.bin"), leases=True, full=True)
    prober.submit(look_at(tmp_path, "fine.bin"), leases=True)
    killed = []

    def kill():
        child = prober._child
        # Two different children, each once it has begun to read.
        if child is not None and child.pid not in killed and len(killed) < 2 and prober._given:
            time.sleep(0.5)
            os.kill(child.pid, signal.SIGKILL)
            killed.append(child.pid)

    answers = answers_of(prober, 2, kill)
    assert len(killed) == 2
    verdicts = {os.fsdecode(a.look.path): a.message["verdict"] for a in answers}
    assert verdicts == {"deadly.bin": "whole", "fine.bin": "whole"}


def test_file_that_always_kills_is_answered(prober, tmp_path):
    """A file that no child survives gets an answer that says so."""
    with (tmp_path / "deadly.bin").open("wb") as file:
        file.truncate(8 << 30)
    prober.submit(look_at(tmp_path, "deadly.bin"), leases=False, full=True)

    def kill():
        child = prober._child
        if child is not None and prober._given:
            time.sleep(0.2)
            # The one that was killed before may not have been noticed yet.
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)

    answers = answers_of(prober, 1, kill)
    assert answers[0].message is None
    assert "SIGKILL" in answers[0].error


def test_slow_look_is_ended(prober, tmp_path):
    """A look that takes too long is ended like one that crashes."""
    prober.time_limit = 0.3
    with (tmp_path / "slow.bin").open("wb") as file:
        file.truncate(64 << 30)
    prober.submit(look_at(tmp_path, "slow.bin"), leases=False, full=True)
    answers = answers_of(prober, 1)
    assert answers[0].message is None
    assert "too long" in answers[0].error


def test_vanished_file_is_said(prober, tmp_path):
    """A file that is gone when its turn comes is no fault."""
    path = tmp_path / "gone.bin"
    path.write_bytes(b"x")
    seen = look_at(tmp_path, "gone.bin")
    path.unlink()
    prober.submit(seen, leases=True)
    assert answers_of(prober, 1)[0].message["event"] == "vanished"


def test_child_without_a_sign_of_life_is_killed(studio):
    """A stopped child gives no heartbeat: it is killed and its job tried again."""
    it = studio(
        [{"folder": "in", "run": [{"handler": "copy", "seconds": 3.0}]}],
        run={"heartbeat_limit": "4s", "backoff": "0.1s", "attempts": 3},
    )
    it.start()
    it.drop("in/a.bin", bytes(1 << 20))
    it.wait_states(running=1)
    pid = it.wait_for(lambda: next((r["pid"] for r in it.live()["running"] if r["progress"]), None))
    os.kill(pid, signal.SIGSTOP)
    it.wait_states(done=1)
    reasons = [row[0] for row in it.query("SELECT reason FROM job_event WHERE change = 'retry'")]
    assert len(reasons) == 1
    assert "no sign of life" in reasons[0]


def test_time_limit(studio):
    """A run that goes on for too long is ended, however busy it is."""
    it = studio([{"folder": "in", "run": ["act"]}], run={"time_limit": "2s", "attempts": 1})
    it.start()
    it.drop("in/deaf.bin")
    it.wait_states(failed=1)
    assert "ran longer than 2 s" in it.query("SELECT reason FROM job")[0][0]


def test_deaf_run_is_cancelled_by_force(studio):
    """A run that never asks whether it was cancelled is killed after a while."""
    it = studio([{"folder": "in", "run": ["act"]}])
    it.start()
    it.drop("in/deaf.bin")
    it.wait_for(lambda: any(r["message"] == "busy" for r in it.live().get("running", [])))
    it.fxd("cancel", it.query("SELECT id FROM job")[0][0])
    it.wait_states(cancelled=1)


def test_replaced_source_stops_its_run(studio):
    """A run over an old version is stopped, and the new version runs."""
    it = studio([{"folder": "in", "run": [{"handler": "copy", "seconds": 5.0}]}])
    it.start()
    it.drop("in/a.bin", bytes(2 << 20))
    it.wait_states(running=1)
    it.drop("in/a.bin", b"new")
    it.wait_states(cancelled=1, done=1)
    assert (it.storage / "in_copy/a/a.bin.copy").read_bytes() == b"new"


def test_handlers_share_a_slot(studio):
    """With one slot the child of one handler makes way for another's."""
    it = studio([{"folder": "in", "run": ["copy", "null"]}], slots={"cpu": 1})
    it.start()
    for number in range(3):
        it.drop(f"in/{number}.bin")
    it.wait_states(done=6)
