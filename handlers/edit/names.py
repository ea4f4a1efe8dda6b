"""Names that every file system and JSON reader takes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from handlers.media.source import shown

# 255 bytes is what file systems allow; ".otio" and the daemon's own endings must fit as well.
_LONGEST_STEM = 200


def artifact_stem(path: Path) -> str:
    """Return the stem that a clip's artifacts share; shortened with a hash where it must be."""
    raw = os.fsencode(path.name)
    name = shown(path)
    # The digits of an image sequence are no part of what it is called.
    stem = Path(name).stem.lstrip(".").replace("#", "").rstrip("._- ") or "clip"
    if name.encode() == raw and len(stem.encode()) <= _LONGEST_STEM:
        return stem
    mark = hashlib.sha256(raw).hexdigest()[:8]
    kept = stem.encode()[: _LONGEST_STEM - 9].decode("utf-8", "ignore")
    return f"{kept}-{mark}"


def unique_stems(paths: Iterable[Path]) -> list[str]:
    """Return a stem for each clip of a card; of two with one name, the second gets a number.

    None is ``_day``: that folder is for what all the clips add up to.
    """
    taken = {"_day"}
    stems = []
    for path in paths:
        stem = base = artifact_stem(path)
        number = 2
        # Shares of studios are often blind to case.
        while stem.casefold() in taken:
            stem, number = f"{base}_{number}", number + 1
        taken.add(stem.casefold())
        stems.append(stem)
    return stems
