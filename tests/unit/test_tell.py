"""What people read beside the results, and what the command line reads."""

import stat

import pytest

from daemon import status_file, tell
from daemon.jobs import Change, JobState
from daemon.jobstore import NewJob
from daemon.journal import open_writer
from daemon.settle import Look, Pending, Quiet, Stage
from daemon.store import Accepted, Store
from handlers.contract import AssetKind

WAITING = {"path": "dailies/day01/A.mov", "size": 3, "reason": "no index yet", "stage": "waiting"}
JOB = {"root": "dailies_edit", "state": "running", "asset": "dailies/B.mov"}


def pending(stage=Stage.SETTLING, reason=""):
    """A thing that the gate holds."""
    look = Look(path=b"dailies/caf\xe9.mov", kind=AssetKind.CLIP, signature=b"", size=7)
    quiet = Quiet(quiet=5, after_hint=1, give_up=60)
    return Pending(
        look=look, quiet=quiet, first_seen=0, changed=0, observed=0, stage=stage, reason=reason
    )  # fmt: skip


def test_status_file_round_trip(tmp_path):
    """What the daemon says is what a reader reads, and nothing is left beside it."""
    status_file.write_status(tmp_path, {"pid": 1})
    assert status_file.read_status(tmp_path) == {"pid": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]


@pytest.mark.parametrize("content", [None, "", "[1]", "{"])
def test_no_status_file(tmp_path, content):
    """Nothing said, or nothing that can be read, is nothing."""
    if content is not None:
        (tmp_path / "status.json").write_text(content)
    assert status_file.read_status(tmp_path) == {}


@pytest.mark.parametrize(
    ("stage", "reason", "said"),
    [
        (Stage.SETTLING, "", "copying, or still for less than its quiet time"),
        (Stage.CHECKING, "", "being looked into"),
        (Stage.WAITING, "no index yet", "no index yet"),
        (Stage.WAITING, "", ""),
    ],
)
def test_pending_with_its_reason(stage, reason, said):
    """Everything that is not journaled yet says why, under a name that can be printed."""
    assert tell.describe_pending(pending(stage, reason)) == {
        "path": "dailies/caf\\xe9.mov",
        "size": 7,
        "reason": said,
        "stage": stage,
    }


def test_lines_of_one_output():
    """What is copying into its watch and what runs into its root, nothing of others."""
    others = [JOB | {"root": "other"}, JOB | {"state": "queued", "message": "waits"}]
    running = JOB | {"progress": 0.426, "message": "frame 5"}
    elsewhere = WAITING | {"path": "dailies2/A.mov"}
    lines = tell.status_lines("dailies_edit", "dailies", [WAITING, elsewhere], [running, *others])
    assert lines == [
        "waiting   dailies/day01/A.mov: no index yet",
        "running   dailies/B.mov: 43 % frame 5",
        "queued    dailies/B.mov: waits",
    ]


def test_a_job_with_nothing_to_say():
    """No progress and no message is a line without a colon."""
    assert tell.status_lines("dailies_edit", "dailies", [], [JOB]) == ["running   dailies/B.mov"]


def test_problems_and_a_pause():
    """Who has no terminal sees what is wrong with the folder, and why nothing starts."""
    problems = [
        {"folder": "dailies/day01", "what": "a is a link"},
        {"folder": "mixes", "what": "b is a link"},
    ]
    lines = tell.status_lines("dailies_edit", "dailies", [], [], problems=problems, paused=True)
    assert lines == [
        "paused    what runs goes on, nothing new starts until 'fxd resume'",
        "problem   dailies/day01: a is a link",
    ]
    assert tell.status_lines("dailies_edit", "dailies", [], [], paused=True) == []


def test_very_many_lines():
    """A shooting day is summed up."""
    lines = tell.status_lines("dailies_edit", "dailies", [WAITING] * 500, [])
    assert (len(lines), lines[-1]) == (201, "… and 300 more")


