"""The service's parts, put together for one plan; and bringing them back after a stop."""

from __future__ import annotations

import os
import sqlite3
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from daemon import awaited, inputs, publish, storage, work
from daemon.awaited import Awaited
from daemon.commands import Commands
from daemon.days import Days
from daemon.intake import Intake
from daemon.jobstore import NewJob
from daemon.journal import transaction
from daemon.local import LocalExecutor, LocalSettings
from daemon.model_store import ModelStore
from daemon.notify import LoopHealth
from daemon.outputs import within
from daemon.plan import Plan, Run
from daemon.prober import Prober
from daemon.reporter import Reporter
from daemon.room import Room
from daemon.runs import Runs
from daemon.store import Recorded, Store
from daemon.submit import submit
from daemon.watchers import Watchers
from daemon.writer import StorageWriter

log = structlog.get_logger()

_PROBE_LIMIT = 120.0
_VERIFY_LIMIT = 6 * 3600.0


@dataclass(slots=True, kw_only=True)
class Parts:
    """What one running service is made of."""

    plan: Plan
    storage_id: str
    connection: sqlite3.Connection
    store: Store
    models: ModelStore
    writer: StorageWriter
    executor: LocalExecutor
    intake: Intake
    runs: Runs
    watchers: Watchers
    reporter: Reporter
    commands: Commands
    days: Days

    def take_plan(self, plan: Plan) -> None:
        """Follow a new configuration."""
        self.plan = self.runs.plan = self.runs.room.plan = plan
        self.reporter.take_plan(plan)
        self.executor.settings = local_settings(plan)
        with transaction(self.connection):
            adapt_to_plan(self, time.time())
        self.watchers.take_plan(plan)
        self.intake.forget_unwatched()
        self.days.begin(plan, time.monotonic())

    def note_changes(self) -> None:
        """Tell the days what the journal has new about their sources, and which runs ended."""
        ended = [item.row["asset_path"] for item in self.runs.finished if item.row]
        changed = [*self.intake.take_changed(), *ended]
        self.days.touch(self.plan, changed, time.monotonic())

    def put_days_together(self, now: float, *, hurry: bool) -> list[Recorded]:
        """Journal the days that have been quiet, inside the caller's transaction."""
        hurry = hurry and self.intake.idle()
        arriving, monotonic = self.intake.arriving(), time.monotonic()
        return self.days.journal(self.plan, arriving, monotonic, now, hurry=hurry)

    def release_ready(self) -> None:
        """Let go, inside the caller's transaction, what waited for a model that is there now."""
        self.models.forget()
        found: list[Awaited] = []

        def why(missing: Sequence[str]) -> str:
            found[:] = found or [self._awaited()]
            return found[0].reason(missing)

        inputs.release_ready(self.store, self.models.versions, why)

    def _awaited(self) -> Awaited:
        folders = [watch.folder for watch in self.plan.watches if watch.takes_examples]
        said = {active.id: progress for active, progress in self.runs.running()}
        runs = [run for watch in self.plan.watches for run in watch.runs]
        offered = dict.fromkeys(name for run in runs for name in run.spec.offers)
        return Awaited(
            folder=next(iter(folders), ""),
            learning=awaited.learning(self.store.jobs.learning(), said, self.intake.waiting()),
            known=[*self.models.learnt(), *offered],
        )

    def sweep_work(self) -> None:
        """Have removed what jobs kept for a next attempt that there will never be."""
        if not any(spec.resumes for spec in self.plan.specs.values()):
            return
        newest, active = self.store.jobs.newest(), frozenset(self.store.jobs.active())
        for output in self.plan.outputs():
            folder = work.staging_root(self.plan.storage, output, self.storage_id)
            self.writer.submit(("work", 0, 0), partial(work.sweep, folder, newest, active))

    def close(self) -> None:
        """Stop threads and children; what is submitted to the writer is still written."""
        self.watchers.stop()
        self.executor.close()
        self.intake.prober.close()
        self.intake.verifier.close()
        for operation in self.reporter.farewell():
            self.writer.submit(("tell", 0, 0), operation)
        self.writer.stop()
        self.writer.join(30.0)
        self.reporter.end()


def local_settings(plan: Plan) -> LocalSettings:
    """Return what the local executor needs of a plan."""
    config = plan.config
    return LocalSettings(
        storage=plan.storage, models=plan.state / "models", run=config.run, slots=config.slots
    )


