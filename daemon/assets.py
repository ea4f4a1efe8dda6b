"""From names in a folder to assets: what is ignored, what belongs together.

Pure: works on names alone. A name is kept as ``str`` with surrogate escapes, as
``os.fsdecode`` gives it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from handlers.contract import CLIP_ENDINGS, RECORDING_ENDINGS, SEQUENCE_ENDINGS, AssetKind

_PARTIAL = (".part", ".tmp", ".filepart", ".crdownload", "~")
_IGNORED = frozenset(
    {"thumbs.db", "@eadir", "desktop.ini", "_status.txt", "_failed", "manifest.json"}
)
# Folders that only a camera or recorder makes, spelled as it does: their parent is a card.
_CARD_INSIDES = frozenset(
    ["M4ROOT", "XDROOT", "BPAV", "CONTENTS", "CLIPS001", "AVCHD", "BDMV", "AVF_INFO", "PRIVATE"]
)
_CARD_SUFFIXES = (".rdm", ".rdc")
# A camera that writes a file for each frame shall be told of it once, not for each.
_RAW_FRAMES = frozenset({"ari", "arx"})
# A name's last part is an ending if it could be one: a card's folder may have dots of its own.
_ENDING = re.compile(r"\.(?=\d*[a-z])[a-z0-9]{1,5}$", re.IGNORECASE)
_NUMBERED = re.compile(r"^(?P<head>.*?)(?P<number>\d{2,})(?P<tail>\.[^.]+)$", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One asset seen in a folder: its name there, kind, and the names of its files."""

    name: str
    kind: AssetKind
    members: tuple[str, ...]


def ignored(name: str) -> bool:
    """Say whether ``name`` is nothing that anyone dropped on purpose."""
    lower = name.lower()
    return name.startswith(".") or lower in _IGNORED or lower.endswith(_PARTIAL)


def is_partial(name: str) -> bool:
    """Say whether ``name`` is one that copiers use until a file is whole."""
    return name.lower().endswith(_PARTIAL)


def kind_of(name: str) -> AssetKind:
    """Return the kind of a single file by its ending."""
    ending = name.rpartition(".")[2].lower()
    if ending in CLIP_ENDINGS:
        return AssetKind.CLIP
    if ending in RECORDING_ENDINGS:
        return AssetKind.RECORDING
    return AssetKind.FILE


def is_card(folder_name: str, subfolder_names: Iterable[str]) -> bool:
    """Say whether a folder is a camera card, by its own name and its subfolders' names."""
    if folder_name.lower().endswith(_CARD_SUFFIXES):
        return True
    return not _CARD_INSIDES.isdisjoint(subfolder_names)


def card_root(parts: Sequence[str]) -> int | None:
    """Return how many leading ``parts`` of a path name the card that it lies in, if one does.

    The first part is the watched folder, which is never a card itself.
    """
    for depth in range(1, len(parts)):
        if is_card(parts[depth], parts[depth + 1 : depth + 2]):
            return depth + 1
    return None


def group(names: Iterable[str]) -> list[Group]:
    """Turn a folder's file names into assets; numbered images of one run are one sequence."""
    runs: defaultdict[tuple[str, int, str], list[str]] = defaultdict(list)
    groups = []
    for name in names:
        if (key := _run_of(name)) is not None:
            runs[key].append(name)
        else:
            groups.append(Group(name=name, kind=kind_of(name), members=(name,)))
    groups.extend(_sequence(key, members) for key, members in runs.items())
    return groups


def _run_of(name: str) -> tuple[str, int, str] | None:
    match = _NUMBERED.match(name)
    if match is None or match["tail"][1:].lower() not in SEQUENCE_ENDINGS | _RAW_FRAMES:
        return None
    return match["head"], len(match["number"]), match["tail"]


def _sequence(key: tuple[str, int, str], members: list[str]) -> Group:
    head, digits, tail = key
    name = f"{head}{'#' * digits}{tail}"
    return Group(name=name, kind=AssetKind.SEQUENCE, members=tuple(sorted(members)))


def stem(name: str) -> str:
    """Return the name that an asset's output folder gets: no ending, no trailing separator."""
    base = _ENDING.sub("", name) or name
    return base.replace("#", "").rstrip("._- ") or base


def clashes(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the names that some file systems take for one: alike but for case or NFC/NFD."""
    seen: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        seen[unicodedata.normalize("NFC", name).casefold()].append(name)
    return [tuple(sorted(same)) for same in seen.values() if len(same) > 1]


def printable(name: str) -> str:
    """Return a name as one line of valid text: undecodable bytes and controls are escaped."""
    safe = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in safe)
