"""Names that every file system, edit decision list and JSON reader takes."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from handlers.media.source import shown

# 255 bytes is what file systems allow; ".otio" and the daemon's own endings must fit as well.
_LONGEST_STEM = 200
_REEL_LENGTH = 8
_CAMERA_NAME = re.compile(r"([A-Z]\d{3})_?([CL]\d{3})", re.IGNORECASE)
_RESERVED = frozenset({"AX", "BL", "BLACK"})


def artifact_stem(path: Path) -> str:
    """Return the stem that a clip's artifacts share; shortened with a hash where it must be."""
    raw = os.fsencode(path.name)
    name = shown(path)
    stem = Path(name).stem.lstrip(".") or "clip"
    if name.encode() == raw and len(stem.encode()) <= _LONGEST_STEM:
        return stem
    mark = hashlib.sha256(raw).hexdigest()[:8]
    kept = stem.encode()[: _LONGEST_STEM - 9].decode("utf-8", "ignore")
    return f"{kept}-{mark}"


def unique_stems(paths: Iterable[Path]) -> list[str]:
    """Return a stem for each clip of a card; of two with one name, the second gets a number."""
    taken: set[str] = set()
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


def edl_reel(path: Path, reel: str | None) -> str:
    """Return a reel name for an EDL: at most 8 characters of A-Z, 0-9 and "_".

    The file's own reel comes first; then the camera's ("A001_C003_..." gives
    "A001C003"); else head and tail of the name, where clips of one day differ.
    """
    for candidate in (reel or "", _camera_reel(path), _clean(Path(shown(path)).stem)):
        name = _clean(candidate)
        if name:
            break
    else:
        name = "CLIP"
    if len(name) > _REEL_LENGTH:
        name = name.replace("_", "")
    if len(name) > _REEL_LENGTH:
        name = name[:4] + name[-4:]
    return f"{name}_1" if name in _RESERVED else name


def _camera_reel(path: Path) -> str:
    match = _CAMERA_NAME.match(shown(path))
    return "".join(match.groups()) if match else ""


def _clean(text: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", text.upper()).strip("_")
