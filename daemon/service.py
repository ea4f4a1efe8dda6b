"""The service: one main thread that owns the journal and decides everything.

Watchers, the storage writer, children and the control socket live in threads and
processes of their own; they hand what they have to say to one inbox. Each turn of
the loop takes what is there, changes the journal in one transaction, and tells.
"""

from __future__ import annotations

import os
import queue
import signal
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

from daemon import publish, storage
from daemon.commands import Commands
from daemon.config_file import load_plan
from daemon.control import Call, ControlServer
from daemon.errors import ConfigError, Fault
from daemon.executor import Executor
from daemon.intake import Intake
from daemon.jobs import Change
from daemon.journal import Lock, open_writer, prepare_state, transaction
from daemon.local import LocalExecutor, LocalSettings
from daemon.model_store import ModelStore
from daemon.notify import LoopHealth, Notifier, watchdog_interval
from daemon.plan import Plan
from daemon.prober import Prober
from daemon.reporter import Reporter
from daemon.runs import Finished, Runs
from daemon.store import Recorded, Store
from daemon.watchers import Watchers
from daemon.writer import StorageWriter, Written

log = structlog.get_logger()

# The longest turn without anything to do: limits, deadlines and the watchdog are looked at.
_TURN = 0.5
_MOST_AT_ONCE = 5000
# A queued job whose source has been gone this long is cancelled; a rename takes less.
_GONE_GRACE = 60.0
_PROBE_LIMIT = 120.0
_VERIFY_LIMIT = 6 * 3600.0
_STALL = 900.0


@dataclass(frozen=True, slots=True)
class Signalled:
    """A signal arrived."""

    number: int


@dataclass(slots=True, kw_only=True)
class Once:
    """The terms of ``fxd once``: how long to wait for what is still growing."""

    wait: float
    growing: list[str] = field(default_factory=list)


