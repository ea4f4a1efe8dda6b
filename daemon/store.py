"""What the journal knows of assets: versions, folders, outputs. Jobs are in jobstore.

All SQL that writes is in these two modules. A ``path`` here is bytes, relative to
the storage, as ``os.fsencode`` gives it.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain

from daemon import outputs
from daemon.jobstore import OVERTAKEN, RENAMED, JobStore, NewJob
from daemon.settle import Look
from handlers.contract import AssetKind

_DAY = b"/" + os.fsencode(outputs.DAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An asset that the gate let through, with what the check found.

    ``rejected`` is the sentence why its jobs cannot run, empty when they can.
    """

    look: Look
    watch: str
    inode: int
    fingerprint: str
    facts: str
    jobs: tuple[NewJob, ...]
    rejected: str = ""


class Arrival(StrEnum):
    """What an accepted asset turned out to be."""

    NEW = "new"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"
    RENAMED = "renamed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What recording one asset did: new jobs, those of them that are rejected at once.

    ``superseded`` names running jobs of an older version.
    """

    arrival: Arrival
    asset_id: int
    jobs: tuple[int, ...] = ()
    rejected: tuple[int, ...] = ()
    superseded: tuple[int, ...] = ()
    moves: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A published folder on its way to another place."""

    id: int
    source: bytes
    target: bytes


def folder_of(path: bytes) -> bytes:
    """Return the folder part of a relative path, empty at the top."""
    return path.rpartition(b"/")[0]


