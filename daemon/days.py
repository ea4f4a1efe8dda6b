"""Shooting days: once a folder has been quiet, one more job puts together what it holds.

A day is a folder right below a watched one, or a card there; what lies right in the watched
folder is one more day. The journal has it as an asset of kind DAY named ``<folder>/_day``;
each version of it stands for certain versions of the sources in the folder and certain runs
that made their results, so that whatever changes makes a new one. Its job waits for those runs.
"""

from __future__ import annotations

import os
import sqlite3
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
import xxhash

from daemon.inputs import Inputs
from daemon.jobstore import NewJob
from daemon.outputs import DAY, is_inside, within
from daemon.plan import Plan, Run, Watch
from daemon.settle import Look
from daemon.store import Accepted, Recorded, Store
from handlers.contract import AssetKind

log = structlog.get_logger()

_NAME = b"/" + os.fsencode(DAY)
# A recording that lies in no day's folder belongs to the days whose clips came this close to it.
_NEAR = 86_400.0
# Each takes a few questions to the journal; thousands at a start must not hold up the rest.
_MOST_AT_ONCE = 20
_PICTURES = frozenset({AssetKind.CLIP, AssetKind.SEQUENCE, AssetKind.CARD})


def day_of(path: bytes, kind: str, watch: str) -> bytes | None:
    """Return the folder of the day that something belongs to; None outside the watched folder.

    A card is a day of its own; what else lies right in the watched folder is a day together.
    """
    top = os.fsencode(watch)
    if not path.startswith(top + b"/"):
        return None
    first, below, _ = path[len(top) + 1 :].partition(b"/")
    return top + b"/" + first if below or kind == AssetKind.CARD else top


def folder_of_day(path: bytes) -> bytes:
    """Return the folder that a day's path in the journal stands for."""
    return path.removesuffix(_NAME)


def path_of_day(folder: bytes) -> bytes:
    """Return a day's path in the journal."""
    return folder + _NAME


