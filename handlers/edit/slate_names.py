"""Scene and take from a file's name, where it says so; a camera's clip number is neither."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FLAGS = re.ASCII | re.IGNORECASE
_SCENE, _TAKE = r"(?P<scene>\d{1,4}[A-Z]{0,2})", r"(?P<take>\d{1,3})"
_END = r"(?:[_\- ]?(?P<camera>[A-H])(?:[_\- ]?CAM(?:ERA)?)?)?"

# What cameras and phones count by themselves. Most would otherwise pass for a scene.
_COUNTED = tuple(
    re.compile(pattern, _FLAGS)
    for pattern in (
        r"[A-Z]_?\d{3,4}_?[A-Z]?C\d{3,4}.*",  # A001_C003_0815XY, A_0001C003_220815_..
        r"[A-Z]\d{3}_\d{8}_C\d{3}.*",  # A001_08151234_C003
        r"[A-Z]\d{3}_[A-Z]\d{3}_\d{4}.*",  # A001_A003_0815
        r"(C|P|CLIP|DSC|DSCF|GH|GX|GP|GOPR|IMG|MVI|MAH|VID|DJI)_?\d{4,}.*",
        r"\d{4}[A-Z]{2}",  # P2 cards
        r".*\d{8}.*",  # dates
    )
)
# Words name what follows: these may stand anywhere in a name.
_NAMED = tuple(
    re.compile(rf"(?:^|.*[_\- .])(?:{pattern}){_END}", _FLAGS)
    for pattern in (
        rf"SC(?:ENE)?[_\- ]?{_SCENE}[_\- ]*T(?:AKE|K)?[_\- ]?{_TAKE}",
        rf"S{_SCENE}[_\- ]?SH(?:OT)?(?P<shot>\d{{1,3}}[A-Z]?)[_\- ]?T(?:AKE|K)?{_TAKE}",
        rf"S{_SCENE}[_\- ]?T(?:AKE|K)?[_\- ]?{_TAKE}",
    )
)
# Without words, the whole name must be nothing but scene and take.
_BARE = tuple(
    re.compile(pattern + _END, _FLAGS)
    for pattern in (
        rf"{_SCENE}[_\- ]?T(?:AKE|K)?[_\- ]?{_TAKE}",
        r"(?P<scene>\d{1,3}[A-Z]{0,2})-(?P<take>\d{1,2})",
        r"(?P<scene>\d{1,3}[A-Z]{1,2})[_ ](?P<take>\d{1,2})",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slated:
    """What a slate says: scene with its set-up's letter ("12A"), take, camera ("A") if known."""

    scene: str
    take: int
    camera: str | None = None


def parse_name(stem: str) -> Slated | None:
    """Read scene and take from a file's name without its ending.

    Known are ``12A-3``, ``12AT03``, ``S012_T03``, ``sc12 tk3``, ``Scene 12A Take 3``,
    ``S12_SH2_T3`` (scene "12-2") and these with a camera's letter (``12A-3_B``, ``12A-3 BCAM``).

    Returns:
        None where a name does not say so beyond doubt, as with ``A001_C003_0815XY``.
    """
    name = stem.strip()
    if any(pattern.fullmatch(name) for pattern in _COUNTED):
        return None
    for pattern in (*_BARE, *_NAMED):
        if found := pattern.fullmatch(name):
            return _slated(found.groupdict())
    return None


def scene_of(text: str) -> str:
    """Return a scene as scenes are compared: "012a" is "12A"."""
    upper = text.strip().upper()
    return upper.lstrip("0") or upper


def _slated(parts: dict[str, str | None]) -> Slated:
    scene, shot = scene_of(parts["scene"] or ""), parts.get("shot")
    camera = parts["camera"]
    return Slated(
        scene=f"{scene}-{scene_of(shot)}" if shot else scene,
        take=int(parts["take"] or 0),
        camera=camera.upper() if camera else None,
    )