def test_status_text(tmp_path):
    """Written whole with a time, and removed when there is nothing to say."""
    path = tmp_path / "dailies_edit" / "_status.txt"
    tell.write_status_text(tmp_path, "dailies_edit", [])
    assert not path.parent.exists()
    tell.write_status_text(tmp_path, "dailies_edit", ["running   x"])
    first, _, last = path.read_text().splitlines()
    assert first.startswith("fxd, 2")
    assert last == "running   x"
    tell.write_status_text(tmp_path, "dailies_edit", [])
    assert list(path.parent.iterdir()) == []


def test_failed_path(tmp_path):
    """Beside the results, in the folders of the source, with its whole name."""
    path = tell.failed_path(tmp_path, "dailies_edit", "dailies", "dailies/day01/A.mov")
    assert path == tmp_path / "dailies_edit/_failed/day01/A.mov.txt"


def test_failed_path_of_a_long_name(tmp_path):
    """A name that leaves no room for an ending is cut and stays its own."""
    names = ["n" * 251 + end for end in (".mov", ".mp4")]
    one, two = (
        tell.failed_path(tmp_path, "dailies_edit", "dailies", f"dailies/{name}") for name in names
    )
    assert one != two
    one.parent.mkdir(parents=True)
    one.touch()


def test_failed_text(tmp_path):
    """One sentence why, and what to do."""
    path = tell.failed_path(tmp_path, "dailies_edit", "dailies", "dailies/day01/A.mov")
    job = {"id": 7, "asset": "dailies/day01/A.mov", "state": "failed", "reason": "it crashed"}
    tell.write_failed(tmp_path, path, job)
    assert path.read_text() == (
        "dailies/day01/A.mov: failed\n\nit crashed\n\nTo try again: fxd retry 7\n"
    )
    tell.write_failed(tmp_path, path, job | {"state": "rejected", "reason": "cut off\udce9"})
    assert "rejected\n\ncut off\\udce9\n\nPut it right, or drop a good copy" in path.read_text()
    assert [item.name for item in path.parent.iterdir()] == ["A.mov.txt"]


def test_failed_folders_are_as_open_as_the_output(tmp_path):
    """Group rights come from the parent, as for results."""
    (tmp_path / "dailies_edit").mkdir()
    (tmp_path / "dailies_edit").chmod(0o2770)
    path = tell.failed_path(tmp_path, "dailies_edit", "dailies", "dailies/A.mov")
    tell.write_failed(tmp_path, path, {"id": 1, "asset": "x", "state": "failed", "reason": ""})
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o2770


def test_failed_text_is_removed_on_success(tmp_path):
    """The text goes, with folders left empty, but never the output itself."""
    one, two = (
        tell.failed_path(tmp_path, "dailies_edit", "dailies", f"dailies/{name}")
        for name in ("day01/A.mov", "B.mov")
    )
    for path in (one, two):
        tell.write_failed(tmp_path, path, {"id": 1, "asset": "x", "state": "failed", "reason": ""})
    tell.remove_failed(tmp_path, "dailies_edit", one)
    assert not one.parent.exists()
    assert two.exists()
    tell.remove_failed(tmp_path, "dailies_edit", two)
    tell.remove_failed(tmp_path, "dailies_edit", two)
    assert list((tmp_path / "dailies_edit").iterdir()) == []


def test_active_jobs(tmp_path):
    """Running ones first, then queued ones by priority; not those whose source is gone."""
    connection = open_writer(tmp_path)
    store = Store(connection)
    jobs = []
    for number, priority in enumerate([0, 5, 0, 0]):
        job = NewJob(handler="edit", handler_version="1", output_root="r", priority=priority)
        path = b"dailies/%d.mov" % number
        look = Look(path=path, kind=AssetKind.CLIP, signature=b"", size=1)
        asset = Accepted(
            look=look, watch="dailies", inode=number, fingerprint="f", facts="{}", jobs=(job,)
        )  # fmt: skip
        jobs += store.record(asset, 0.0).jobs
    store.jobs.change(jobs[2], Change.CLAIM, 1.0)
    store.mark_gone([b"dailies/3.mov"], 1.0)
    rows = tell.active_jobs(connection)
    assert [(row["id"], row["state"]) for row in rows] == [
        (jobs[2], JobState.RUNNING),
        (jobs[1], JobState.QUEUED),
        (jobs[0], JobState.QUEUED),
    ]
    assert len(tell.active_jobs(connection, limit=1)) == 2
    connection.close()
