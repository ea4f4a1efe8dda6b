"""``fxd init``: a storage's marker, watched folders and configuration."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from daemon.errors import DaemonError, StorageTakenError
from daemon.locate import default_state, read_yaml, state_of
from daemon.storage import read_marker, this_host, write_marker
from daemon.systemd import write_dropin

_STATE_LINE = re.compile(r"^#state:.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class InitOptions:
    """What ``fxd init`` was asked for."""

    folder: Path
    state: Path | None = None
    systemd: str | None = None
    user: str = "fxd"
    group: str = "fxd"
    take_over: bool = False


def initialise(options: InitOptions) -> Iterator[str]:
    """Make what is missing and keep what is there; yield what was done, a line each.

    Raises:
        FxdError: The folder cannot be used; the sentence says why.
    """
    storage = options.folder.absolute()
    try:
        storage.mkdir(parents=True, exist_ok=True)
        yield _mark(storage, take_over=options.take_over)
        config = storage / "config.yaml"
        yield _write_config(config, storage, options)
        yield from _make_folders(config, storage)
    except OSError as error:
        raise DaemonError(f"{error.filename or storage}: {error.strerror}") from None
    if options.systemd is not None:
        state = state_of(read_yaml(config), config)
        dropin = write_dropin(
            options.systemd, storage, config, options.user, options.group, state=state
        )
        yield f"wrote {dropin}; start it with: systemctl enable --now fxd@{options.systemd}"
    else:
        yield f"start it with: fxd run --config {config}"


def _mark(storage: Path, *, take_over: bool) -> str:
    marker = read_marker(storage)
    if marker is None:
        return f"marked {storage} as storage {write_marker(storage).id}"
    if marker.host == this_host():
        return f"{storage} is storage {marker.id}"
    if not take_over:
        raise StorageTakenError(
            f"{storage} is looked after by host {marker.host}; if fxd is stopped there, "
            f"take it over with --take-over"
        )
    write_marker(storage, marker.id)
    return f"took storage {marker.id} over from {marker.host}"


def _state_folder(storage: Path, options: InitOptions) -> Path:
    if options.state is not None:
        return options.state.absolute()
    if options.systemd is not None:
        return Path("/var/lib/fxd") / options.systemd
    return default_state(storage)


def _write_config(config: Path, storage: Path, options: InitOptions) -> str:
    """Write the commented example with the state folder in it, so that every user finds it."""
    if config.exists():
        return f"kept {config}"
    state = _state_folder(storage, options)
    text = files("daemon").joinpath("example.yaml").read_text(encoding="utf-8")
    quoted = '"' + str(state).replace("\\", "\\\\").replace('"', '\\"') + '"'
    temporary = config.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(_STATE_LINE.sub(lambda _: f"state: {quoted}", text), encoding="utf-8")
    temporary.replace(config)
    return f"wrote {config}"


def _make_folders(config: Path, storage: Path) -> Iterator[str]:
    watches = read_yaml(config).get("watches")
    for watch in watches if isinstance(watches, list) else []:
        name = watch.get("folder") if isinstance(watch, dict) else None
        folder = Path(os.path.normpath(storage / str(name)))
        # What 'fxd check-config' refuses is not made either.
        if isinstance(name, str) and folder.is_relative_to(storage) and not folder.is_dir():
            folder.mkdir(parents=True)
            yield f"made {folder}"
