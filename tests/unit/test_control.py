"""Orders over a real socket, and what each of them does to the journal."""

import json
import os
import queue
import socket
import stat
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from daemon import control
from daemon.commands import Commands
from daemon.config_file import load_plan
from daemon.control import SOCKET, ControlServer, call
from daemon.errors import DaemonError
from daemon.intake import Intake
from daemon.jobs import Change
from daemon.jobstore import NewJob
from daemon.journal import Lock, open_writer
from daemon.model_store import new_job
from daemon.offline import order, relative_to_storage
from daemon.prober import Prober
from daemon.settle import Look
from daemon.store import Accepted, Store
from daemon.submit import submit
from handlers.contract import AssetKind


@pytest.fixture
def answering(tmp_path):
    """A daemon's server whose main thread answers with what it was asked."""
    state = tmp_path / "state"
    state.mkdir()
    calls = queue.SimpleQueue()
    server = ControlServer(state, calls.put)

    def work():
        while (item := calls.get()) is not None:
            item.answer({"said": item.request})

    thread = threading.Thread(target=work)
    thread.start()
    yield state
    server.close()
    calls.put(None)
    thread.join()


def raw(state, data):
    """Send bytes and return the answer's line."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(state / SOCKET))
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return json.loads(connection.makefile("rb").readline())


def test_call(answering):
    """A request goes to the main thread and its answer comes back, whatever text it holds."""
    request = {"command": "submit", "path": "dailies/caf\udce9.mov"}
    assert call(answering, request) == {"said": request}


def test_many_at_once(answering):
    """Callers do not wait for each other."""
    answers = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(call(answering, {"n": n})["said"]["n"]))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == list(range(20))


@pytest.mark.parametrize("data", [b"", b"\n", b"{\n", b"[1]\n", b"\xff\n"])
def test_what_is_no_request(answering, data):
    """Anything but a mapping is refused and changes nothing."""
    assert raw(answering, data) == {"error": "the request could not be read"}


def test_a_caller_that_leaves(answering):
    """Somebody who hangs up does not stop the next one."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(answering / SOCKET))
        connection.sendall(b'{"a": 1}\n')
    assert call(answering, {"b": 2}) == {"said": {"b": 2}}


def test_group_rights(answering):
    """The service's group may give orders, others may not."""
    assert stat.S_IMODE((answering / SOCKET).stat().st_mode) == 0o660


def test_an_old_socket_is_replaced(tmp_path):
    """What a killed daemon left is no obstacle, and closing removes the new one."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / SOCKET))
    server = ControlServer(tmp_path, lambda item: item.answer({}))
    assert call(tmp_path, {}) == {}
    server.close()
    assert not (tmp_path / SOCKET).exists()


def test_a_long_path(tmp_path):
    """A state folder deeper than a socket's address holds works all the same."""
    state = tmp_path / ("d" * 100) / ("e" * 100)
    state.mkdir(parents=True)
    server = ControlServer(state, lambda item: item.answer({"ok": 1}))
    assert call(state, {}) == {"ok": 1}
    assert not [fd for fd in Path("/proc/self/fd").iterdir() if os.path.realpath(fd) == str(state)]
    server.close()


def test_nobody_listens(tmp_path):
    """Without a daemon the sentence says so."""
    with pytest.raises(DaemonError, match="does not answer"):
        call(tmp_path, {})


def test_an_answer_that_is_an_error(tmp_path):
    """A refusal is raised with the daemon's own sentence."""
    server = ControlServer(tmp_path, lambda item: item.answer({"error": "no such job"}))
    with pytest.raises(DaemonError, match="no such job"):
        call(tmp_path, {})
    server.close()


def test_no_answer_in_time():
    """A main thread that hangs is an answer too."""
    item = control.Call({})
    item._done.set()
    assert item.wait() == {"error": "the daemon did not answer in time; try again"}


# What the orders do, on the journal of a daemon that is stopped.


@pytest.fixture
def config(tmp_path):
    """A storage with a configuration."""
    (tmp_path / "dailies").mkdir()
    path = tmp_path / "config.yaml"
    path.write_text(f"state: {tmp_path / 'state'}\nwatches:\n- folder: dailies\n  run: [edit]\n")
    return path


@pytest.fixture
def plan(config):
    """What it means."""
    return load_plan(config)


