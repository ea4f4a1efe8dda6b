"""Shooting days: once a folder has been quiet, one more job puts together what it holds.

A day is a folder right below a watched one. The journal has it as an asset of kind DAY named
``<folder>/_day``; each version of it stands for certain versions of the sources in the
folder and certain runs that made their results, so that whatever changes makes a new one.
Its job waits for those runs.
"""

from __future__ import annotations

import os
import sqlite3
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import xxhash

from daemon.inputs import Inputs
from daemon.jobstore import NewJob
from daemon.plan import Plan, Run, Watch
from daemon.settle import Look
from daemon.store import Accepted, Recorded, Store
from handlers.contract import AssetKind

_NAME = b"/_day"
# A recording that lies in no day's folder belongs to the days whose clips came this close to it.
_NEAR = 86_400.0
# Each takes a few questions to the journal; thousands at a start must not hold up the rest.
_MOST_AT_ONCE = 20
_PICTURES = frozenset({AssetKind.CLIP, AssetKind.SEQUENCE, AssetKind.CARD})


def day_of(path: bytes, watch: str) -> bytes | None:
    """Return the day's folder that a path lies in; None right in the watched folder."""
    top = os.fsencode(watch) + b"/"
    if not path.startswith(top):
        return None
    first, below, _ = path[len(top) :].partition(b"/")
    return top + first if below else None


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
    new_job: Callable[[Run], NewJob]
    _touched: dict[bytes, float] = field(default_factory=dict)
    # Sound that changed, by the watch that takes it: which days it belongs to is looked up later.
    _heard: dict[str, set[bytes]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._touched) + len(self._heard)

    def begin(self, plan: Plan, now: float) -> None:
        """Look at every day there is: what changed while nobody looked shows by itself."""
        for watch in plan.watches:
            if watch.day_runs:
                rows = self._rows(
                    "SELECT DISTINCT path FROM asset WHERE watch = ?", (watch.folder,)
                )
                self._touch((day_of(row[0], watch.folder) for row in rows), now)

    def touch(self, plan: Plan, paths: Iterable[bytes], now: float) -> None:
        """Note that something changed at these paths."""
        watches = [watch for watch in plan.watches if watch.day_runs]
        for path in paths if watches else ():
            for watch in watches:
                self._touch([day_of(path, watch.folder)], now)
                if any(path.startswith(os.fsencode(sound) + b"/") for sound in _sound_of(watch)):
                    self._heard.setdefault(watch.folder, set()).add(path)

    def _touch(self, folders: Iterable[bytes | None], now: float) -> None:
        for folder in folders:
            if folder is not None:
                self._touched[folder] = now

    def journal(
        self, plan: Plan, arriving: Iterable[bytes], now: float, wall: float, *, hurry: bool
    ) -> list[Recorded]:
        """Journal the touched days that have been quiet, inside the caller's transaction.

        Args:
            plan: Says how long quiet is.
            arriving: Paths of what is not journaled yet.
            now: The monotonic clock.
            wall: The time of day.
            hurry: Do not wait for what may follow, but for what is on its way.
        """
        self._look_up_sound(plan, now)
        ready = [
            folder for folder, at in self._touched.items() if self._quiet(plan, folder, at, now)
        ]
        on_the_way = list(arriving) if ready or hurry else []
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
    def _arriving(plan: Plan, folder: bytes, paths: Sequence[bytes]) -> bool:
        watch = _watch_of(plan, folder)
        if watch is None:
            return False
        name = folder[len(os.fsencode(watch.folder)) :]
        tops = [folder, *(os.fsencode(sound) + name for sound in _sound_of(watch))]
        return any(path.startswith(top + b"/") for path in paths for top in tops)

    def _look_up_sound(self, plan: Plan, now: float) -> None:
        """Touch the days that changed sound belongs to."""
        heard, self._heard = self._heard, {}
        for watch in (watch for watch in plan.watches if watch.folder in heard):
            seen: defaultdict[bytes, list[float]] = defaultdict(list)
            for path, at in self._rows(
                "SELECT path, seen_at FROM asset WHERE watch = ? AND gone_at IS NULL",
                (watch.folder,),
            ):
                if (folder := day_of(path, watch.folder)) is not None:
                    seen[folder].append(at)
            for sound in _sound_of(watch):
                for path in heard[watch.folder]:
                    self._touch(self._days_of(path, sound, watch, seen), now)

    def _days_of(
        self, path: bytes, sound: str, watch: Watch, seen: Mapping[bytes, Sequence[float]]
    ) -> Iterator[bytes]:
        """Yield the days that a recording in a folder of sound may belong to."""
        if not path.startswith(os.fsencode(sound) + b"/"):
            return
        named = day_of(path, sound)
        rows = self._rows("SELECT seen_at FROM asset WHERE path = ?", (path,))
        for folder, times in seen.items():
            if named is not None:
                if _name(folder, watch.folder) == _name(named, sound):
                    yield folder
            elif any(abs(at - rows[0][0]) <= _NEAR for at in times if rows):
                yield folder

    def _day(self, watch: Watch | None, folder: bytes, wall: float) -> Recorded | None:
        if watch is None:
            return None
        path = path_of_day(folder)
        known = self.store.asset_by_path(path)
        inputs, digest = self._inputs(watch, folder)
        if not inputs.clips:
            self.store.mark_gone([path], wall)
            return None
        if known is not None and known["fingerprint"] == digest:
            return None
        look = Look(path=path, kind=AssetKind.DAY, signature=digest.encode(), size=0)
        jobs = tuple(self._job(run, inputs) for run in watch.day_runs)
        accepted = Accepted(
            look=look, watch=watch.folder, inode=0, fingerprint=digest, facts="{}", jobs=jobs
        )
        return self.store.record(accepted, wall)

    def _job(self, run: Run, inputs: Inputs) -> NewJob:
        job = self.new_job(run)
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
        return self._rows(
            "SELECT * FROM asset WHERE watch = ?"  # noqa: S608 - only marks
            " AND gone_at IS NULL AND path > ? AND path < ?"
            f" AND kind IN ({','.join('?' * len(kinds))}) ORDER BY path",
            (watch, folder + b"/", folder + b"0", *kinds),  # b"0" follows b"/"
        )

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
            named = day_of(row["path"], sound)
            near = named is None and any(
                abs(clip["seen_at"] - row["seen_at"]) <= _NEAR for clip in clips
            )
            if near or (named is not None and _name(named, sound) == name):
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


def _watch_of(plan: Plan, folder: bytes) -> Watch | None:
    found = (w for w in plan.watches if folder.startswith(os.fsencode(w.folder) + b"/"))
    return next((watch for watch in found if watch.day_runs), None)


def _name(folder: bytes, watch: str) -> str:
    """Return a day's name as people tell it apart: day01 and Day01 are one day."""
    name = os.fsdecode(folder[len(os.fsencode(watch)) + 1 :])
    return unicodedata.normalize("NFC", name).casefold()
