"""Reads the pictures of pairs in order: each file once, few pictures in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TypeVar

from handlers.contract import UnusableMedia
from handlers.effects.pairs.folder import Frame
from handlers.effects.pairs.material import Material, Seen

T = TypeVar("T")


class Reading:
    """One pass over some frames, which are then asked for in order.

    Args:
        frames: All that will be asked for, each once; those of one file by rising place.
    """

    def __init__(self, frames: Iterable[Frame]) -> None:
        wanted: defaultdict[int, list[int]] = defaultdict(list)
        materials: dict[int, Material] = {}
        for frame in frames:
            materials[id(frame.material)] = frame.material
            wanted[id(frame.material)].append(frame.place)
        self._passes: dict[int, Iterator[tuple[int, Seen]]] = {
            key: material.pictures(wanted[key]) for key, material in materials.items()
        }

    def read(self, frame: Frame) -> Seen:
        """Return a frame's picture.

        Raises:
            UnusableMedia: It does not decode.
        """
        seen = self.find(frame)
        if seen is None:
            raise UnusableMedia(
                f"{frame.label} does not decode; export it again or take its pair away."
            )
        return seen

    def find(self, frame: Frame) -> Seen | None:
        """Return a frame's picture, None where it does not decode."""
        key = id(frame.material)
        for place, seen in self._passes[key]:
            if place == frame.place:
                return seen
            if place > frame.place:
                self._passes[key] = chain([(place, seen)], self._passes[key])
                break
        return None


def spread(items: Sequence[T], most: int) -> list[T]:
    """Return at most so many items, evenly chosen, the first and the last among them."""
    count = len(items)
    if count <= most:
        return list(items)
    return [items[round(place * (count - 1) / (most - 1))] for place in range(most)]
