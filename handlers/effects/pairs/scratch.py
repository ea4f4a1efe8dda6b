"""Pictures that wait on disk for training: memory-mapped, so that few are in memory at once."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Beyond so many bytes in all, pictures are kept in half precision.
_ROOMY = 2 << 30


class Scratch:
    """A folder of pictures.

    Args:
        folder: Where; made when missing. What is in it is written over.
        expected: How many values will be written in all, about: it decides how precisely.
    """

    def __init__(self, folder: Path, expected: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._digest = hashlib.sha256()
        self._count = 0
        self.dtype = np.dtype(np.float32 if 4 * expected <= _ROOMY else np.float16)

    def keep(self, values: NDArray[Any]) -> NDArray[Any]:
        """Write an array and return it memory-mapped, read-only."""
        path = self._folder / f"{self._count:04d}.npy"
        self._count += 1
        kept = np.ascontiguousarray(values, self.dtype)
        self._digest.update(f"{kept.shape}".encode())
        self._digest.update(kept.data)
        # A new file: an older one may still be mapped.
        path.unlink(missing_ok=True)
        np.save(path, kept, allow_pickle=False)
        mapped: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return mapped

    def digest(self) -> str:
        """Return the SHA-256 of all that was kept, in order: that of the training data."""
        return self._digest.hexdigest()
