"""What bad input gets: a sentence, and everything else goes on."""

import os
import subprocess
import sys
import time

import pytest

from tests.studio import FAST, REPOSITORY, assert_whole

ACT = [{"folder": "in", "run": ["act"]}]
TWICE = {"attempts": 2, "backoff": "0.1s", "drain": "1s"}


def failed_text(it, name):
    """Return the sentence that lies beside the results."""
    return it.wait_for(lambda: it.text_of(f"in_act/_failed/{name}.txt"))


@pytest.fixture
def acting(studio):
    """A daemon whose handler does what the file's name says."""
    it = studio(ACT, run=TWICE)
    it.start()
    return it


def test_crash_is_an_attempt(acting):
    """A child that dies costs attempts, then FAILED; other jobs and the daemon go on."""
    acting.drop("in/crash.bin")
    acting.drop("in/fine.bin")
    acting.wait_state("in/crash.bin", "failed")
    acting.wait_state("in/fine.bin", "done")
    assert "SIGSEGV" in failed_text(acting, "crash.bin")
    assert acting.query("SELECT attempts FROM job WHERE state = 'failed'") == [(2,)]


def test_hang_is_killed(studio):
    """A run without progress is killed after the stall limit."""
    # Short for this one alone: on a busy machine a child may need as long to start.
    it = studio(ACT, run=TWICE | {"stall_limit": "2s"})
    it.start()
    it.drop("in/hang.bin")
    it.wait_state("in/hang.bin", "failed")
    assert "no progress for 2 s" in failed_text(it, "hang.bin")


def test_memory_is_limited(acting):
    """A run that eats memory is killed at its handler's limit."""
    acting.drop("in/eat.bin")
    acting.wait_state("in/eat.bin", "failed")
    assert "MiB of memory, more than the 300 allowed" in failed_text(acting, "eat.bin")


def test_bug_fails_at_once_with_traceback(acting):
    """A bug is not retried, and its traceback is kept."""
    acting.drop("in/bug.bin")
    acting.wait_state("in/bug.bin", "failed")
    job, attempts = acting.query("SELECT id, attempts FROM job")[0]
    assert attempts == 1
    assert "ZeroDivisionError: a bug in a handler" in acting.fxd("show", job).stdout


def test_unusable_is_rejected(acting):
    """An input that cannot be used is REJECTED with the handler's sentence, never retried."""
    acting.drop("in/unusable.bin")
    acting.wait_state("in/unusable.bin", "rejected")
    text = failed_text(acting, "unusable.bin")
    assert "unusable.bin holds no picture; drop a clip" in text


def test_artifact_outside_staging_is_a_bug(acting):
    """What a handler names outside its own folder is never published."""
    acting.drop("in/outside.bin")
    acting.wait_state("in/outside.bin", "failed")
    assert "outside its folder" in failed_text(acting, "outside.bin")
    assert not (acting.storage / "in_act/outside").exists()


def test_once_crashed_then_done(studio, tmp_path):
    """A crash that does not come again ends in DONE, and the failure text goes."""
    it = studio(ACT)
    it.environment = dict(it.environment) | {"FXD_TEST_MARKER": str(tmp_path / "marker")}
    it.start()
    it.drop("in/once.bin")
    it.wait_states(done=1)
    changes = [row[0] for row in it.query("SELECT change FROM job_event ORDER BY id")]
    assert changes == ["add", "claim", "retry", "claim", "publish"]


def test_transient_failure_is_retried_and_new_version_mends(acting):
    """After the last attempt it is FAILED; a good file under the same name runs by itself."""
    acting.drop("in/transient.bin", b"bad")
    acting.wait_state("in/transient.bin", "failed")
    assert "licence server" in failed_text(acting, "transient.bin")
    acting.drop("in/transient.bin", b"good")
    acting.wait_state("in/transient.bin", "done")
    acting.wait_for(lambda: acting.text_of("in_act/_failed/transient.bin.txt") is None)


def test_cancel_and_retry(acting):
    """A cancelled run ends as CANCELLED, and runs again when asked to."""
    acting.drop("in/slow.bin")
    acting.wait_state("in/slow.bin", "running")
    job = acting.query("SELECT id FROM job")[0][0]
    acting.wait_for(lambda: any(r["message"] == "slow" for r in acting.status()["running"]))
    acting.fxd("cancel", job)
    acting.wait_state("in/slow.bin", "cancelled")
    acting.fxd("retry", job)
    acting.wait_state("in/slow.bin", "running")


def test_names_of_every_kind(studio):
    """Not UTF-8, newlines, 255 bytes, ten levels deep: all work and stay apart."""
    it = studio([{"folder": "in", "run": ["copy"]}])
    folder = os.fsencode(it.storage / "in")
    deep = folder + b"/d" * 10
    os.makedirs(deep)
    names = [b"\xff\xfe\x80.bin", b"two\nlines.bin", b"n" * 251 + b".bin", b" lead and trail .bin"]
    paths = [folder + b"/" + name for name in names] + [deep + b"/deep.bin"]
    for path in paths:
        with open(path, "wb") as file:
            file.write(b"content of " + path)
    it.start()
    it.wait_states(done=len(paths))
    published = [path.parent for path in it.storage.rglob("manifest.json")]
    assert len(published) == len(paths)
    for folder in published:
        assert_whole(folder)
    assert "\\n" in it.fxd("status").stdout


