"""The executor on real children: ones that die, that cannot be started, that end late."""

import contextlib
import os
import queue
import resource
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from daemon import storage, walk
from daemon.child import Child
from daemon.config import RunConfig, SlotsConfig
from daemon.executor import Ending, Task
from daemon.local import LocalExecutor, LocalSettings
from daemon.publish import Place
from handlers.contract import Needs
from tests.studio import REPOSITORY, SITE


class Bench:
    """An executor on a storage of its own, and the outcomes of what is given to it."""

    def __init__(self, folder, gpu=0):
        self.root, self.ended = folder, []
        self.marker = storage.write_marker(folder)
        (folder / "in").mkdir()
        self.executor = LocalExecutor(
            LocalSettings(
                storage=folder,
                models=folder / "models",
                run=RunConfig(),
                slots=SlotsConfig(cpu=2, gpu=gpu),
            ),
            lambda: None,
        )

    def task(self, name, job=1, token=1, needs=Needs()):  # noqa: B008 - frozen
        """Return the task of running handler "act" on a new file of this name."""
        (self.root / "in" / name).write_bytes(b"x")
        found = walk.looks(walk.scan(os.fsencode(self.root), b"in"))
        look = next(look for look in found if look.path == os.fsencode(f"in/{name}"))
        place = Place(
            storage=self.root, storage_id=self.marker.id, journal="j", root="in_act",
            output=f"in_act/{name}", job=job, token=token,
        )  # fmt: skip
        asset = {
            "path": f"in/{name}", "kind": "file", "fingerprint": "f",
            "signature": look.signature.hex(), "members": [], "facts": {},
            "within": name,
        }  # fmt: skip
        order = {
            "op": "run", "id": job, "token": token, "handler": "act", "seed": 1, "params": {},
            "place": place.to_json(), "asset": asset, "models": {}, "resumes": False,
        }  # fmt: skip
        return Task(job=job, token=token, handler="act", needs=needs, order=order)

    def outcome(self, timeout=60.0):
        """Wait for the next end of a run."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            # Two may end at once.
            self.ended += self.executor.poll(time.monotonic())
            if self.ended:
                return self.ended.pop(0)
            time.sleep(0.01)
        raise AssertionError("no run ended")

    def said(self, message):
        """Wait until the run says this."""
        until = time.monotonic() + 60.0
        while all(run.message != message for run in self.executor.running()):
            assert time.monotonic() < until
            self.executor.poll(time.monotonic())
            time.sleep(0.01)


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """An executor; its children know the tests' handlers."""
    monkeypatch.setenv("PYTHONPATH", f"{SITE}:{REPOSITORY}")
    it = Bench(tmp_path)
    yield it
    it.executor.close()


def test_child_that_died_before_its_order(bench):
    """What is written to a warm child that has just died is lost with it, and told once."""
    bench.executor.submit(bench.task("one.bin"))
    assert bench.outcome().ending is Ending.DONE
    (seat,) = bench.executor._seats
    os.kill(seat.child.pid, signal.SIGKILL)
    seat.child.join(30)
    # Nobody has polled: the seat still looks free, and its pipe is closed.
    bench.executor.submit(bench.task("two.bin", job=2))
    found = bench.outcome()
    assert (found.job, found.ending) == (2, Ending.LOST)
    assert "SIGKILL" in found.error
    assert bench.executor._seats == []
    bench.executor.submit(bench.task("two.bin", job=2, token=2))
    assert bench.outcome().ending is Ending.DONE


def test_order_that_is_cut_off(tmp_path, monkeypatch):
    """A child killed while an order longer than its pipe is written harms nobody."""
    monkeypatch.setenv("PYTHONPATH", f"{SITE}:{REPOSITORY}")
    said = queue.SimpleQueue()
    child = Child.start([str(tmp_path), str(tmp_path)], os.environ, lambda _, m: said.put(m))
    while said.get(timeout=60) != {"event": "ready"}:
        pass
    # A stopped process reads nothing: the write waits until it is killed.
    os.kill(child.pid, signal.SIGSTOP)
    killer = threading.Timer(0.5, os.kill, (child.pid, signal.SIGKILL))
    killer.start()
    child.send({"op": "run", "padding": "x" * (8 << 20)})
    killer.join()
    child.join(30)
    assert "SIGKILL" in child.describe_end()
    # Whatever comes later is passed over as well.
    child.send({"op": "run"})
    child.kill()
    child.close()


