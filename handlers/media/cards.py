"""What a camera card holds: its clips, which files each consists of, and what is missing.

A camera tells it in its own lists: P2 in CONTENTS/CLIP/*.XML, Sony in MEDIAPRO.XML and, of what
XDCAM EX split at four gigabytes, in BPAV/TAKR/*/*.SMI, AVCHD in BDMV/PLAYLIST/*.MPL. Paths in
them are never opened; names are compared with what is there.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from handlers.contract import CLIP_ENDINGS
from handlers.media import safexml
from handlers.media.source import shown, shown_text

_PROXY_FOLDERS = frozenset({"proxy", "sub"})
_SEAMLESS = frozenset({5, 6})
_LARGEST_LIST = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CardClip:
    """One clip of a card: its first file, all its parts in order, and what belongs to it.

    ``proxies`` are the camera's own small copies; ``sound`` are files that hold its sound alone.
    """

    path: Path
    parts: tuple[Path, ...] = ()
    proxies: tuple[Path, ...] = ()
    sound: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CardContent:
    """The clips of a card in order, and a sentence for each thing that is missing or unused."""

    clips: tuple[CardClip, ...]
    notes: tuple[str, ...]


def is_proxy(path: PurePosixPath) -> bool:
    """Say whether a path on a card leads to one of the camera's own small copies."""
    return not _PROXY_FOLDERS.isdisjoint(part.lower() for part in path.parts[:-1])


def content(card: Path, members: Sequence[Path]) -> CardContent:
    """Return what a card holds.

    Args:
        card: Its folder.
        members: Its clips and recordings, in any order.
    """
    files = [path for path in members if path.suffix.lower().lstrip(".") in CLIP_ENDINGS]
    inside = {path: _inside(path, card) for path in files}
    proxies = [path for path in files if is_proxy(inside[path])]
    sound = [path for path in files if _is_p2_sound(inside[path])]
    others = {*proxies, *sound}
    masters = [path for path in files if path not in others]
    runs = _runs(masters, {**_p2_next(card), **_xdcam_next(card), **_avchd_next(card)})
    clips = tuple(
        CardClip(
            path=run[0],
            parts=tuple(run) if len(run) > 1 else (),
            proxies=tuple(path for path in proxies if _is_of(path, run[0])),
            sound=tuple(path for path in sound for part in run if _is_of(path, part)),
        )
        for run in runs
    )
    used = {path for clip in clips for path in (*clip.proxies, *clip.sound)}
    lost = [path for path in (*proxies, *sound) if path not in used]
    return CardContent(clips=clips, notes=(*_missing(card), *_orphans(lost)))


def _inside(path: Path, card: Path) -> PurePosixPath:
    place = path.relative_to(card) if path.is_relative_to(card) else Path(path.name)
    return PurePosixPath(place.as_posix())


def _is_p2_sound(path: PurePosixPath) -> bool:
    return "AUDIO" in path.parts[:-1] and "CONTENTS" in path.parts[:-1]


def _is_of(path: Path, master: Path) -> bool:
    """Say whether a proxy or sound file bears a clip's name, as in C0001S03.MP4 of C0001.MP4."""
    return path.stem.lower().startswith(master.stem.lower())


def _orphans(lost: Sequence[Path]) -> Iterator[str]:
    for path in sorted(lost):
        yield f"{shown(path)} belongs to no clip on this card; its master may not have been copied."


def _runs(masters: Sequence[Path], following: Mapping[str, str]) -> list[list[Path]]:
    """Chain clips of which the camera says that one goes on in the other."""
    named = {path.stem.upper(): path for path in masters}
    later = {name for name in following.values() if name in named}
    runs = []
    for path in masters:
        if path.stem.upper() in later and _has_start(path.stem.upper(), following, named):
            continue
        run = [path]
        while (after := named.get(following.get(run[-1].stem.upper(), ""))) and after not in run:
            run.append(after)
        runs.append(run)
    return runs


def _has_start(name: str, following: Mapping[str, str], named: Mapping[str, Path]) -> bool:
    """Say whether a clip that is continued here begins somewhere on the card; a ring does not."""
    before = {after: one for one, after in following.items() if one in named}
    seen: set[str] = set()
    while name in before and name not in seen:
        seen.add(name)
        name = before[name]
    return name not in seen


def _p2_next(card: Path) -> dict[str, str]:
    """Read which P2 clip goes on in which, from the Relation of each one's metadata."""
    roots = {
        path.stem.upper(): safexml.read(path) for path in _listed(card, "CONTENTS/CLIP", ".XML")
    }
    names = {_global_id(root): name for name, root in roots.items() if root is not None}
    following = {}
    for name, root in roots.items():
        for link in safexml.find_all(root, "Next") if root is not None else ():
            after = safexml.text(link, "ClipName") or names.get(safexml.text(link, "GlobalClipID"))
            if after:
                following[name] = after.upper()
    return following


