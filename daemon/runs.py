"""The back half of the daemon: from queued jobs to published results."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from daemon import inputs, learnt, orders, publish, work
from daemon.active import (
    HELD_UP,
    Active,
    Finished,
    Stage,
    clearing,
    name_of,
    publishing,
    why_not_written,
)
from daemon.config import RunConfig
from daemon.dispatch import Candidate, choose, free_slots
from daemon.errors import DaemonError, SourceChangedError, StorageLostError
from daemon.executor import Ending, Executor, Outcome, Progress
from daemon.jobs import BY_A_PERSON, Change, JobState, backoff, change_after_failure
from daemon.jobstore import REPLACED
from daemon.plan import Plan
from daemon.publish import Place
from daemon.room import Room
from daemon.store import Store
from daemon.writer import StorageWriter, Written

log = structlog.get_logger()

# Results that wait to be published hold staging room; beyond this nothing new starts.
_MOST_PUBLISHING = 32


@dataclass(slots=True)
class Runs:
    """Claims, runs and publishes jobs. The service's main thread alone calls it.

    Methods that change the journal run inside the caller's transaction.
    """

    plan: Plan
    store: Store
    executor: Executor
    writer: StorageWriter
    room: Room
    storage_id: str
    journal_id: str
    models_of: Callable[[Mapping[str, str | None]], list[dict[str, Any]]]
    paused: bool = False
    draining: bool = False
    active: dict[int, Active] = field(default_factory=dict)
    finished: list[Finished] = field(default_factory=list)
    _claimed: list[Active] = field(default_factory=list)

    @property
    def limits(self) -> RunConfig:
        """The configured limits of runs."""
        return self.plan.config.run

    @property
    def pause(self) -> float:
        """How long to leave a place alone that could not be written to, in seconds."""
        return self.plan.config.disk.retry

    # Starting.

    def dispatch(self, now: float) -> bool:
        """Claim what can start; return whether anything was claimed."""
        if self.paused or self.draining or not self.room.known:
            return False
        specs = self.plan.specs
        busy = [
            specs[job.row["handler"]].needs
            for job in self.active.values()
            if job.stage is Stage.RUNNING and job.row["handler"] in specs
        ]
        slots = free_slots(self.executor.slots(), busy)
        if slots.cpu <= 0 and slots.gpu <= 0:
            return False
        # Only what finds a slot is asked for: a hundred others must not hide it.
        fitting = [name for name, spec in specs.items() if slots.fits(spec.needs)]
        # A few more than can start: each turn asks, and a long queue must not cost each time.
        most = 8 + 2 * (slots.cpu + slots.gpu)
        blocked = {*self.room.blocked(now), *self._crowded()}
        rows = self.store.jobs.queued(now, most, fitting, blocked)
        # Two runs of one handler on one asset would write to one place.
        first = {(row["asset_id"], row["handler"]): row for row in reversed(rows)}
        starting = choose(
            [
                Candidate(id=row["id"], handler=row["handler"])
                for row in rows
                if first[row["asset_id"], row["handler"]] is row
            ],
            needs={name: spec.needs for name, spec in specs.items()},
            slots=slots,
        )
        for candidate in starting:
            self._claim(candidate, now)
        return bool(starting)

    def _crowded(self) -> list[str]:
        """Return the outputs in which too many results wait for their place already."""
        waiting = Counter(
            job.place.root for job in self.active.values() if job.stage is Stage.PUBLISHING
        )
        return [root for root, count in waiting.items() if count >= _MOST_PUBLISHING]

    def _claim(self, candidate: Candidate, now: float) -> None:
        row = self.store.jobs.with_asset(candidate.id)
        if reason := self.store.jobs.outdated(row):
            self.store.jobs.change(candidate.id, Change.CANCEL, now, reason=reason)
            self.finished.append(Finished(job=candidate.id, change=Change.CANCEL))
            return
        lease, token = now + self.limits.time_limit, row["token"]
        claim = self.store.jobs.change
        if not claim(candidate.id, Change.CLAIM, now, token=token, lease_until=lease):
            return
        active = Active(row=row, token=token + 1, place=self._place(row, token + 1))
        active.inputs = inputs.resolved(self.store, row, self.output_of)
        self.active[candidate.id] = active
        self._claimed.append(active)

    def start_claimed(self) -> None:
        """Start what was claimed, once the claims are in the journal."""
        claimed, self._claimed = self._claimed, []
        for active in claimed:
            log.info(
                "runs", job=active.id, asset=name_of(active.row), handler=active.row["handler"]
            )
            spec = self.plan.specs[active.row["handler"]]
            self.executor.submit(orders.task(active, spec))

    def output_of(self, row: sqlite3.Row) -> bytes:
        """Return the folder, relative to the storage, that a job's results go to."""
        return self.store.output_path(
            row["asset_id"],
            row["handler"],
            row["output_root"],
            row["asset_watch"],
            row["asset_path"],
        )

    def _place(self, row: sqlite3.Row, token: int) -> Place:
        return Place(
            storage=self.plan.storage,
            storage_id=self.storage_id,
            journal=self.journal_id,
            root=row["output_root"],
            output=os.fsdecode(self.output_of(row)),
            job=row["id"],
            token=token,
        )

    # What comes back.

    def written(self, result: Written, now: float) -> None:
        """Take the end of a storage operation that belongs to a job."""
        kind, job_id, token = result.key
        active = self.active.get(job_id)
        if active is None or active.token != token:
            return
        if kind == "publish":
            self._published(active, result.error, now)
        else:
            self._cleared(active, result.error, now)

    def _no_room(self, active: Active, error: Exception, now: float) -> None:
        """Nothing of this is the job's fault: it goes back, and its output is left alone."""
        reason = why_not_written(active.place.root, error)
        if not isinstance(error, StorageLostError):
            self.room.block(active.place.root, reason, now)
        log.warning("held up", job=active.id, why=reason)
        self._change(active, Change.GIVE_BACK, now, reason=reason, not_before=now + self.pause)

    def poll(self, monotonic: float) -> list[Outcome]:
        """Return the runs that ended; ``ended`` takes each inside a transaction."""
        return self.executor.poll(monotonic)

    def ended(self, outcome: Outcome) -> None:
        """Take the end of a run: publish it, or clear up and decide what follows."""
        active = self.active.get(outcome.job)
        if active is None or active.token != outcome.token:
            return
        # The source may have been renamed or replaced while the job ran.
        active.row = self.store.jobs.with_asset(active.id)
        if self._is_stale(active):
            self._clear(active, Ending.CANCELLED, REPLACED)
        elif outcome.ending is Ending.DONE:
            active.outcome, active.stage = outcome, Stage.PUBLISHING
            self._publish(active)
        else:
            active.outcome, active.stage = outcome, Stage.CLEARING
            self._submit_clearing(active)

    def _submit_clearing(self, active: Active) -> None:
        operation = clearing(active.place, self._models)
        self.writer.submit(("clear", active.id, active.token), operation)

    @property
    def _models(self) -> Path:
        return self.plan.state / "models"

    @staticmethod
    def _is_stale(active: Active) -> bool:
        return active.stale or active.row["version"] != active.row["asset_version"]

    def _clear(self, active: Active, ending: Ending, reason: str) -> None:
        active.outcome = Outcome(job=active.id, token=active.token, ending=ending, error=reason)
        active.stage = Stage.CLEARING
        self._submit_clearing(active)

    def _publish(self, active: Active) -> None:
        # Results go where the source is now.
        active.place = self._place(active.row, active.token)
        spec = self.plan.specs[active.row["handler"]]
        models = self.models_of(json.loads(active.row["models"]))
        operation = publishing(active, orders.facts(active, spec, models), self._models)
        self.writer.submit(("publish", active.id, active.token), operation)

    def _published(self, active: Active, error: Exception | None, now: float) -> None:
        assert active.outcome is not None  # noqa: S101 - set before it was submitted
        if error is None:
            metrics = json.dumps(dict(active.outcome.metrics))
            log.info("done", job=active.id, asset=name_of(active.row), output=active.place.output)
            self._change(active, Change.PUBLISH, now, metrics=metrics, not_before=0)
        elif isinstance(error, SourceChangedError):
            self._clear(active, Ending.CHANGED, str(error))
        elif isinstance(error, (OSError, StorageLostError)):
            # A full disk, a lost share, a file that somebody holds open: the results are
            # made and stay in staging until they can be put into place.
            active.note = why_not_written(active.place.root, error)
            active.retry_at = now + self.pause
            log.warning("cannot publish yet", job=active.id, why=active.note)
        else:
            self._clear(active, Ending.BUG, str(error))

    def retry_publishing(self, now: float) -> None:
        """Try again to publish what could not be put into place before."""
        for active in self.active.values():
            if active.retry_at is None or active.retry_at > now:
                continue
            active.retry_at = None
            active.row = self.store.jobs.with_asset(active.id)
            if self._is_stale(active):
                self._clear(active, Ending.CANCELLED, REPLACED)
            else:
                self._publish(active)

    def _cleared(self, active: Active, error: Exception | None, now: float) -> None:
        """The staging folder is gone, or the storage is: only now is it clear who is to blame."""
        outcome = active.outcome
        assert outcome is not None  # noqa: S101 - set before it was submitted
        lost = isinstance(error, StorageLostError)
        if error is not None and not lost:
            # A file that somebody still holds open, say: the next start clears it up.
            log.warning("cannot clear up", job=active.id, why=str(error))
        if outcome.ending is Ending.CANCELLED:
            self._change(active, Change.CANCEL, now, reason=outcome.error)
        elif outcome.ending is Ending.CHANGED:
            log.info("goes back", job=active.id, why=outcome.error)
            until = now + self.pause
            self._change(active, Change.GIVE_BACK, now, reason=outcome.error, not_before=until)
        elif lost or outcome.ending in HELD_UP:
            self._no_room(active, error or HELD_UP[outcome.ending](outcome.error), now)
        elif outcome.ending is Ending.UNUSABLE:
            log.warning("rejected", job=active.id, asset=name_of(active.row), why=outcome.error)
            self._change(active, Change.REJECT, now, reason=outcome.error)
        else:
            self._failed(active, outcome, now)

    def _failed(self, active: Active, outcome: Outcome, now: float) -> None:
        attempts = active.row["attempts"] + 1
        change = change_after_failure(attempts=attempts, limit=self.limits.attempts)
        if outcome.ending is Ending.BUG:
            change = Change.FAIL
        pause = backoff(attempts, first=self.limits.backoff, most=self.limits.backoff_most)
        log.error(
            "attempt failed",
            job=active.id,
            asset=name_of(active.row),
            why=outcome.error,
            attempt=attempts,
            again=change is Change.RETRY,
        )
        self._change(
            active,
            change,
            now,
            reason=outcome.error,
            attempts=attempts,
            not_before=now + pause if change is Change.RETRY else 0,
            traceback=outcome.traceback,
        )

    def _change(
        self, active: Active, change: Change, now: float, *, reason: str = "", **columns: Any
    ) -> None:
        """Change the state if this claim still holds it, and let the job go."""
        if self.store.jobs.change(
            active.id, change, now, reason=reason, token=active.token, **columns
        ):
            self.finished.append(
                Finished(job=active.id, change=change, reason=reason, row=active.row)
            )
            work.let_go(
                change, self.plan.specs.get(active.row["handler"]), active.place, self.writer
            )
        self.active.pop(active.id, None)

    # What people and events ask for.

    def cancel(self, job_id: int, now: float) -> str:
        """Cancel a queued or running job; return what happened, for a person.

        Raises:
            NoSuchJobError: There is no such job.
            DaemonError: It cannot be cancelled any more.
        """
        active = self.active.get(job_id)
        if active is None:
            row = self.store.jobs.get(job_id)
            if row["state"] != JobState.QUEUED:
                raise DaemonError(f"job {job_id} is {row['state']}; nothing to cancel")
            self.store.jobs.change(job_id, Change.CANCEL, now, reason=BY_A_PERSON)
            self.finished.append(Finished(job=job_id, change=Change.CANCEL))
            return f"job {job_id} is cancelled"
        if active.stage is not Stage.RUNNING and active.retry_at is None:
            raise DaemonError(f"job {job_id} is {active.stage}; try again in a moment")
        active.cancelled, active.retry_at = True, None
        if active.stage is Stage.RUNNING:
            self.executor.cancel(job_id)
        else:
            self._clear(active, Ending.CANCELLED, BY_A_PERSON)
        return f"job {job_id} is being stopped"

    def reopened(self, job_id: int) -> None:
        """Note that a person queued a job again."""
        self.finished.append(Finished(job=job_id, change=Change.REOPEN))

    def supersede(self, job_id: int) -> None:
        """Stop a run whose source was replaced meanwhile; its result would be of the past."""
        active = self.active.get(job_id)
        if active is not None:
            active.stale = True
            if active.stage is Stage.RUNNING:
                self.executor.kill(job_id)

    def give_all_back(self, now: float) -> None:
        """Return what still runs to the queue: the service stops, and no attempt is counted.

        What the writer may still be putting into place stays as it is: the next start
        reads from the manifest whether it got there.
        """
        for active in list(self.active.values()):
            if active.cancelled:
                self._change(active, Change.CANCEL, now, reason=BY_A_PERSON)
            elif active.stage is not Stage.PUBLISHING or active.retry_at is not None:
                self._change(active, Change.GIVE_BACK, now, note="the service was stopped")

    def give_back_lost(self, now: float) -> None:
        """Queue again what the journal takes for running past its lease and nobody here runs."""
        for row in self.store.jobs.expired(now):
            if row["id"] not in self.active:
                note = "its run was lost"
                self.store.jobs.change(
                    row["id"], Change.GIVE_BACK, now, note=note, token=row["token"]
                )

    def recover(self, now: float) -> None:
        """After a restart: what was published is done, what was not is queued again."""
        for row in self.store.jobs.running():
            full = self.store.jobs.with_asset(row["id"])
            active = Active(row=full, token=row["token"], place=self._place(full, row["token"]))
            found = publish.published(active.place)
            if found is not None:
                learnt.reveal(self._models, active.place)
                metrics = json.dumps(dict(found.metrics))
                self._change(active, Change.PUBLISH, now, metrics=metrics)
            else:
                self._change(active, Change.GIVE_BACK, now, note="the service was restarted")
        learnt.sweep(self._models, self.journal_id)

    def running(self) -> list[tuple[Active, Progress | None]]:
        """Return every claimed job with what its run last said."""
        said = {progress.job: progress for progress in self.executor.running()}
        return [(active, said.get(active.id)) for active in self.active.values()]
