"""What a file's name says: reel, camera letter and clip as cameras name them, scene and take.

Only names whose meaning is certain are read: those of camera makers, and scene and take
where the name itself says "sc" and "tk" or the like. "12_3.mov" may mean anything.
"""

from __future__ import annotations

import re
from pathlib import Path

from handlers.media.said import Said, say

# ARRI and Sony: A001C003_220101_R1AB; ARRI since 2022: A_0001C003_220101_120000_p1A2B.
_ARRI = re.compile(
    r"(?P<reel>(?P<letter>[A-Z])_?\d{3,4})_?C(?P<clip>\d{3,4})_\d{6}(?:_\d{6})?_?[A-Za-z0-9]{2,5}"
)
# RED, and Sony's Venice and Canon, which follow it: A001_C003_0101AB.
_RED = re.compile(r"(?P<reel>(?P<letter>[A-Z])\d{3})_C(?P<clip>\d{3})_\d{4}[A-Z0-9]{2}")
# Blackmagic: A001_01011200_C003.
_BLACKMAGIC = re.compile(r"(?P<reel>(?P<letter>[A-Z])\d{3})_\d{8}_C(?P<clip>\d{3})")
_CAMERAS = (_ARRI, _RED, _BLACKMAGIC)
_SCENE = re.compile(
    r"(?:^|[_\-. ])(?:scene|scn|sc)[_\- ]?(?P<scene>\d{1,4}[A-Z]{0,3})(?=[_\-. ]|$|t)",
    re.IGNORECASE,
)
_TAKE = re.compile(
    r"(?:^|[_\-. ]|(?<=\d)|(?<=\d[A-Z]))(?:take|tk)[_\- ]?(?P<take>\d{1,3})(?!\d)", re.IGNORECASE
)


def about(clip: Path) -> list[Said]:
    """Return what the name of a clip or recording says."""
    source = "file name"
    said: list[Said] = []
    for pattern in _CAMERAS:
        if match := pattern.match(clip.stem):
            said += say("reel", match["reel"].replace("_", ""), source)
            said += say("camera_index", match["letter"], source)
            break
    for field, pattern in (("scene", _SCENE), ("take", _TAKE)):
        if match := pattern.search(clip.stem):
            said += say(field, match[field].lstrip("0") or "0", source)
    return said
