"""What `fxd status` and `fxd show` gather, with and without a daemon."""

import json
import os

import pytest

from daemon import status_file
from daemon.errors import DaemonError, NoSuchJobError
from daemon.jobs import Change
from daemon.jobstore import NewJob
from daemon.journal import JOURNAL, Lock, open_writer
from daemon.settle import Look
from daemon.status import gather, show, state_folder
from daemon.store import Accepted, Store
from handlers.contract import AssetKind

FIELDS = {
    "daemon": {"running", "pid", "since", "version"},
    "watches": {"folder", "mode", "state", "assets"},
    "running": {"id", "asset", "handler", "progress", "message"},
    "recent": {"id", "asset", "handler", "status", "error", "output"},
}
STATES = {"queued", "running", "done", "failed", "rejected", "cancelled"}
LIVE = {
    "pid": 1,
    "since": 100.0,
    "version": "9",
    "watches": [{"folder": "dailies", "mode": "inotify", "state": "watching", "reason": ""}],
    "running": [
        {"id": 3, "asset": "dailies/C.mov", "handler": "edit", "progress": 0.5, "message": "x"}
    ],
    "waiting": [{"path": "dailies/W.mov", "size": 1, "reason": "no index yet"}],
    "waiting_count": 1,
    "blocked": {"dailies_edit": "no room"},
    "problems": [{"folder": "dailies", "what": "a link"}],
}


@pytest.fixture
def state(tmp_path):
    """The state folder."""
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


@pytest.fixture
def config(tmp_path, state):
    """A configuration that names it."""
    path = tmp_path / "config.yaml"
    path.write_text("state: state\nwatches:\n- folder: dailies\n  run: [edit]\n- broken\n")
    return path


@pytest.fixture
def jobs(state):
    """A journal with a job in each state that matters; their ids by name."""
    connection = open_writer(state)
    store = Store(connection)
    ids = {}
    for number, name in enumerate(["done", "failed", "running", "queued", "waits", "rejected"]):
        path = b"dailies/%s\xe9.mov" % name.encode()
        waits = "waits for model m" if name == "waits" else None
        job = NewJob(handler="edit", handler_version="1", output_root="r", waits_for=waits)
        asset = Accepted(
            look=Look(path=path, kind=AssetKind.CLIP, signature=b"", size=4),
            watch="dailies",
            inode=number,
            fingerprint="f",
            facts="{}",
            jobs=(job,),
            rejected="cut off" if name == "rejected" else "",
        )
        found = store.record(asset, float(number))
        (ids[name],) = found.jobs
        if name in {"done", "failed", "running"}:
            store.jobs.change(ids[name], Change.CLAIM, 10.0)
            store.output_path(found.asset_id, "edit", "dailies_edit", "dailies", path)
    store.jobs.change(ids["done"], Change.PUBLISH, 20.0, metrics='{"shots": 3}')
    store.jobs.change(
        ids["failed"], Change.FAIL, 30.0, reason="it crashed", traceback="Traceback\n", attempts=3
    )
    connection.close()
    return ids


@pytest.fixture
def running(state):
    """A daemon that runs: it holds the lock and has said something."""
    lock = Lock(state)
    lock.acquire()
    status_file.write_status(state, LIVE)
    yield
    lock.release()


def assert_has_all_fields(said):
    """Every field that programs may count on, as plain JSON."""
    json.dumps(said)
    assert FIELDS["daemon"] <= said["daemon"].keys()
    assert said["jobs"].keys() == STATES
    for name in ("watches", "running", "recent"):
        for item in said[name]:
            assert FIELDS[name] <= item.keys()


def test_before_the_first_start(config, state):
    """Without a journal everything is zero, and every field is there."""
    said = gather(config)
    assert_has_all_fields(said)
    assert (said["daemon"]["running"], said["daemon"]["pid"]) == (False, None)
    assert said["watches"] == [
        {"folder": "dailies", "mode": None, "state": "stopped", "assets": 0}
    ]  # fmt: skip
    assert set(said["jobs"].values()) == {0}
    assert os.listdir(state) == []


def test_stopped(config, jobs):
    """A stopped daemon's journal is read; what it last said is not."""
    said = gather(config)
    assert_has_all_fields(said)
    assert not said["daemon"]["running"]
    assert said["running"] == []
    # What ran when it was killed waits for the next daemon.
    assert said["jobs"] == {
        "queued": 3, "running": 0, "done": 1, "failed": 1, "rejected": 1, "cancelled": 0
    }  # fmt: skip
    assert said["watches"][0]["assets"] == 6
    assert [item["reason"] for item in said["waiting"]] == ["waits for model m"]


def test_recent(config, jobs):
    """The latest first: results by their place, troubles by their sentence."""
    recent = gather(config)["recent"]
    assert [item["status"] for item in recent] == ["failed", "done", "rejected"]
    failed, done, rejected = recent
    assert (failed["error"], failed["output"]) == ("it crashed", None)
    assert (done["error"], done["output"]) == ("", "dailies_edit/done\\xe9")
    assert (done["asset"], rejected["error"]) == ("dailies/done\\xe9.mov", "cut off")


def test_running(config, jobs, running):
    """A running daemon's words are added to the journal's."""
    said = gather(config)
    assert_has_all_fields(said)
    assert said["daemon"] == {
        "running": True, "pid": os.getpid(), "since": 100.0, "version": "9", "paused": False,
        "config_error": "",
    }  # fmt: skip
    assert said["running"] == LIVE["running"]
    assert said["watches"][0]["state"] == "watching"
    assert said["watches"][0]["assets"] == 6
    assert [item["path"] for item in said["waiting"]] == ["dailies/W.mov", "dailies/waits\\xe9.mov"]
    assert (said["blocked"], said["problems"]) == (LIVE["blocked"], LIVE["problems"])


def test_a_dead_daemon_says_nothing(config, jobs, state):
    """A status file without a lock is of the past."""
    status_file.write_status(state, LIVE)
    said = gather(config)
    assert said["running"] == []
    assert said["daemon"]["since"] is None


def test_a_damaged_journal(config, state):
    """A journal that cannot be read is not taken for none."""
    (state / JOURNAL).write_bytes(b"x" * 5000)
    with pytest.raises(DaemonError, match="cannot be read"):
        gather(config)


def test_show(config, jobs):
    """One job with everything about it and its history."""
    said = show(config, jobs["failed"])
    json.dumps(said)
    assert (said["status"], said["attempts"], said["traceback"]) == ("failed", 3, "Traceback\n")
    assert [event["after"] for event in said["history"]] == ["queued", "running", "failed"]
    assert show(config, jobs["done"])["metrics"] == {"shots": 3}
    assert show(config, jobs["waits"])["waits_for"] == "waits for model m"


def test_show_nothing(config, jobs):
    """A number that there is not is said so."""
    with pytest.raises(NoSuchJobError, match="there is no job 99"):
        show(config, 99)


def test_state_folder(config, state):
    """The folder that the configuration names."""
    assert state_folder(config) == state