@pytest.fixture
def jobs(plan):
    """Three jobs in the journal: queued, failed, done."""
    plan.state.mkdir()
    connection = open_writer(plan.state)
    store = Store(connection)
    ids = []
    for number in range(3):
        path = b"dailies/%d.mov" % number
        job = new_job(plan.watches[0].runs[0], lambda names: dict.fromkeys(names, "1"), "")
        asset = Accepted(
            look=Look(path=path, kind=AssetKind.CLIP, signature=b"", size=1),
            watch="dailies", inode=number, fingerprint="f", facts="{}", jobs=(job,),
        )  # fmt: skip
        ids += store.record(asset, 0.0).jobs
    for job_id, change in ((ids[1], Change.FAIL), (ids[2], Change.PUBLISH)):
        store.jobs.change(job_id, Change.CLAIM, 1.0)
        store.jobs.change(job_id, change, 2.0)
    connection.close()
    return ids


def test_a_handler_that_raises(config, plan, jobs):
    """Whatever anybody's handler raises when it is asked what it needs: told, no dead daemon."""

    def broken(params, within):
        raise RuntimeError(f"no {within}\nmore")

    run = plan.watches[0].runs[0]
    spec = replace(run.spec, models_for=broken, path_matters=broken)
    job = new_job(replace(run, spec=spec), lambda _: {}, "A.mov")
    said = "handler 'edit' cannot say which models it needs here (RuntimeError: no A.mov)"
    assert job.rejected == said
    assert job.differs("A.mov", "B.mov")
    assert not job.differs("A.mov", "A.mov")
    watches = (replace(plan.watches[0], runs=(replace(run, spec=spec),)),)
    connection = open_writer(plan.state)
    with pytest.raises(DaemonError, match=r"cannot say which models .* no 0\.mov"):
        submit(
            Store(connection), replace(plan, watches=watches), lambda _: {},
            {"path": "dailies/0.mov"}, 1.0,
        )  # fmt: skip
    connection.close()


def states(plan):
    """The state of every job."""
    connection = open_writer(plan.state)
    rows = connection.execute("SELECT id, state FROM job ORDER BY id").fetchall()
    connection.close()
    return [row["state"] for row in rows]


def test_retry_one(config, plan, jobs):
    """A failed job is queued again with all its attempts."""
    assert order(config, {"command": "retry", "job": jobs[1]})["jobs"] == [jobs[1]]
    assert states(plan) == ["queued", "queued", "done"]


def test_retry_all(config, plan, jobs):
    """Without a number all failed ones are meant; none is no error."""
    assert order(config, {"command": "retry", "job": None})["jobs"] == [jobs[1]]
    assert order(config, {"command": "retry", "job": None})["jobs"] == []


@pytest.mark.parametrize(("which", "said"), [(0, "is queued"), (2, "'fxd submit PATH'")])
def test_nothing_to_retry(config, jobs, which, said):
    """A job that waits or is done is refused, with a hint."""
    with pytest.raises(DaemonError, match=f"nothing to retry|{said}"):
        order(config, {"command": "retry", "job": jobs[which]})


def test_cancel(config, plan, jobs):
    """A queued job is cancelled; what is done cannot be."""
    order(config, {"command": "cancel", "job": jobs[0]})
    assert states(plan)[0] == "cancelled"
    with pytest.raises(DaemonError, match="cannot be changed by cancel"):
        order(config, {"command": "cancel", "job": jobs[2]})


def test_no_such_job(config, jobs):
    """A number that there is not is named."""
    for command in ("retry", "cancel"):
        with pytest.raises(DaemonError, match="there is no job 99"):
            order(config, {"command": command, "job": 99})


def test_pause_and_resume(config, plan, jobs):
    """Both are remembered for the next start."""
    for command, said in (("pause", "yes"), ("resume", "no")):
        order(config, {"command": command})
        connection = open_writer(plan.state)
        assert Store(connection).meta("paused") == said
        connection.close()


def test_submit(config, plan, jobs):
    """A clip runs again although it was done; of two that wait, the later takes its place."""
    for _ in range(2):
        order(config, {"command": "submit", "path": "dailies/2.mov", "handler": None})
    assert states(plan) == ["queued", "failed", "done", "cancelled", "queued"]