@dataclass(slots=True)
class Days:
    """Notes which days were touched, and journals each once it has been quiet."""

    store: Store
    connection: sqlite3.Connection
    new_job: Callable[[Run, str], NewJob]
    _touched: dict[bytes, float] = field(default_factory=dict)
    # Sound that changed, by the watch that takes it: which days it belongs to is looked up later.
    _heard: dict[str, set[bytes]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._touched) + len(self._heard)

    def begin(self, plan: Plan, now: float) -> None:
        """Look at every day there is: what changed while nobody looked shows by itself."""
        # Known days first: a renamed one is only found once its former place is known to be empty.
        sql = "SELECT path, kind FROM asset WHERE watch = ? ORDER BY kind <> 'day'"
        for watch in plan.watches:
            if watch.day_runs:
                rows = self._rows(sql, (watch.folder,))
                self._touch((day_of(path, kind, watch.folder) for path, kind in rows), now)

    def touch(self, plan: Plan, paths: Iterable[bytes], now: float) -> None:
        """Note that something changed at these paths."""
        watches = [watch for watch in plan.watches if watch.day_runs]
        for path in paths if watches else ():
            for watch in watches:
                self._touch([day_of(path, self._kind_of(path), watch.folder)], now)
                if any(path.startswith(os.fsencode(sound) + b"/") for sound in _sound_of(watch)):
                    self._heard.setdefault(watch.folder, set()).add(path)

    def _kind_of(self, path: bytes) -> str:
        rows = self._rows("SELECT kind FROM asset WHERE path = ?", (path,))
        return str(rows[0][0]) if rows else ""

    def _touch(self, folders: Iterable[bytes | None], now: float) -> None:
        for folder in folders:
            if folder is not None:
                self._touched[folder] = now

    def journal(
        self, plan: Plan, arriving: Iterable[Look], now: float, wall: float, *, hurry: bool
    ) -> list[Recorded]:
        """Journal the touched days that have been quiet, inside the caller's transaction.

        Args:
            plan: Says how long quiet is.
            arriving: What is not journaled yet.
            now: The monotonic clock.
            wall: The time of day.
            hurry: Do not wait for what may follow, but for what is on its way.
        """
        self._look_up_sound(plan, now)
        ready = [
            folder for folder, at in self._touched.items() if self._quiet(plan, folder, at, now)
        ]
        on_the_way = _on_the_way(plan, arriving) if ready or hurry else set()
        made: list[Recorded | None] = []
        for folder in list(self._touched) if hurry else ready:
            if len(made) < _MOST_AT_ONCE and not self._arriving(plan, folder, on_the_way):
                del self._touched[folder]
                made.append(self._day(_watch_of(plan, folder), folder, wall))
        return [recorded for recorded in made if recorded is not None]

    @staticmethod
    def _quiet(plan: Plan, folder: bytes, at: float, now: float) -> bool:
        watch = _watch_of(plan, folder)
        return watch is None or at + min(run.quiet for run in watch.day_runs) <= now

    @staticmethod
    def _arriving(plan: Plan, folder: bytes, on_the_way: set[tuple[str, str]]) -> bool:
        watch = _watch_of(plan, folder)
        if watch is None:
            return False
        name = _name(folder, watch.folder)
        return any((top, name) in on_the_way for top in (watch.folder, *_sound_of(watch)))

    def _look_up_sound(self, plan: Plan, now: float) -> None:
        """Touch the days that changed sound belongs to."""
        heard, self._heard = self._heard, {}
        for watch in (watch for watch in plan.watches if watch.folder in heard):
            seen: defaultdict[bytes, list[float]] = defaultdict(list)
            for path, kind, at in self._rows(
                "SELECT path, kind, seen_at FROM asset WHERE watch = ? AND gone_at IS NULL",
                (watch.folder,),
            ):
                if (folder := day_of(path, kind, watch.folder)) is not None:
                    seen[folder].append(at)
            for sound in _sound_of(watch):
                for path in heard[watch.folder]:
                    self._touch(self._days_of(path, sound, watch, seen), now)

    def _days_of(
        self, path: bytes, sound: str, watch: Watch, seen: Mapping[bytes, Sequence[float]]
    ) -> Iterator[bytes]:
        """Yield the days that a recording in a folder of sound may belong to."""
        there = day_of(path, AssetKind.RECORDING, sound)
        if there is None:
            return
        named = _name(there, sound)
        rows = self._rows("SELECT seen_at FROM asset WHERE path = ?", (path,))
        for folder, times in seen.items():
            if named:
                if _name(folder, watch.folder) == named:
                    yield folder
            elif any(abs(at - rows[0][0]) <= _NEAR for at in times if rows):
                yield folder

    def _day(self, watch: Watch | None, folder: bytes, wall: float) -> Recorded | None:
        if watch is None:
            return None
        path = path_of_day(folder)
        known = self.store.asset_by_path(path)
        if known is not None and known["kind"] != AssetKind.DAY:
            log.warning("has the name of a day's results; rename it", asset=os.fsdecode(path))
            return None
        inputs, digest = self._inputs(watch, folder)
        if not inputs.clips:
            self.store.mark_gone([path], wall)
            return None
        if known is not None and known["fingerprint"] == digest:
            return None
        look = Look(path=path, kind=AssetKind.DAY, signature=digest.encode(), size=0)
        named = within(folder, watch.folder)
        jobs = tuple(self._job(run, named, inputs) for run in watch.day_runs)
        accepted = Accepted(
            look=look, watch=watch.folder, inode=0, fingerprint=digest, facts="{}", jobs=jobs
        )
        return self.store.record(accepted, wall)

    def _job(self, run: Run, named: str, inputs: Inputs) -> NewJob:
        job = self.new_job(run, named)
        waits = job.waits_for or inputs.why_not_ready(self.store) or None
        return replace(job, inputs=inputs.to_text(), waits_for=waits)

    def _inputs(self, watch: Watch, folder: bytes) -> tuple[Inputs, str]:
        """Return what a day is made of now, and a digest of that which does not name the day."""
        kinds = frozenset().union(*(run.spec.members for run in watch.day_runs))
        rows = self._below(watch.folder, folder, kinds)
        sound = [
            row
            for each in _sound_of(watch)
            for row in self._recordings(each, _name(folder, watch.folder), rows)
        ]
        jobs = {row["id"]: self._latest(row, watch) for row in rows}
        clips = tuple((row["id"], row["version"], tuple(jobs[row["id"]])) for row in rows)
        if not any(row["kind"] in _PICTURES for row in rows):
            clips = ()
        digest = xxhash.xxh3_128()
        for row in rows:
            rounds = [(job, self._reopened(job)) for job in jobs[row["id"]]]
            named = row["path"][len(folder) :]
            digest.update(repr((named, row["fingerprint"], rounds)).encode())
        for row in sound:
            digest.update(repr((row["path"], row["fingerprint"])).encode())
        heard = tuple((row["id"], row["version"]) for row in sound)
        return Inputs(clips=clips, sound=heard), f"day-{digest.hexdigest()}"

    def _below(self, watch: str, folder: bytes, kinds: Iterable[str]) -> list[sqlite3.Row]:
        kinds = list(kinds)
        # Of a watched folder, which may hold all there is, only what lies right in it.
        where, place = "folder = ?", [folder]
        if folder != os.fsencode(watch):
            where = "(path = ? OR (path > ? AND path < ?))"
            place = [folder, folder + b"/", folder + b"0"]  # b"0" follows b"/"
        rows = self._rows(
            f"SELECT * FROM asset WHERE watch = ? AND gone_at IS NULL AND {where}"  # noqa: S608
            f" AND kind IN ({','.join('?' * len(kinds))}) ORDER BY path",
            (watch, *place, *kinds),
        )
        return [row for row in rows if day_of(row["path"], row["kind"], watch) == folder]

    def _recordings(
        self, sound: str, name: str, clips: Sequence[sqlite3.Row]
    ) -> Iterator[sqlite3.Row]:
        """Yield a day's recordings: those in a folder of its name, or near it in none."""
        rows = self._rows(
            "SELECT * FROM asset WHERE watch = ? AND gone_at IS NULL AND kind = 'recording'"
            " ORDER BY path",
            (sound,),
        )
        for row in rows:
            named = _name(day_of(row["path"], row["kind"], sound) or b"", sound)
            if named:
                if named == name:
                    yield row
            elif any(abs(clip["seen_at"] - row["seen_at"]) <= _NEAR for clip in clips):
                yield row

    def _latest(self, asset: sqlite3.Row, watch: Watch) -> list[int]:
        """Return the latest run of each handler of the watch on an asset's present version."""
        handlers = [run.spec.name for run in watch.runs if not run.takes_days]
        rows = self._rows(
            "SELECT MAX(id) FROM job WHERE asset_id = ? AND version = ?"  # noqa: S608 - only marks
            f" AND handler IN ({','.join('?' * len(handlers))}) GROUP BY handler ORDER BY 1",
            (asset["id"], asset["version"], *handlers),
        )
        return [row[0] for row in rows]

    def _reopened(self, job: int) -> int:
        sql = "SELECT COUNT(*) FROM job_event WHERE job_id = ? AND change = 'reopen'"
        return int(self._rows(sql, (job,))[0][0])

    def _rows(self, sql: str, values: Sequence[Any]) -> list[sqlite3.Row]:
        return self.connection.execute(sql, values).fetchall()


def _sound_of(watch: Watch) -> list[str]:
    return list(dict.fromkeys(folder for run in watch.day_runs for folder in run.sound))


def _on_the_way(plan: Plan, looks: Iterable[Look]) -> set[tuple[str, str]]:
    """Return the names of the days that something arrives for, each with its watched folder."""
    watches = [watch for watch in plan.watches if watch.day_runs]
    tops = {top for watch in watches for top in (watch.folder, *_sound_of(watch))}
    days = {(top, day_of(look.path, look.kind, top)) for look in looks for top in tops}
    return {(top, _name(there, top)) for top, there in days if there is not None}


def _watch_of(plan: Plan, folder: bytes) -> Watch | None:
    found = (w for w in plan.watches if is_inside(os.fsdecode(folder), w.folder))
    return next((watch for watch in found if watch.day_runs), None)


def _name(folder: bytes, watch: str) -> str:
    """Return a day's name as people tell it apart: day01 and Day01 are one day.

    Right in the watched folder it is empty.
    """
    name = os.fsdecode(folder[len(os.fsencode(watch)) + 1 :])
    return unicodedata.normalize("NFC", name).casefold()
