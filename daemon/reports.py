"""What a watcher reports to the main thread."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from daemon.settle import Hint, Look
from daemon.walk import Difference


class WatchState(StrEnum):
    """What a watch is doing."""

    STARTING = "starting"
    WATCHING = "watching"
    SCANNING = "scanning"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Differs:
    """A folder was compared; ``at`` is the monotonic time of the scan."""

    watch: str
    difference: Difference
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A pending path was looked at again; ``look`` is None when it is gone."""

    watch: str
    path: bytes
    look: Look | None
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hinted:
    """An event told something about a file."""

    path: bytes
    hint: Hint
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderGone:
    """A folder that the journal knows is no longer there."""

    watch: str
    folder: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A folder inside a watch that may not be read."""

    watch: str
    folder: bytes
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChanged:
    """A watch changed its state; ``complete`` after a whole comparison."""

    watch: str
    state: WatchState
    reason: str = ""
    complete: bool = False


Report = Differs | list[Observed] | Hinted | FolderGone | Unreadable | StateChanged
