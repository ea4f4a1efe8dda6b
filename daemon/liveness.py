"""Signs of life from within long work: who does it says so, and whoever started it may listen.

What takes long (hashing, bringing many files to the disk) need not know in which thread it
runs, and who is waiting for it there: the storage writer, the start of the service, or nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Each thread has a value of its own.
_listener: ContextVar[Callable[[], None] | None] = ContextVar("listener", default=None)


def progressing() -> None:
    """Say that the work goes on, once a file or so; without a listener nothing happens."""
    listener = _listener.get()
    if listener is not None:
        listener()


@contextmanager
def heard_by(listener: Callable[[], None]) -> Iterator[None]:
    """Have ``listener`` called at each sign of life of this thread, while the block lasts."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
