"""Keeps status.json, ``_status.txt`` and ``_failed/`` true, without telling too often."""

from __future__ import annotations

import os
import queue
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from daemon import tell
from daemon.active import Finished
from daemon.executor import Progress
from daemon.hook import Hook
from daemon.intake import Intake
from daemon.jobs import Change
from daemon.plan import Plan
from daemon.runs import Runs
from daemon.status_file import text, write_status
from daemon.watchers import Watchers

_STATUS_PAUSE = 0.5
_TEXT_PAUSE = 2.0
_MOST_WAITING = 200
_MOST_SHOWN = 1000
Operation = Callable[[], None]


class Reporter:
    """Reads the service's parts and the journal; what it writes to storage it hands out."""

    def __init__(
        self,
        plan: Plan,
        connection: sqlite3.Connection,
        intake: Intake,
        runs: Runs,
        watchers: Watchers,
    ) -> None:
        self._plan = plan
        self._db = connection
        self._intake = intake
        self._runs = runs
        self._watchers = watchers
        self._since = time.time()
        self._version = version("fxd")
        self._status_due = 0.0
        self._text_due = 0.0
        self._texts: dict[str, list[str] | None] = dict.fromkeys(plan.outputs())
        self._hook = Hook(plan.config.notify)
        # Sentences that could not be written, and those of before this start.
        self._unwritten: queue.SimpleQueue[Operation] = queue.SimpleQueue()
        self.config_error = ""

    def begin(self) -> None:
        """Say that the daemon is there."""
        self._hook.start()
        self._write_status(time.time())
        # A kill may have come between a job's end and its sentence.
        for row in self._runs.store.jobs.came_to_nothing(_MOST_SHOWN):
            # An output that is configured no longer may have been deleted, and stays so.
            if row["output_root"] in self._texts:
                self._unwritten.put(self._sentence(row["id"]))

    def end(self) -> None:
        """Say that it is not there any more."""
        self._hook.stop()
        self._hook.join(5.0)
        with suppress(OSError):
            write_status(self._plan.state, self._status(time.time()) | {"running": []})

    def take_plan(self, plan: Plan) -> None:
        """Follow a new configuration."""
        self._plan = plan
        self._hook.config = plan.config.notify
        self.config_error = ""
        self._texts = {root: self._texts.get(root) for root in plan.outputs()}

    def told(self, error: Exception | None) -> None:
        """A text could not be written: try again with the next one."""
        if error is not None:
            self._texts = dict.fromkeys(self._texts)

    def news(self, now: float) -> list[Operation]:
        """Write status.json if it is time, and return what is to be written to the storage."""
        if now >= self._status_due or now < self._status_due - 60:
            self._write_status(now)
        finished, self._runs.finished = self._runs.finished, []
        operations = [op for item in finished if (op := self._failed(item)) is not None]
        if now >= self._text_due or now < self._text_due - 60:
            self._text_due = now + _TEXT_PAUSE
            operations += self._text_operations()
            operations += [self._unwritten.get() for _ in range(self._unwritten.qsize())]
        return operations

    def farewell(self) -> list[Operation]:
        """Return the last texts: nothing runs any more, what is queued waits for the next start."""
        return self._text_operations()

    def _write_status(self, now: float) -> None:
        self._status_due = now + _STATUS_PAUSE
        # A full state disk shows as a journal that cannot be written; status follows then.
        with suppress(OSError):
            write_status(self._plan.state, self._status(now))

    def _status(self, now: float) -> dict[str, Any]:
        waiting = self._intake.waiting()
        return {
            "at": now,
            "pid": os.getpid(),
            "since": self._since,
            "version": self._version,
            "paused": self._runs.paused,
            "draining": self._runs.draining,
            "watches": self._watchers.describe(),
            "running": self._running(),
            "waiting": [tell.describe_pending(item) for item in waiting[:_MOST_WAITING]],
            "waiting_count": len(waiting),
            "blocked": self._runs.room.blocked(now),
            "problems": self._problems(),
            "config_error": self.config_error,
        }

    def _problems(self) -> list[dict[str, str]]:
        return [
            {"folder": text(folder), "what": what}
            for folder, whats in list(self._intake.problems.items())[:_MOST_WAITING]
            for what in whats
        ]

    def _running(self) -> list[dict[str, Any]]:
        return [
            {
                "id": active.id,
                "asset": text(active.row["asset_path"]),
                "handler": active.row["handler"],
                "progress": progress.fraction if progress else None,
                "message": active.note or _message(progress) or str(active.stage),
                "pid": progress.pid if progress else None,
            }
            for active, progress in self._runs.running()
        ]

    def _text_operations(self) -> list[Operation]:
        jobs = self._jobs()
        # A storm of files would take long to describe, and nobody reads that far.
        shown = self._intake.waiting()[:_MOST_SHOWN]
        waiting = [tell.describe_pending(item) for item in shown]
        problems, paused = self._problems(), self._runs.paused
        operations = []
        for watch in self._plan.watches:
            for run in watch.runs:
                lines = tell.status_lines(
                    run.output, watch.folder, waiting, jobs, problems=problems, paused=paused
                )
                if lines != self._texts.get(run.output):
                    self._texts[run.output] = lines
                    operations.append(_writing(self._plan.storage, run.output, lines))
        return operations

    def _jobs(self) -> list[dict[str, Any]]:
        said = {item["id"]: item for item in self._running()}
        jobs = []
        for row in tell.active_jobs(self._db):
            live = said.get(row["id"], {})
            jobs.append(
                {
                    "root": row["root"],
                    "state": row["state"],
                    "asset": text(row["path"]),
                    "progress": live.get("progress"),
                    "message": live.get("message") or row["reason"],
                }
            )
        return jobs

    def _failed(self, item: Finished) -> Operation | None:
        if self._went_well(item):
            return None
        job = self._runs.store.jobs.with_asset(item.job)
        self._tell_hook(item, job)
        if item.change in {Change.FAIL, Change.REJECT}:
            return self._sentence(item.job)
        if item.change in {Change.PUBLISH, Change.CANCEL}:
            storage, root, path = self._plan.storage, job["output_root"], self._failed_path(job)
            return self._persistent(lambda: tell.remove_failed(storage, root, path))
        return None

    def _failed_path(self, job: sqlite3.Row) -> Path:
        asset = os.fsdecode(job["asset_path"])
        storage, root = self._plan.storage, job["output_root"]
        return tell.failed_path(storage, root, job["asset_watch"], asset)

    def _sentence(self, job_id: int) -> Operation:
        """Return what writes the sentence about a job that came to nothing."""
        job = self._runs.store.jobs.with_asset(job_id)
        storage, path = self._plan.storage, self._failed_path(job)
        said = {key: job[key] for key in ("id", "state", "reason")}
        said["asset"] = text(job["asset_path"])
        return self._persistent(lambda: tell.write_failed(storage, path, said))

    def _persistent(self, operation: Operation) -> Operation:
        """Have what could not be done now done later."""

        def done() -> None:
            try:
                operation()
            except OSError:
                self._unwritten.put(done)
                raise

        return done

    def _went_well(self, item: Finished) -> bool:
        """Say whether there is nobody to tell and nothing to remove: so for nearly every job."""
        if item.change is not Change.PUBLISH or item.row is None or self._hook.config.command:
            return False
        return not self._runs.store.jobs.had_trouble(item.row["asset_id"], item.row["handler"])

    def _tell_hook(self, item: Finished, job: sqlite3.Row) -> None:
        if item.change not in {Change.PUBLISH, Change.FAIL, Change.REJECT}:
            return
        told = {key: job[key] for key in ("id", "handler", "state", "reason")}
        told["asset"] = text(job["asset_path"])
        told["output"] = job["output_root"]
        if item.change is Change.PUBLISH:
            told["output"] = text(self._runs.output_of(job))
        self._hook.tell(told)

    def summary(self) -> str:
        """Return one line for the service manager."""
        waiting = len(self._intake.waiting())
        return f"{len(self._runs.active)} running, {waiting} arriving" + (
            ", paused" if self._runs.paused else ""
        )

    def unfinished(self) -> list[str]:
        """Return what is not done, one line each, for ``fxd once``."""
        waiting = [tell.describe_pending(item) for item in self._intake.waiting()]
        lines = [f"{item['path']}: {item['reason']}" for item in waiting]
        lines += [
            f"watch {watch['folder']}: {watch['reason']}"
            for watch in self._watchers.describe()
            if watch["state"] == "lost"
        ]
        blocked = self._runs.room.blocked(time.time())
        notes = {active.id: active.note for active in self._runs.active.values()}
        for row in tell.active_jobs(self._db):
            reason = (
                notes.get(row["id"]) or row["reason"] or blocked.get(row["root"]) or row["state"]
            )
            lines.append(f"{text(row['path'])}: {row['handler']}: {reason}")
        return lines


def _writing(storage: Path, root: str, lines: list[str]) -> Operation:
    return lambda: tell.write_status_text(storage, root, lines)


def _message(progress: Progress | None) -> str:
    if progress is None:
        return ""
    # A child that has said nothing yet imports and loads.
    return progress.message or "starting"
