"""Where the configuration and the state are: the little that reading commands need.

Kept apart from config so that ``fxd status`` starts without pydantic.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from daemon.errors import ConfigError, Fault

SYSTEM_CONFIG = Path("/etc/fxd/config.yaml")
# libyaml's loader where it is built in: ten times faster.
SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def find_config(given: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the configuration file that holds: given, $FXD_CONFIG, here, or the system's.

    Raises:
        ConfigError: None of them exists.
    """
    if given is not None:
        candidates = [given]
    elif "FXD_CONFIG" in environ:
        candidates = [Path(environ["FXD_CONFIG"])]
    else:
        candidates = [Path("config.yaml"), SYSTEM_CONFIG]
    for path in candidates:
        if path.is_file():
            return path.absolute()
    names = " or ".join(str(path) for path in candidates)
    what = f"no such file; give one with --config, or make one with 'fxd init DIR' ({names})"
    raise ConfigError(str(candidates[0]), [Fault(where="file", line=None, what=what)])


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping with the safe loader.

    Raises:
        ConfigError: It cannot be read, is no YAML, or is no mapping.
    """
    text = b""
    try:
        text = path.read_bytes()
        data = yaml.load(text, Loader=SafeLoader)  # noqa: S506 - the safe loader, in C
    except (OSError, yaml.YAMLError, ValueError) as error:
        raise ConfigError(str(path), [_read_fault(error, text.splitlines())]) from None
    if not isinstance(data, dict):
        what = "should be a mapping of keys such as storage, state and watches"
        raise ConfigError(str(path), [Fault(where="file", line=1, what=what)])
    return data


def _read_fault(error: Exception, lines: list[bytes]) -> Fault:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark is not None else None
    if line and b"\t" in _indentation(lines[line - 1 : line]):
        return Fault(where="file", line=line, what="is indented with a tab; use spaces")
    text = getattr(error, "problem", None) or getattr(error, "strerror", None) or str(error)
    return Fault(where="file", line=line, what=f"cannot be read: {text}")


def _indentation(lines: list[bytes]) -> bytes:
    return b"".join(line[: len(line) - len(line.lstrip())] for line in lines)


def storage_of(data: Mapping[str, Any], config: Path) -> Path:
    """Return the storage's root: ``storage:``, relative to the file, default its folder."""
    return Path(os.path.normpath(config.parent / str(data.get("storage") or ".")))


def state_of(data: Mapping[str, Any], config: Path) -> Path:
    """Return the state folder: ``state:``, relative to the file, or the default one."""
    if data.get("state"):
        return Path(os.path.normpath(config.parent / str(data["state"])))
    return default_state(storage_of(data, config))


def default_state(storage: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the state folder of a storage: systemd's, or one in the user's state folder."""
    if environ.get("STATE_DIRECTORY"):
        return Path(environ["STATE_DIRECTORY"].split(":")[0])
    base = environ.get("XDG_STATE_HOME") or Path(environ.get("HOME", "/")) / ".local/state"
    digest = hashlib.sha256(os.fsencode(storage)).hexdigest()[:8]
    return Path(base) / "fxd" / f"{storage.name or 'root'}-{digest}"
