"""Tells a studio's own command that a job has come to its end."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Mapping
from typing import Any

import structlog

from daemon.config import NotifyConfig
from daemon.notify import child_environment

log = structlog.get_logger()

# More than this many untold ends mean that the command does not keep up.
_MOST_WAITING = 1000


class Hook(threading.Thread):
    """Runs the configured command for one job after another; without one it does nothing.

    A command that fails or hangs is logged and changes nothing for the jobs.
    """

    def __init__(self, config: NotifyConfig) -> None:
        super().__init__(name="notify command", daemon=True)
        self.config = config
        self._queue: queue.SimpleQueue[Mapping[str, Any] | None] = queue.SimpleQueue()

    def tell(self, job: Mapping[str, Any]) -> None:
        """Have the command told of one job."""
        if not self.config.command:
            return
        if self._queue.qsize() >= _MOST_WAITING:
            log.warning("the notify command is too slow; not told", job=job["id"])
            return
        self._queue.put(job)

    def stop(self) -> None:
        """End after what is being told now."""
        self._queue.put(None)

    def run(self) -> None:
        """Tell until stopped."""
        while (job := self._queue.get()) is not None:
            self._run_command(job)

    def _run_command(self, job: Mapping[str, Any]) -> None:
        try:
            subprocess.run(
                self.config.command,
                input=json.dumps(dict(job)).encode() + b"\n",
                env=child_environment(),
                stdout=subprocess.DEVNULL,
                timeout=self.config.time_limit,
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            log.warning("the notify command failed", job=job["id"], why=str(error))
