"""Room for results: one question at a time, and no output suffers from another."""

import threading
from queue import SimpleQueue

import pytest
import yaml

from daemon import storage
from daemon.config_file import load_plan
from daemon.errors import StorageLostError
from daemon.room import Room
from daemon.writer import StorageWriter

MUCH = 1 << 62


class Asking:
    """A storage with two outputs, what writes to it, and who asks for its room."""

    def __init__(self, folder):
        self.storage = folder / "storage"
        self.config = folder / "config.yaml"
        (self.storage / "in").mkdir(parents=True)
        self.ended = SimpleQueue()
        marker = storage.write_marker(self.storage)
        self.writer = StorageWriter(self.storage, marker, self.ended.put)
        self.writer.start()
        self.room = Room(self.plan(0), self.writer)

    def plan(self, min_free, *outputs):
        """A plan that keeps this much free."""
        watches = [
            {"folder": "in", "run": [{"handler": "edit", "output": output}]}
            for output in outputs or ("one", "two")
        ]
        data = {"storage": str(self.storage), "state": str(self.storage.parent / "state")}
        data |= {"watches": watches[:1], "disk": {"min_free": min_free, "retry": "30s"}}
        for number, watch in enumerate(watches[1:]):
            folder = f"in{number}"
            (self.storage / folder).mkdir(exist_ok=True)
            data["watches"].append(watch | {"folder": folder})
        self.config.write_text(yaml.safe_dump(data))
        return load_plan(self.config)

    def answer(self, now):
        """Hand on the next answer."""
        self.room.told(self.ended.get(timeout=30).error, now)


@pytest.fixture
def asking(tmp_path):
    """A writer that works, and a room that asks it."""
    it = Asking(tmp_path)
    yield it
    it.writer.stop()
    it.writer.join(30)


def test_one_question_at_a_time(asking):
    """While a look takes long no other is begun, and its answer is not lost."""
    go_on = threading.Event()
    asking.room.plan = asking.plan(MUCH)
    asking.writer.submit(("clear", 0, 0), lambda: go_on.wait(30) and None)
    asking.room.ask()
    asking.room.ask()
    go_on.set()
    assert asking.ended.get(timeout=30).key[0] == "clear"
    asking.answer(10.0)
    assert set(asking.room.blocked(10.0)) == {"one", "two"}
    asking.writer.submit(("clear", 0, 0), lambda: None)
    assert asking.ended.get(timeout=30).key[0] == "clear"


def test_a_late_answer_opens_nothing(asking):
    """What had no room the last time has none until the storage says otherwise."""
    asking.room.plan = asking.plan(MUCH)
    asking.room.ask()
    asking.answer(0.0)
    assert asking.room.blocked(31.0) == {}
    asking.room.ask()
    asking.answer(0.0)
    asking.room.plan = asking.plan(0)
    asking.room.ask()
    assert set(asking.room.blocked(100.0)) == {"one", "two"}
    asking.answer(100.0)
    assert asking.room.blocked(100.0) == {}


def test_lost_storage_holds_everything(asking):
    """Without its marker nothing can be written anywhere."""
    (asking.storage / storage.MARKER).unlink()
    asking.room.ask()
    asking.answer(0.0)
    assert set(asking.room.blocked(1.0)) == {"one", "two"}
    asking.room.told(StorageLostError("it is gone"), 2.0)
    assert asking.room.blocked(2.0) == {"one": "it is gone", "two": "it is gone"}


def test_one_bad_output_holds_up_no_other(asking):
    """An output that cannot be asked is held up by itself, with a sentence that names it."""
    bad = "x" * 300
    asking.room.plan = asking.plan(0, bad, "two")
    asking.room.ask()
    asking.answer(0.0)
    said = f"{asking.storage / bad} cannot be asked for its free room: File name too long"
    assert asking.room.blocked(0.0) == {bad: said}
