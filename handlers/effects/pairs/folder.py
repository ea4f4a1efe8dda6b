"""What lies in a folder of examples: the pictures of each side, by name and number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from handlers.contract import CLIP_ENDINGS, SEQUENCE_ENDINGS, Asset, UnusableMedia
from handlers.effects.pairs.arrays import ArrayMaterial
from handlers.effects.pairs.material import ClipMaterial, ImageMaterial, Material
from handlers.effects.pairs.names import last_number
from handlers.media.source import shown

BEFORE, AFTER, MASK, UNLABELLED = "before", "after", "mask", "unlabelled"
SIDES = (BEFORE, AFTER, MASK, UNLABELLED)
OPTIONS = "effect.yaml"
_ARRAYS = frozenset({"npy", "npz"})


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a side: which one of which file."""

    material: Material
    place: int

    @property
    def name(self) -> str:
        """What people call it."""
        return self.material.names[self.place]

    @property
    def key(self) -> str:
        """What it is paired by first."""
        return self.name.casefold()

    @property
    def number(self) -> int | None:
        """Its frame's number, None where its file's name has none."""
        return self.material.numbers[self.place]

    @property
    def label(self) -> str:
        """Its file, and where in it, for a sentence."""
        path = self.material.path
        name = f"{path.parent.name}/{shown(path)}"
        return name if len(self.material.names) == 1 else f"{name} frame {self.number}"


Side = Sequence[Frame]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Folder:
    """The pictures of each side, in order; ``notes`` name the files that are none."""

    before: Side
    after: Side
    mask: Side
    unlabelled: Side
    options: Path | None
    notes: tuple[str, ...]


def look(asset: Asset) -> Folder:
    """Find the pictures of a set of examples.

    Raises:
        UnusableMedia: A side is empty, two files have the same name, or one cannot be read.
    """
    files: defaultdict[str, list[Path]] = defaultdict(list)
    options, strays = None, []
    for path in sorted(asset.members):
        parts = path.relative_to(asset.path).parts
        side = parts[0].casefold()
        if len(parts) == 1 and side == OPTIONS:
            options = path
        elif len(parts) > 1 and side in SIDES and _is_picture(path):
            files[side].append(path)
        else:
            strays.append(path)
    for side in (BEFORE, AFTER):
        if not files[side]:
            raise UnusableMedia(
                f"{shown(asset.path)} holds no pictures in {side}/: put them into before/ and "
                "after/, under the same names."
            )
    notes = tuple(f"{shown(path)} is no picture and was left alone." for path in strays)
    sides = {side: _frames(files[side]) for side in SIDES}
    return Folder(**sides, options=options, notes=notes)


def _ending(path: Path) -> str:
    return path.suffix.lower().lstrip(".")


def _is_picture(path: Path) -> bool:
    return _ending(path) in CLIP_ENDINGS | SEQUENCE_ENDINGS | _ARRAYS


def _frames(paths: Sequence[Path]) -> list[Frame]:
    taken: dict[str, Path] = {}
    for path in paths:
        other = taken.setdefault(path.stem.casefold(), path)
        if other is not path:
            raise UnusableMedia(
                f"{path.parent.name}/ holds both {shown(other)} and {shown(path)}, which have one "
                "name; take one of them away."
            )
    materials = [_material(path) for path in paths]
    return [Frame(each, place) for each in materials for place in range(len(each.names))]


def _material(path: Path) -> Material:
    if _ending(path) in _ARRAYS:
        return ArrayMaterial(path)
    if _ending(path) in CLIP_ENDINGS:
        return ClipMaterial(path)
    return ImageMaterial(path, last_number(path.stem))
