"""Where runs happen: one protocol, so that runs can be local or on other servers.

The journal stays the only truth. A lost executor loses nothing but time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from daemon.dispatch import Slots
from handlers.contract import Needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One claimed job as an executor needs it; ``order`` is what the child receives."""

    job: int
    token: int
    handler: str
    needs: Needs
    order: Mapping[str, Any]


class Ending(StrEnum):
    """How a run ended."""

    DONE = "done"
    UNUSABLE = "unusable"
    TRANSIENT = "transient"
    ROOM = "room"
    BUG = "bug"
    CANCELLED = "cancelled"
    LOST = "lost"
    CHANGED = "changed"
    UNSTARTED = "unstarted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of one run.

    ``LOST`` is a child that died, hung, or was killed for a limit; ``CHANGED`` a source
    that is not any more what was to be run; ``UNSTARTED`` a run for which this machine had
    no process left. ``CANCELLED`` is every end of a run that was cancelled.
    """

    job: int
    token: int
    ending: Ending
    error: str = ""
    traceback: str = ""
    artifacts: tuple[Mapping[str, Any], ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    bundles: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Progress:
    """What a run in progress last said."""

    job: int
    handler: str
    fraction: float = 0.0
    message: str = ""
    pid: int | None = None


class Executor(Protocol):
    """Runs tasks somewhere. Not thread-safe: the service's main thread alone calls it."""

    def submit(self, task: Task) -> None:
        """Start a task; dispatch has made sure that a slot is free."""
        ...

    def poll(self, now: float) -> list[Outcome]:
        """Enforce the limits and return the runs that have ended since the last call."""
        ...

    def cancel(self, job: int) -> None:
        """Ask a run to stop; it ends as CANCELLED, by force if it does not listen."""
        ...

    def kill(self, job: int) -> None:
        """End a run at once; it is reported as LOST."""
        ...

    def slots(self) -> Slots:
        """Return the slots in all, free or not."""
        ...

    def running(self) -> list[Progress]:
        """Return what every run last said."""
        ...

    def close(self) -> None:
        """End all children; what still ran is not reported any more."""
        ...
