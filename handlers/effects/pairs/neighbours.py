"""Pictures that follow each other and that nobody worked on: results on them shall not flicker."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from handlers.effects.pairs import colour
from handlers.effects.pairs.folder import Frame, Side
from handlers.effects.pairs.reading import Reading, spread
from handlers.effects.pairs.scratch import Scratch
from models.effects.examples import Neighbours

MOST = 8
"""So many couples of neighbouring pictures are used, spread evenly."""
_NUMBER = re.compile(r"\d+(?=\D*$)")


def neighbours(
    unlabelled: Side, alone: Sequence[Frame], space: str, scratch: Scratch
) -> tuple[tuple[Neighbours, ...], list[str]]:
    """Read some couples of neighbouring pictures.

    Args:
        unlabelled: Those that were put into a folder of their own.
        alone: Those before that nothing after belongs to.
        space: That of the pairs; pictures in another one are left out.
        scratch: Where they are kept.

    Returns:
        The couples, and sentences about what was left out.
    """
    found = spread([*_following(unlabelled), *_following(alone)], MOST)
    kept = _kept(found, space, scratch)
    made, unlike = [], []
    for first, second in found:
        one, other = kept[id(first)], kept[id(second)]
        if one is None or other is None or one.shape != other.shape:
            unlike.append(first.label)
        else:
            made.append(Neighbours(first=one, second=other))
    return tuple(made), _notes(unlabelled, found, unlike)


def _kept(
    couples: Sequence[tuple[Frame, Frame]], space: str, scratch: Scratch
) -> dict[int, NDArray[Any] | None]:
    """Read each frame once, in order, and keep those that are in the space; by their identity."""
    frames = {id(frame): frame for couple in couples for frame in couple}
    reading = Reading(frames.values())
    made: dict[int, NDArray[Any] | None] = {}
    for key, frame in frames.items():
        seen = reading.find(frame)
        if seen is None or seen.coded.space != space:
            made[key] = None
        else:
            made[key] = scratch.keep(colour.working(colour.finite(seen).picture.rgb, space))
    return made


def _following(frames: Sequence[Frame]) -> list[tuple[Frame, Frame]]:
    """Return the frames that have a next one: of one clip, or of one sequence of images."""
    ordered = sorted(frames, key=lambda each: (_series(each), each.number or 0))
    return [
        (one, other)
        for one, other in itertools.pairwise(ordered)
        if _series(one) == _series(other) and other.number == (one.number or 0) + 1
    ]


def _series(frame: Frame) -> str:
    material = frame.material
    if len(material.names) > 1:
        return str(material.path)
    return f"{material.path.parent}/{_NUMBER.sub('#', material.path.stem)}"


def _notes(
    unlabelled: Side, found: Sequence[tuple[Frame, Frame]], unlike: Sequence[str]
) -> list[str]:
    said = []
    if unlike:
        said.append(
            f"{unlike[0]} and what follows it were left out: they do not decode, or their size "
            "or their colour space is not that of the others."
        )
    if unlabelled and not found:
        said.append(
            "The pictures in unlabelled/ were left out: none of them follows another by its number."
        )
    return said
