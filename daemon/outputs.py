"""Where an asset's results go: names that are unique and stay. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count

from daemon.assets import stem

_LONGEST = 255


def is_inside(path: str, folder: str) -> bool:
    """Say whether a storage-relative path is ``folder`` or lies below it."""
    return path == folder or path.startswith(folder + "/")


def candidates(root: str, watch: str, asset_path: bytes) -> Iterator[bytes]:
    """Yield folders for an asset's results, best first, without end.

    ``dailies/day01/A001.mov`` gives ``dailies_edit/day01/A001``, then, where that
    is another asset's, ``A001_mov``, ``A001_mov_2`` and so on.
    """
    relative = os.fsdecode(asset_path).removeprefix(watch + "/")
    parent, _, name = relative.rpartition("/")
    folder = "/".join(part for part in (root, parent) if part)
    whole = name.replace(".", "_").replace("#", "").strip("_") or name
    yield _joined(folder, stem(name), "")
    yield _joined(folder, whole, "")
    yield from (_joined(folder, whole, f"_{number}") for number in count(2))


def _joined(folder: str, name: str, ending: str) -> bytes:
    """Join without ever passing the longest name that file systems take."""
    encoded = os.fsencode(name)[: _LONGEST - len(ending)] + ending.encode()
    return os.fsencode(folder) + b"/" + encoded
