"""The service: one main thread that owns the journal and decides everything.

Watchers, the storage writer, children and the control socket live in threads and
processes of their own; they hand what they have to say to one inbox. Each turn of
the loop takes what is there, changes the journal in one transaction, and tells.
"""

from __future__ import annotations

import gc
import os
import queue
import signal
import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

from daemon import publish
from daemon.active import Finished
from daemon.config_file import load_plan
from daemon.control import Call, ControlServer
from daemon.errors import ConfigError, Fault
from daemon.jobs import Change
from daemon.journal import Lock, open_writer, prepare_state, transaction
from daemon.liveness import heard_by
from daemon.log import configure as configure_log
from daemon.notify import LoopHealth, Notifier, watchdog_interval
from daemon.once import Once
from daemon.parts import assemble, recover
from daemon.plan import Plan
from daemon.store import Recorded
from daemon.writer import Written

log = structlog.get_logger()

# The longest turn without anything to do: limits, deadlines and the watchdog are looked at.
_TURN = 0.5
_MOST_AT_ONCE = 5000
# What only has to be noted waits this long for company: one turn then serves all.
_PATIENCE = 0.01
# A queued job whose source has been gone this long is cancelled; a rename takes less.
_GONE_GRACE = 60.0
_STALL = 900.0
_DAYS_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class Signalled:
    """A signal arrived."""

    number: int


