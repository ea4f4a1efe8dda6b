"""Reel names for edit decision lists: short, plain, and different for different media."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from handlers.media.source import shown
from handlers.turnover.model import Media

SHORT, LONG = 8, 32
"""Characters that CMX 3600 allows, and that File32 lists allow."""

# Camera, roll and clip: "A001_C003_...", "A001C003_...", or "A_0001C003_..." with four digits.
_CAMERA_NAME = re.compile(r"([A-Z])_?(\d{3,4})_?([CL])(\d{3})(?!\d)", re.IGNORECASE)
_RESERVED = frozenset({"AX", "BL", "BLACK"})


def edl_reel(path: Path, reel: str | None, length: int = SHORT) -> str:
    """Return a reel name for an EDL: at most ``length`` characters of A-Z, 0-9 and "_".

    The file's own reel comes first, where it fits; then the camera's ("A001_C003_..."
    gives "A001C003"); else head and tail of reel or name, where clips of one day differ.
    """
    own = _compact(_clean(reel or ""), length)
    if not own or len(own) > length:
        # A reel that is cut short is that of other clips as well; the camera's name is not.
        camera = _camera_reel(reel or "") or _camera_reel(shown(path))
        own = camera or own or _compact(_clean(Path(shown(path)).stem), length) or "CLIP"
    if len(own) > length:
        own = own[: length // 2] + own[-length // 2 :]
    return f"{own}_1" if own in _RESERVED else own


def edl_reels(media: Iterable[Media], length: int = SHORT) -> dict[Path, str]:
    """Return each file's reel name; media of different reels never share one.

    Clips of one reel may: their timecode tells them apart. Where shortening made two
    reels one, the later gets a number.
    """
    made: dict[Path, str] = {}
    owners: dict[str, tuple[str, str]] = {}
    for each in media:
        name = edl_reel(each.path, each.reel, length)
        owner = _owner(each, name, length)
        made[each.path] = name = _free(name, owner, owners, length)
        owners.setdefault(name, owner)
    return made


def _owner(media: Media, name: str, length: int) -> tuple[str, str]:
    """Say what a name was made from: the reel, or where that did not serve the file."""
    if media.reel and name == edl_reel(Path("-"), media.reel, length):
        return "reel", media.reel
    return "file", str(media.path)


def _free(
    name: str, owner: tuple[str, str], owners: dict[str, tuple[str, str]], length: int
) -> str:
    made, number = name, 2
    while owners.get(made, owner) != owner:
        tail = f"_{number}"
        made, number = name[: length - len(tail)] + tail, number + 1
    return made


def _camera_reel(name: str) -> str:
    match = _CAMERA_NAME.match(name)
    if match is None:
        return ""
    camera, roll, kind, clip = (part.upper() for part in match.groups())
    roll = roll[-3:] if int(roll) < 1000 else roll
    made = f"{camera}{roll}{kind}{clip}"
    if len(made) <= SHORT:
        return made
    # From roll 1000 on one character is too much.
    return f"{camera}{roll}{clip if kind == 'C' else kind + clip[1:]}"


def _compact(name: str, length: int) -> str:
    return name.replace("_", "") if len(name) > length else name


def _clean(text: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", text.upper()).strip("_")
