"""Names that every file system, edit decision list and JSON reader takes."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from handlers.edit.record import Edit
from handlers.media.source import shown

# 255 bytes is what file systems allow; ".otio" and the daemon's own endings must fit as well.
_LONGEST_STEM = 200
_REEL_LENGTH = 8
# Camera, roll and clip: "A001_C003_...", "A001C003_...", or "A_0001C003_..." with four digits.
_CAMERA_NAME = re.compile(r"([A-Z])_?(\d{3,4})_?([CL])(\d{3})(?!\d)", re.IGNORECASE)
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


def writable(edit: Edit) -> Edit:
    """Return the edit with texts that any timeline can hold.

    Each is one line, without characters that XML 1.0 forbids.
    """
    return replace(
        edit,
        name=_printable(edit.name),
        stem=_printable(edit.stem),
        reel=_printable(edit.reel or "") or None,
    )


def edl_reel(path: Path, reel: str | None) -> str:
    """Return a reel name for an EDL: at most 8 characters of A-Z, 0-9 and "_".

    The file's own reel comes first, where it fits; then the camera's ("A001_C003_..."
    gives "A001C003"); else head and tail of reel or name, where clips of one day differ.
    """
    own = _compact(_clean(reel or ""))
    if not own or len(own) > _REEL_LENGTH:
        # A reel that is cut short is that of other clips as well; the camera's name is not.
        camera = _camera_reel(reel or "") or _camera_reel(shown(path))
        own = camera or own or _compact(_clean(Path(shown(path)).stem)) or "CLIP"
    if len(own) > _REEL_LENGTH:
        own = own[:4] + own[-4:]
    return f"{own}_1" if own in _RESERVED else own


def _camera_reel(name: str) -> str:
    match = _CAMERA_NAME.match(name)
    if match is None:
        return ""
    camera, roll, kind, clip = (part.upper() for part in match.groups())
    roll = roll[-3:] if int(roll) < 1000 else roll
    made = f"{camera}{roll}{kind}{clip}"
    if len(made) <= _REEL_LENGTH:
        return made
    # From roll 1000 on one character is too much.
    return f"{camera}{roll}{clip if kind == 'C' else kind + clip[1:]}"


def _compact(name: str) -> str:
    return name.replace("_", "") if len(name) > _REEL_LENGTH else name


def _printable(text: str) -> str:
    """Leave out control characters, surrogates and line ends, which no reel or name needs."""
    return "".join(char for char in text if char.isprintable())


def _clean(text: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", text.upper()).strip("_")
