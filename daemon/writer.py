"""The one thread that writes to the storage, so that a share that hangs stops nothing else.

Before each operation it makes sure that the storage is still the one we know.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from daemon.storage import Marker, check

Operation = Callable[[], None]
# What kind of operation, for which job (or 0), for which claim of it.
Key = tuple[str, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The end of one operation; ``error`` is None when it worked."""

    key: Key
    error: Exception | None


class StorageWriter(threading.Thread):
    """Does operations one after another and reports each by its key."""

    def __init__(
        self,
        storage: Path,
        marker: Marker,
        report: Callable[[Written], None],
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(name="storage writer", daemon=True)
        self._storage = storage
        self._marker = marker
        self._report = report
        self._beat = beat
        self._queue: queue.SimpleQueue[tuple[Key, Operation] | None] = queue.SimpleQueue()

    def submit(self, key: Key, operation: Operation) -> None:
        """Have an operation done after those before it."""
        self._queue.put((key, operation))

    def stop(self) -> None:
        """End after what was submitted."""
        self._queue.put(None)

    def run(self) -> None:
        """Work until stopped. Whatever an operation raises is reported, not lost."""
        while True:
            try:
                item = self._queue.get(timeout=5.0)
            except queue.Empty:
                self._beat()
                continue
            if item is None:
                return
            key, operation = item
            self._report(Written(key=key, error=self._attempt(operation)))
            self._beat()

    def _attempt(self, operation: Operation) -> Exception | None:
        try:
            check(self._storage, self._marker)
            operation()
        except Exception as error:  # noqa: BLE001 - handed to the main thread
            return error
        return None
