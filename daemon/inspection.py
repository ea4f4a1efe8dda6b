"""Looks into a settled asset, in a child without TensorFlow: is it whole, what is it?

The daemon itself never opens media: a file that crashes or hangs a decoder takes
this child with it, and nothing else.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import xxhash

from daemon import walk
from daemon.assets import FOLDERS
from daemon.settle import Lease, Look
from handlers.contract import AssetKind, CheckReport, MediaFacts, Verdict

MIB = 1 << 20
_SAMPLES = 16
# The largest images are read whole where each pixel counts.
_WHOLE = 512 * MIB
_EMPTY = {
    AssetKind.CARD: "no clip and no recording",
    AssetKind.EXAMPLES: "no picture",
}
Checker = Callable[[Path, AssetKind, tuple[Path, ...]], CheckReport]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What was found, and the signature that it is about."""

    signature: bytes
    inode: int
    fingerprint: str
    lease: Lease
    verdict: Verdict
    reason: str
    facts: MediaFacts
    usable: bool


def fingerprint(path: Path, *, full: bool = False) -> str:
    """Return size and xxh3 of a file's head, tail and 16 sampled MiB, or of all of it.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        state = xxhash.xxh3_128()
        for offset in range(0, size, MIB) if full else _offsets(size):
            state.update(os.pread(file.fileno(), MIB, offset))
    return f"{size:x}-{state.hexdigest()}"


def _offsets(size: int) -> list[int]:
    if size <= (_SAMPLES + 2) * MIB:
        return list(range(0, size, MIB))
    step = (size - MIB) / (_SAMPLES + 1)
    return [int(step * index) for index in range(_SAMPLES + 2)]


def fingerprint_of(
    path: Path, members: Sequence[str], *, full: bool = False, each: bool = False
) -> str:
    """Return the fingerprint of a file, or of a sequence's or card's names and sampled files.

    With ``each`` no file of several is left out, and those of an image's size are read whole.

    Raises:
        OSError: A member cannot be read.
    """
    if not members and not path.is_dir():
        return fingerprint(path, full=full)
    folder = path if path.is_dir() else path.parent
    state = xxhash.xxh3_128()
    sampled = set(range(len(members)) if full or each else _sampled(len(members)))
    for index, name in enumerate(members):
        size = (folder / name).stat().st_size
        state.update(os.fsencode(name) + b"\0" + str(size).encode() + b"\0")
        if index in sampled:
            whole = full or (each and size <= _WHOLE)
            state.update(fingerprint(folder / name, full=whole).encode())
    return f"{len(members):x}-{state.hexdigest()}"


def _fingerprint(path: Path, look: Look, *, full: bool) -> str:
    """Of examples each file counts, whatever was painted into it."""
    if look.kind is AssetKind.EXAMPLES:
        return fingerprint_of(path, look.members, full=full, each=True)
    return fingerprint_of(path, look.members, full=full)


def _with_sound(own: str, beside: Sequence[Path], *, full: bool) -> str:
    """Return a clip's fingerprint with that of the sound beside it, whatever that is called."""
    if not beside:
        return own
    state = xxhash.xxh3_128()
    for file in beside:
        state.update(fingerprint(file, full=full).encode())
    return f"{own}+{len(beside):x}-{state.hexdigest()}"


def _sampled(count: int) -> list[int]:
    if count <= _SAMPLES + 2:
        return list(range(count))
    return [index * (count - 1) // (_SAMPLES + 1) for index in range(_SAMPLES + 2)]


def ask_lease(path: Path) -> Lease:
    """Ask the kernel for a read lease, which it refuses while a writer has the file open.

    Only the file's owner may ask (or a process with CAP_LEASE), and only on local
    file systems; anything else gives no answer.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return Lease.UNKNOWN
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return Lease.HELD
    except OSError:
        return Lease.UNKNOWN
    finally:
        os.close(fd)
    return Lease.FREE


def _lease_of(files: Sequence[Path]) -> Lease:
    leases = {ask_lease(file) for file in files}
    for answer in (Lease.HELD, Lease.UNKNOWN):
        if answer in leases:
            return answer
    return Lease.FREE


def inspect(
    root: Path, look: Look, check: Checker, *, leases: bool = True, full: bool = False
) -> Inspection | None:
    """Inspect one asset; None when it vanished meanwhile.

    ``leases`` is False on network file systems, where a lease speaks only of
    this machine's writers. ``full`` hashes the whole content.

    Raises:
        OSError: It cannot be read.
    """
    now = walk.look_again(os.fsencode(root), look)
    if now is None:
        return None
    path = root / os.fsdecode(look.path)
    folder = path if look.kind in FOLDERS else path.parent
    members = tuple(folder / name for name in look.members)
    report = _safe_check(check, path, look.kind, members)
    files = (*(members or (path,)), *report.beside)
    lease = _lease_of(files) if leases else Lease.UNKNOWN
    own = _fingerprint(path, look, full=full)
    return Inspection(
        signature=now.signature,
        inode=os.lstat(path if path.exists() else files[0]).st_ino,
        fingerprint=_with_sound(own, report.beside, full=full),
        lease=lease,
        verdict=report.verdict,
        reason=report.reason,
        facts=report.facts,
        usable=report.usable,
    )


def _safe_check(
    check: Checker, path: Path, kind: AssetKind, members: tuple[Path, ...]
) -> CheckReport:
    """Only what a media check can say is asked of it; a plain file is whole as it is."""
    if kind is AssetKind.FILE:
        return CheckReport(verdict=Verdict.WHOLE)
    if kind in _EMPTY and not members:
        reason = f"{path.name} holds {_EMPTY[kind]} yet"
        return CheckReport(verdict=Verdict.INCOMPLETE, reason=reason)
    if not members and not stat.S_ISREG(os.lstat(path).st_mode):
        return CheckReport(verdict=Verdict.UNUSABLE, reason=f"{path.name} is no file")
    return check(path, kind, members)
