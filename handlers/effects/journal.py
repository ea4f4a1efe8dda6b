"""Which segments of a render are whole: so a render that was killed goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

_NAME = "render.json"


class Journal:
    """Remembers in a folder how many segments, from the first one on, are whole.

    A folder that another render was at work in, by its ``settings``, is emptied first.
    """

    def __init__(self, folder: Path, settings: Any) -> None:
        self._folder = folder
        self._key = _digest(settings)
        self.whole = self._read()
        if not self.whole:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)

    def add(self) -> None:
        """Note that the next segment is whole and on disk."""
        self.whole += 1
        path = self._folder / _NAME
        partial = path.with_suffix(".part")
        with partial.open("w", encoding="utf-8") as file:
            json.dump({"render": self._key, "whole": self.whole}, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)

    def forget(self) -> None:
        """Begin anew: what was whole is taken away."""
        self.whole = 0
        (self._folder / _NAME).unlink(missing_ok=True)

    def _read(self) -> int:
        with suppress(OSError, ValueError, KeyError, TypeError):
            said = json.loads((self._folder / _NAME).read_text(encoding="utf-8"))
            if said["render"] == self._key:
                return int(said["whole"])
        return 0


def _digest(settings: Any) -> str:
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
