"""Which storage is this, who looks after it, and does its file system tell of changes?"""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from daemon.errors import NoRoomError, StorageLostError, StorageTakenError
from daemon.modes import WatchMode

MARKER = ".fxd-storage"

# File systems whose changes inotify sees, whoever makes them: one kernel does all the writing.
_LOCAL = frozenset(
    [
        "bcachefs",
        "btrfs",
        "ext2",
        "ext3",
        "ext4",
        "f2fs",
        "jfs",
        "nilfs2",
        "overlay",
        "ramfs",
        "reiserfs",
        "squashfs",
        "tmpfs",
        "vfat",
        "xfs",
        "zfs",
        "exfat",
        "ntfs3",
        "iso9660",
        "udf",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """What ``.fxd-storage`` says: the storage's id and the host that looks after it."""

    id: str
    host: str


def this_host() -> str:
    """Return the name under which this machine looks after a storage."""
    return socket.gethostname()


def read_marker(storage: Path) -> Marker | None:
    """Return the storage's marker, or None where there is none.

    Raises:
        StorageLostError: The folder or the marker cannot be read.
    """
    try:
        data = json.loads((storage / MARKER).read_bytes())
        return Marker(id=str(data["id"]), host=str(data["host"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageLostError(f"{storage / MARKER} cannot be read: {error}") from None


def write_marker(storage: Path, storage_id: str | None = None) -> Marker:
    """Mark a storage as looked after by this host, keeping its id if it has one."""
    marker = Marker(id=storage_id or os.urandom(8).hex(), host=this_host())
    temporary = storage / f"{MARKER}.{os.getpid()}.tmp"
    note = "fxd looks after this folder from the host named here; do not copy or delete this file"
    text = json.dumps({"id": marker.id, "host": marker.host, "note": note}, indent=1)
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(storage / MARKER)
    return marker


def adopt(storage: Path, known_id: str | None) -> Marker:
    """Check at start that this storage is ours.

    ``known_id`` is the id in the journal, None for a new journal.

    Raises:
        StorageLostError: No marker, or another storage's.
        StorageTakenError: Another host looks after it.
    """
    marker = read_marker(storage)
    if marker is None:
        raise StorageLostError(
            f"{storage} has no {MARKER}: is the share mounted? For a new storage run "
            f"'fxd init {storage}'"
        )
    if known_id is not None and marker.id != known_id:
        raise StorageLostError(
            f"{storage} is another storage ({marker.id}) than the one in the journal ({known_id})"
        )
    if marker.host != this_host():
        raise StorageTakenError(
            f"{storage} is looked after by host {marker.host}; stop fxd there and run "
            f"'fxd init {storage} --take-over' here"
        )
    return marker


def check(storage: Path, marker: Marker) -> None:
    """Check before a scan or a publish that the storage is still the one we know.

    Raises:
        StorageLostError: The marker is missing or different: an empty mount point, say.
    """
    found = read_marker(storage)
    if found is None:
        raise StorageLostError(f"{storage} is gone: its {MARKER} is not there")
    if found != marker:
        raise StorageLostError(f"{storage} is another storage now, or has another host's mark")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One line of the mount table."""

    point: bytes
    kind: str


def read_mounts(table: Path = Path("/proc/self/mountinfo")) -> list[Mount]:
    """Return the mounts this process sees, in the kernel's order."""
    return parse_mounts(table.read_bytes())


def parse_mounts(table: bytes) -> list[Mount]:
    """Return the mounts of a table in the form of ``/proc/self/mountinfo``."""
    mounts = []
    # The kernel escapes spaces and line feeds in names, and no other white space.
    for line in filter(None, table.split(b"\n")):
        left, _, right = line.partition(b" - ")
        point = left.split(b" ")[4].decode("unicode_escape").encode("latin-1")
        mounts.append(Mount(point=point, kind=right.split()[0].decode()))
    return mounts


def file_system_of(folder: Path, mounts: Iterable[Mount]) -> str:
    """Return the type of the file system that ``folder`` lies on."""
    path = os.fsencode(os.path.realpath(folder))
    best = Mount(point=b"", kind="unknown")
    for mount in mounts:
        point = mount.point.rstrip(b"/")
        # Later mounts hide earlier ones at the same point.
        if (path == point or path.startswith(point + b"/")) and len(point) >= len(
            best.point.rstrip(b"/")
        ):
            best = mount
    return best.kind


def tells_of_changes(kind: str) -> bool:
    """Say whether inotify on this file system sees every writer's changes."""
    return kind in _LOCAL


def free_bytes(folder: Path) -> int:
    """Return the bytes that an ordinary user may still write beside ``folder``.

    Raises:
        NoRoomError: The file system cannot be asked.
    """
    try:
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        return shutil.disk_usage(folder).free
    except OSError as error:
        why = error.strerror or str(error)
        raise NoRoomError(f"{folder} cannot be asked for its free room: {why}") from None


def choose_mode(wanted: WatchMode, kind: str) -> WatchMode:
    """Return how to notice on a file system of type ``kind``, unless the configuration says."""
    if wanted is not WatchMode.AUTO:
        return wanted
    return WatchMode.INOTIFY if tells_of_changes(kind) else WatchMode.POLL
