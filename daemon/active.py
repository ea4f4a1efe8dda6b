"""A claimed job on its way: where it is, and what happens to its folders."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from daemon import publish
from daemon.errors import StorageLostError
from daemon.executor import Outcome
from daemon.jobs import Change
from daemon.publish import Place


class Stage(StrEnum):
    """Where a claimed job is."""

    RUNNING = "running"
    PUBLISHING = "publishing"
    CLEARING = "clearing"


@dataclass(slots=True, kw_only=True)
class Active:
    """One claimed job on its way."""

    row: sqlite3.Row
    token: int
    place: Place
    stage: Stage = Stage.RUNNING
    outcome: Outcome | None = None
    stale: bool = False
    retry_at: float | None = None
    note: str = ""

    @property
    def id(self) -> int:
        """The job's id."""
        return int(self.row["id"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A job that reached a final state or went back to the queue, for telling people."""

    job: int
    change: Change
    reason: str = ""
    row: sqlite3.Row | None = None


def clearing(place: Place) -> Callable[[], None]:
    """Return the storage operation that removes a run's staging folder."""
    return lambda: publish.discard(place)


def why_not_written(root: str, error: Exception) -> str:
    """Say for a person why an output folder could not be written to."""
    if isinstance(error, StorageLostError):
        return f"{error}; it is tried again by itself"
    what = str(error)
    if isinstance(error, OSError):
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        what = "the disk is full" if full else (error.strerror or what)
    return f"{root} cannot be written to now: {what}; it is tried again by itself"


def name_of(row: sqlite3.Row) -> str:
    """Return the path of a job's asset, for the log."""
    return os.fsdecode(row["asset_path"])