@dataclass
class Service:
    """Everything of one daemon; ``run`` lives until it is told to stop."""

    plan: Plan
    once: Once | None = None
    _inbox: queue.SimpleQueue[Any] = field(default_factory=queue.SimpleQueue)
    _health: LoopHealth = field(default_factory=LoopHealth)
    _stop_at: float | None = None
    _every: dict[str, float] = field(default_factory=dict)
    _moving: set[int] = field(default_factory=set)

    def run(self) -> None:
        """Look after the storage until SIGTERM, or in ``once`` mode until all is done.

        Raises:
            FxdError: It cannot start; the sentence says why.
        """
        # What is imported by now stays; only what comes is looked through.
        gc.freeze()
        gc.enable()
        # Threads hand work to each other all the time; Python's 5 ms would be most of a short job.
        sys.setswitchinterval(0.0002)
        self._apply_process_settings()
        prepare_state(self.plan.state)
        lock = Lock(self.plan.state)
        lock.acquire()
        try:
            with self._signals(), Notifier() as notifier:
                self._notifier = notifier
                self._run_until_stopped()
        finally:
            lock.release()

    def _apply_process_settings(self) -> None:
        """Do what the configuration says about this process as a whole."""
        config = self.plan.config
        configure_log(level=config.log.level, form=config.log.format)
        os.umask(config.umask)

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
        connection = open_writer(self.plan.state)
        try:
            self.parts = assemble(self.plan, connection, self._inbox.put, self._health)
            self._moving.clear()
            with heard_by(lambda: self._notifier.working(time.monotonic())):
                recover(self.parts)
            with self._started():
                yield
        finally:
            connection.close()

    @contextmanager
    def _started(self) -> Iterator[None]:
        control = ControlServer(self.plan.state, self._inbox.put)
        now = time.monotonic()
        self._health.register("main", _STALL, now)
        self._health.register("writer", _STALL, now)
        self.parts.writer.start()
        self.parts.watchers.start()
        self.parts.reporter.begin()
        self._notifier.ready(f"watching {len(self.plan.watches)} folders")
        log.info("started", storage=str(self.plan.storage), state=str(self.plan.state))
        try:
            yield
        finally:
            self._notifier.stopping("stopping")
            control.close()
            self.parts.close()
            self._put_down()
            log.info("stopped")

    def _put_down(self) -> None:
        """Note what was put into place while everything was stopped, and give back the rest."""
        now = time.time()
        items = [self._inbox.get() for _ in range(self._inbox.qsize())]
        for item in items:
            # Where the journal is only waited for, who asked to stop still means it.
            if isinstance(item, Signalled):
                self._inbox.put(item)
        with suppress(sqlite3.Error), transaction(self.parts.connection):
            for item in items:
                if isinstance(item, Written) and item.key[0] in {"publish", "clear"}:
                    self.parts.runs.written(item, now)
            self.parts.runs.give_all_back(now)

    # The loop.

    def _loop(self) -> None:
        while not self._is_over():
            items = self._collect()
            self._turn(items)
            self._feed_watchdog()

    def _collect(self) -> list[Any]:
        """Wait for something to happen, then take all there is."""
        due = self.parts.intake.next_due()
        now = time.monotonic()
        timeout = _TURN if due is None else min(_TURN, max(0.0, due - now))
        items: list[Any] = []
        with suppress(queue.Empty):
            items.append(self._inbox.get(timeout=timeout))
            if _can_wait(items[0]):
                items.append(self._inbox.get(timeout=_PATIENCE))
            while len(items) < _MOST_AT_ONCE:
                items.append(self._inbox.get_nowait())
        return [item for item in items if item is not None]

    def _turn(self, items: Iterable[Any]) -> None:
        """Take what came, change the journal once, then tell."""
        written, calls = self._sort(items)
        monotonic, now = time.monotonic(), time.time()
        self.parts.intake.poll(monotonic)
        outcomes = self.parts.runs.poll(monotonic)
        with transaction(self.parts.connection):
            recorded = self.parts.intake.journal(now)
            for result in written:
                self.parts.runs.written(result, now)
            for outcome in outcomes:
                self.parts.runs.ended(outcome)
            answers = [(call, self.parts.commands.carry_out(call.request, now)) for call in calls]
            self._housekeeping(now)
            self.parts.runs.dispatch(now)
            self.parts.note_changes()
            if len(self.parts.days) and self._is_time("days", _DAYS_PAUSE):
                recorded += self.parts.put_days_together(now, hurry=self.once is not None)
        self.parts.intake.journaled()
        self.parts.intake.compare_again(monotonic)
        self.parts.runs.start_claimed()
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
                self.parts.intake.take(item)
        return written, calls

    def _take_written(self, item: Written, written: list[Written]) -> None:
        kind, number, _ = item.key
        if kind == "move":
            self._moving.discard(number)
            if item.error is None:
                self.parts.store.finish_intent(number)
                # The next name of the same source may have waited for this.
                self._every.pop("moves", None)
            else:
                log.warning("results cannot follow their renamed source yet", why=str(item.error))
        elif kind == "room":
            self.parts.runs.room.told(item.error, time.time())
        elif kind == "tell":
            self.parts.reporter.told(item.error)
        else:
            written.append(item)

    def _follow(self, recorded: Iterable[Recorded]) -> None:
        """Do what journaling brought about: stop runs of the past, let results follow."""
        moved = False
        for item in recorded:
            moved = moved or bool(item.moves)
            for job_id in item.superseded:
                self.parts.runs.supersede(job_id)
            self.parts.runs.finished += [
                Finished(job=job, change=Change.REJECT) for job in item.rejected
            ]
        if moved or self._is_time("moves", 30.0):
            for move in self.parts.store.moves():
                self._submit_move(move.id, os.fsdecode(move.source), os.fsdecode(move.target))

    def _submit_move(self, number: int, source: str, target: str) -> None:
        if number in self._moving:
            return
        self._moving.add(number)
        root = self.plan.storage
        self.parts.writer.submit(("move", number, 0), lambda: publish.move(root, source, target))

    def _is_time(self, what: str, pause: float) -> bool:
        now = time.monotonic()
        if now < self._every.get(what, 0.0):
            return False
        self._every[what] = now + pause
        return True

    def _housekeeping(self, now: float) -> None:
        """Do now and then what no event asks for."""
        self.parts.runs.retry_publishing(now)
        if self._is_time("room", min(2.0, self.plan.config.disk.retry)):
            self.parts.runs.room.ask()
        if self._is_time("models", 2.0):
            self.parts.release_ready()
        if self._is_time("work", 600.0):
            self.parts.sweep_work()
        if self._is_time("lost", 30.0):
            self.parts.runs.give_back_lost(now)
        if self._is_time("gone", 5.0):
            self.parts.store.jobs.cancel_gone(now - _GONE_GRACE, now)

    def _tell(self, now: float) -> None:
        for operation in self.parts.reporter.news(now):
            self.parts.writer.submit(("tell", 0, 0), operation)

    def _feed_watchdog(self) -> None:
        now = time.monotonic()
        self._health.beat("main", now)
        interval = watchdog_interval()
        if interval is not None and self._is_time("watchdog", interval):
            if self._health.healthy(now):
                self._notifier.watchdog()
            else:
                log.error("a loop makes no progress", loops=self._health.stalled(now))
        if self._is_time("notify", 10.0):
            self._notifier.status(self.parts.reporter.summary())

    # Stopping and reloading.

    def _signalled(self, number: int) -> None:
        if number == signal.SIGHUP:
            self._reload()
        elif self._stop_at is None:
            drain = self.plan.config.run.drain
            log.info("stopping", running=len(self.parts.runs.active), drain_seconds=drain)
            self.parts.runs.draining = True
            self._stop_at = time.monotonic() + drain
            self._notifier.stopping(f"finishing {len(self.parts.runs.active)} jobs")
        else:
            self._stop_at = 0.0

    def _is_over(self) -> bool:
        if self._stop_at is not None:
            return not self.parts.runs.active or time.monotonic() >= self._stop_at
        return self.once is not None and self._once_is_over(self.once)

    def _once_is_over(self, once: Once) -> bool:
        parts, left = self.parts, self.parts.store.jobs.active_count()
        waited = once.has_waited(left, time.monotonic())
        if any(active.retry_at is None for active in parts.runs.active.values()):
            return False
        compared = len(parts.intake.compared) >= len(self.plan.watches)
        if compared and parts.intake.idle() and not len(parts.days) and left == 0:
            return True
        # Before the first look nobody can say what is still growing.
        lost = any(watch["state"] == "lost" for watch in parts.watchers.describe())
        if not waited or not (compared or lost):
            return False
        once.growing = parts.reporter.unfinished()
        return True

    def _reload(self) -> None:
        """Take a valid new configuration; an invalid one changes nothing and is reported."""
        self._notifier.reloading()
        try:
            plan = load_plan(self.plan.file)
            self._refuse_other_roots(plan)
        except ConfigError as error:
            self.parts.reporter.config_error = str(error)
            log.error("the new configuration is not taken", why=str(error))  # noqa: TRY400
        else:
            self._take_plan(plan)
        self._notifier.ready(self.parts.reporter.summary())

    def _refuse_other_roots(self, plan: Plan) -> None:
        for name in ("storage", "state"):
            if getattr(plan, name) != getattr(self.plan, name):
                what = "cannot change while fxd runs; restart it"
                raise ConfigError(str(plan.file), [Fault(where=name, line=None, what=what)])

    def _take_plan(self, plan: Plan) -> None:
        self.plan = plan
        self._apply_process_settings()
        self.parts.take_plan(plan)
        log.info("configuration reloaded", watches=len(plan.watches))


def _can_wait(item: Any) -> bool:
    """Results are in place before the journal says so; nobody waits for that."""
    return isinstance(item, Written) and item.key[0] == "publish" and item.error is None


def serve(plan: Plan, once: Once | None = None) -> None:
    """Run the service on a plan until it is stopped.

    Raises:
        FxdError: It cannot start.
    """
    Service(plan, once).run()
