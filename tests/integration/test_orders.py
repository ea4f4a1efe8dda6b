"""What people order about jobs that are on their way, and what comes of it."""

import json
import signal

import pytest

from daemon.control import call
from tests.studio import assert_whole

ACT = [{"folder": "in", "run": ["act"]}]
ENDS = ["done", "transient", "bug", "unusable", "crash"]


def jobs(it):
    """Return state and reason of every job, oldest first."""
    return it.query("SELECT state, reason FROM job ORDER BY id")


def says(it, message):
    """Wait until a run says this."""
    it.wait_for(lambda: any(r["message"] == message for r in it.live().get("running", [])))


def test_cancelled_runs_end_cancelled(studio):
    """However a run ends after it was cancelled, nothing is published and no attempt counted."""
    it = studio(ACT, slots={"cpu": len(ENDS)}, disk={"min_free": 0, "retry": "0.5s"})
    it.start()
    for end in ENDS:
        it.drop(f"in/late-{end}.bin")
    it.wait_states(running=len(ENDS))
    for job in range(1, len(ENDS) + 1):
        assert "being stopped" in call(it.state, {"command": "cancel", "job": job})["message"]
    it.wait_states(cancelled=len(ENDS))
    assert jobs(it) == [("cancelled", "cancelled by a person")] * len(ENDS)
    assert it.query("SELECT DISTINCT attempts, traceback FROM job") == [(0, "")]
    assert list(it.storage.rglob("manifest.json")) == []
    assert list(it.storage.glob("in_act/_failed")) == []
    ((job,),) = it.query(
        "SELECT job.id FROM job JOIN asset ON asset.id = asset_id WHERE path = ?",
        b"in/late-done.bin",
    )
    it.fxd("retry", job)
    it.wait_states(cancelled=len(ENDS) - 1, done=1)


def test_cancelled_run_when_the_service_stops(studio):
    """A run that has not listened by the time of the stop does not begin again afterwards."""
    it = studio(ACT, run={"drain": "0s"})
    it.start()
    it.drop("in/deaf.bin")
    says(it, "busy")
    it.fxd("cancel", 1)
    assert it.stop(signal.SIGTERM) == 0
    assert jobs(it) == [("cancelled", "cancelled by a person")]


def test_results_that_wait_for_their_place_are_cancelled(studio):
    """A job whose results something is in the way of can be given up."""
    it = studio(disk={"min_free": 0, "retry": "1h"})
    (it.storage / "in_copy").mkdir()
    (it.storage / "in_copy/a").write_text("in the way")
    it.start()
    it.drop("in/a.bin")
    it.wait_for(lambda: "in the way" in json.dumps(it.live().get("running", [])))
    it.fxd("cancel", 1)
    it.wait_states(cancelled=1)
    assert jobs(it) == [("cancelled", "cancelled by a person")]
    (staging,) = (it.storage / "in_copy").glob(".fxd-staging-*")
    assert list(staging.iterdir()) == []
    (it.storage / "in_copy/a").unlink()
    it.fxd("retry", 1)
    it.wait_states(done=1)
    assert_whole(it.storage / "in_copy/a")


def test_retry_of_a_job_whose_source_was_replaced(studio):
    """It says why not; the newer version has run, or runs when that is retried."""
    it = studio(ACT)
    it.start()
    it.drop("in/bug.bin", b"one")
    it.wait_states(failed=1)
    it.drop("in/bug.bin", b"two, longer")
    it.wait_states(failed=2)
    refused = it.fxd("retry", 1, check=False)
    assert refused.returncode == 1
    assert "job 1 is about an older version of its source" in refused.stderr
    assert "fxd submit PATH" in refused.stderr
    answer = json.loads(it.fxd("retry", "--failed", "--json").stdout)
    assert answer["jobs"] == [2]
    it.wait_for(lambda: it.query("SELECT token FROM job ORDER BY id") == [(1,), (2,)])
    it.wait_states(failed=2)


