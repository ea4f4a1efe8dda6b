"""A stream of blocks as windows of one size, each with the sound around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A piece of a recording: ``core`` is new, what lies before and after it is context.

    ``sound`` is [channels, samples], each channel in one piece of memory. ``start`` is the
    recording's sample at which it begins; the core is ``sound[:, first:last]``. Context is
    missing only where the recording begins or ends (``ends``).
    """

    sound: Samples
    start: int
    first: int
    last: int
    ends: bool

    @property
    def at(self) -> int:
        """The recording's sample at which the core begins."""
        return self.start + self.first

    @property
    def core(self) -> Samples:
        """The new samples, [channels, n]."""
        return self.sound[:, self.first : self.last]


class Windows:
    """Cuts blocks of any size into windows, the same ones whatever the blocks are.

    Args:
        channels: How many there are in each block.
        size: Samples in a core; the last one may be shorter.
        reach: Samples of context on either side.
    """

    def __init__(self, channels: int, size: int, reach: int) -> None:
        self._channels, self._size, self._reach = channels, size, reach
        self._blocks: list[Samples] = []
        self._held = 0
        self._start = 0
        self._first = 0

    def push(self, block: Samples) -> Iterator[Window]:
        """Take a block [n, channels] and yield the windows that are whole with it."""
        # In pieces, or a whole recording in one block would be copied for every window.
        for begin in range(0, len(block), self._size):
            piece = block[begin : begin + self._size]
            self._blocks.append(piece)
            self._held += len(piece)
            while self._held >= self._first + self._size + self._reach:
                yield self._window(self._first + self._size, ends=False)

    def finish(self) -> Iterator[Window]:
        """Yield what is left; nothing when there was no sound at all."""
        while self._held > self._first:
            last = min(self._held, self._first + self._size)
            yield self._window(last, ends=last == self._held)

    def _window(self, last: int, *, ends: bool) -> Window:
        if len(self._blocks) > 1:
            self._blocks = [np.concatenate(self._blocks)]
        (held,) = self._blocks
        sound = np.ascontiguousarray(held[: last + self._reach].T)
        made = Window(sound=sound, start=self._start, first=self._first, last=last, ends=ends)
        gone = max(0, last - self._reach)
        # Copied, or a small rest would keep a large block in memory.
        self._blocks = [held[gone:].copy()]
        self._held -= gone
        self._start += gone
        self._first = last - gone
        return made


def spans(marks: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return where the runs of true values begin and end, [runs, 2], end exclusive."""
    edges = np.flatnonzero(marks[1:] != marks[:-1]) + 1
    begins = [0] if len(marks) and marks[0] else []
    ends = [len(marks)] if len(marks) and marks[-1] else []
    return np.concatenate([begins, edges, ends]).astype(np.intp).reshape(-1, 2)
