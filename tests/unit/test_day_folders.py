"""Shooting days in the journal: which is looked at first, and which waits for what arrives."""

import pytest

from daemon.config_file import load_plan
from daemon.days import Days
from daemon.journal import open_writer, transaction
from daemon.model_store import new_job
from daemon.settle import Look
from daemon.store import Accepted, Arrival, Store
from handlers.contract import AssetKind

CONFIG = """
storage: {storage}
state: {state}
watches:
  - folder: dailies
    run:
      - {{handler: day, sound: [audio]}}
  - folder: audio
    run: []
"""


@pytest.fixture
def connection(tmp_path):
    """An open journal."""
    connection = open_writer(tmp_path)
    yield connection
    connection.close()


@pytest.fixture
def store(connection):
    """The store on it."""
    return Store(connection)


@pytest.fixture
def plan(tmp_path):
    """Days of ``dailies`` with sound from ``audio``."""
    storage = tmp_path / "storage"
    for name in ("dailies", "audio"):
        (storage / name).mkdir(parents=True)
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.format(storage=storage, state=tmp_path / "state"))
    return load_plan(path)


def record(store, path, inode=1):
    """Journal a clip."""
    look = Look(path=path, kind=AssetKind.CLIP, signature=b"c", size=3)
    return store.record(
        Accepted(
            look=look, watch="dailies", inode=inode, fingerprint=f"c{inode}", facts="{}", jobs=()
        ),
        1.0,
    )


def started(plan, store, connection):
    """Return the days of a daemon that has just started."""
    days = Days(store, connection, lambda run, within: new_job(run, lambda _: {}, within))
    days.begin(plan, 0.0)
    return days


def journal(days, plan, arriving=()):
    """Journal the days when all have been quiet."""
    with transaction(days.connection):
        return days.journal(plan, arriving, 1e6, 2.0, hurry=False)


def test_a_day_that_was_renamed_before_a_restart(plan, store, connection):
    """It is the same day at its new place, not a new one."""
    with transaction(connection):
        record(store, b"dailies/day01/A.mov")
    first = journal(started(plan, store, connection), plan)
    assert [day.arrival for day in first] == [Arrival.NEW]
    with transaction(connection):
        store.mark_gone([b"dailies/day01/A.mov"], 2.0)
        record(store, b"dailies/day02/A.mov")
    again = journal(started(plan, store, connection), plan)
    assert [(day.arrival, day.asset_id) for day in again] == [(Arrival.RENAMED, first[0].asset_id)]
    assert store.asset_by_path(b"dailies/day02/_day")["id"] == first[0].asset_id


class Counted(bytes):
    """A path that counts how often somebody asks where it lies."""

    __slots__ = ()
    asked = 0

    def startswith(self, *arguments):
        """Count, and answer."""
        Counted.asked += 1
        return super().startswith(*arguments)


def test_many_days_wait_for_much_that_arrives(plan, store, connection):
    """Where each arriving file belongs is asked once per watched folder, not once per day."""
    with transaction(connection):
        for number in range(1, 11):
            record(store, b"dailies/day%02d/A.mov" % number, number)
    days = started(plan, store, connection)
    paths = [b"audio/Day02/a.wav", b"audio/day03/a.wav", b"dailies/day04/B.wav"]
    paths += [b"elsewhere/day05/%d.wav" % number for number in range(50)]
    arriving = [
        Look(path=Counted(path), kind=AssetKind.RECORDING, signature=b"", size=1) for path in paths
    ]
    made = journal(days, plan, arriving)
    waiting = {b"dailies/day02", b"dailies/day03", b"dailies/day04"}
    assert (len(made), set(days._touched)) == (7, waiting)
    assert Counted.asked <= 2 * len(arriving)
    assert len(journal(days, plan)) == 3
