"""Whether a set of examples can be learnt from: named as an effect, both sides there, all decode.

What the pictures show, and whether they belong together, is for whoever learns from them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from handlers.contract import CLIP_ENDINGS, SEQUENCE_ENDINGS, CheckReport, UnusableMedia, Verdict
from handlers.effects import catalog
from handlers.media.source import shown

SIDES = ("before", "after")
"""The folders without which there is nothing to learn from."""
_PLAIN = frozenset({"npy", "npz"})
_MOST = 24
Look = Callable[[Path], object]


def check(path: Path, members: tuple[Path, ...], clip: Look, image: Look) -> CheckReport:
    """Look whether a set of examples is all there.

    Args:
        path: Its folder, whose name is the effect's.
        members: Every file in it.
        clip: Looks at a clip; raises where it is incomplete or unusable.
        image: The same for an image.

    Raises:
        UnusableMedia: It is no effect's name, or a file is no picture.
        OSError: A file cannot be read.
    """
    _refuse_name(path)
    looks = dict.fromkeys(CLIP_ENDINGS, clip) | dict.fromkeys(SEQUENCE_ENDINGS, image)
    folders: defaultdict[tuple[Path, str], list[Path]] = defaultdict(list)
    for member in members:
        folders[member.parent, _ending(member)].append(member)
    for (_, ending), files in folders.items():
        for file in _some(sorted(files)):
            looks.get(ending, _read)(file)
    lacking = [side for side in SIDES if not _pictures(path, side, members)]
    if lacking:
        what = " and ".join(f"{side}/" for side in lacking)
        return CheckReport(verdict=Verdict.LACKING, reason=f"{shown(path)} has no {what} yet")
    return CheckReport(verdict=Verdict.WHOLE)


def _refuse_name(path: Path) -> None:
    if not catalog.is_name(path.name):
        raise UnusableMedia(
            f"{shown(path)} is no effect's name: rename the folder ({catalog.NAMES})."
        )
    if path.name.casefold() in catalog.BUILT_IN:
        raise UnusableMedia(
            f"{shown(path)} is the name of a built-in effect: give the folder another name."
        )


def _pictures(path: Path, side: str, members: Iterable[Path]) -> list[Path]:
    """Return the files below one of the folders that can hold pictures."""
    known = CLIP_ENDINGS | SEQUENCE_ENDINGS | _PLAIN
    return [
        member
        for member in members
        if member.relative_to(path).parts[0].casefold() == side and _ending(member) in known
    ]


def _some(files: list[Path]) -> list[Path]:
    """Of a long sequence pictures spread over it stand for all."""
    if len(files) <= _MOST:
        return files
    return [files[number * (len(files) - 1) // (_MOST - 1)] for number in range(_MOST)]


def _ending(path: Path) -> str:
    return path.suffix.lower().lstrip(".")


def _read(path: Path) -> None:
    with path.open("rb") as file:
        if not file.read(1) and _ending(path) in _PLAIN:
            raise UnusableMedia(f"{shown(path)} is empty: copy it again.")
