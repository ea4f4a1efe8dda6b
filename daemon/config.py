"""The configuration as checked data. Reading the file is config_file's part.

pydantic stops here: the rest of the service takes these models as plain records.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from daemon.modes import WatchMode

_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d)?\s*$")
_SECONDS = {None: 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_OCTAL = re.compile(r"^0o[0-7]+$")
_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([kmgt]i?b?|b)?\s*$", re.IGNORECASE)


def parse_duration(value: Any) -> float:
    """Return seconds from a number or from text such as "5s", "2m", "24h".

    Raises:
        ValueError: The text is no duration.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError("should be a time such as 5s, 2m or 24h")  # noqa: TRY004 - pydantic's way
    match = _DURATION.match(str(value))
    if match is None:
        raise ValueError(f"{value!r} is no time; write it such as 5s, 2m or 24h")
    return float(match[1]) * _SECONDS[match[2]]


def parse_size(value: Any) -> int:
    """Return bytes from a number or from text such as "500MB" or "20GiB".

    Raises:
        ValueError: The text is no size.
    """
    match = _SIZE.match(str(value)) if not isinstance(value, bool) else None
    if match is None:
        raise ValueError(f"{value!r} is no size; write it such as 500MB or 20GiB")
    unit = (match[2] or "b").lower()
    base = 1024 if "i" in unit else 1000
    return int(float(match[1]) * base ** " kmgt".index(unit[0] if unit != "b" else " "))


def _octal(value: Any) -> Any:
    """Take ``0o002``, which YAML leaves as text; it reads ``0002`` as octal by itself."""
    return int(value, 8) if isinstance(value, str) and _OCTAL.match(value) else value


Seconds = Annotated[float, BeforeValidator(parse_duration)]
# A pause or limit of nothing would spin, or end everything at once.
Pause = Annotated[float, BeforeValidator(parse_duration), Field(gt=0)]
Bytes = Annotated[int, BeforeValidator(parse_size)]


class _Section(BaseModel):
    # Built when first needed: most of them only as part of the whole.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class SettleConfig(_Section):
    """When a dropped thing counts as whole."""

    quiet: Seconds = 5.0
    quiet_after_close: Seconds = 1.0
    # Longer than the attribute caches of NFS and SMB clients, 3 to 60 s.
    quiet_network: Seconds = 65.0
    give_up: Seconds = 86400.0
    # A recording that ends before its header says is taken as it is after this long.
    cut_short: Seconds = 600.0
    # Tell versions apart by the whole content, not by size and samples of it.
    full_hash: bool = False


class NoticeConfig(_Section):
    """How often storage is compared with the journal."""

    poll_interval: Pause = 10.0
    reconcile_interval: Pause = 900.0


class RunConfig(_Section):
    """Limits of the runs in child processes."""

    attempts: int = Field(default=3, ge=1)
    backoff: Seconds = 10.0
    backoff_most: Seconds = 600.0
    time_limit: Pause = 6 * 3600.0
    # No progress for this long means that the run hangs.
    stall_limit: Pause = 600.0
    heartbeat_limit: Pause = 60.0
    # A child is replaced after this many runs, whatever it may have leaked.
    recycle_after: int = Field(default=1000, ge=1)
    drain: Seconds = 30.0


class SlotsConfig(_Section):
    """How many runs at once; 0 for gpu means none, null means as many as there are."""

    cpu: int | None = Field(default=None, ge=1)
    gpu: int | None = Field(default=None, ge=0)


class DiskConfig(_Section):
    """What must stay free where results are written."""

    min_free: Bytes = 5_000_000_000
    # How soon a place is tried again that was full, read-only or held open.
    retry: Pause = 10.0


class LogConfig(_Section):
    """What is logged: plain lines on a terminal, JSON otherwise, unless ``format`` says."""

    level: str = "info"
    format: str = "auto"

    @field_validator("level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if value not in {"debug", "info", "warning", "error"}:
            raise ValueError("should be debug, info, warning or error")
        return value

    @field_validator("format")
    @classmethod
    def _known_format(cls, value: str) -> str:
        if value not in {"auto", "plain", "json"}:
            raise ValueError("should be auto, plain or json")
        return value


class NotifyConfig(_Section):
    """Whom to tell when a job has come to its end: a command that gets it as JSON."""

    command: list[str] = Field(default_factory=list)
    time_limit: Pause = 30.0


class RunEntry(_Section):
    """One handler of a watch with its parameters (still unchecked here) and its output.

    ``sound`` and ``quiet`` are for handlers of days alone.
    """

    handler: str
    output: str | None = None
    priority: int = 0
    sound: list[str] | None = None
    quiet: Pause | None = None
    params: dict[str, Any] = Field(default_factory=dict)


_RUN_KEYS = ("handler", "output", "priority", "sound", "quiet")


def _run_entry(value: Any) -> Any:
    """Take ``edit`` or ``{handler: edit, proxy: …}``: what is not ours is the handler's."""
    if isinstance(value, str):
        return {"handler": value}
    if not isinstance(value, dict):
        raise ValueError("should be a handler's name, or a mapping with 'handler'")  # noqa: TRY004
    own = {key: value[key] for key in _RUN_KEYS if key in value}
    params = {key: item for key, item in value.items() if key not in own}
    return own | {"params": params}


class WatchConfig(_Section):
    """One watched folder, relative to the storage, and what runs on what lands there."""

    folder: str
    run: list[Annotated[RunEntry, BeforeValidator(_run_entry)]]
    mode: WatchMode = WatchMode.AUTO
    settle: SettleConfig | None = None

    @field_validator("folder")
    @classmethod
    def _inside(cls, value: str) -> str:
        return relative_folder(value)


def relative_folder(value: str) -> str:
    """Return a storage-relative folder in plain form.

    Raises:
        ValueError: It is absolute, empty, the storage itself, or climbs out.
    """
    path = PurePosixPath(os.path.normpath(value))
    if value.startswith("/") or ".." in path.parts:
        raise ValueError(f"{value!r} is outside the storage; name a folder inside it")
    if str(path) in {".", ""}:
        raise ValueError("is the storage itself; name a folder inside it")
    if path.parts[0].startswith("."):
        raise ValueError(f"{value!r} is hidden; hidden folders are never watched or written")
    return str(path)


class Config(_Section):
    """The whole configuration. Each key has a default that works, but for the watches."""

    storage: Path
    state: Path
    watches: list[WatchConfig] = Field(min_length=1)
    settle: SettleConfig = Field(default_factory=SettleConfig.model_construct)
    notice: NoticeConfig = Field(default_factory=NoticeConfig.model_construct)
    run: RunConfig = Field(default_factory=RunConfig.model_construct)
    slots: SlotsConfig = Field(default_factory=SlotsConfig.model_construct)
    disk: DiskConfig = Field(default_factory=DiskConfig.model_construct)
    notify: NotifyConfig = Field(default_factory=NotifyConfig.model_construct)
    log: LogConfig = Field(default_factory=LogConfig.model_construct)
    umask: Annotated[int, Field(ge=0, le=0o777), BeforeValidator(_octal)] = 0o002
