"""The journal's file: one writer, readers at any time, nothing lost in a crash."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from daemon import journal
from daemon.errors import DaemonError
from daemon.journal import (
    JOURNAL,
    Lock,
    lock_holder,
    open_reader,
    open_writer,
    prepare_state,
    transaction,
)

ROOT = Path(__file__).parents[2]


def meta(connection):
    """What the journal remembers."""
    return dict(connection.execute("SELECT key, value FROM meta").fetchall())


def remember(state, key="a", value="1"):
    """Write one row and close."""
    connection = open_writer(state)
    with transaction(connection):
        connection.execute("INSERT INTO meta VALUES (?, ?)", (key, value))
    connection.close()


def test_settings_that_keep_what_was_said(tmp_path):
    """WAL, full synchronisation and foreign keys, on an up-to-date schema."""
    connection = open_writer(tmp_path)
    asked = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys", "user_version")
    }
    connection.close()
    assert asked == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "user_version": 2}


def test_opened_again(tmp_path):
    """What was written is there; the schema is made once."""
    remember(tmp_path)
    connection = open_writer(tmp_path)
    assert meta(connection) == {"a": "1"}
    connection.close()


@pytest.mark.parametrize(("version", "which"), [(99, "a newer"), (1, "an older")])
def test_another_version_s_journal(tmp_path, version, which):
    """What another version wrote is refused before anything is changed in it."""
    connection = open_writer(tmp_path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    with pytest.raises(DaemonError, match=f"written by {which} version"):
        open_writer(tmp_path)


def test_reading_a_journal_that_was_closed(tmp_path):
    """A reader changes nothing in the state folder, not even an index file."""
    remember(tmp_path)
    before = sorted(os.listdir(tmp_path))
    connection = open_reader(tmp_path)
    assert meta(connection) == {"a": "1"}
    connection.close()
    assert sorted(os.listdir(tmp_path)) == before


def test_reading_while_it_is_written(tmp_path):
    """A reader sees each transaction once it is committed, and never writes."""
    lock = Lock(tmp_path)
    lock.acquire()
    writer = open_writer(tmp_path)
    reader = open_reader(tmp_path)
    with transaction(writer):
        writer.execute("INSERT INTO meta VALUES ('a', '1')")
        assert meta(reader) == {}
    assert meta(reader) == {"a": "1"}
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM meta")
    reader.close()
    writer.close()
    lock.release()


def test_reading_after_a_crash(tmp_path):
    """What a killed writer had committed is read, what it had not is not."""
    script = (
        "import os, signal, sys; from pathlib import Path; from daemon.journal import *;"
        "c = open_writer(Path(sys.argv[1]));"
        "c.execute(\"INSERT INTO meta VALUES ('a', '1')\");"
        "c.execute('BEGIN IMMEDIATE'); c.execute(\"INSERT INTO meta VALUES ('b', '2')\");"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / f"{JOURNAL}-wal").stat().st_size > 0
    reader = open_reader(tmp_path)
    assert meta(reader) == {"a": "1"}
    reader.close()


@pytest.mark.parametrize("name", ["with space", "per%cent", "what?", "sharp#", "café"])
def test_state_folders_of_any_name(tmp_path, name):
    """Signs that mean something in a URI are nothing special in a folder's name."""
    state = tmp_path / name
    state.mkdir()
    remember(state)
    reader = open_reader(state)
    assert meta(reader) == {"a": "1"}
    reader.close()


def test_no_journal_yet(tmp_path):
    """Before the first start a reader is told how to make one."""
    with pytest.raises(DaemonError, match=r"no journal in .* yet; start fxd once"):
        open_reader(tmp_path)


def test_a_state_folder_that_may_not_be_read():
    """Who is not in the service's group is told so, not that there is no journal."""
    with tempfile.TemporaryDirectory() as name:
        state = Path(name) / "state"
        state.mkdir()
        remember(state)
        Path(name).chmod(0o755)
        state.chmod(0o000)
        user = os.geteuid()
        # Root may read everything, so it steps down for as long as the test takes.
        os.seteuid(65534 if user == 0 else user)
        try:
            with pytest.raises(DaemonError, match=r"you may not read .*; join the service's group"):
                open_reader(state)
        finally:
            os.seteuid(user)
            state.chmod(0o700)


@pytest.mark.parametrize("content", [b"not a database, but long enough to look at" * 50, b""])
def test_a_journal_that_is_none(tmp_path, content):
    """A damaged file is a sentence, not a traceback."""
    (tmp_path / JOURNAL).write_bytes(content)
    with pytest.raises(DaemonError, match="cannot be read"):
        open_reader(tmp_path)


def test_one_lock(tmp_path):
    """A second holder is refused by name, and may come once the first has gone."""
    first, second = Lock(tmp_path), Lock(tmp_path)
    assert lock_holder(tmp_path) is None
    first.acquire()
    assert lock_holder(tmp_path) == os.getpid()
    with pytest.raises(DaemonError, match=rf"already runs on .* \(pid {os.getpid()}\)"):
        second.acquire()
    first.release()
    first.release()
    assert lock_holder(tmp_path) is None
    second.acquire()
    second.release()


def test_a_lock_without_a_readable_pid(tmp_path):
    """Between taking the lock and writing the pid there is none to name."""
    lock = Lock(tmp_path)
    lock.acquire()
    (tmp_path / journal.LOCK).write_text("")
    assert lock_holder(tmp_path) == 0
    with pytest.raises(DaemonError, match="pid unknown"):
        Lock(tmp_path).acquire()
    lock.release()


def test_a_killed_holder_holds_nothing(tmp_path):
    """The kernel gives the lock back, whatever the file says."""
    script = (
        "import os, sys; from pathlib import Path; from daemon.journal import Lock;"
        "Lock(Path(sys.argv[1])).acquire(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path], cwd=ROOT, check=False)
    assert (tmp_path / journal.LOCK).read_text().strip().isdigit()
    assert lock_holder(tmp_path) is None


def test_prepare_state(tmp_path):
    """The folder is made, on a local disk, any number of times."""
    for _ in range(2):
        prepare_state(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_state_that_cannot_be_made(tmp_path):
    """A file in the way is named."""
    (tmp_path / "file").touch()
    with pytest.raises(DaemonError, match="cannot be made: Not a directory"):
        prepare_state(tmp_path / "file" / "state")


def test_state_on_no_disk():
    """Where SQLite's locks cannot be trusted the state folder is refused."""
    with pytest.raises(DaemonError, match=r"is on (proc|sysfs); put it on a local disk"):
        prepare_state(Path("/proc/self"))