def assemble(
    plan: Plan, connection: sqlite3.Connection, put: Callable[[Any], None], health: LoopHealth
) -> Parts:
    """Put the parts together; nothing runs yet.

    Raises:
        StorageLostError: The storage is not the journal's.
        StorageTakenError: Another host looks after it.
    """
    store = Store(connection)
    marker = storage.adopt(plan.storage, store.meta("storage_id"))
    store.set_meta("storage_id", marker.id)
    journal_id = store.meta("journal_id") or uuid.uuid4().hex
    store.set_meta("journal_id", journal_id)
    folder = plan.state / "models"
    # Whoever installs a model first would own it, and what is learnt could not come in.
    folder.mkdir(exist_ok=True)
    models = ModelStore(folder)

    def wake() -> None:
        put(None)

    def beat() -> None:
        health.beat("writer", time.monotonic())

    writer = StorageWriter(plan.storage, marker, put, beat)
    executor = LocalExecutor(local_settings(plan), wake)
    prober = Prober(plan.storage, folder, _PROBE_LIMIT, wake)
    verifier = Prober(plan.storage, folder, _VERIFY_LIMIT, wake)
    intake = Intake(store, prober, verifier, models.versions)
    room = Room(plan, writer)
    runs = Runs(plan, store, executor, writer, room, marker.id, journal_id, models.describe)
    runs.paused = store.meta("paused") == "yes"

    def submitted(request: Mapping[str, Any], now: float) -> dict[str, Any]:
        return submit(store, runs.plan, models.versions, request, now)

    watchers = Watchers(plan, marker, intake, put, health)
    return Parts(
        plan=plan,
        storage_id=marker.id,
        connection=connection,
        store=store,
        models=models,
        writer=writer,
        executor=executor,
        intake=intake,
        runs=runs,
        watchers=watchers,
        reporter=Reporter(plan, connection, intake, runs, watchers),
        commands=Commands(store, runs, submitted),
        days=Days(store, connection, intake.new_job),
    )


def recover(parts: Parts) -> None:
    """Bring storage and journal together after a stop at any instant."""
    root = parts.plan.storage
    # Also what an earlier configuration wrote to: an exchange may have stopped half way there.
    for output in dict.fromkeys([*parts.plan.outputs(), *parts.store.jobs.roots()]):
        try:
            publish.sweep(root, output, parts.storage_id)
        except OSError as error:
            # A read-only output, say: nothing is lost, and the next start sweeps again.
            log.warning("cannot be swept now", folder=output, why=str(error))
    # Results are looked for where their sources are now.
    tried: set[int] = set()
    while moves := [move for move in parts.store.moves() if move.id not in tried]:
        for move in moves:
            tried.add(move.id)
            with suppress(OSError):
                publish.move(root, os.fsdecode(move.source), os.fsdecode(move.target))
                parts.store.finish_intent(move.id)
    now = time.time()
    with transaction(parts.connection):
        parts.runs.recover(now)
        adapt_to_plan(parts, now)
    parts.days.begin(parts.plan, time.monotonic())


def adapt_to_plan(parts: Parts, now: float) -> None:
    """Take up what is new in the configuration: other kinds of assets, other handlers."""
    slots = parts.executor.slots()
    for run in (run for watch in parts.plan.watches for run in watch.runs):
        if not slots.fits(run.spec.needs):
            log.error("no slot here is large enough", handler=run.spec.name, slots=str(slots))
    folders = "\n".join(watch.folder for watch in parts.plan.watches)
    if parts.store.meta("watches") != folders:
        for watch in parts.plan.watches:
            parts.store.take_over(watch.folder)
        parts.store.set_meta("watches", folders)
    for watch in parts.plan.watches:
        key, kinds = f"kinds:{watch.folder}", " ".join(sorted(watch.kinds))
        if parts.store.meta(key) != kinds:
            parts.store.clear_digests()
            parts.store.set_meta(key, kinds)
    count = sum(
        parts.store.add_job(asset, _job_of(parts, run, asset), now) is not None
        for watch in parts.plan.watches
        for run in watch.runs
        for asset in parts.store.assets_without_job(watch.folder, run.spec.name, run.spec.kinds)
    )
    if count:
        log.info("a handler is new in the configuration", jobs=count)


def _job_of(parts: Parts, run: Run, asset: int) -> NewJob:
    source = parts.store.source(asset)
    return parts.intake.new_job(run, within(source["asset_path"], source["asset_watch"]))
