"""Blocks that another thread makes while the ones before are used."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from queue import Full, Queue
from threading import Event, Thread

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

_DEPTH = 2
# How often a thread that may not go on looks whether anybody still wants its blocks, in seconds.
_LOOK = 0.2


class _End:
    """Stands behind the last block; ``error`` is what ended it early."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def ahead(blocks: Iterator[Samples]) -> Generator[Samples, None, None]:
    """Yield the blocks of an iterator that runs in a thread of its own, a few blocks ahead.

    A network and the arithmetic after it then share two cores. Whatever ends ``blocks`` early is
    raised here; where this iterator is closed the thread ends before its next block.
    """
    waiting: Queue[Samples | _End] = Queue(_DEPTH)
    unwanted = Event()
    thread = Thread(target=_make, args=(blocks, waiting, unwanted), daemon=True)
    thread.start()
    try:
        while not isinstance(block := waiting.get(), _End):
            yield block
        if block.error is not None:
            raise block.error
    finally:
        unwanted.set()
        thread.join()


def _make(blocks: Iterator[Samples], waiting: Queue[Samples | _End], unwanted: Event) -> None:
    end = _End()
    try:
        for block in blocks:
            if not _put(waiting, block, unwanted):
                return
    except BaseException as error:  # noqa: BLE001 - it is raised where the blocks are used
        end = _End(error)
    _put(waiting, end, unwanted)


def _put(waiting: Queue[Samples | _End], item: Samples | _End, unwanted: Event) -> bool:
    """Hand an item over; say whether anybody still wants it."""
    while not unwanted.is_set():
        try:
            waiting.put(item, timeout=_LOOK)
        except Full:
            continue
        return True
    return False
