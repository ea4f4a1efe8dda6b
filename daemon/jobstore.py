"""What the journal knows of jobs, and the one function that changes a job's state."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from daemon.assets import printable
from daemon.errors import NoSuchJobError
from daemon.jobs import Change, JobState, next_state

GONE = "its source was deleted"
REPLACED = "its source was replaced by a newer version"
RENAMED = "its source was renamed, and the name says what is made of it"
OVERTAKEN = "a later run of the same handler takes its place"
# Columns that a change of state may set beside the state itself.
_SETTABLE = frozenset(
    [
        "attempts",
        "lease_until",
        "not_before",
        "waits_for",
        "traceback",
        "metrics",
        "models",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """One handler to run: what makes it unique, where its results go, what it waits for.

    ``inputs`` names, as days.Inputs writes it, the assets and jobs whose results it takes.
    ``rejected`` is the sentence why it cannot run, empty when it can.
    ``path_matters`` gives what of its path in the watched folder makes it another job.
    """

    handler: str
    handler_version: str
    output_root: str
    params: str = "{}"
    models: Mapping[str, str | None] = field(default_factory=dict)
    priority: int = 0
    waits_for: str | None = None
    rejected: str = ""
    inputs: str = ""
    path_matters: Callable[[str], str] | None = field(default=None, compare=False)

    def differs(self, before: str, after: str) -> bool:
        """Say whether it is another job once its source is renamed."""
        of = self.path_matters
        return of is not None and of(before) != of(after)


class JobStore:
    """Writes jobs; used by the service's main thread alone, inside its transactions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def add(
        self,
        asset_id: int,
        version: int,
        fingerprint: str,
        job: NewJob,
        *,
        now: float,
        rejected: str = "",
        rerun: int = 0,
    ) -> int | None:
        """Add a job unless the very same one is there; return its id, or None."""
        rejected = rejected or job.rejected
        state = JobState.REJECTED if rejected else JobState.QUEUED
        reason = rejected or job.waits_for or ""
        cursor = self._db.execute(
            "INSERT OR IGNORE INTO job (asset_id, version, fingerprint, handler, handler_version,"
            " models, params, inputs, rerun, output_root, state, priority, waits_for, reason,"
            " created_at, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (asset_id, version, fingerprint, job.handler, job.handler_version,
             json.dumps(dict(job.models), sort_keys=True), job.params, job.inputs, rerun,
             job.output_root, state, job.priority, job.waits_for, reason, now, now),
        )  # fmt: skip
        if cursor.rowcount != 1:
            return None
        job_id = int(cursor.lastrowid or 0)
        self._event(job_id, None, state, "add", reason, now)
        return job_id

    def change(
        self,
        job_id: int,
        change: Change,
        now: float,
        *,
        reason: str = "",
        note: str = "",
        token: int | None = None,
        **columns: Any,
    ) -> bool:
        """Change a job's state by the transition table and log the change.

        ``reason`` stays with the job until its next change; ``note`` is for its
        history alone. With ``token`` the job changes only if nobody has claimed it since:
        a claim is of the queued job as it was read, every other change is the claim
        holder's. Else it is refused (False) and nothing happens.

        Raises:
            NoSuchJobError: There is no such job.
            IllegalChangeError: The table has no such arrow.
        """
        if token is None:
            row = self.get(job_id)
            before, token = JobState(row["state"]), int(row["token"])
        else:
            before = JobState.QUEUED if change is Change.CLAIM else JobState.RUNNING
        after = next_state(before, change)
        values = {"state": after, "reason": reason, "changed_at": now} | _checked(columns)
        if change is Change.CLAIM:
            values["token"] = token + 1
        assignments = ", ".join(f"{name} = ?" for name in values)
        cursor = self._db.execute(
            f"UPDATE job SET {assignments} WHERE id = ? AND state = ? AND token = ?",  # noqa: S608
            (*values.values(), job_id, before, token),
        )
        if cursor.rowcount == 1:
            self._event(job_id, before, after, change, reason or note, now)
        return cursor.rowcount == 1

    def _event(
        self, job_id: int, before: str | None, after: str, change: str, reason: str, now: float
    ) -> None:
        self._db.execute(
            "INSERT INTO job_event (job_id, at, before, after, change, reason)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (job_id, now, before, after, change, reason),
        )

    def get(self, job_id: int) -> sqlite3.Row:
        """Return a job's row.

        Raises:
            NoSuchJobError: There is none.
        """
        row = self._db.execute("SELECT * FROM job WHERE id = ?", (job_id,)).fetchone()
        if not isinstance(row, sqlite3.Row):
            raise NoSuchJobError(f"there is no job {job_id}; 'fxd status' lists them")
        return row

    def with_asset(self, job_id: int) -> sqlite3.Row:
        """Return a job's row with its asset's columns as ``asset_*``."""
        row = self._db.execute(
            "SELECT job.*, asset.path AS asset_path, asset.kind AS asset_kind,"
            " asset.watch AS asset_watch, asset.members AS asset_members,"
            " asset.facts AS asset_facts, asset.version AS asset_version,"
            " asset.gone_at AS asset_gone_at, asset.size AS asset_size,"
            " asset.signature AS asset_signature"
            " FROM job JOIN asset ON asset.id = job.asset_id WHERE job.id = ?",
            (job_id,),
        ).fetchone()
        if not isinstance(row, sqlite3.Row):
            raise NoSuchJobError(f"there is no job {job_id}; 'fxd status' lists them")
        return row

    def queued(
        self, now: float, limit: int, handlers: Collection[str], blocked: Collection[str] = ()
    ) -> list[sqlite3.Row]:
        """Return jobs of ``handlers`` that could start now, by priority, then age.

        Left out: those that wait for something, whose source is gone, whose output
        root is in ``blocked``, or whose results another run is still making.
        """
        if not handlers:
            return []
        return self._db.execute(
            # In the queue's own order, so that what stands far behind is not even looked at.
            "SELECT job.id, job.handler, job.asset_id FROM job INDEXED BY job_queue"  # noqa: S608
            " CROSS JOIN asset ON asset.id = job.asset_id"
            " WHERE job.state = 'queued' AND job.waits_for IS NULL AND job.not_before <= ?"
            " AND asset.gone_at IS NULL AND NOT EXISTS (SELECT 1 FROM job AS other"
            " WHERE other.state = 'running' AND other.asset_id = job.asset_id"
            " AND other.handler = job.handler)"
            f" AND job.output_root NOT IN ({','.join('?' * len(blocked))})"
            f" AND job.handler IN ({','.join('?' * len(handlers))})"
            " ORDER BY job.priority DESC, job.id LIMIT ?",
            (now, *blocked, *handlers, limit),
        ).fetchall()

    def running(self) -> list[sqlite3.Row]:
        """Return every job that the journal takes for running."""
        return self._db.execute("SELECT * FROM job WHERE state = 'running' ORDER BY id").fetchall()

    def waiting(self) -> list[sqlite3.Row]:
        """Return queued jobs that wait for something named."""
        return self._db.execute(
            "SELECT * FROM job WHERE state = 'queued' AND waits_for IS NOT NULL ORDER BY id"
        ).fetchall()

    def learning(self) -> list[sqlite3.Row]:
        """Return the latest job on each set of examples that is there."""
        return self._db.execute(
            "SELECT MAX(job.id) AS id, job.state, job.reason, asset.path FROM job"
            " JOIN asset ON asset.id = job.asset_id"
            " WHERE asset.kind = 'examples' AND asset.gone_at IS NULL GROUP BY asset.id"
        ).fetchall()

    def namesake(self, path: bytes) -> str:
        """Say why a set of examples cannot be learnt from, empty when it can.

        Another whose name differs in case alone came first, and has the effect's name.
        """
        name = os.fsdecode(path).casefold()
        for row in self.learning():
            other = os.fsdecode(row["path"])
            idle = row["state"] in {JobState.REJECTED, JobState.CANCELLED}
            if row["path"] != path and other.casefold() == name and not idle:
                return (
                    f"{printable(other)} has this effect's name, in which case does not count; "
                    "rename one of the two folders"
                )
        return ""

    def active(self) -> list[int]:
        """Return the jobs that are queued or running."""
        sql = "SELECT id FROM job WHERE state IN ('queued', 'running')"
        return [row[0] for row in self._db.execute(sql)]

    def newest(self) -> int:
        """Return the number of the newest job, 0 while there is none."""
        row = self._db.execute("SELECT COALESCE(MAX(id), 0) FROM job").fetchone()
        return int(row[0])

    def active_count(self) -> int:
        """Return how many jobs are queued or running."""
        row = self._db.execute(
            "SELECT COUNT(*) FROM job JOIN asset ON asset.id = job.asset_id"
            " WHERE state IN ('queued', 'running') AND asset.gone_at IS NULL"
        ).fetchone()
        return int(row[0])

    def release(self, job_id: int, models: Mapping[str, str | None]) -> None:
        """Let a job go that waited for models, now that these versions are installed."""
        self._db.execute(
            "UPDATE OR IGNORE job SET waits_for = NULL, reason = '', models = ? WHERE id = ?",
            (json.dumps(dict(models), sort_keys=True), job_id),
        )

    def wait(self, job_id: int, reason: str) -> None:
        """Say what a queued job waits for now."""
        self._db.execute(
            "UPDATE job SET waits_for = ?, reason = ? WHERE id = ? AND waits_for IS NOT ?",
            (reason, reason, job_id, reason),
        )

    def unfinished(self, ids: Sequence[int]) -> int:
        """Return how many of these jobs are still queued or running."""
        marks = ",".join("?" * len(ids))
        row = self._db.execute(
            f"SELECT COUNT(*) FROM job WHERE state IN ('queued', 'running') AND id IN ({marks})",  # noqa: S608
            tuple(ids),
        ).fetchone()
        return int(row[0])

    def outdated(self, row: sqlite3.Row) -> str:
        """Return why a queued job's results would be of the past, empty when they would not."""
        if row["version"] != row["asset_version"]:
            return REPLACED
        later = self._db.execute(
            "SELECT 1 FROM job WHERE asset_id = ? AND handler = ? AND id > ?"
            " AND state IN ('running', 'done') LIMIT 1",
            (row["asset_id"], row["handler"], row["id"]),
        ).fetchone()
        return OVERTAKEN if later else ""

    def any_of(self, asset_id: int, handler: str) -> bool:
        """Say whether a handler ever had a job for an asset."""
        row = self._db.execute(
            "SELECT 1 FROM job WHERE asset_id = ? AND handler = ? LIMIT 1", (asset_id, handler)
        ).fetchone()
        return row is not None

    def inputs_of(self, asset_id: int, handler: str) -> str:
        """Return the inputs of the latest job of a handler on an asset."""
        row = self._db.execute(
            "SELECT inputs FROM job WHERE asset_id = ? AND handler = ? ORDER BY id DESC LIMIT 1",
            (asset_id, handler),
        ).fetchone()
        return "" if row is None else str(row[0])

    def roots(self) -> list[str]:
        """Return every output folder that a job ever wrote to."""
        return [row[0] for row in self._db.execute("SELECT DISTINCT output_root FROM job")]

    def expired(self, now: float) -> list[sqlite3.Row]:
        """Return running jobs whose lease is over."""
        return self._db.execute(
            "SELECT * FROM job WHERE state = 'running' AND lease_until < ?", (now,)
        ).fetchall()

    def supersede(
        self, asset_id: int, now: float, *, handler: str | None = None, why: str = REPLACED
    ) -> list[int]:
        """Cancel an asset's queued jobs, all or a handler's; return those that are running."""
        rows = self._db.execute(
            "SELECT id, state FROM job WHERE asset_id = ? AND state IN ('queued', 'running')"
            " AND handler = COALESCE(?, handler)",
            (asset_id, handler),
        ).fetchall()
        for job_id, state in rows:
            if state == JobState.QUEUED:
                self.change(job_id, Change.CANCEL, now, reason=why)
        return [job_id for job_id, state in rows if state == JobState.RUNNING]

    def cancel_gone(self, before: float, now: float) -> int:
        """Cancel queued jobs whose source has been gone since ``before``; return how many."""
        rows = self._db.execute(
            "SELECT job.id FROM job JOIN asset ON asset.id = job.asset_id"
            " WHERE job.state = 'queued' AND asset.gone_at < ?",
            (before,),
        ).fetchall()
        for (job_id,) in rows:
            self.change(job_id, Change.CANCEL, now, reason=GONE)
        return len(rows)

    def revive(self, asset_id: int, version: int, now: float) -> list[int]:
        """Queue jobs again that were cancelled only because the source was gone."""
        return self._reopen(asset_id, version, "state = 'cancelled' AND reason = ?", (GONE,), now)

    def rejected_of(self, jobs: Iterable[int]) -> tuple[int, ...]:
        """Return those of some jobs that are rejected."""
        return tuple(job for job in jobs if self.get(job)["state"] == JobState.REJECTED)

    def reopen_rejected(self, asset_id: int, version: int, now: float) -> list[int]:
        """Queue rejected jobs again of an asset that turned out to be usable."""
        return self._reopen(asset_id, version, "state = 'rejected'", (), now)

    def _reopen(
        self, asset_id: int, version: int, which: str, values: tuple[Any, ...], now: float
    ) -> list[int]:
        rows = self._db.execute(
            f"SELECT id FROM job WHERE asset_id = ? AND version = ? AND {which}",  # noqa: S608
            (asset_id, version, *values),
        ).fetchall()
        for (job_id,) in rows:
            self.change(job_id, Change.REOPEN, now, attempts=0, not_before=0)
        return [job_id for (job_id,) in rows]

    def had_trouble(self, asset_id: int, handler: str) -> bool:
        """Say whether a handler ever failed on an asset or rejected it."""
        row = self._db.execute(
            "SELECT EXISTS (SELECT 1 FROM job JOIN job_event ON job_event.job_id = job.id"
            " WHERE job.asset_id = ? AND job.handler = ? AND after IN ('failed', 'rejected'))",
            (asset_id, handler),
        ).fetchone()
        return bool(row[0])

    def came_to_nothing(self, limit: int) -> list[sqlite3.Row]:
        """Return the latest job of each asset and handler that failed or was rejected."""
        return self._db.execute(
            "SELECT * FROM job WHERE state IN ('failed', 'rejected') AND NOT EXISTS"
            " (SELECT 1 FROM job AS later WHERE later.asset_id = job.asset_id"
            " AND later.handler = job.handler AND later.id > job.id)"
            " ORDER BY id DESC LIMIT ?",
            (limit,),
        ).fetchall()

    def failed_ids(self) -> list[int]:
        """Return the jobs that ``fxd retry --failed`` takes up again."""
        rows = self._db.execute("SELECT id FROM job WHERE state = 'failed' ORDER BY id")
        return [row[0] for row in rows]

    def next_rerun(self, asset_id: int, version: int, handler: str) -> int:
        """Return the next number of a deliberate further run of the same job."""
        row = self._db.execute(
            "SELECT COALESCE(MAX(rerun), -1) + 1 FROM job"
            " WHERE asset_id = ? AND version = ? AND handler = ?",
            (asset_id, version, handler),
        ).fetchone()
        return int(row[0])


def _checked(columns: Mapping[str, Any]) -> dict[str, Any]:
    if not columns.keys() <= _SETTABLE:
        raise AssertionError(f"not to be set with a change: {columns.keys() - _SETTABLE}")
    return dict(columns)
