"""How a watch learns of changes; apart from config, which is slow to import."""

from __future__ import annotations

from enum import StrEnum


class WatchMode(StrEnum):
    """How a watch learns of changes: by its file system, by events, or by looking again."""

    AUTO = "auto"
    INOTIFY = "inotify"
    POLL = "poll"
