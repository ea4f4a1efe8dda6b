"""Looks at folders: what is there, and has it changed since the journal last agreed?

Folders are read with scandir and stat alone; no file is opened. Paths are bytes.
"""

from __future__ import annotations

import marshal
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import xxhash

from daemon import assets
from daemon.settle import Look
from handlers.contract import AssetKind

Stat = os.stat_result
_DOT = ord(".")


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """One folder as a single scan saw it; ``digest`` covers its files and subfolders' names."""

    path: bytes
    digest: bytes
    files: Mapping[bytes, Stat]
    subfolders: tuple[bytes, ...]
    links: tuple[bytes, ...]


def signature(info: Stat, beside: tuple[tuple[bytes, Stat], ...] = ()) -> bytes:
    """Return what must stay the same while a file is quiet; with it the files ``beside`` it."""
    own = (info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino, info.st_blocks)
    others = [(name, each.st_size, each.st_mtime_ns, each.st_ino) for name, each in beside]
    return marshal.dumps(
        (*own, xxhash.xxh3_128_digest(marshal.dumps(others, 2))) if beside else own, 2
    )


def scan(root: bytes, path: bytes) -> Folder:
    """Read one folder; ``path`` is relative to ``root``.

    Raises:
        OSError: The folder is gone or cannot be read.
    """
    files: dict[bytes, Stat] = {}
    subfolders: list[bytes] = []
    links: list[bytes] = []
    rows = []
    with os.scandir(os.path.join(root, path)) as entries:
        for entry in entries:
            name = entry.name
            if name[0] == _DOT:
                continue
            try:
                info = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            mode = info.st_mode
            if stat.S_ISREG(mode):
                files[name] = info
                rows.append((name, info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino))
            elif stat.S_ISDIR(mode):
                subfolders.append(name)
            elif stat.S_ISLNK(mode):
                links.append(name)
    rows.sort()
    subfolders.sort()
    digest = xxhash.xxh3_128_digest(marshal.dumps((rows, subfolders, sorted(links)), 2))
    return Folder(
        path=path,
        digest=digest,
        files=files,
        subfolders=tuple(subfolders),
        links=tuple(links),
    )


def looks(folder: Folder) -> Iterator[Look]:
    """Group a folder's files into assets and return one look at each."""
    names = {os.fsdecode(name): name for name in folder.files}
    wanted = [name for name in names if not assets.ignored(name)]
    proxies = assets.is_proxy(os.fsdecode(folder.path) + "/")
    for group in assets.group(wanted, proxies=proxies):
        infos = [folder.files[names[member]] for member in group.members]
        path = os.path.join(folder.path, os.fsencode(group.name))
        if group.kind is AssetKind.SEQUENCE or len(group.members) > 1:
            yield _many(path, group.kind, group.members, infos)
        else:
            beside = tuple((names[each], folder.files[names[each]]) for each in group.beside)
            yield Look(
                path=path,
                kind=group.kind,
                signature=signature(infos[0], beside),
                size=infos[0].st_size,
            )


def _many(path: bytes, kind: AssetKind, members: tuple[str, ...], infos: list[Stat]) -> Look:
    rows = [(os.fsencode(name), signature(info)) for name, info in zip(members, infos, strict=True)]
    return Look(
        path=path,
        kind=kind,
        signature=xxhash.xxh3_128_digest(marshal.dumps(rows, 2)),
        size=sum(info.st_size for info in infos),
        members=members,
    )


def look_at_folder(root: bytes, path: bytes, kind: AssetKind) -> Look:
    """Look at a folder that is one asset: every file in it counts.

    Members of a card are its clips and recordings, of a set of examples all files.

    Raises:
        OSError: It is gone, or a part of it may not be read: without that part it would be
            taken for another version.
    """
    rows: list[tuple[str, Stat]] = []
    for folder in descend(root, path, unreadable=_refuse):
        below = folder.path[len(path) :].lstrip(b"/")
        for name, info in sorted(folder.files.items()):
            relative = os.fsdecode(os.path.join(below, name))
            if not assets.ignored(relative.rpartition("/")[2]):
                rows.append((relative, info))
    whole = _many(path, kind, tuple(name for name, _ in rows), [info for _, info in rows])
    if kind is not AssetKind.CARD:
        return whole
    media = tuple(name for name in whole.members if assets.kind_of(name) is not AssetKind.FILE)
    return replace(whole, members=media)


def _refuse(_path: bytes, error: OSError) -> None:
    raise error


