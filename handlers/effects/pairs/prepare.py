"""From a folder of examples to pairs that can be trained on, checked and brought to one space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from handlers.effects.effect import Image
from handlers.effects.pairs import align, colour, holdout
from handlers.effects.pairs.check import Checks
from handlers.effects.pairs.counting import paired
from handlers.effects.pairs.folder import Folder
from handlers.effects.pairs.material import DISPLAY, Seen
from handlers.effects.pairs.neighbours import neighbours
from handlers.effects.pairs.pairing import Couple
from handlers.effects.pairs.reading import Reading, spread
from handlers.effects.pairs.scratch import Scratch
from handlers.effects.pairs.target import target_of
from models.effects.bundling import Contract
from models.effects.examples import Neighbours, Pair

Makes = Literal["auto", "picture", "matte"]
Tell = Callable[[float, str], None]

MOST_PAIRS = 32
"""Of more pairs, so many are used, spread evenly: a clip's frames say much the same."""
ONE_PAIR = (
    "There is one pair only, so nothing could be held out: how well the effect does on other "
    "frames is not known. Add a second pair to find out."
)
_LOOK = 16
_SAMPLED = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """Pairs that can be trained on.

    ``low`` and ``high`` are between which values colours before lie, nearly all. ``digest`` is the
    SHA-256 of all that is trained on. ``notes`` are sentences about what was found and done.
    """

    pairs: tuple[Pair, ...]
    held_out: tuple[Pair, ...]
    unlabelled: tuple[Neighbours, ...]
    contract: Contract
    low: float
    high: float
    digest: str
    notes: tuple[str, ...]


def prepare(folder: Folder, place: Path, makes: Makes, tell: Tell) -> Prepared:
    """Read, pair, check and keep the examples of an effect.

    Args:
        folder: What there is.
        place: A folder for the pictures, which are memory-mapped from it.
        makes: Whether a matte is to be learnt, or "auto".
        tell: Told the share done and what is done.

    Raises:
        UnusableMedia: The examples do not match, or there is nothing to learn.
    """
    pairing = paired(folder)
    couples = spread(pairing.couples, MOST_PAIRS)
    made = _Making(couples, place, makes)
    for number, couple in enumerate(couples):
        tell(0.9 * number / len(couples), f"reading pair {number + 1} of {len(couples)}")
        made.add(couple)
    made.checks.finish()
    tell(0.9, "reading pictures without a pair")
    unlabelled, said = neighbours(folder.unlabelled, pairing.alone, made.checks.space, made.scratch)
    held = holdout.choose(made.looks)
    notes = [*folder.notes, *pairing.notes, *_left_out(couples, len(pairing.couples))]
    return Prepared(
        pairs=tuple(each for number, each in enumerate(made.pairs) if number not in held),
        held_out=tuple(made.pairs[number] for number in held),
        unlabelled=unlabelled,
        contract=made.contract(),
        low=min(0.0, made.low),
        high=max(1.0, made.high),
        digest=made.scratch.digest(),
        notes=(*notes, *made.checks.notes, *said, *_single(made.pairs)),
    )


class _Making:
    """Takes pairs one after another; what is kept in memory of each is small."""

    def __init__(self, couples: Sequence[Couple], place: Path, makes: Makes) -> None:
        frames = [frame for each in couples for frame in (each.before, each.after, each.mask)]
        self._reading = Reading(frame for frame in frames if frame is not None)
        self._place, self._makes, self._count = place, makes, len(couples)
        self._scratch: Scratch | None = None
        self._masked = any(each.mask is not None for each in couples)
        self.checks = Checks()
        self.pairs: list[Pair] = []
        self.looks: list[NDArray[np.float32]] = []
        self.low, self.high = np.inf, -np.inf

    @property
    def scratch(self) -> Scratch:
        """Where pictures are kept."""
        if self._scratch is None:
            raise RuntimeError("no pair was added")
        return self._scratch

    def add(self, couple: Couple) -> None:
        """Read, check and keep a pair."""
        before, after = self._reading.read(couple.before), self._reading.read(couple.after)
        self.checks.sizes(couple, before, after)
        bad = ~(before.finite() & after.finite())
        before, after = colour.finite(before), colour.finite(after)
        target = target_of(before, after, self._makes)
        self.checks.colours(couple, before, after, target)
        one = colour.working(before.picture.rgb, before.coded.space)
        other = target.values
        if target.kind == "picture":
            other = colour.working(other, before.coded.space)
        by = self.checks.content(couple, one, other)
        weight = self._weight(couple, before, bad)
        first, second = align.overlap(before.size[::-1], by)
        part = None if weight is None else weight[first]
        self._keep(couple, one[first], other[second], part)

    def _keep(self, couple: Couple, one: Image, other: Image, weight: Image | None) -> None:
        if self._scratch is None:
            # Before, after and a weight, and as much again for pictures without a pair.
            self._scratch = Scratch(self._place, 10 * one.size * self._count // 3)
        self._widen(one)
        self.looks.append(np.concatenate([_look(one), _look(other)], axis=2))
        self.pairs.append(
            Pair(
                name=couple.name,
                before=self._scratch.keep(one),
                after=self._scratch.keep(other),
                weight=None if weight is None else self._scratch.keep(weight),
            )
        )

    def _weight(self, couple: Couple, before: Seen, bad: NDArray[np.bool_]) -> Image | None:
        """Return how much each pixel counts: a person's mask, without what is no number."""
        if couple.mask is None:
            return (~bad).astype(np.float32) if bad.any() else None
        mask = colour.finite(self._reading.read(couple.mask))
        self.checks.mask(couple, before, mask)
        weight = np.clip(align.grey(mask.picture.rgb), 0, 1)
        weight[bad] = 0
        return weight

    def _widen(self, picture: Image) -> None:
        flat = picture.reshape(-1)
        some = flat[:: max(1, flat.size // _SAMPLED)]
        self.low = min(self.low, float(np.percentile(some, 0.1)))
        self.high = max(self.high, float(np.percentile(some, 99.9)))

    def contract(self) -> Contract:
        """Return what the effect is learnt from."""
        coded = self.checks.coded
        height, width = self.pairs[0].size
        return Contract(
            space="display" if coded.space == DISPLAY else "ACEScct",
            bits=coded.bits,
            width=width,
            height=height,
            matte=self.checks.matte,
            floating=coded.floating,
            primaries=coded.primaries,
            transfer=coded.transfer,
            masked=self._masked,
        )


def _look(picture: Image) -> NDArray[np.float32]:
    small = cv2.resize(
        np.asarray(picture, np.float32), (_LOOK, _LOOK), interpolation=cv2.INTER_AREA
    )
    look: NDArray[np.float32] = small.reshape(_LOOK, _LOOK, -1)
    return look


def _left_out(couples: Sequence[Couple], count: int) -> list[str]:
    if len(couples) == count:
        return []
    return [f"Of {count} pairs {len(couples)} were used, spread evenly: more say little more."]


def _single(pairs: Sequence[Pair]) -> list[str]:
    return [ONE_PAIR] if len(pairs) == 1 else []
