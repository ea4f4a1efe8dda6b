"""Media hash lists: what they say of a file, what they miss, and writing one of our own.

A manifest (ASC MHL, or a legacy .mhl file of version 1) is written when a camera card is
copied. A file that still has the hash written there is the one that the camera recorded.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import xxhash
from ascmhl.hasher import new_hasher_for_hash_type
from lxml import etree  # type: ignore[import-untyped]

from handlers.contract import TransientFailure, UnusableMedia
from handlers.media.source import shown, shown_text

# A manifest stands beside the clip or at the top of its card, not further up than cards are deep.
_LEVELS = 6
_CHUNK = 1 << 22
# The daemon puts its own manifest into a published folder, after everything else.
_WRITTEN_LATER = "manifest.json"
# A sentence that names more files than this is not read.
_MOST_NAMED = 5
# Element names to what the hash is called; legacy lists write xxh64 big-endian, as we do.
_ALGORITHMS = {
    "xxh128": "xxh128",
    "xxh3": "xxh3",
    "xxh64": "xxh64",
    "xxhash64be": "xxh64",
    "xxhash64": "xxh64",
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

    def matches(self, found: str) -> bool:
        """Say whether a hash is the listed one.

        Letters count in C4 alone. Legacy lists know xxh64 in either order of its bytes.
        """
        if self.algorithm == "c4":
            return found == self.expected
        wanted = self.expected.lower()
        turned = "".join(reversed([wanted[at : at + 2] for at in range(0, len(wanted), 2)]))
        return found.lower() in {wanted, turned if self.algorithm == "xxh64" else wanted}


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
    return found.matches(made)


def proven(path: Path, members: Sequence[Path], top: Path) -> bool:
    """Say whether manifests inside ``top`` prove an asset to be whole.

    Every file of it is listed with the hash that it has now; of a card, nothing that its own
    manifests list is missing.

    Raises:
        OSError: A file cannot be read.
    """
    files = members or (path,)
    # What costs little comes first: half a card is not read for nothing.
    if path.is_dir() and missing(path):
        return False
    return all(listed(file) for file in files) and all(verified(file, top) for file in files)


def missing(top: Path) -> tuple[str, ...]:
    """Return one sentence for each manifest in ``top`` that lists files which are not there."""
    newest: dict[str, Path] = {}
    gone: dict[Path, list[str]] = {}
    for manifest in _manifests(top):
        for name in _paths(manifest):
            newest.setdefault(name, manifest)
    for name, manifest in newest.items():
        if not os.path.lexists(top / name):
            gone.setdefault(manifest, []).append(name)
    return tuple(_absent(manifest, sorted(names)) for manifest, names in gone.items())


def _absent(manifest: Path, names: list[str]) -> str:
    told = ", ".join(shown_text(name) for name in names[:_MOST_NAMED])
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    files = "a file that is" if len(names) == 1 else f"{len(names)} files that are"
    return f"{shown(manifest)} lists {files} not there: {told}{more}; copy the card again."


def _paths(manifest: Path) -> Iterator[str]:
    """Yield the relative paths that a manifest lists; one that leads out of its folder is none."""
    for element in _entries(manifest):
        name = _path_of(element)
        parts = PurePosixPath(name).parts
        if name and ".." not in parts and not name.startswith("/"):
            yield name


def write_mhl(folder: Path) -> Path:
    """Write an ASC MHL generation for all files in a folder, with xxh64 hashes.

    Returns:
        The manifest, in the folder's ``ascmhl``.

    Raises:
        OSError: A file cannot be read, or the manifest not be written.
    """
    # Its commands take half a second to load, and few people want them.
    import click  # noqa: PLC0415
    from ascmhl import commands  # noqa: PLC0415

    # The library tells people on standard output what it does, where a child speaks to the daemon.
    quiet = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    with quiet[0], quiet[1], warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            commands.create_for_folder_subcommand(
                str(folder), verbose=False, detect_renaming=False, hash_formats=["xxh64"],
                no_directory_hashes=False, author_name=None, author_email=None, author_phone=None,
                author_role=None, location=None, comment=None, ignore_list=[_WRITTEN_LATER],
            )  # fmt: skip
        except click.ClickException as error:
            raise OSError(
                f"{shown(folder)}: its media hash list fails ({error.message})"
            ) from error
    return next(_manifests(folder))


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One file, read from end to end: its size in bytes, its hashes, what a manifest lists."""

    path: Path
    size: int
    hashes: Mapping[str, str]
    listed: Listed | None

    @property
    def result(self) -> str:
        """Return "none" where no manifest lists the file, else "verified" or "failed"."""
        if self.listed is None:
            return "none"
        same = self.listed.matches(self.hashes[self.listed.algorithm])
        return "verified" if same else "failed"


def examine(
    files: Sequence[Path], *, use_mhl: bool, tell: Callable[[float], None]
) -> tuple[Examined, ...]:
    """Read files from end to end and compare each with what a manifest lists of it.

    Args:
        files: One clip's file or files.
        use_mhl: Whether manifests are looked for.
        tell: Called with the fraction that has been read.

    Raises:
        TransientFailure: A file cannot be read now.
    """
    count = len(files)
    return tuple(
        _examined(path, listed(path) if use_mhl else None, _part_of(tell, place, count))
        for place, path in enumerate(files)
    )


def _examined(path: Path, found: Listed | None, tell: Callable[[float], None]) -> Examined:
    try:
        hashes = digests(path, found.algorithm if found else None, tell)
        return Examined(path=path, size=path.stat().st_size, hashes=hashes, listed=found)
    except OSError as error:
        raise TransientFailure(
            f"{shown(path)} cannot be reached now ({error.strerror}); look at the storage"
        ) from error


def _part_of(tell: Callable[[float], None], place: int, count: int) -> Callable[[float], None]:
    return lambda part: tell((place + part) / count)


def require_unchanged(examined: Sequence[Examined]) -> None:
    """Stop at files that are not what the camera recorded.

    Raises:
        UnusableMedia: A file has another hash than its manifest lists, or failed there.
    """
    failed = [each for each in examined if each.result == "failed"]
    if not failed or failed[0].listed is None:
        return
    others = f" (and {len(failed) - 1} more of its files)" if len(failed) > 1 else ""
    raise UnusableMedia(
        f"{shown(failed[0].path)}{others} is not the file that {shown(failed[0].listed.manifest)} "
        f"lists: its {failed[0].listed.algorithm} hash differs; copy it again from the card."
    )


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
        return _index(manifest, manifest.stat().st_mtime_ns).get(str(relative))
    except OSError:
        return None


@functools.lru_cache(maxsize=16)
def _index(manifest: Path, _modified: int) -> dict[str, tuple[str, str]]:
    """Read a manifest once for the thousands of images of a sequence, the first entry counting."""
    found: dict[str, tuple[str, str]] = {}
    for element in _entries(manifest):
        if (entry := _hash_of(element)) is not None:
            found.setdefault(_path_of(element), entry)
    return found


def _entries(manifest: Path) -> Iterator[Any]:
    """Yield a manifest's entries up to where it is damaged, each of which is forgotten again."""
    # Another manifest may still tell; a damaged one proves nothing about the clip.
    with contextlib.suppress(OSError, etree.XMLSyntaxError), manifest.open("rb") as file:
        for _, element in etree.iterparse(
            file, tag=("{*}hash",), resolve_entities=False, no_network=True
        ):
            yield element
            element.clear()


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
