"""A claimed job on its way: where it is, and what happens to its folders."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from daemon import learnt, publish
from daemon.errors import NoProcessError, NoRoomError, SourceChangedError, StorageLostError
from daemon.executor import Ending, Outcome
from daemon.jobs import Change
from daemon.publish import Place
from daemon.settle import Look
from daemon.walk import look_again, was_written
from handlers.contract import AssetKind


class Stage(StrEnum):
    """Where a claimed job is."""

    RUNNING = "running"
    PUBLISHING = "publishing"
    CLEARING = "clearing"


# Ends of a run that are nobody's fault: it waits until its place can be tried again.
HELD_UP = {Ending.ROOM: NoRoomError, Ending.UNSTARTED: NoProcessError}


@dataclass(slots=True, kw_only=True)
class Active:
    """One claimed job on its way."""

    row: sqlite3.Row
    token: int
    place: Place
    inputs: list[dict[str, Any]] = field(default_factory=list)
    stage: Stage = Stage.RUNNING
    outcome: Outcome | None = None
    stale: bool = False
    cancelled: bool = False
    retry_at: float | None = None
    note: str = ""

    @property
    def look(self) -> Look:
        """The source as the journal knows it."""
        row = self.row
        return Look(
            path=row["asset_path"],
            kind=AssetKind(row["asset_kind"]),
            signature=row["asset_signature"],
            size=row["asset_size"],
            members=tuple(json.loads(row["asset_members"])),
        )

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


def clearing(place: Place, models: Path) -> Callable[[], None]:
    """Return the storage operation that removes a run's staging folder, and its models."""

    def clear() -> None:
        learnt.discard(models, place)
        publish.discard(place)

    return clear


def publishing(active: Active, facts: Mapping[str, Any], models: Path) -> Callable[[], None]:
    """Return the storage operation that puts a run's results into place, and its models."""
    assert active.outcome is not None  # noqa: S101 - only what ended is published
    place, look = active.place, active.look
    artifacts, bundles = list(active.outcome.artifacts), active.outcome.bundles

    def put() -> None:
        # What was made of a source that is no longer there would stand for another.
        require_unchanged(place.storage, look)
        said = dict(facts)
        if bundles and publish.published(place) is None:
            said["bundles"] = learnt.stage(models, place, bundles)
        publish.publish(place, artifacts, said)
        learnt.reveal(models, place)

    return put


def require_unchanged(storage: Path, look: Look) -> None:
    """Make sure that a source is still what the journal says.

    Raises:
        SourceChangedError: It is gone, out of reach, or somebody has written to it.
    """
    try:
        found = look_again(os.fsencode(storage), look)
    except OSError as error:
        what = f"{os.fsdecode(look.path)} cannot be looked at now ({error.strerror})"
        raise SourceChangedError(what) from error
    if found is None:
        raise SourceChangedError(f"{os.fsdecode(look.path)} is not there any more")
    if was_written(look, found):
        raise SourceChangedError(
            f"{os.fsdecode(look.path)} is being changed; it runs once it is whole"
        )


def why_not_written(root: str, error: Exception) -> str:
    """Say for a person why an output folder could not be written to."""
    if isinstance(error, (StorageLostError, NoProcessError)):
        return f"{error}; it is tried again by itself"
    what = str(error)
    if isinstance(error, OSError):
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        what = "the disk is full" if full else (error.strerror or what)
    return f"{root} cannot be written to now: {what}; it is tried again by itself"


def name_of(row: sqlite3.Row) -> str:
    """Return the path of a job's asset, for the log."""
    return os.fsdecode(row["asset_path"])
