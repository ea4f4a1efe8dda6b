"""Starts and stops the watchers of a plan, and says what each is doing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog

from daemon.intake import Intake, WatchInfo
from daemon.notify import LoopHealth
from daemon.plan import Plan, Watch
from daemon.reports import StateChanged, WatchState
from daemon.storage import Marker, choose_mode, file_system_of, read_mounts, tells_of_changes
from daemon.watcher import Watcher, WatcherSettings

log = structlog.get_logger()

_STALL = 900.0


class Watchers:
    """The watchers of one plan, by folder; ``intake.watches`` is kept up to date."""

    def __init__(
        self,
        plan: Plan,
        marker: Marker,
        intake: Intake,
        put: Callable[[Any], None],
        health: LoopHealth,
    ) -> None:
        self._plan = plan
        self._marker = marker
        self._intake = intake
        self._put = put
        self._health = health
        self.reasons: dict[str, str] = {}

    def start(self) -> None:
        """Start a watcher for each watch of the plan."""
        for watch in self._plan.watches:
            self._start(watch)

    def _start(self, watch: Watch) -> None:
        kind = file_system_of(self._plan.storage / watch.folder, read_mounts())
        mode = choose_mode(watch.mode, kind)
        name = f"watch {watch.folder}"
        self._health.register(name, _STALL, time.monotonic())
        watcher = Watcher(
            watch,
            mode,
            WatcherSettings(
                storage=self._plan.storage,
                state=self._plan.state,
                marker=self._marker,
                notice=self._plan.config.notice,
            ),
            self._report,
            lambda: self._health.beat(name, time.monotonic()),
        )
        self._intake.watches[watch.folder] = WatchInfo(
            watch=watch, watcher=watcher, mode=mode, local=tells_of_changes(kind)
        )
        log.info("watching", folder=watch.folder, mode=str(mode), file_system=kind)
        watcher.start()

    def _report(self, report: Any) -> None:
        if isinstance(report, StateChanged):
            self._note(report)
        self._put(report)

    def _note(self, report: StateChanged) -> None:
        before = self.reasons.get(report.watch, "")
        self.reasons[report.watch] = report.reason
        if report.state is WatchState.LOST and report.reason != before:
            log.warning("storage lost; waiting", folder=report.watch, why=report.reason)
        elif before and report.state is not WatchState.LOST:
            log.info("storage is back", folder=report.watch)

    def take_plan(self, plan: Plan) -> None:
        """Follow a new plan: every watcher starts anew, which costs one walk each."""
        self.stop()
        self._plan = plan
        self._intake.compared.clear()
        # Watchers remember what they reported; new ones report it anew.
        self._intake.problems.clear()
        self.start()

    def stop(self) -> None:
        """Stop all watchers; one that hangs on its storage is left behind."""
        infos = list(self._intake.watches.values())
        self._intake.watches.clear()
        for info in infos:
            info.watcher.stop()
        for info in infos:
            info.watcher.join(5.0)
            self._health.forget(f"watch {info.watch.folder}")

    def describe(self) -> list[dict[str, Any]]:
        """Return each watch's folder, mode and state, for status."""
        return [
            {
                "folder": folder,
                "mode": str(info.watcher.mode),
                "state": str(info.watcher.state),
                "reason": self.reasons.get(folder) or info.watcher.note,
                "overflows": info.watcher.overflows,
            }
            for folder, info in self._intake.watches.items()
        ]