@dataclass
class Service:
    """Everything of one daemon; ``run`` lives until it is told to stop."""

    plan: Plan
    once: Once | None = None
    _inbox: queue.SimpleQueue[Any] = field(default_factory=queue.SimpleQueue)
    _health: LoopHealth = field(default_factory=LoopHealth)
    _stop_at: float | None = None
    _every: dict[str, float] = field(default_factory=dict)

    def run(self) -> None:
        """Look after the storage until SIGTERM, or in ``once`` mode until all is done.

        Raises:
            FxdError: It cannot start; the sentence says why.
        """
        prepare_state(self.plan.state)
        os.umask(self.plan.config.umask)
        lock = Lock(self.plan.state)
        lock.acquire()
        try:
            with self._signals(), Notifier() as notifier:
                self._notifier = notifier
                self._run_until_stopped()
        finally:
            lock.release()

    def _run_until_stopped(self) -> None:
        """Run; a journal whose disk is full is waited for, and taken up as after a crash."""
        while True:
            try:
                with self._assembled():
                    self._loop()
            except sqlite3.OperationalError as error:
                log.error("the journal cannot be written; waiting", why=str(error))  # noqa: TRY400
                self._notifier.status(f"the journal cannot be written: {error}")
                if not self._pause(10.0):
                    return
            else:
                return

    def _pause(self, seconds: float) -> bool:
        """Wait; return False when told to stop meanwhile."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._notifier.watchdog()
            with suppress(queue.Empty):
                item = self._inbox.get(timeout=left)
                if isinstance(item, Signalled) and item.number != signal.SIGHUP:
                    return False
        return True

    @contextmanager
    def _signals(self) -> Iterator[None]:
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        before = {n: signal.signal(n, lambda n, _: self._inbox.put(Signalled(n))) for n in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def _assembled(self) -> Iterator[None]:
        """Put the parts together, recover, and take them apart again in the end."""
        plan = self.plan
        connection = open_writer(plan.state)
        try:
            self.store = Store(connection)
            self._connection = connection
            known = self.store.meta("storage_id")
            self._marker = storage.adopt(plan.storage, known)
            self.store.set_meta("storage_id", self._marker.id)
            self._assemble_parts()
            self._recover()
            with self._started():
                yield
        finally:
            connection.close()

    def _assemble_parts(self) -> None:
        plan = self.plan
        self.models = ModelStore(plan.state / "models")
        self.writer = StorageWriter(
            plan.storage, self._marker, self._inbox.put, lambda: self._beat("writer")
        )
        self.executor: Executor = LocalExecutor(self._local_settings(), self._wake)
        prober = Prober(plan.storage, plan.state / "models", _PROBE_LIMIT, self._wake)
        verifier = Prober(plan.storage, plan.state / "models", _VERIFY_LIMIT, self._wake)
        self.intake = Intake(self.store, prober, verifier, self.models.versions)
        self.runs = Runs(
            plan, self.store, self.executor, self.writer, self._marker.id, self.models.describe
        )
        self.runs.paused = self.store.meta("paused") == "yes"
        self.watchers = Watchers(plan, self._marker, self.intake, self._inbox.put, self._health)
        self.reporter = Reporter(plan, self._connection, self.intake, self.runs, self.watchers)
        self.commands = Commands(self.store, self.runs, self.models.versions)

    def _local_settings(self) -> LocalSettings:
        config = self.plan.config
        return LocalSettings(
            storage=self.plan.storage,
            models=self.plan.state / "models",
            run=config.run,
            slots=config.slots,
        )

    def _recover(self) -> None:
        """Bring storage and journal together after a stop at any instant."""
        for root in self.plan.outputs():
            with suppress(FileNotFoundError):
                publish.sweep(self.plan.storage, root, self._marker.id)
        now = time.time()
        with transaction(self._connection):
            self.runs.recover(now)
            self._adapt_to_plan(now)
        for move in self.store.moves():
            publish.move(self.plan.storage, os.fsdecode(move.source), os.fsdecode(move.target))
            self.store.finish_intent(move.id)

    def _adapt_to_plan(self, now: float) -> None:
        """Take up what is new in the configuration: other kinds of assets, other handlers."""
        for watch in self.plan.watches:
            key, kinds = f"kinds:{watch.folder}", " ".join(sorted(watch.kinds))
            if self.store.meta(key) != kinds:
                self.store.clear_digests()
                self.store.set_meta(key, kinds)
        count = 0
        for watch in self.plan.watches:
            for run in watch.runs:
                job = self.intake.new_job(run)
                for asset in self.store.assets_without_job(
                    watch.folder, run.spec.name, run.spec.kinds
                ):
                    count += self.store.add_job(asset, job, now) is not None
        if count:
            log.info("a handler is new in the configuration", jobs=count)

    @contextmanager
    def _started(self) -> Iterator[None]:
        control = ControlServer(self.plan.state, self._inbox.put)
        now = time.monotonic()
        self._health.register("main", _STALL, now)
        self._health.register("writer", _STALL, now)
        self.writer.start()
        self.watchers.start()
        self.reporter.begin()
        self._notifier.ready(f"watching {len(self.plan.watches)} folders")
        log.info("started", storage=str(self.plan.storage), state=str(self.plan.state))
        try:
            yield
        finally:
            self._notifier.stopping("stopping")
            control.close()
            self.watchers.stop()
            self.executor.close()
            self.intake.prober.close()
            self.intake.verifier.close()
            self.writer.stop()
            self.writer.join(30.0)
            self.reporter.end()
            log.info("stopped")

    # What the threads call.

    def _wake(self) -> None:
        self._inbox.put(None)

    def _beat(self, name: str) -> None:
        self._health.beat(name, time.monotonic())

    # The loop.

    def _loop(self) -> None:
        started = time.monotonic()
        while not self._is_over(started):
            items = self._collect()
            self._turn(items)
            self._feed_watchdog()
        with transaction(self._connection):
            self.runs.give_all_back(time.time())

    def _collect(self) -> list[Any]:
        """Wait for something to happen, then take all there is."""
        due = self.intake.next_due()
        now = time.monotonic()
        timeout = _TURN if due is None else min(_TURN, max(0.0, due - now))
        items: list[Any] = []
        with suppress(queue.Empty):
            items.append(self._inbox.get(timeout=timeout))
            while len(items) < _MOST_AT_ONCE:
                items.append(self._inbox.get_nowait())
        return [item for item in items if item is not None]

    def _turn(self, items: Iterable[Any]) -> None:
        """Take what came, change the journal once, then tell."""
        written, calls = self._sort(items)
        monotonic, now = time.monotonic(), time.time()
        self.intake.poll(monotonic)
        outcomes = self.runs.poll(monotonic)
        answers = []
        recorded: list[Recorded] = []
        with transaction(self._connection):
            recorded = self.intake.journal(now)
            for result in written:
                self.runs.written(result, now)
            for outcome in outcomes:
                self.runs.ended(outcome)
            answers = [(call, self.commands.carry_out(call.request, now)) for call in calls]
            self._housekeeping(now)
            self.runs.dispatch(now)
        self.intake.journaled()
        for call, answer in answers:
            call.answer(answer)
        self._follow(recorded)
        self._tell(now)

    def _sort(self, items: Iterable[Any]) -> tuple[list[Written], list[Call]]:
        written: list[Written] = []
        calls: list[Call] = []
        for item in items:
            if isinstance(item, Written):
                self._take_written(item, written)
            elif isinstance(item, Call):
                calls.append(item)
            elif isinstance(item, Signalled):
                self._signalled(item.number)
            else:
                self.intake.take(item)
        return written, calls

    def _take_written(self, item: Written, written: list[Written]) -> None:
        kind, number, _ = item.key
        if kind == "move":
            if item.error is None:
                self.store.finish_intent(number)
            else:
                log.warning("results cannot follow their renamed source yet", why=str(item.error))
        elif kind == "tell":
            self.reporter.told(item.error)
        else:
            written.append(item)

    def _follow(self, recorded: Iterable[Recorded]) -> None:
        """Do what journaling brought about: stop runs of the past, let results follow."""
        moved = False
        for item in recorded:
            moved = moved or bool(item.moves)
            for job_id in item.superseded:
                self.runs.supersede(job_id)
            if item.rejected:
                self.runs.finished += [Finished(job=job, change=Change.REJECT) for job in item.jobs]
        if moved:
            for move in self.store.moves():
                self._submit_move(move.id, os.fsdecode(move.source), os.fsdecode(move.target))

    def _submit_move(self, number: int, source: str, target: str) -> None:
        root = self.plan.storage
        self.writer.submit(("move", number, 0), lambda: publish.move(root, source, target))

    def _is_time(self, what: str, pause: float) -> bool:
        now = time.monotonic()
        if now < self._every.get(what, 0.0):
            return False
        self._every[what] = now + pause
        return True

    def _housekeeping(self, now: float) -> None:
        """Do now and then what no event asks for."""
        self.runs.retry_publishing(now)
        if self._is_time("models", 2.0):
            self.models.forget()
            self.runs.release_waiting(self.models.versions)
        if self._is_time("gone", 5.0):
            self.store.jobs.cancel_gone(now - _GONE_GRACE, now)

    def _tell(self, now: float) -> None:
        for operation in self.reporter.news(now):
            self.writer.submit(("tell", 0, 0), operation)

    def _feed_watchdog(self) -> None:
        now = time.monotonic()
        self._beat("main")
        interval = watchdog_interval()
        if interval is not None and self._is_time("watchdog", interval):
            if self._health.healthy(now):
                self._notifier.watchdog()
            else:
                log.error("a loop makes no progress", loops=self._health.stalled(now))
        if self._is_time("notify", 10.0):
            self._notifier.status(self.reporter.summary())

    # Stopping and reloading.

    def _signalled(self, number: int) -> None:
        if number == signal.SIGHUP:
            self._reload()
        elif self._stop_at is None:
            drain = self.plan.config.run.drain
            log.info("stopping", running=len(self.runs.active), drain_seconds=drain)
            self.runs.draining = True
            self._stop_at = time.monotonic() + drain
            self._notifier.stopping(f"finishing {len(self.runs.active)} jobs")
        else:
            self._stop_at = 0.0

    def _is_over(self, started: float) -> bool:
        if self._stop_at is not None:
            return not self.runs.active or time.monotonic() >= self._stop_at
        return self.once is not None and self._once_is_over(self.once, started)

    def _once_is_over(self, once: Once, started: float) -> bool:
        if self.runs.active or len(self.intake.compared) < len(self.plan.watches):
            return False
        if self.intake.idle() and self.store.jobs.active_count() == 0:
            return True
        if time.monotonic() - started < once.wait:
            return False
        once.growing = self.reporter.unfinished()
        return True

    def _reload(self) -> None:
        """Take a valid new configuration; an invalid one changes nothing and is reported."""
        self._notifier.reloading()
        try:
            plan = load_plan(self.plan.file)
            self._refuse_other_roots(plan)
        except ConfigError as error:
            self.reporter.config_error = str(error)
            log.error("the new configuration is not taken", why=str(error))  # noqa: TRY400
        else:
            self._take_plan(plan)
        self._notifier.ready(self.reporter.summary())

    def _refuse_other_roots(self, plan: Plan) -> None:
        for name in ("storage", "state"):
            if getattr(plan, name) != getattr(self.plan, name):
                what = "cannot change while fxd runs; restart it"
                raise ConfigError(str(plan.file), [Fault(where=name, line=None, what=what)])

    def _take_plan(self, plan: Plan) -> None:
        self.plan = self.runs.plan = plan
        self.reporter.take_plan(plan)
        if isinstance(self.executor, LocalExecutor):
            self.executor.settings = self._local_settings()
        with transaction(self._connection):
            self._adapt_to_plan(time.time())
        self.watchers.take_plan(plan)
        log.info("configuration reloaded", watches=len(plan.watches))


def serve(plan: Plan, once: Once | None = None) -> None:
    """Run the service on a plan until it is stopped.

    Raises:
        FxdError: It cannot start.
    """
    Service(plan, once).run()
