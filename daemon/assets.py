"""From names in a folder to assets: what is ignored, what belongs together.

Pure: works on names alone. A name is kept as ``str`` with surrogate escapes, as
``os.fsdecode`` gives it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from handlers.contract import (
    CLIP_ENDINGS,
    OP_ATOM_TRACK,
    RECORDING_ENDINGS,
    SEQUENCE_ENDINGS,
    AssetKind,
)

FOLDERS = frozenset({AssetKind.CARD, AssetKind.EXAMPLES})
"""Kinds whose asset is a folder with everything in it."""
_PARTIAL = (".part", ".tmp", ".filepart", ".crdownload", "~")
_IGNORED = frozenset(
    {"thumbs.db", "@eadir", "desktop.ini", "_status.txt", "_failed", "manifest.json"}
)
# Folders that only a camera or recorder makes, spelled as it does: their parent is a card.
_CARD_INSIDES = frozenset(
    ["M4ROOT", "XDROOT", "BPAV", "CONTENTS", "CLIPS001", "AVCHD", "BDMV", "AVF_INFO", "PRIVATE"]
)
_CARD_SUFFIXES = (".rdm", ".rdc")
# Folders in which cameras keep their own small copies of what they record.
_PROXY_FOLDERS = frozenset({"proxy", "sub"})
# Parts by the makers' own rules: GoPro's chapters, RED's files of four gigabytes.
_CHAPTERS = (
    re.compile(r"(?P<head>G[HXS])(?P<part>\d\d)(?P<clip>\d{4})(?P<tail>\.\w+)", re.IGNORECASE),
    re.compile(
        r"(?P<head>[A-Z]\d{3}_)(?P<clip>[A-Z]\d{3}_\d{4}[A-Z0-9]{2})_(?P<part>\d{3})(?P<tail>\.\w+)"
    ),
)
_OLD_GOPRO = re.compile(r"(?:GOPR|GP(?P<part>\d\d))(?P<clip>\d{4})(?P<tail>\.\w+)", re.IGNORECASE)
_SPLIT = re.compile(
    r"(?P<head>.+)(?:-(?P<few>[2-9])|[-_](?P<many>\d{4}))(?P<tail>\.[^.]+)", re.DOTALL
)
# A camera that writes a file for each frame shall be told of it once, not for each.
_RAW_FRAMES = frozenset({"ari", "arx"})
# A name's last part is an ending if it could be one: a card's folder may have dots of its own.
_ENDING = re.compile(r"\.(?=\d*[a-z])[a-z0-9]{1,5}$", re.IGNORECASE)
_NUMBERED = re.compile(r"^(?P<head>.*?)(?P<number>\d{2,})(?P<tail>\.[^.]+)$", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One asset seen in a folder: its name there, kind, and the names of its files, in order.

    A clip or recording that was written in several files has the name of the first one.
    ``beside`` are the files of sound that are named as this picture's: they are not its parts, but
    it changes with them.
    """

    name: str
    kind: AssetKind
    members: tuple[str, ...]
    beside: tuple[str, ...] = ()


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


def is_proxy(path: str) -> bool:
    """Say whether a path leads into a folder in which cameras keep their own small copies.

    The first part is the watched folder or the card, whatever it is called.
    """
    return not _PROXY_FOLDERS.isdisjoint(part.lower() for part in path.split("/")[1:-1])


