"""Which folders of a watch are one asset with everything in them: cards, and sets of examples."""

from __future__ import annotations

import os
from dataclasses import dataclass

from daemon import assets, walk
from handlers.contract import AssetKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Wholes:
    """Tells them by their place and names; ``top`` is the watched folder.

    In a watch of ``examples`` each folder right below it is a set of them, whatever it holds; in
    any other what a camera wrote is a card, wherever it lies.
    """

    top: bytes
    examples: bool = False

    def kind(self, folder: walk.Folder) -> AssetKind | None:
        """Return what a scanned folder is as a whole, None where its files are looked at."""
        if folder.path == self.top:
            return None
        if self.examples:
            return AssetKind.EXAMPLES
        return AssetKind.CARD if walk.is_card(folder) else None

    def is_whole(self, folder: walk.Folder) -> bool:
        """Say whether there is nothing to walk through below a scanned folder."""
        return self.kind(folder) is not None

    def root_of(self, path: bytes) -> bytes:
        """Return the folder that is one asset and that a path lies in, else the path itself."""
        parts = self._below(path)
        depth = min(len(parts), 1) if self.examples else assets.card_root(["", *parts])
        if not depth:
            return path
        inside = depth if self.examples else depth - 1
        return os.path.join(self.top, *map(os.fsencode, parts[:inside]))

    def kind_at(self, path: bytes) -> AssetKind | None:
        """Return what a path is or lies in as a whole, by its names alone."""
        if path == self.top:
            return None
        if self.examples:
            return AssetKind.EXAMPLES
        inside = self.root_of(path) != path or self.root_of(path + b"/x") != path + b"/x"
        return AssetKind.CARD if inside else None

    def _below(self, path: bytes) -> list[str]:
        return [part for part in os.fsdecode(path[len(self.top) :]).split("/") if part]

    def note(self, found: walk.Difference, folder: walk.Folder) -> None:
        """Add what only shows where folders are the assets: files beside them, and alike names."""
        if not self.examples or folder.path != self.top:
            return
        names = (os.fsdecode(name) for name in sorted(folder.files))
        found.strays = tuple(name for name in names if not assets.ignored(name))
        found.clashes = assets.clashes(os.fsdecode(name) for name in folder.subfolders)