def _global_id(root: Any) -> str:
    return next(
        (str(each.text or "").strip() for each in safexml.find_all(root, "GlobalClipID")), ""
    )


def _xdcam_next(card: Path) -> dict[str, str]:
    """Read what XDCAM EX split: TAKR/FISH0046/FISH0046.SMI has a reference for each part.

    The parts are CLPR/FISH0046_01/FISH0046_01.MP4, FISH0046_02/..., in order.
    """
    following: dict[str, str] = {}
    for take in _listed(card, "BPAV/TAKR", ""):
        for path in _listed(card, f"BPAV/TAKR/{take.name}", ".SMI"):
            root = safexml.read(path)
            count = sum(1 for _ in safexml.find_all(root, "ref")) if root is not None else 0
            names = [f"{path.stem.upper()}_{number:02}" for number in range(1, count + 1)]
            following |= dict(itertools.pairwise(names))
    return following


def _avchd_next(card: Path) -> dict[str, str]:
    following = {}
    for place in ("BDMV", "AVCHD/BDMV", "PRIVATE/AVCHD/BDMV"):
        for path in _listed(card, f"{place}/PLAYLIST", ".MPL", ".MPLS"):
            items = _play_items(path)
            for (before, _), (after, joined) in itertools.pairwise(items):
                if joined in _SEAMLESS:
                    following[before] = after
    return following


def _play_items(path: Path) -> list[tuple[str, int]]:
    """Read a playlist's clips and how each is joined to the one before (AVCHD Book 1, MPLS)."""
    try:
        data = path.read_bytes() if path.stat().st_size <= _LARGEST_LIST else b""
        if data[:4] != b"MPLS":
            return []
        (place,) = struct.unpack_from(">I", data, 8)
        (count,) = struct.unpack_from(">H", data, place + 6)
        place, items = place + 10, []
        for _ in range(count):
            (length,) = struct.unpack_from(">H", data, place)
            (flags,) = struct.unpack_from(">H", data, place + 11)
            items.append((data[place + 2 : place + 7].decode("ascii", "replace"), flags & 15))
            place += 2 + length
    except (OSError, struct.error):
        return []
    return items


def _missing(card: Path) -> Iterator[str]:
    """Name what the camera lists and the card does not hold: half a card."""
    for path in _listed(card, "CONTENTS/CLIP", ".XML"):
        if not any(_listed(card, "CONTENTS/VIDEO", f"{path.stem}.MXF")):
            yield _not_there(path, f"{path.stem}.MXF")
        for name in _p2_sound(path):
            if not any(_listed(card, "CONTENTS/AUDIO", name)):
                yield _not_there(path, name)
    for root in ("", "M4ROOT", "XDROOT", "BPAV", "PRIVATE/M4ROOT", "PRIVATE/XDROOT"):
        for path in _listed(card, root, "MEDIAPRO.XML"):
            yield from _not_in_list(path)


def _p2_sound(listing: Path) -> list[str]:
    """Name the files of a P2 clip's sound: its list of essence has an entry for each."""
    root = safexml.read(listing)
    listed = list(safexml.find_all(root, "EssenceList")) if root is not None else []
    heard = [each for essence in listed for each in essence if safexml.name(each) == "Audio"]
    return [f"{listing.stem}{number:02}.MXF" for number in range(len(heard))]


def _not_in_list(path: Path) -> Iterator[str]:
    listed = safexml.read(path)
    for material in safexml.find_all(listed, "Material") if listed is not None else ():
        place = PurePosixPath(material.get("uri", "").replace("\\", "/"))
        if place.name and not _is_there(path.parent, place):
            yield _not_there(path, shown_text(place.name))


def _is_there(folder: Path, place: PurePosixPath) -> bool:
    """Say whether a folder holds a file at a place; cameras write Clip and CLIP alike."""
    found: Path | None = folder
    for part in place.parts:
        entries = _listed(found, ".", part) if found is not None else []
        found = next((each for each in entries if each.name.upper() == part.upper()), None)
    return found is not None


def _not_there(listing: Path, name: str) -> str:
    return f"{shown(listing)} lists {name}, which is not on this card; copy the whole card again."


def _listed(card: Path, folder: str, *endings: str) -> list[Path]:
    """List a folder's files of the given endings, in any case."""
    wanted = tuple(ending.upper() for ending in endings)
    try:
        found = [path for path in (card / folder).iterdir() if path.name.upper().endswith(wanted)]
    except OSError:
        return []
    return sorted(path for path in found if not path.name.startswith(".") and not path.is_symlink())
