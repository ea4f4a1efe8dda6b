"""Making folders, renaming in one step, and bringing files to the disk."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import stat
from pathlib import Path

_AT_FDCWD = -100
NOREPLACE = 1
"""Flag of ``rename``: fail where something has the new name."""
EXCHANGE = 2
"""Flag of ``rename``: give each the other's name."""
UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTTY, errno.EOPNOTSUPP})
"""What file systems answer that do not know a flag."""


def make_folders(storage: Path, folder: Path) -> None:
    """Make a folder and its parents, each with its parent's group and mode."""
    missing = []
    while folder != storage:
        if folder.is_symlink():
            what = f"{folder.relative_to(storage)} is a symbolic link; results never go through one"
            raise NotADirectoryError(errno.ENOTDIR, what, str(folder))
        if not folder.exists():
            missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        inherit(path, path.parent.stat())


def inherit(path: Path, parent: os.stat_result) -> None:
    """Give a path its parent's group and mode, as far as this user may."""
    info = path.lstat()
    if info.st_gid != parent.st_gid:
        with contextlib.suppress(PermissionError):
            os.chown(path, -1, parent.st_gid)
    mode = stat.S_IMODE(parent.st_mode)
    wanted = mode | 0o700 if stat.S_ISDIR(info.st_mode) else (mode & 0o666) | 0o600
    if stat.S_IMODE(path.lstat().st_mode) != wanted:
        with contextlib.suppress(PermissionError):
            path.chmod(wanted)


def sync(path: Path) -> None:
    """Bring a file's content to the disk."""
    _sync(path, os.O_RDONLY)


def sync_folder(path: Path) -> None:
    """Bring a folder's names to the disk."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    fd = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def rename(source: Path, target: Path, flags: int) -> None:
    """Rename with the kernel's renameat2; without NOREPLACE's support plainly.

    Raises:
        OSError: It cannot be done, or the file system does not know EXCHANGE.
    """
    result = _libc().renameat2(
        _AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), ctypes.c_uint(flags)
    )
    if result == 0:
        return
    code = ctypes.get_errno()
    if flags == NOREPLACE and code in UNSUPPORTED:
        source.rename(target)
        return
    raise OSError(code, os.strerror(code), str(target))
