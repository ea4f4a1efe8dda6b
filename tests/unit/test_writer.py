"""The storage writer: long work that goes on is told from work that hangs."""

import threading
from contextlib import ExitStack
from queue import SimpleQueue

import pytest

from daemon import storage
from daemon.liveness import heard_by, progressing
from daemon.writer import StorageWriter

LONG, SHORT = ("publish", 1, 1), ("room", 0, 0)


class Running:
    """A storage writer on a real storage, with a clock that the test turns."""

    def __init__(self, folder):
        self.now = 0.0
        self.beats = []
        self.ended = SimpleQueue()
        self.writer = StorageWriter(
            folder,
            storage.write_marker(folder),
            self.ended.put,
            lambda: self.beats.append(self.now),
            lambda: self.now,
        )
        self.writer.start()

    def do(self, key, operation):
        """Have an operation done and wait until it is."""
        self.writer.submit(key, operation)
        return self.ended.get(timeout=30)


@pytest.fixture
def running(tmp_path):
    """A writer that works."""
    it = Running(tmp_path)
    yield it
    it.writer.stop()
    it.writer.join(30)


def test_long_operation_that_progresses(running):
    """Each file of an operation that takes hours is a sign of life."""

    def operation():
        for _ in range(200):
            running.now += 50.0
            progressing()

    assert running.do(LONG, operation).error is None
    assert [beat for beat in running.beats if beat < running.now] == [
        50.0 * n for n in range(1, 200)
    ]


def test_operation_that_hangs(running):
    """Without a sign of life the other thread's work is none either."""
    begun, go_on = threading.Event(), threading.Event()

    def operation():
        progressing()
        begun.set()
        go_on.wait(30)

    with ExitStack() as stack:
        stack.callback(go_on.set)
        running.writer.submit(LONG, operation)
        assert begun.wait(30)
        running.now += 61.0
        before = list(running.beats)
        # The second can only begin once all of the first is over.
        for _ in range(2):
            assert running.do(SHORT, lambda: None).key == SHORT
        assert running.beats == before
    assert running.ended.get(timeout=30).key == LONG
    running.do(LONG, lambda: None)
    assert running.beats[-1] == 61.0


def test_sign_of_life_without_a_listener():
    """The same work in any other thread needs nobody to listen."""
    progressing()
    heard = []
    with heard_by(lambda: heard.append("outer")):
        with heard_by(lambda: heard.append("inner")):
            progressing()
        progressing()
        other = threading.Thread(target=progressing)
        other.start()
        other.join()
    progressing()
    assert heard == ["inner", "outer"]
