"""Opening the journal: SQLite on a local disk, WAL, synchronous FULL.

One writer, the daemon; readers open it read-only, running or not.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from daemon.errors import DaemonError, NoJournalError
from daemon.storage import file_system_of, read_mounts, tells_of_changes

JOURNAL = "journal.sqlite3"
LOCK = "fxd.lock"
SCHEMA_VERSION = 2


class Lock:
    """The lock of a state folder: one daemon, or one command that writes, at a time."""

    def __init__(self, state: Path) -> None:
        self._path = state / LOCK
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock and write this process's id into it.

        Raises:
            DaemonError: Another process holds it; the sentence names its pid.
        """
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o664)
        except OSError as error:
            raise DaemonError(
                f"the state folder {self._path.parent} cannot be written to"
                f" ({error.strerror}); run fxd as the user it belongs to"
            ) from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(fd)
            raise DaemonError(
                f"fxd already runs on {self._path.parent} (pid {holder}); stop it first, or use it"
            ) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd

    def release(self) -> None:
        """Give the lock back. The file stays: removing it would let two hold it."""
        if self._fd is not None:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = None


def lock_holder(state: Path) -> int | None:
    """Return the pid of the daemon that runs on a state folder, or None."""
    try:
        fd = os.open(state / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(fd, 32, 0).decode(errors="replace").strip()
        return int(text) if text.isdigit() else 0
    finally:
        os.close(fd)
    return None


def prepare_state(state: Path) -> None:
    """Make the state folder.

    Raises:
        DaemonError: It cannot be made, or lies on a network file system, where
            SQLite's locks and mapped memory cannot be trusted.
    """
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DaemonError(f"the state folder {state} cannot be made: {error.strerror}") from None
    kind = file_system_of(state, read_mounts())
    if not tells_of_changes(kind):
        raise DaemonError(
            f"the state folder {state} is on {kind}; put it on a local disk (state: in config.yaml)"
        )


def open_writer(state: Path) -> sqlite3.Connection:
    """Open the journal to write, making or checking its tables.

    Raises:
        DaemonError: It was made by another version of fxd.
    """
    connection = sqlite3.connect(state / JOURNAL, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA cache_size = -8000")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version not in {0, SCHEMA_VERSION}:
        connection.close()
        which = "a newer" if version > SCHEMA_VERSION else "an older"
        raise DaemonError(
            f"{state / JOURNAL} was written by {which} version of fxd, which this one cannot read;"
            " use that version, or move the journal away: what is there is found and run again"
        )
    if version == 0:
        script = files("daemon").joinpath("schema.sql").read_text(encoding="utf-8")
        connection.executescript(f"BEGIN IMMEDIATE; {script} COMMIT;")
    return connection


def open_reader(state: Path) -> sqlite3.Connection:
    """Open the journal to read, without changing anything in the state folder.

    A WAL journal that was closed cleanly has no index file, which a reader
    without write permission cannot make. It is then opened as immutable, which
    is right only because nobody holds the daemon's lock.

    Raises:
        NoJournalError: There is none yet.
        DaemonError: It may not be read, or cannot.
    """
    path = state / JOURNAL
    try:
        path.stat()
    except PermissionError:
        raise DaemonError(f"you may not read {state}; join the service's group") from None
    except OSError:
        raise NoJournalError(
            f"there is no journal in {state} yet; start fxd once with 'fxd run'"
        ) from None
    mode = "mode=ro" if lock_holder(state) is not None or _has_wal(path) else "immutable=1"
    uri = f"file:{_quoted(path)}?{mode}"
    try:
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("SELECT value FROM meta LIMIT 1").fetchone()
    except sqlite3.Error as error:
        raise DaemonError(f"{path} cannot be read: {error}") from None
    return connection


def _has_wal(path: Path) -> bool:
    """A WAL with frames in it (after a crash) must be read too, by its owner's rights."""
    wal = path.with_name(path.name + "-wal")
    try:
        return wal.stat().st_size > 0
    except OSError:
        return False


def _quoted(path: Path) -> str:
    text = str(path)
    for char, code in (("%", "%25"), ("?", "%3f"), ("#", "%23")):
        text = text.replace(char, code)
    return text


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """One durable transaction: committed whole, or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
