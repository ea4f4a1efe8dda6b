"""Where an asset's results go: names that are unique and stay. Pure."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterator
from itertools import chain, count

from daemon.assets import stem

# A day's results are below those of its folder under this name, which is nobody else's.
DAY = "_day"
_LONGEST = 255


def is_inside(path: str, folder: str) -> bool:
    """Say whether a storage-relative path is ``folder`` or lies below it."""
    return path == folder or path.startswith(folder + "/")


def within(path: bytes, watch: str) -> str:
    """Return a path relative to the watched folder that it lies in."""
    return os.fsdecode(path).removeprefix(watch + "/")


def key_of(path: bytes) -> bytes:
    """Return what a path is on file systems that tell neither case nor Unicode forms apart."""
    return os.fsencode(unicodedata.normalize("NFC", os.fsdecode(path)).casefold())


def candidates(
    root: str, watch: str, asset_path: bytes, holds_results: Callable[[bytes], bool]
) -> Iterator[bytes]:
    """Yield folders for an asset's results, best first, without end.

    ``dailies/day01/A001.mov`` gives ``dailies_edit/day01/A001``, then, where that
    is another asset's, ``A001_mov``, ``A001_mov_2`` and so on. Where a folder on the way
    ``holds_results`` of another asset (of ``dailies/day01.mov``), it is ``day01_2``. A day's name
    is left to days: ``dailies/_day.mov`` gives ``day_mov``.
    """
    relative = within(asset_path, watch)
    parent, _, name = relative.rpartition("/")
    folder = root
    for part in filter(None, parent.split("/")):
        folder = _passable(folder, part, holds_results)
    whole = name.replace(".", "_").replace("#", "").strip("_") or name
    if name == DAY:
        whole = DAY
    elif stem(name).casefold() != DAY:
        yield _joined(folder, stem(name), "")
    yield _joined(folder, whole, "")
    yield from (_joined(folder, whole, f"_{number}") for number in count(2))


def _passable(folder: str, part: str, holds_results: Callable[[bytes], bool]) -> str:
    names = chain([""], (f"_{number}" for number in count(2)))
    paths = (_joined(folder, part, ending) for ending in names)
    return os.fsdecode(next(path for path in paths if not holds_results(path)))


def _joined(folder: str, name: str, ending: str) -> bytes:
    """Join without ever passing the longest name that file systems take."""
    encoded = os.fsencode(name)[: _LONGEST - len(ending)] + ending.encode()
    return os.fsencode(folder) + b"/" + encoded
