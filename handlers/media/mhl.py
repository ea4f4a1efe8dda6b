"""Finding what a media hash list says about a file: ASC MHL folders and legacy .mhl files.

A manifest is written when a camera card is copied. A file that still has the
hash written there is the one that the camera recorded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import xxhash
from ascmhl.hasher import new_hasher_for_hash_type
from lxml import etree  # type: ignore[import-untyped]

# A manifest stands beside the clip or at the top of its card, not further up than cards are deep.
_LEVELS = 6
_CHUNK = 1 << 22
# Element names to what the hash is called; legacy lists write xxh64 big-endian, as we do.
_ALGORITHMS = {
    "xxh128": "xxh128",
    "xxh3": "xxh3",
    "xxh64": "xxh64",
    "xxhash64be": "xxh64",
    "md5": "md5",
    "sha1": "sha1",
    "c4": "c4",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a manifest says of a file: algorithm, hash as written, and the manifest.

    ``expected`` is empty where the file failed and no manifest tells what its hash was:
    no file has that hash.
    """

    algorithm: str
    expected: str
    manifest: Path


def listed(path: Path) -> Listed | None:
    """Return the newest entry about ``path`` in a manifest beside or above it, or None.

    A generation in which the file failed holds the hash of what was found then, not of
    what the camera recorded; the entry before it counts, and the failure alone only
    where there is none.
    """
    failed: Listed | None = None
    for folder in list(path.parents)[:_LEVELS]:
        for manifest in _manifests(folder):
            found = _entry(manifest, PurePosixPath(path.relative_to(folder).as_posix()))
            if found is None:
                continue
            entry = Listed(algorithm=found[0], expected=found[1], manifest=manifest)
            if entry.expected:
                return entry
            failed = failed or entry
    return failed


def verified(path: Path, top: Path) -> bool:
    """Say whether a manifest inside ``top`` lists ``path`` with the hash that it has now.

    Raises:
        OSError: The file cannot be read.
    """
    found = listed(path)
    if found is None or not found.manifest.is_relative_to(top):
        return False
    made = digests(path, found.algorithm, lambda _: None)[found.algorithm]
    return made.lower() == found.expected.lower()


def digests(path: Path, algorithm: str | None, tell: Callable[[float], None]) -> dict[str, str]:
    """Read a file once; return its xxh3 (64 bits) and xxh64, and one more where asked.

    Args:
        path: The file.
        algorithm: A manifest's algorithm: xxh128, xxh3, xxh64, md5, sha1 or c4.
        tell: Called with the fraction that has been read.
    """
    hashers: dict[str, Any] = {"xxh3": xxhash.xxh3_64(), "xxh64": xxhash.xxh64()}
    other = new_hasher_for_hash_type(algorithm) if algorithm and algorithm not in hashers else None
    size, done = max(1, path.stat().st_size), 0
    with path.open("rb") as file:
        while block := file.read(_CHUNK):
            for hasher in (*hashers.values(), *((other,) if other else ())):
                hasher.update(block)
            done += len(block)
            tell(done / size)
    made = {name: hasher.hexdigest() for name, hasher in hashers.items()}
    if other is not None and algorithm:
        made[algorithm] = other.string_digest()
    return made


def _manifests(folder: Path) -> Iterator[Path]:
    """Yield a folder's manifests, newest first: ASC MHL numbers them, legacy ones carry dates."""
    for place in (folder / "ascmhl", folder):
        try:
            found = [entry.path for entry in os.scandir(place) if entry.name.endswith(".mhl")]
        except OSError:
            continue
        yield from (Path(name) for name in sorted(found, reverse=True))


def _entry(manifest: Path, relative: PurePosixPath) -> tuple[str, str] | None:
    try:
        with manifest.open("rb") as file:
            for _, element in etree.iterparse(
                file, tag=("{*}hash",), resolve_entities=False, no_network=True
            ):
                if _path_of(element) == str(relative):
                    return _hash_of(element)
                element.clear()
    except (OSError, etree.XMLSyntaxError):
        # Another manifest may still tell; a damaged one proves nothing about the clip.
        return None
    return None


def _path_of(element: Any) -> str:
    for child in element:
        if _name(child) in {"path", "file"}:
            return str(child.text or "").replace("\\", "/")
    return ""


def _hash_of(element: Any) -> tuple[str, str] | None:
    """Return an entry's first algorithm and its hash; the hash is empty where one failed."""
    known = [child for child in element if _name(child) in _ALGORITHMS and child.text]
    if not known:
        return None
    # Beside a failed hash, one that is new in this generation is of the changed file as well.
    failed = any(child.get("action") == "failed" for child in known)
    return _ALGORITHMS[_name(known[0])], "" if failed else str(known[0].text).strip()


def _name(element: Any) -> str:
    return str(etree.QName(element).localname).lower() if isinstance(element.tag, str) else ""