def test_two_sets_of_examples_of_one_name(config, plan):
    """Glow beside glow would be its next version: refused, until glow is gone."""
    plan.state.mkdir()
    prober = Prober(plan.storage, plan.state, 1.0, lambda: None)
    connection = open_writer(plan.state)
    store = Store(connection)
    intake = Intake(store, prober, prober, dict.fromkeys)
    learn = NewJob(handler="learn", handler_version="1", output_root="learn_effects")

    def drop(name, content="1"):
        kind, path = AssetKind.EXAMPLES, b"learn/" + name
        look = Look(path=path, kind=kind, signature=content.encode(), size=1)
        accepted = Accepted(
            look=look, watch="learn", inode=name[0], fingerprint=content, facts="{}", jobs=(learn,)
        )
        return intake._record(accepted, 1.0).jobs[0]

    first, second, other = drop(b"glow"), drop(b"Glow"), drop(b"warm")
    assert [store.jobs.get(job)["state"] for job in (first, second, other)] == [
        "queued", "rejected", "queued",
    ]  # fmt: skip
    why = "learn/glow has this effect's name, in which case does not count"
    assert store.jobs.get(second)["reason"].startswith(why)
    assert store.jobs.get(drop(b"glow", "2"))["state"] == "queued"
    runs = type("Runs", (), {"paused": False, "reopened": lambda *_: None})()
    commands = Commands(store, runs, partial(submit, store, plan, dict.fromkeys))
    for asked in ({"command": "retry", "job": second}, {"command": "submit", "path": "learn/Glow"}):
        assert why in commands.carry_out(asked, 2.0)["error"]
    store.mark_gone([b"learn/glow"], 3.0)
    assert "queued again" in commands.carry_out({"command": "retry", "job": second}, 4.0)["message"]
    connection.close()


@pytest.mark.parametrize(
    ("path", "handler", "said"),
    [
        ("dailies/none.mov", None, "is not known"),
        ("dailies/2.mov", "nothing", "no handler 'nothing'; there are .*edit"),
        ("dailies/2.mov", "learn", "handler 'learn' does not take a clip"),
    ],
)
def test_submit_is_refused(config, jobs, path, handler, said):
    """What is not whole yet, and what no handler takes, is said so."""
    with pytest.raises(DaemonError, match=said):
        order(config, {"command": "submit", "path": path, "handler": handler})


@pytest.mark.parametrize(
    "request_",
    [
        {}, {"command": "explode"}, {"command": "cancel"}, {"command": "cancel", "job": None},
        {"command": "retry", "job": "x"}, {"command": "retry", "job": []}, {"command": "submit"},
        {"command": ["retry"]},
    ],
)  # fmt: skip
def test_requests_that_are_not_right(plan, jobs, request_):
    """Whatever is asked, the answer is an answer: no order stops the daemon."""
    connection = open_writer(plan.state)
    store = Store(connection)
    runs = type("Runs", (), {"plan": plan, "paused": False, "cancel": lambda *_: "x"})()
    submitted = partial(submit, store, plan, dict.fromkeys)
    commands = Commands(store, runs, submitted)
    assert "error" in commands.carry_out(request_, 1.0)
    connection.close()


def test_a_submit_for_a_watch_that_is_no_more(config, plan, jobs):
    """An asset of a folder that is no longer watched runs with a named handler."""
    connection = open_writer(plan.state)
    connection.execute("UPDATE asset SET watch = 'old'")
    connection.close()
    order(config, {"command": "submit", "path": "dailies/2.mov", "handler": "edit"})
    with pytest.raises(DaemonError, match="no handler here takes a clip"):
        order(config, {"command": "submit", "path": "dailies/2.mov", "handler": None})


def test_a_running_daemon_is_asked(config, plan, jobs):
    """With the lock held the order goes over the socket, not into the journal."""
    lock = Lock(plan.state)
    lock.acquire()
    server = ControlServer(plan.state, lambda item: item.answer({"said": item.request}))
    assert order(config, {"command": "pause"}) == {"said": {"command": "pause"}}
    server.close()
    lock.release()


def test_paths_as_the_journal_has_them(config, tmp_path, monkeypatch):
    """Absolute, relative, and through a link to the storage: all name the same clip."""
    (tmp_path / "dailies" / "A.mov").touch()
    link = tmp_path.with_name(tmp_path.name + "-link")
    link.symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path / "dailies")
    for path in (tmp_path / "dailies/A.mov", Path("A.mov"), link / "dailies" / "A.mov"):
        assert relative_to_storage(config, path) == "dailies/A.mov"
    with pytest.raises(DaemonError, match="is outside the storage"):
        relative_to_storage(config, tmp_path / ".." / "other.mov")
