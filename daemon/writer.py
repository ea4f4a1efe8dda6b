"""The two threads that write to the storage, so that a share that hangs stops nothing else.

What is quick goes past what takes long (results that are brought to the disk and published).
Within each of the two, order is kept. Before each operation its thread makes sure that the
storage is still the one we know. An operation may take hours, as long as it says now and then
that it progresses (see liveness).
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from daemon.liveness import heard_by
from daemon.storage import Marker, check

Operation = Callable[[], None]
# What kind of operation, for which job (or 0), for which claim of it.
Key = tuple[str, int, int]
# Quick, and waited for: removing staging folders, looking at room.
_QUICK = frozenset({"clear", "room"})
_IDLE = 5.0
# While an operation gives no sign of life for longer than this, nothing is said to progress.
_LONG = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The end of one operation; ``error`` is None when it worked."""

    key: Key
    error: Exception | None


class _Lane(threading.Thread):
    """Does operations one after another and reports each by its key."""

    def __init__(
        self,
        name: str,
        do: Callable[[Key, Operation], None],
        idle: Operation,
        clock: Callable[[], float],
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._do = do
        self._idle = idle
        self._clock = clock
        self._queue: queue.SimpleQueue[tuple[Key, Operation] | None] = queue.SimpleQueue()
        self._since: float | None = None

    def submit(self, item: tuple[Key, Operation] | None) -> None:
        """Have an operation done after those before it; None is the last."""
        self._queue.put(item)

    def run(self) -> None:
        """Work until stopped."""
        with heard_by(self._alive):
            while True:
                try:
                    item = self._queue.get(timeout=_IDLE)
                except queue.Empty:
                    self._idle()
                    continue
                if item is None:
                    return
                self._since = self._clock()
                self._do(*item)
                self._since = None
                self._idle()

    def _alive(self) -> None:
        """The operation says that it progresses."""
        self._since = self._clock()
        self._idle()

    def hangs(self) -> bool:
        """Say whether an operation has given no sign of life for very long."""
        since = self._since
        return since is not None and self._clock() - since > _LONG


class StorageWriter:
    """Hands operations to the thread that does them, and reports their ends."""

    def __init__(
        self,
        storage: Path,
        marker: Marker,
        report: Callable[[Written], None],
        beat: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._storage = storage
        self._marker = marker
        self._report = report
        self._beat = beat
        self._quick = _Lane("staging", self._do, self._progress, clock)
        self._slow = _Lane("publishing", self._do, self._progress, clock)

    def start(self) -> None:
        """Begin to work."""
        self._quick.start()
        self._slow.start()

    def submit(self, key: Key, operation: Operation) -> None:
        """Have an operation done after those of its sort before it."""
        lane = self._quick if key[0] in _QUICK else self._slow
        lane.submit((key, operation))

    def stop(self) -> None:
        """End after what was submitted."""
        self._quick.submit(None)
        self._slow.submit(None)

    def join(self, timeout: float) -> None:
        """Wait until both have ended."""
        until = time.monotonic() + timeout
        for lane in (self._quick, self._slow):
            lane.join(max(0.0, until - time.monotonic()))

    def _progress(self) -> None:
        if not (self._quick.hangs() or self._slow.hangs()):
            self._beat()

    def _do(self, key: Key, operation: Operation) -> None:
        """Whatever an operation raises is reported, not lost."""
        error: Exception | None = None
        try:
            check(self._storage, self._marker)
            operation()
        except Exception as raised:  # noqa: BLE001 - handed to the main thread
            error = raised
        # A text that was written is of no interest to anybody here.
        if error is not None or key[0] != "tell":
            self._report(Written(key=key, error=error))
