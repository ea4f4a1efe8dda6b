"""What reaches systemd's socket, and when a loop counts as stalled."""

import contextlib
import os
import socket
import threading
import time

import pytest

from daemon.notify import LoopHealth, Notifier, child_environment, watchdog_interval


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path, monkeypatch):
    """A service manager's socket, named by NOTIFY_SOCKET, on disk or in the abstract space."""
    path = str(tmp_path / "notify")
    abstract = f"fxd-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(path if request.param == "path" else f"\0{abstract}")
        heard.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", path if request.param == "path" else f"@{abstract}")
        yield heard


@pytest.fixture
def notifier(manager):
    """A notifier that the manager hears."""
    with Notifier() as notifier:
        yield notifier


def lines(manager):
    """The lines of the next message."""
    return manager.recv(4096).decode().split("\n")


def test_ready(manager, notifier):
    """READY=1 and the status travel in one message."""
    notifier.ready("2 watches")
    assert lines(manager) == ["READY=1", "STATUS=2 watches"]


def test_ready_without_status(manager, notifier):
    """An empty status is left out, so that the last one stays."""
    notifier.ready()
    assert lines(manager) == ["READY=1"]


def test_reloading_carries_the_clock(manager, notifier):
    """RELOADING=1 comes with the time by the clock that systemd compares."""
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notifier.reloading()
    first, second = lines(manager)
    name, _, value = second.partition("=")
    assert (first, name) == ("RELOADING=1", "MONOTONIC_USEC")
    assert before <= int(value) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_stopping_and_watchdog(manager, notifier):
    """Draining and signs of life."""
    assert notifier.active
    notifier.stopping("draining 1 job")
    notifier.watchdog()
    notifier.extend_timeout(1.5)
    assert lines(manager) == ["STOPPING=1", "STATUS=draining 1 job"]
    assert lines(manager) == ["WATCHDOG=1"]
    assert lines(manager) == ["EXTEND_TIMEOUT_USEC=1500000"]


def test_long_work_asks_for_more_time(manager, notifier):
    """However often it is said that a start goes on, systemd hears it every ten seconds."""
    for now in (100.0, 100.1, 109.9, 110.0):
        notifier.working(now)
    notifier.status("end")
    heard = [lines(manager)[0] for _ in range(5)]
    assert heard == ["WATCHDOG=1", "EXTEND_TIMEOUT_USEC=300000000"] * 2 + ["STATUS=end"]


def test_status_is_one_line_of_utf8(manager, notifier):
    """Names in any script arrive whole; a line break in one cannot forge a message."""
    notifier.status("Bühne 東京 \udcff\nREADY=1")
    assert lines(manager) == ["STATUS=Bühne 東京 \\udcff READY=1"]


def test_empty_status_sends_nothing(manager, notifier):
    """There is nothing to say."""
    notifier.status(" \n")
    notifier.watchdog()
    assert lines(manager) == ["WATCHDOG=1"]


def test_vanished_manager_is_no_error(manager, notifier):
    """The service goes on when nobody hears it any more."""
    manager.close()
    notifier.status("alone")


def drained(manager):
    """All messages that wait at the manager's socket."""
    manager.settimeout(0)
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(lines(manager)[0])
    return found


def in_time(*sayings):
    """Say all in a thread, which a full queue must not hold up."""
    thread = threading.Thread(target=lambda: [say() for say in sayings], daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()


def test_a_manager_that_does_not_read_holds_nothing_up(manager, notifier):
    """The kernel's queue is full: nobody waits, and what is said but once is heard later."""
    signs = [notifier.watchdog] * 2000
    in_time(*signs, notifier.ready, notifier.reloading, lambda: notifier.status("busy"))
    heard = drained(manager)
    assert set(heard) == {"WATCHDOG=1"}
    assert len(heard) < 2000
    notifier.status("reads again")
    assert drained(manager) == ["READY=1", "RELOADING=1", "STATUS=reads again"]


def test_what_is_kept_for_a_manager_is_bounded(manager, notifier):
    """Of reloads without end the last few are told."""
    in_time(*[notifier.ready] * 2000)
    before = len(drained(manager))
    notifier.stopping()
    heard = drained(manager)
    assert before < 1900
    assert heard == [*["READY=1"] * 8, "STOPPING=1"]


# sdnotify lets go of a socket that it could not connect without closing it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("address", ["", "/nowhere/notify"])
def test_a_manager_that_cannot_be_reached_is_none(monkeypatch, address):
    """The service starts all the same."""
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    with Notifier() as notifier:
        notifier.ready()
        assert not notifier.active


def test_closed_notifier_is_silent(manager, notifier):
    """After closing nothing is sent, and closing again does nothing."""
    notifier.close()
    notifier.close()
    notifier.ready("late")
    manager.settimeout(0)
    with pytest.raises(BlockingIOError):
        manager.recv(1)


def test_silent_without_a_manager(monkeypatch):
    """In a terminal every call does nothing."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notifier = Notifier()
    assert not notifier.active
    notifier.ready("x")
    notifier.reloading()
    notifier.stopping()
    notifier.watchdog()


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "120000000"}, 60.0),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": str(os.getpid())}, 60.0),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_watchdog_interval(environ, seconds):
    """Half of what systemd allows, and only for the process it is meant for."""
    assert watchdog_interval(environ) == seconds


def test_watchdog_interval_reads_the_environment(monkeypatch):
    """Without an argument the process's own environment counts."""
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    assert watchdog_interval() == 0.5


def test_children_cannot_speak_for_the_service(monkeypatch):
    """The variables of systemd are kept from children and stay in the daemon's environment."""
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    child = child_environment()
    assert child["CUDA_VISIBLE_DEVICES"] == "0"
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & child.keys()
    assert os.environ["NOTIFY_SOCKET"] == "1"


def test_loop_stalls_after_its_own_limit():
    """Each loop has its limit; the moment of the limit itself is still in time."""
    health = LoopHealth()
    health.register("watch", 10, now=0)
    health.register("dispatch", 3, now=0)
    assert health.healthy(3)
    assert health.stalled(3.1) == ["dispatch"]
    assert health.stalled(11) == ["dispatch", "watch"]
    assert not health.healthy(11)


def test_beat_revives_a_loop():
    """A loop that comes round again is healthy; an older clock value takes nothing back."""
    health = LoopHealth()
    health.register("watch", 10, now=0)
    health.beat("watch", 20)
    health.beat("watch", 5)
    assert health.healthy(30)
    assert health.stalled(30.5) == ["watch"]


def test_forgotten_loop_is_no_stall():
    """A loop that ended on purpose no longer holds the watchdog back."""
    health = LoopHealth()
    health.register("watch", 1, now=0)
    health.forget("watch")
    health.forget("watch")
    assert health.healthy(99)


def test_unknown_loop_is_a_bug():
    """A beat of a loop that nobody registered would hide a typing mistake."""
    with pytest.raises(KeyError):
        LoopHealth().beat("wach", 0)