def test_retry_of_a_job_whose_source_is_replaced_while_it_waits(studio):
    """What was queued again for the older version gives way to the newer."""
    it = studio(ACT)
    it.start()
    it.drop("in/unusable.bin", b"one")
    it.wait_states(rejected=1)
    it.fxd("pause")
    it.fxd("retry", 1)
    it.wait_states(queued=1)
    it.drop("in/unusable.bin", b"two, longer")
    it.wait_states(cancelled=1, queued=1)
    assert jobs(it)[0] == ("cancelled", "its source was replaced by a newer version")
    it.fxd("resume")
    it.wait_states(cancelled=1, rejected=1)


def test_retry_of_a_job_that_a_later_run_replaced(studio):
    """What a later run has made is not replaced by what an older one would."""
    it = studio([{"folder": "in", "run": ["copy"]}])
    it.start()
    it.fxd("pause")
    it.drop("in/a.bin")
    it.wait_states(queued=1)
    it.fxd("cancel", 1)
    it.fxd("submit", it.storage / "in/a.bin")
    it.fxd("resume")
    it.wait_states(cancelled=1, done=1)
    refused = it.fxd("retry", 1, check=False)
    assert refused.returncode == 1
    assert "a later run has taken its place" in refused.stderr


def test_retry_of_a_job_whose_source_is_gone(studio):
    """There is nothing to run, and the answer says so; what failed for others is taken up."""
    it = studio(ACT)
    it.start()
    gone = it.drop("in/bug-1.bin")
    it.wait_states(failed=1)
    it.drop("in/bug-2.bin")
    it.wait_states(failed=2)
    gone.unlink()
    it.wait_for(lambda: it.query("SELECT 1 FROM asset WHERE gone_at IS NOT NULL"))
    refused = it.fxd("retry", 1, check=False)
    assert refused.returncode == 1
    assert "job 1: in/bug-1.bin is not there any more" in refused.stderr
    assert json.loads(it.fxd("retry", "--failed", "--json").stdout)["jobs"] == [2]
    it.wait_states(failed=2)


def test_queued_jobs_are_overtaken(studio):
    """A job ordered anew takes the place of those of its handler that still wait, and says so."""
    it = studio([{"folder": "in", "run": ["copy", "null"]}])
    it.start()
    it.fxd("pause")
    it.drop("in/a.bin")
    it.wait_states(queued=2)
    path = it.storage / "in/a.bin"
    it.fxd("submit", path, "--handler", "copy")
    it.fxd("submit", path, "--handler", "copy")
    overtaken = "a later run of the same handler takes its place"
    found = it.query("SELECT handler, state, reason FROM job ORDER BY handler, id")
    assert found == [
        ("copy", "cancelled", overtaken),
        ("copy", "cancelled", overtaken),
        ("copy", "queued", ""),
        ("null", "queued", ""),
    ]
    it.fxd("resume")
    it.wait_states(cancelled=2, done=2)
    assert json.loads((it.storage / "in_copy/a/manifest.json").read_text())["job"] == 4


def test_a_job_whose_later_run_is_through(studio, tmp_path):
    """One that waits for its second attempt gives way to the run that was ordered meanwhile."""
    it = studio(ACT, run={"backoff": "5s"})
    it.environment = dict(it.environment) | {"FXD_TEST_MARKER": str(tmp_path / "marker")}
    it.start()
    it.drop("in/late-once.bin")
    says(it, "late")
    it.fxd("submit", it.storage / "in/late-once.bin")
    it.wait_states(cancelled=1, done=1)
    assert jobs(it)[0] == ("cancelled", "a later run of the same handler takes its place")
    assert it.query("SELECT attempts FROM job ORDER BY id") == [(1,), (0,)]


@pytest.mark.parametrize("command", ["retry", "cancel"])
def test_orders_about_done_jobs(studio, command):
    """A job that is done stays done, and the answer says what would run it again."""
    it = studio()
    it.start()
    it.drop("in/a.bin")
    it.wait_states(done=1)
    refused = it.fxd(command, 1, check=False)
    assert refused.returncode == 1
    assert f"job 1 is done: nothing to {command}" in refused.stderr.replace(";", ":")