def test_links_are_never_followed(studio, tmp_path):
    """Links, loops and links out of the storage are named and left alone."""
    secret = tmp_path / "secret.bin"
    secret.write_bytes(b"not for fxd")
    it = studio()
    folder = it.storage / "in"
    (folder / "out.bin").symlink_to(secret)
    (folder / "loop").symlink_to(folder)
    (folder / "up").symlink_to("..")
    it.start()
    it.drop("in/real.bin")
    it.wait_states(done=1)
    it.wait_for(lambda: len(it.status()["problems"]) == 3)
    assert all("symbolic link" in item["what"] for item in it.status()["problems"])
    assert it.query("SELECT COUNT(*) FROM asset") == [(1,)]


def test_partial_names_and_litter_are_ignored(studio):
    """Dot files, thumbnails and copiers' partial names are no assets."""
    it = studio()
    it.start()
    for name in (".hidden", "._a.bin", ".DS_Store", "Thumbs.db", "a.part", "b.tmp", "c~"):
        it.drop(f"in/{name}")
    it.drop("in/@eaDir/thumb.bin")
    it.drop("in/real.bin")
    it.wait_states(done=1)
    assert it.query("SELECT path FROM asset") == [(b"in/real.bin",)]


def test_growing_file_waits(studio):
    """A file that is held open and grows slowly waits; it runs when it is whole."""
    it = studio()
    it.start()
    path = it.storage / "in/growing.bin"
    with path.open("wb") as file:
        for _ in range(3):
            file.write(b"part")
            file.flush()
            time.sleep(0.4)
        # Quiet for longer than the quiet time, but the writer still holds it.
        it.wait_for(lambda: any("still open" in w["reason"] for w in it.status()["waiting"]))
        assert it.states() == {}
        assert "growing.bin" in it.wait_for(lambda: it.text_of("in_copy/_status.txt"))
        file.write(b"end")
    it.wait_states(done=1, timeout=90)
    assert (it.storage / "in_copy/growing/growing.bin.copy").read_bytes() == b"part" * 3 + b"end"


def test_started_twice(studio):
    """A second daemon on the same state refuses and names the first one's pid."""
    it = studio()
    process = it.start()
    second = it.fxd("run", "-c", it.config, check=False)
    assert second.returncode == 1
    assert f"pid {process.pid}" in second.stderr
    assert "already runs" in it.fxd("once", check=False).stderr


def test_children_die_with_the_daemon(studio):
    """After kill -9 of the daemon no child is left."""
    it = studio(ACT)
    it.start()
    it.drop("in/hang.bin")
    it.wait_state("in/hang.bin", "running")
    pid = it.wait_for(lambda: next((r["pid"] for r in it.live()["running"] if r["pid"]), None))
    it.process.kill()
    it.process.wait()
    it.process = None
    it.wait_for(lambda: not os.path.exists(f"/proc/{pid}"))


def test_bad_configuration_is_refused_as_a_whole(studio):
    """All errors at once, with path and line, exit 2."""
    it = studio()
    it.config.write_text(
        f"storage: {it.storage}\nstate: {it.state}\nwatches:\n- folder: in\n  run: [scenes]\n"
        "- folder: missing\n  run: [copy]\n  speed: fast\nsettle:\n  quiet: soon\n"
    )
    result = it.fxd("run", check=False)
    assert result.returncode == 2
    for part in ("watches[0].run[0] (line 5)", "'scenes'",
                 "watches[1].speed (line 8): no such key", "settle.quiet (line 10)"):  # fmt: skip
        assert part in result.stderr


def test_command_line_as_installed():
    """``fxd --help`` lists every command."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.fxd", "--help"],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=True,
    )
    for name in ("init", "run", "once", "status", "show", "retry", "cancel", "pause", "resume",
                 "submit", "models", "check-config", "doctor"):  # fmt: skip
        assert f" {name} " in result.stdout


def test_what_never_gets_whole_is_given_up(studio):
    """An incomplete file is rejected with its reason once nothing changed for long."""
    it = studio(settle=FAST["settle"] | {"give_up": "2s"})
    it.start()
    with (it.storage / "in/held.bin").open("wb") as file:
        file.write(b"part")
        file.flush()
        it.wait_states(rejected=1)
        reason = it.query("SELECT reason FROM job")[0][0]
        assert "still open for writing" in reason
        assert "given up" in reason
        file.write(b"rest")
    it.wait_states(rejected=1, done=1)


# What may be read although its mode says otherwise is a privilege of root; it is given up here.
AS_ANYBODY = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]


def test_what_may_not_be_read_is_given_up(studio):
    """A file without read permission waits, is rejected at last, and runs once it may be read."""
    it = studio(settle=FAST["settle"] | {"give_up": "2s"})
    it.start(prefix=AS_ANYBODY if os.geteuid() == 0 else [])
    path = it.storage / "in/locked.bin"
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0)) as file:
        file.write(b"x")
    it.drop("in/open.bin")
    it.wait_states(rejected=1, done=1)
    ((reason,),) = it.query("SELECT reason FROM job WHERE state = 'rejected'")
    assert "Permission denied" in reason
    assert "given up" in reason
    assert "Permission denied" in it.wait_for(lambda: it.text_of("in_copy/_failed/locked.bin.txt"))
    path.chmod(0o644)
    it.wait_states(rejected=1, done=2)
    it.wait_for(lambda: it.text_of("in_copy/_failed/locked.bin.txt") is None)