def look_again(root: bytes, before: Look) -> Look | None:
    """Observe a pending asset again; None when it is gone.

    Raises:
        PermissionError: It is in a folder that may not be read.
        OSError: The storage cannot be read (other than that the asset is gone).
    """
    if before.kind is AssetKind.DAY:
        # No file of its own: what it is made of is pinned one by one.
        return before
    try:
        if before.kind in assets.FOLDERS:
            return look_at_folder(root, before.path, before.kind)
        if before.kind is AssetKind.SEQUENCE or before.members or _has_sound_beside(before):
            folder = scan(root, os.path.dirname(before.path))
            return next((look for look in looks(folder) if look.path == before.path), None)
        info = os.lstat(os.path.join(root, before.path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(info.st_mode):
        return None
    return Look(path=before.path, kind=before.kind, signature=signature(info), size=info.st_size)


def _has_sound_beside(look: Look) -> bool:
    return assets.is_op_atom_picture(os.fsdecode(os.path.basename(look.path)))


def is_gone(root: bytes, path: bytes) -> bool:
    """Say whether a folder is sure to be gone; behind one that may not be entered it is not.

    Raises:
        OSError: The storage cannot be read.
    """
    try:
        info = os.lstat(os.path.join(root, path))
    except (FileNotFoundError, NotADirectoryError):
        return True
    except PermissionError:
        return False
    return not stat.S_ISDIR(info.st_mode)


def was_written(before: Look, after: Look) -> bool:
    """Say whether an asset was written to between two looks.

    Rights, links and attributes of a single file may change without that.
    """
    if before.signature == after.signature:
        return False
    several = assets.FOLDERS | {AssetKind.SEQUENCE}
    if before.kind in several or before.members or after.members:
        return True
    one, other = (marshal.loads(look.signature) for look in (before, after))  # noqa: S302 - our own
    size, modified, inode, beside = 0, 1, 3, slice(5, None)
    return any(one[what] != other[what] for what in (size, modified, inode, beside))


def is_card(folder: Folder) -> bool:
    """Say whether a scanned folder is a camera card."""
    name = os.fsdecode(os.path.basename(folder.path))
    return assets.is_card(name, [os.fsdecode(sub) for sub in folder.subfolders])


def descend(
    root: bytes,
    top: bytes,
    skip: Callable[[Folder], bool] = lambda _: False,
    unreadable: Callable[[bytes, OSError], None] = lambda _path, _error: None,
) -> Iterator[Folder]:
    """Scan a folder and everything below it; ``skip`` names folders not to enter further.

    Symbolic links are never followed, so this always ends and never leaves the
    storage. A folder that vanishes meanwhile is passed over.

    Raises:
        OSError: ``top`` itself cannot be read, or the storage failed.
    """
    stack = [top]
    while stack:
        path = stack.pop()
        try:
            folder = scan(root, path)
        except (FileNotFoundError, NotADirectoryError):
            if path == top:
                raise
            continue
        except PermissionError as error:
            if path == top:
                raise
            unreadable(path, error)
            continue
        yield folder
        if not skip(folder):
            stack.extend(
                os.path.join(path, name)
                for name in reversed(folder.subfolders)
                if not assets.ignored(os.fsdecode(name))
            )


@dataclass(slots=True, kw_only=True)
class Difference:
    """How a folder differs from the journal."""

    folder: bytes
    digest: bytes
    changed: list[Look] = field(default_factory=list)
    gone: list[bytes] = field(default_factory=list)
    links: tuple[bytes, ...] = ()
    clashes: list[tuple[str, ...]] = field(default_factory=list)
    # Whether a media hash list lies here, which may prove what it lists to be whole.
    manifest: bool = False
    # Files where only folders are taken.
    strays: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether everything in the folder is journaled as it is, and nothing is to be told."""
        return not (self.changed or self.gone or self.troubled)

    @property
    def troubled(self) -> bool:
        """Whether something here cannot be taken as it is, which people are told."""
        return bool(self.links or self.clashes or self.strays)


def compare(
    root: bytes,
    folder: Folder,
    known: Mapping[bytes, bytes],
    kinds: frozenset[AssetKind],
    *,
    whole: AssetKind | None = None,
) -> Difference:
    """Compare a scanned folder with the journal's signatures for it.

    Where it is one asset with all that is in it, ``whole`` is its kind.
    """
    one = whole and look_at_folder(root, folder.path, whole)
    seen = [one] if one else list(looks(folder))
    result = Difference(folder=folder.path, digest=folder.digest, links=folder.links)
    listed = whole is not None and b"ascmhl" in folder.subfolders
    result.manifest = listed or any(name.endswith(b".mhl") for name in folder.files)
    present = set()
    for look in seen:
        if look.kind in kinds:
            present.add(look.path)
            if known.get(look.path) != look.signature:
                result.changed.append(look)
    result.gone = [path for path in known if path not in present]
    result.clashes = assets.clashes(os.fsdecode(name) for name in folder.files)
    return result
