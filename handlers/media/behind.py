"""Work that a thread of its own does with things in order, while the next ones are made."""

from __future__ import annotations

from collections.abc import Callable
from queue import Full, Queue
from threading import Thread
from types import TracebackType
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")

_LOOK = 0.2


class Behind(Generic[Item]):
    """Hands things to ``work`` in another thread, in order; at most ``depth`` wait for it.

    To be used as a context: leaving it waits until all is done. What goes wrong in the thread is
    raised by the next :meth:`put`, or when the context is left; where the context is left by an
    exception, what waits is left undone.
    """

    def __init__(self, work: Callable[[Item], None], depth: int = 1) -> None:
        self._work = work
        self._waiting: Queue[Item | None] = Queue(depth)
        self._failed: BaseException | None = None
        self._dropped = False
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def put(self, item: Item) -> None:
        """Hand one thing over; waits for room."""
        self._hand(item)
        self._raise()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._dropped = kind is not None
        self._hand(None)
        self._thread.join()
        if kind is None:
            self._raise()

    def _hand(self, item: Item | None) -> None:
        while self._thread.is_alive() and self._failed is None:
            try:
                self._waiting.put(item, timeout=_LOOK)
            except Full:
                continue
            return

    def _raise(self) -> None:
        if self._failed is not None:
            raise self._failed

    def _run(self) -> None:
        try:
            while (item := self._waiting.get()) is not None:
                if not self._dropped:
                    self._work(item)
        except BaseException as error:  # noqa: BLE001 - it is raised where things are handed over
            self._failed = error