def group(names: Iterable[str], *, proxies: bool = False) -> list[Group]:
    """Turn a folder's file names into assets.

    Numbered images of one run are one sequence; the parts of a clip or recording that
    was too long for one file are one asset. The sound of an OP-Atom set is a plain file beside
    its picture, with which handlers find it.

    Args:
        names: The files' names.
        proxies: Whether the folder holds a camera's own small copies, which are plain files.
    """
    runs: defaultdict[tuple[str, int, str], list[str]] = defaultdict(list)
    single = []
    for name in names:
        if (key := _run_of(name)) is not None:
            runs[key].append(name)
        else:
            single.append(name)
    if proxies:
        return [
            Group(name=name, kind=AssetKind.FILE, members=(name,))
            for name in (*single, *(name for run in runs.values() for name in run))
        ]
    tracks, beside = _sound_beside(single)
    groups = [
        Group(
            name=parts[0],
            kind=AssetKind.FILE if parts[0] in tracks else kind_of(parts[0]),
            members=parts,
            beside=beside.get(parts[0], ()),
        )
        for parts in _spans(single)
    ]
    groups.extend(_sequence(key, members) for key, members in runs.items())
    return groups


def is_op_atom_picture(name: str) -> bool:
    """Say whether a name is that of an OP-Atom set's picture, whose sound may lie beside it."""
    match = OP_ATOM_TRACK.fullmatch(name)
    return match is not None and match["kind"].upper() == "V"


def _sound_beside(names: Sequence[str]) -> tuple[set[str], dict[str, tuple[str, ...]]]:
    """Return the tracks of sound whose picture is there, too, and those of each picture by name.

    Several of Avid's pictures without a head are named alike: which sound is whose only their
    content says, so they have none by name.
    """
    named = {name: match for name in names if (match := OP_ATOM_TRACK.fullmatch(name))}
    # A plain A01.mxf may be anybody's clip.
    tracks = {name: match for name, match in named.items() if match["head"] or match["avid"]}
    heads: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name, match in tracks.items():
        heads[match["head"].casefold()][match["kind"].upper()].append(name)
    sounds = {name for kinds in heads.values() if "V" in kinds for name in kinds.get("A", ())}
    beside = {
        picture: tuple(sorted(kinds["A"]))
        for head, kinds in heads.items()
        if "A" in kinds and (head or len(kinds["V"]) == 1)
        for picture in kinds["V"]
    }
    return sounds, beside


def _spans(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Join the parts of what was written in several files; all others stay single, in order."""
    parts: defaultdict[tuple[str, str], dict[int, str]] = defaultdict(dict)
    present = set(names)
    for name in names:
        if (place := _part_of(name, present)) is not None:
            parts[place[0]].setdefault(place[1], name)
    after = {
        before: later
        for run in parts.values()
        for number, before in run.items()
        if (later := run.get(number + 1)) is not None
    }
    joined = set(after.values())
    return [tuple(_chain(name, after)) for name in names if name not in joined]


def _chain(name: str, after: Mapping[str, str]) -> Iterator[str]:
    yield name
    while name in after:
        name = after[name]
        yield name


def _part_of(name: str, present: Collection[str]) -> tuple[tuple[str, str], int] | None:
    """Return of what a file is a part, and which one, counted from 1; None if it is whole."""
    kind = kind_of(name)
    if kind is AssetKind.FILE:
        return None
    if kind is AssetKind.RECORDING:
        return _split_of(name, present)
    for pattern in _CHAPTERS:
        if (match := pattern.fullmatch(name)) is not None:
            return (match["head"] + match["clip"], match["tail"]), int(match["part"])
    if (match := _OLD_GOPRO.fullmatch(name)) is not None:
        # The first chapter bears no number: GOPR0001, GP010001, GP020001.
        return ("GOPR" + match["clip"], match["tail"]), int(match["part"] or 0) + 1
    return None


def _split_of(name: str, present: Collection[str]) -> tuple[tuple[str, str], int] | None:
    """Recognise T01.wav, T01-2.wav, or T01.wav, T01_0001.wav: only beside the unnumbered first."""
    match = _SPLIT.fullmatch(name)
    if match is not None and match["head"] + match["tail"] in present:
        # Four digits count the files after the first, a single one counts all.
        number = int(match["few"]) if match["few"] else int(match["many"]) + 1
        return (match["head"], match["tail"]), number
    head, dot, tail = name.rpartition(".")
    return ((head, dot + tail), 1)


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
