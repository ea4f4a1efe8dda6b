"""Sound that waits on disk between two passes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

_BLOCK = 1 << 15


class Scratch:
    """A file of float32 that is written once and read as often as wanted.

    Args:
        path: Where; :meth:`remove` takes it away.
        channels: How many.
    """

    def __init__(self, path: Path, channels: int) -> None:
        self._path, self._channels = path, channels
        self._file = path.open("wb")

    def write(self, block: Samples) -> None:
        """Add float32 [n, channels]."""
        np.ascontiguousarray(block, np.float32).tofile(self._file)

    def blocks(self) -> Iterator[Samples]:
        """Yield what was written, from its beginning."""
        self._file.flush()
        with self._path.open("rb") as file:
            while (block := np.fromfile(file, np.float32, _BLOCK * self._channels)).size:
                yield block.reshape(-1, self._channels)

    def remove(self) -> None:
        """Delete it."""
        self._file.close()
        self._path.unlink(missing_ok=True)
