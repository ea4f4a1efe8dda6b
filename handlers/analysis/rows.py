"""Rows of numbers that come one after the other, more of them than memory should hold."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# A short clip's rows stay in memory, those of a long one go to a file from here on, in bytes.
_IN_MEMORY = 1 << 18
# Read back so many rows at a time.
_BLOCK = 1 << 13


class Rows:
    """Rows of one structured type, written as they come and read back from the first on.

    Args:
        row: What one row holds.
        folder: Where the file goes, which never has a name there; None: where the system
            has its temporary files.
    """

    def __init__(self, row: np.dtype[Any], folder: Path | None = None) -> None:
        self.row = row
        where = None if folder is None else str(folder)
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=where)  # noqa: SIM115
        # Also where a pass fails and nobody asks for the rows.
        weakref.finalize(self, self._file.close)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, rows: bytes) -> None:
        """Take the next row, or several: the bytes of the type.

        Raises:
            OSError: There is no room for them.
        """
        self._file.write(rows)
        self._count += len(rows) // self.row.itemsize

    def blocks(self) -> Iterator[NDArray[Any]]:
        """Yield all rows in order, some thousands at a time; none may be added any more."""
        self._file.seek(0)
        while data := self._file.read(_BLOCK * self.row.itemsize):
            yield np.frombuffer(data, self.row)

    def columns(self, count: int | None = None) -> dict[str, NDArray[Any]]:
        """Return each field of all rows, [n, …], or of the first ``count`` rows alone."""
        count = len(self) if count is None else min(count, len(self))
        made = {name: np.empty((count, *shape), base) for name, base, shape in self._fields()}
        first = 0
        for block in self.blocks():
            last = min(count, first + len(block))
            for name, column in made.items():
                column[first:last] = block[name][: last - first]
            first = last
        return made

    def _fields(self) -> Iterator[tuple[str, np.dtype[Any], tuple[int, ...]]]:
        for name in self.row.names or ():
            field = self.row[name]
            yield name, field.base, field.shape