class Store:
    """Writes assets and folders; used by the service's main thread alone."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self.jobs = JobStore(connection)

    def meta(self, key: str) -> str | None:
        """Return a remembered value."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        """Remember a value."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def record(self, accepted: Accepted, now: float) -> Recorded:
        """Journal one accepted asset and its jobs, inside the caller's transaction."""
        self.forget_digests([_folder(accepted.look)])
        row = self._find(accepted.look.path)
        if row is None:
            row = self._moved_from(accepted)
            if row is not None:
                return self._renamed(row, accepted, now)
            return self._inserted(accepted, now)
        if row["fingerprint"] == accepted.fingerprint and row["kind"] == accepted.look.kind:
            return self._unchanged(row, accepted, now)
        return self._replaced(row, accepted, now)

    def _find(self, path: bytes) -> sqlite3.Row | None:
        found = self._db.execute("SELECT * FROM asset WHERE path = ?", (path,)).fetchone()
        return found if isinstance(found, sqlite3.Row) else None

    def _moved_from(self, new: Accepted) -> sqlite3.Row | None:
        """A vanished asset with the same inode and content in the same watch was renamed."""
        found = self._db.execute(
            "SELECT * FROM asset WHERE inode = ? AND fingerprint = ? AND kind = ? AND watch = ?"
            " AND gone_at IS NOT NULL",
            (new.inode, new.fingerprint, new.look.kind, new.watch),
        ).fetchone()
        return found if isinstance(found, sqlite3.Row) else None

    def _inserted(self, new: Accepted, now: float) -> Recorded:
        cursor = self._db.execute(
            "INSERT INTO asset (path, folder, watch, kind, signature, inode, size, fingerprint,"
            " members, facts, seen_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (new.look.path, _folder(new.look), new.watch, *_columns(new), now),
        )
        asset_id = int(cursor.lastrowid or 0)
        jobs = self._add_jobs(asset_id, 1, new, now)
        return Recorded(
            arrival=Arrival.NEW, asset_id=asset_id, jobs=jobs, rejected=self.jobs.rejected_of(jobs)
        )

    def _unchanged(self, row: sqlite3.Row, new: Accepted, now: float) -> Recorded:
        """Touched, copied again, or back after it was gone: the same content, nothing to redo."""
        self._update(row["id"], new, row["version"])
        jobs = self.jobs.revive(row["id"], row["version"], now)
        if not new.rejected:
            jobs += self.jobs.reopen_rejected(row["id"], row["version"], now)
            jobs += self._add_missing_jobs(row["id"], row["version"], new, now)
        return Recorded(arrival=Arrival.UNCHANGED, asset_id=row["id"], jobs=tuple(jobs))

    def _replaced(self, row: sqlite3.Row, new: Accepted, now: float) -> Recorded:
        version = row["version"] + 1
        self._update(row["id"], new, version)
        superseded = self.jobs.supersede(row["id"], now)
        jobs = self._add_jobs(row["id"], version, new, now)
        return Recorded(
            arrival=Arrival.REPLACED,
            asset_id=row["id"],
            jobs=jobs,
            rejected=self.jobs.rejected_of(jobs),
            superseded=tuple(superseded),
        )

    def _renamed(self, row: sqlite3.Row, new: Accepted, now: float) -> Recorded:
        """Take the asset, its jobs and its published results along to the new name."""
        self._update(row["id"], new, row["version"])
        self._db.execute("UPDATE asset SET path = ? WHERE id = ?", (new.look.path, row["id"]))
        moves = tuple(self._move_outputs(row["id"], new))
        self.jobs.revive(row["id"], row["version"], now)
        superseded: list[int] = []
        if not new.rejected:
            superseded = self._run_renamed(row, new, now)
            self._add_missing_jobs(row["id"], row["version"], new, now)
        return Recorded(
            arrival=Arrival.RENAMED,
            asset_id=row["id"],
            superseded=tuple(superseded),
            moves=moves,
        )

    def _run_renamed(self, row: sqlite3.Row, new: Accepted, now: float) -> list[int]:
        """Run again what takes something from its path; return what runs under the old one."""
        names = [outputs.within(path, new.watch) for path in (row["path"], new.look.path)]
        running: list[int] = []
        for job in new.jobs:
            if job.differs(*names) and self.jobs.any_of(row["id"], job.handler):
                running += self.jobs.supersede(row["id"], now, handler=job.handler, why=RENAMED)
                self.add_job(row["id"], job, now, again=True)
        return running

    def _move_outputs(self, asset_id: int, new: Accepted) -> Iterator[tuple[bytes, bytes]]:
        rows = self._db.execute(
            "SELECT path, handler FROM output WHERE asset_id = ?", (asset_id,)
        ).fetchall()
        roots = {job.handler: job.output_root for job in new.jobs}
        for old, handler in rows:
            if handler not in roots:
                continue
            self._db.execute("DELETE FROM output WHERE path = ?", (old,))
            target = self.output_path(asset_id, handler, roots[handler], new.watch, new.look.path)
            if target != old:
                self._db.execute(
                    "INSERT INTO intent (kind, source, target) VALUES ('move', ?, ?)",
                    (old, target),
                )
                yield old, target

    def _update(self, asset_id: int, new: Accepted, version: int) -> None:
        self._db.execute(
            "UPDATE asset SET kind = ?, signature = ?, inode = ?, size = ?, fingerprint = ?,"
            " members = ?, facts = ?, version = ?, folder = ?, gone_at = NULL WHERE id = ?",
            (*_columns(new), version, _folder(new.look), asset_id),
        )

    def _add_missing_jobs(
        self, asset_id: int, version: int, new: Accepted, now: float
    ) -> tuple[int, ...]:
        """Add jobs of handlers that came into the configuration while the asset was away."""
        missing = [job for job in new.jobs if not self.jobs.any_of(asset_id, job.handler)]
        return self._add_jobs(asset_id, version, replace(new, jobs=tuple(missing)), now)

    def _add_jobs(self, asset_id: int, version: int, new: Accepted, now: float) -> tuple[int, ...]:
        jobs = []
        for job in new.jobs:
            job_id = self.jobs.add(
                asset_id, version, new.fingerprint, job, now=now, rejected=new.rejected
            )
            if job_id is not None:
                jobs.append(job_id)
        return tuple(jobs)

    def output_path(
        self, asset_id: int, handler: str, root: str, watch: str, asset_path: bytes
    ) -> bytes:
        """Return the folder, relative to the storage, that a handler's results go to.

        The first answer for an asset and handler holds for as long as the journal lives.
        """
        row = self._db.execute(
            "SELECT path FROM output WHERE asset_id = ? AND handler = ?", (asset_id, handler)
        ).fetchone()
        if row is not None:
            return bytes(row[0])
        candidates = chain(
            self._inside_card(root, asset_path),
            outputs.candidates(root, watch, asset_path, self._holds_results),
        )
        found = next(path for path in candidates if self._is_free(path, asset_path))
        self._db.execute(
            "INSERT INTO output VALUES (?, ?, ?, ?)",
            (found, outputs.key_of(found), asset_id, handler),
        )
        return found

    def _inside_card(self, root: str, asset_path: bytes) -> list[bytes]:
        """Return where a card's day goes: into the card's own results, beside its clips."""
        card = asset_path.removesuffix(_DAY)
        rows = self._db.execute(
            "SELECT output.path FROM output JOIN asset ON asset.id = asset_id"
            " WHERE asset.path = ? AND asset.kind = ?",
            (card, AssetKind.CARD),
        )
        top = os.fsencode(root) + b"/"
        return [row[0] + _DAY for row in rows if row[0].startswith(top) and card != asset_path]

    def _holds_results(self, path: bytes) -> bool:
        key = (outputs.key_of(path),)
        return self._has("SELECT 1 FROM output WHERE key = ?", key)

    def _is_free(self, path: bytes, asset_path: bytes) -> bool:
        """Say whether nobody's results are in a folder, below it, or on their way out of it.

        A card's own day may be below.
        """
        key = outputs.key_of(path)
        below = (key + b"/", key + b"0")  # b"0" follows b"/"
        return not (
            self._holds_results(path)
            or self._has(
                "SELECT 1 FROM output JOIN asset ON asset.id = asset_id"
                " WHERE key >= ? AND key < ? AND asset.path <> ?",
                (*below, asset_path + _DAY),
            )
            or self._has("SELECT 1 FROM intent WHERE source = ?", (path,))
        )

    def _has(self, sql: str, values: Sequence[bytes]) -> bool:
        return self._db.execute(f"{sql} LIMIT 1", values).fetchone() is not None

    def mark_gone(self, paths: Sequence[bytes], now: float) -> int:
        """Note that sources vanished; their results stay. Return how many were known."""
        count = 0
        for path in paths:
            cursor = self._db.execute(
                "UPDATE asset SET gone_at = ? WHERE path = ? AND gone_at IS NULL", (now, path)
            )
            count += cursor.rowcount
        self.forget_digests({folder_of(path) for path in paths})
        return count

    def forget_digests(self, folders: Iterable[bytes]) -> None:
        """Have folders compared again: what a digest stood for is no longer what is journaled."""
        self._db.executemany("DELETE FROM folder WHERE path = ?", ((path,) for path in folders))

    def mark_folder_gone(self, folder: bytes, now: float) -> None:
        """Note that everything in and below a folder vanished."""
        below = (folder, folder + b"/", folder + b"0")  # b"0" follows b"/"
        self._db.execute(
            "UPDATE asset SET gone_at = ? WHERE gone_at IS NULL"
            " AND (path = ? OR folder = ? OR (folder >= ? AND folder < ?))",
            (now, folder, *below),
        )
        self._db.execute("DELETE FROM folder WHERE path = ? OR (path >= ? AND path < ?)", below)

    def set_digests(self, digests: Sequence[tuple[bytes, bytes]]) -> None:
        """Remember the folders in which everything is journaled."""
        self._db.executemany("INSERT OR REPLACE INTO folder VALUES (?, ?)", digests)

    def clear_digests(self) -> None:
        """Forget all digests, so that the next walk compares file by file."""
        self._db.execute("DELETE FROM folder")

    def assets_without_job(self, watch: str, handler: str, kinds: Iterable[str]) -> list[int]:
        """Return assets that a newly configured handler has never seen."""
        kinds = list(kinds)
        rows = self._db.execute(
            "SELECT id FROM asset WHERE watch = ? AND gone_at IS NULL"  # noqa: S608 - only marks
            f" AND kind IN ({','.join('?' * len(kinds))})"
            " AND NOT EXISTS (SELECT 1 FROM job WHERE asset_id = asset.id AND handler = ?)",
            (watch, *kinds, handler),
        )
        return [row[0] for row in rows]

    def take_over(self, watch: str) -> None:
        """Count as this watch's what lies in its folder, whichever watch it came by."""
        folder = os.fsencode(watch)
        self._db.execute(
            "UPDATE asset SET watch = ? WHERE watch <> ?"
            " AND (folder = ? OR (folder >= ? AND folder < ?))",
            (watch, watch, folder, folder + b"/", folder + b"0"),
        )

    def add_job(self, asset_id: int, job: NewJob, now: float, *, again: bool = False) -> int | None:
        """Add a job for an asset's present version; ``again`` runs it even if it was done."""
        row = self._db.execute("SELECT * FROM asset WHERE id = ?", (asset_id,)).fetchone()
        rerun = 0
        if again:
            rerun = self.jobs.next_rerun(asset_id, row["version"], job.handler)
            self.jobs.supersede(asset_id, now, handler=job.handler, why=OVERTAKEN)
        return self.jobs.add(
            asset_id, row["version"], row["fingerprint"], job, now=now, rerun=rerun
        )

    def source(self, asset_id: int) -> sqlite3.Row:
        """Return an asset's row, its columns named as JobStore.with_asset names them."""
        found: sqlite3.Row = self._db.execute(
            "SELECT path AS asset_path, kind AS asset_kind, members AS asset_members,"
            " facts AS asset_facts, version AS asset_version, gone_at AS asset_gone_at,"
            " watch AS asset_watch, signature AS asset_signature, fingerprint"
            " FROM asset WHERE id = ?",
            (asset_id,),
        ).fetchone()
        return found

    def asset_by_path(self, path: bytes) -> sqlite3.Row | None:
        """Return an asset that is there, by its path."""
        row = self._find(path)
        return row if row is not None and row["gone_at"] is None else None

    def moves(self) -> list[Move]:
        """Return published folders that still have to follow a renamed source, and now can.

        Of a source that was renamed again and again, each move waits for the one before; a day
        inside a card's results waits for these, which take it along.
        """
        rows = self._db.execute(
            "SELECT id, source, target FROM intent WHERE kind = 'move' AND NOT EXISTS"
            " (SELECT 1 FROM intent AS earlier WHERE earlier.id < intent.id"
            " AND (earlier.target = intent.source"
            " OR CAST(earlier.source || ? AS BLOB) = intent.source)) ORDER BY id",
            (_DAY,),
        )
        return [Move(id=row[0], source=row[1], target=row[2]) for row in rows]

    def finish_intent(self, intent_id: int) -> None:
        """Forget a change that is complete."""
        self._db.execute("DELETE FROM intent WHERE id = ?", (intent_id,))


def _folder(look: Look) -> bytes:
    """A day is no file in its folder: no comparison finds it there."""
    return b"" if look.kind is AssetKind.DAY else folder_of(look.path)


def _columns(new: Accepted) -> tuple[str, bytes, int, int, str, str, str]:
    members = json.dumps(list(new.look.members))
    look = new.look
    return look.kind, look.signature, new.inode, look.size, new.fingerprint, members, new.facts