@contextlib.contextmanager
def no_more_files():
    """Let this process open nothing more, as when its limit is reached."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(3)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(held), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in held:
            os.close(fd)


def test_child_that_cannot_be_started(bench):
    """The run comes back with the reason, and the next try finds everything as it was."""
    task = bench.task("one.bin")
    with no_more_files():
        bench.executor.submit(task)
        (found,) = bench.executor.poll(time.monotonic())
    assert (found.job, found.token, found.ending) == (1, 1, Ending.UNSTARTED)
    assert found.error == "no process can be started: Too many open files"
    assert bench.executor.running() == []
    bench.executor.submit(task)
    assert bench.outcome().ending is Ending.DONE


ONE_TASK_LEFT = """
import os, resource
from daemon.child import Child
resource.setrlimit(resource.RLIMIT_NPROC, (2, 2))
try:
    Child.start(["/", "/"], os.environ, print)
except OSError as error:
    print(error.strerror)
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("nothing left")
"""


@pytest.mark.usefixtures("root")
def test_child_that_takes_the_last_task():
    """Where no thread can be started that hears it, a child counts as not started, and is gone."""
    # Limits do not hold for root; where Python lies, others may not be able to read.
    keep = "+dac_override,+dac_read_search"
    nobody = ["setpriv", "--reuid=54321", f"--inh-caps={keep}", f"--ambient-caps={keep}"]
    result = subprocess.run(
        [*nobody, sys.executable, "-c", ONE_TASK_LEFT],
        capture_output=True, text=True, cwd=REPOSITORY, timeout=60, check=False,
    )  # fmt: skip
    said = "Resource temporarily unavailable\nnothing left\n"
    assert (result.stdout, result.returncode) == (said, 0), result.stderr


@pytest.mark.parametrize("end", ["done", "transient", "bug", "unusable", "crash"])
def test_cancelled_run_that_ends_in_its_own_way(bench, end):
    """Whatever a run still says after it was cancelled, it was cancelled by a person."""
    bench.executor.submit(bench.task(f"late-{end}.bin"))
    bench.said("late")
    bench.executor.cancel(1)
    found = bench.outcome()
    assert (found.ending, found.error) == (Ending.CANCELLED, "cancelled by a person")
    assert found.artifacts == ()


HELPED = Needs(gpu_helps=True)


def test_a_gpu_goes_to_whoever_it_helps(tmp_path, monkeypatch):
    """The one that is there to the first run, none to the next; later ones alike."""
    monkeypatch.setenv("PYTHONPATH", f"{SITE}:{REPOSITORY}")
    it = Bench(tmp_path, gpu=1)
    try:
        seen = {}
        for jobs in ((1, 2), (3, 4)):
            for job in jobs:
                it.executor.submit(it.task(f"late-gpu.{job}", job=job, needs=HELPED))
            for _ in jobs:
                ended = it.outcome()
                seen[ended.job] = ended.metrics["gpu"], ended.metrics["pid"]
        assert [seen[job][0] for job in (1, 2, 3, 4)] == ["0", "", "0", ""]
        # Warm children were used again.
        assert seen[1] == seen[3]
        assert seen[2] == seen[4]
        it.executor.submit(it.task("gpu.5", job=5, needs=Needs(gpu=1)))
        assert it.outcome().metrics["gpu"] == "0"
    finally:
        it.executor.close()


def test_a_child_without_a_gpu_gives_way(tmp_path, monkeypatch):
    """Once a GPU is free, nobody goes on without one because a child is still warm."""
    monkeypatch.setenv("PYTHONPATH", f"{SITE}:{REPOSITORY}")
    it = Bench(tmp_path, gpu=0)
    try:
        it.executor.submit(it.task("gpu.1", job=1, needs=HELPED))
        assert it.outcome().metrics["gpu"] == ""
        it.executor.settings = replace(it.executor.settings, slots=SlotsConfig(cpu=2, gpu=1))
        it.executor.submit(it.task("gpu.2", job=2, needs=HELPED))
        assert it.outcome().metrics["gpu"] == "0"
    finally:
        it.executor.close()
