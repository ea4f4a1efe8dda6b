"""Drop-ins that open one storage to the hardened units in systemd/.

The units may write nowhere but into their own state folder. A drop-in names the storage of one
instance, its mounts and the account that it runs under.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from models.errors import FxdError

UNITS = Path("/etc/systemd/system")
_CONFIGS = Path("/etc/fxd")
_STATES = Path("/var/lib/fxd")
# What the units hide as a whole: a storage below is shown to the service by a bind mount.
_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
_PRIVATE = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - compared with, never written to
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_.@-")
_ACCOUNT = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.-]{0,30}|[0-9]{1,10}")
_LONGEST = 255 - len("fxd@.service.d")


class UnitError(FxdError):
    """A name, path or account cannot stand in a unit file."""


def escape_instance(name: str) -> str:
    r"""The name of an instance as systemctl spells it: ``Studio A`` becomes ``Studio\x20A``.

    Raises:
        UnitError: the name is empty, hidden, too long, or holds a slash or a control character.
    """
    if not name or name.startswith(".") or "/" in name or not name.isprintable():
        raise UnitError(f"{name!r} cannot name an instance: use letters, digits and . _ : -")
    raw = name.encode()
    escaped = "".join(chr(byte) if byte in _PLAIN else f"\\x{byte:02x}" for byte in raw)
    if len(escaped) > _LONGEST:
        raise UnitError(f"{name!r} is too long to name an instance")
    return escaped


def quote(text: str) -> str:
    """One word of a unit file, whatever spaces, quotes, backslashes and percent signs it holds.

    Raises:
        UnitError: the text has a control character or is not UTF-8.
    """
    if not text.isprintable():
        raise UnitError(f"{text!r} cannot stand in a unit file: it is not plain text")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def write_dropin(
    name: str | None,
    storage: Path,
    config: Path,
    user: str,
    group: str,
    *,
    state: Path | None = None,
    root: Path = UNITS,
) -> Path:
    """Write ``storage.conf`` for ``fxd@NAME.service``, or for ``fxd.service`` without a name.

    Args:
        name: the instance, unescaped; None for the unit that serves one storage.
        storage: the root of the storage; symlinks are followed, as mounts need the real path.
        config: the configuration file of this instance.
        user: the account that the service runs under.
        group: the group that owns the results.
        state: the state folder, when it is not systemd's own for this unit.
        root: where unit files of the administrator lie.

    Returns:
        The file written. ``systemctl daemon-reload`` makes it count.

    Raises:
        UnitError: a value cannot stand in a unit file.
    """
    instance = None if name is None else escape_instance(name)
    unit = "fxd.service" if instance is None else f"fxd@{instance}.service"
    lines = [
        *_mount_lines(_real(storage), _foreign_state(state, instance)),
        f"User={_account(user)}",
        f"Group={_account(group)}",
        *_config_lines(_absolute(config), instance),
    ]
    file = root / f"{unit}.d" / "storage.conf"
    _write_whole(file, "\n".join(lines) + "\n")
    return file


def _mount_lines(storage: Path, state: Path | None) -> list[str]:
    paths = [storage] if state is None or state.is_relative_to(storage) else [storage, state]
    words = " ".join(quote(str(path)) for path in paths)
    lines = ["[Unit]", f"RequiresMountsFor={words}", "", "[Service]", f"ReadWritePaths={words}"]
    hidden = [path for path in paths if _below(path, _HOMES + _PRIVATE)]
    if any(_below(path, _HOMES) for path in hidden):
        # An empty folder in place of all homes, in which only what is bound below appears.
        lines.append("ProtectHome=tmpfs")
    if hidden:
        # A colon separates source and target here, so one inside a path needs a backslash.
        binds = " ".join(quote(str(path)).replace(":", "\\:") for path in hidden)
        lines.append(f"BindPaths={binds}")
    return lines


def _config_lines(config: Path, instance: str | None) -> list[str]:
    usual = _CONFIGS / ("config.yaml" if instance is None else f"{instance}.yaml")
    return [] if config == usual else [f"Environment={quote(f'FXD_CONFIG={config}')}"]


def _foreign_state(state: Path | None, instance: str | None) -> Path | None:
    if state is None:
        return None
    own = _STATES if instance is None else _STATES / instance
    real = _real(state)
    return None if real.is_relative_to(own) else real


def _below(path: Path, folders: tuple[Path, ...]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise UnitError(f"{path} must be an absolute path")
    return path


def _real(path: Path) -> Path:
    real = Path(os.path.realpath(_absolute(path)))
    if real == Path("/"):
        raise UnitError(f"{path} is the root of the system: name a folder")
    return real


def _account(name: str) -> str:
    if _ACCOUNT.fullmatch(name) is None:
        raise UnitError(f"{name!r} is no name of a user or group")
    return name


def _write_whole(file: Path, text: str) -> None:
    """Write beside the file and rename: systemd never reads half of it."""
    file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".storage-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fchmod(out.fileno(), 0o644)
            os.fsync(out.fileno())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
