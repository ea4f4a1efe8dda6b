"""What another thread makes while what it made before is used: blocks of sound, pictures."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

Item = TypeVar("Item")

DEPTH = 2
"""How many wait to be used."""
# How often a thread that may not go on looks whether anybody still wants its items, in seconds.
_LOOK = 0.2


class _End:
    """Stands behind the last item; ``error`` is what ended it early."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def ahead(items: Iterator[Item], depth: int = DEPTH) -> Generator[Item, None, None]:
    """Yield the items of an iterator that runs in a thread of its own, at most ``depth`` ahead.

    A network and the arithmetic after it then share two cores. Whatever ends ``items`` early is
    raised here; where this iterator is closed the thread ends before its next item.
    """
    waiting: Queue[Item | _End] = Queue(depth)
    unwanted = Event()
    thread = Thread(target=_make, args=(items, waiting, unwanted), daemon=True)
    thread.start()
    try:
        while not isinstance(item := waiting.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        unwanted.set()
        thread.join()


def _make(items: Iterator[Item], waiting: Queue[Item | _End], unwanted: Event) -> None:
    end = _End()
    try:
        for item in items:
            if not _put(waiting, item, unwanted):
                return
    except BaseException as error:  # noqa: BLE001 - it is raised where the items are used
        end = _End(error)
    _put(waiting, end, unwanted)


def _put(waiting: Queue[Item | _End], item: Item | _End, unwanted: Event) -> bool:
    """Hand an item over; say whether anybody still wants it."""
    while not unwanted.is_set():
        try:
            waiting.put(item, timeout=_LOOK)
        except Full:
            continue
        return True
    return False
