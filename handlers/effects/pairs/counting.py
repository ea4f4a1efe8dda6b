"""From which number the frames of a clip are counted, where its partners are numbered images."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from handlers.contract import UnusableMedia
from handlers.effects.pairs import align, colour
from handlers.effects.pairs.folder import Folder
from handlers.effects.pairs.material import Seen
from handlers.effects.pairs.pairing import Couple, Pairing, pair
from handlers.effects.pairs.reading import Reading, spread

_COMPARED = 3
# What another count has to be more alike than the usual one, from 0.
_CLEARLY = 0.02


def paired(folder: Folder) -> Pairing:
    """Pair the pictures of a folder.

    Programs count a clip's frames from 0, from 1 or by its timecode: where images belong to a
    clip's frames, the count is the one by which most find a partner, then by which they look most
    alike.

    Raises:
        UnusableMedia: Nothing belongs together.
    """
    sides = folder.before, folder.after, folder.mask
    found: dict[int, Pairing] = {}
    for start in _starts(folder):
        with suppress(UnusableMedia):
            found[start] = pair(*sides, start=start)
    if not found:
        return pair(*sides)
    first = next(iter(found.values()))
    if not first.counted or len(found) == 1:
        return _said(first, next(iter(found)))
    most = max(len(each.couples) for each in found.values())
    likely = {start: each for start, each in found.items() if len(each.couples) == most}
    start = _most_alike(likely) if len(likely) > 1 else next(iter(likely))
    return _said(likely[start], start)


def _starts(folder: Folder) -> list[int]:
    """Return what a clip's first frame may be numbered: by far the usual first."""
    clips = [each.material for each in (*folder.before, *folder.after) if each.material.is_clip]
    firsts = {clip.first for clip in clips if clip.first is not None}
    return list(dict.fromkeys([0, 1, *sorted(firsts)])) if clips else [0]


def _most_alike(found: dict[int, Pairing]) -> int:
    scores = {start: _alike(each.couples) for start, each in found.items()}
    best = max(scores, key=lambda start: scores[start])
    usual = next(iter(scores))
    return best if scores[best] > scores[usual] + _CLEARLY else usual


def _alike(couples: tuple[Couple, ...]) -> float:
    """Return how alike some pairs are; what is unlike in size or damaged is told later."""
    some = spread(couples, _COMPARED)
    reading = Reading(frame for each in some for frame in (each.before, each.after))
    found = []
    for each in some:
        first, second = reading.find(each.before), reading.find(each.after)
        if first is None or second is None:
            continue
        one, other = _structure(first), _structure(second)
        fits = one is not None and other is not None and one.shape == other.shape
        found.append(align.alike(one, other) or 0.0 if fits else 0.0)
    return float(np.mean(found)) if found else 0.0


def _structure(seen: Seen) -> NDArray[np.float32] | None:
    picture = colour.finite(seen).picture.rgb
    return align.structure(align.grey(colour.working(picture, seen.coded.space)))


def _said(pairing: Pairing, start: int) -> Pairing:
    if not pairing.counted or start == 0:
        return pairing
    said = f"The images are numbered as if the clip's first frame were {start}."
    return Pairing(
        couples=pairing.couples, alone=pairing.alone, notes=(*pairing.notes, said), counted=True
    )
