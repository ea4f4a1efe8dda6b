"""Whether pairs can be what they are said to be; each doubt is one sentence."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from handlers.contract import UnusableMedia
from handlers.effects.colour_names import UNKNOWN, same_primaries, same_transfer
from handlers.effects.effect import Image
from handlers.effects.pairs import align
from handlers.effects.pairs.material import DISPLAY, Coded, Seen
from handlers.effects.pairs.names import listed
from handlers.effects.pairs.pairing import Couple
from handlers.effects.pairs.target import Target

# Another picture is taken for the right one where it is so much more alike.
_CLEARLY = 0.15


class Checks:
    """Looks at pairs one after another, and at the end at all of them.

    ``notes`` are sentences about what is doubtful and was gone on with.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.matte = False
        self._coded: Coded | None = None
        self._kinds: dict[str, Couple] = {}
        self._structures: list[tuple[Couple, _Edges, _Edges]] = []
        self._changed = False
        self._values: set[float] = set()
        self._depths: set[tuple[int, int]] = set()
        self._moved: dict[str, list[str]] = {}
        self._alpha_left = False

    @property
    def coded(self) -> Coded:
        """How the values of all pairs are meant, with the fewest bits of any."""
        if self._coded is None:
            raise RuntimeError("no pair was looked at")
        return self._coded

    @property
    def space(self) -> str:
        """The space that all pictures are in."""
        return self.coded.space

    def sizes(self, couple: Couple, before: Seen, after: Seen) -> None:
        """Refuse a pair of two sizes."""
        if before.size != after.size:
            raise UnusableMedia(
                f"{couple.before.label} is {_by(before)} and {couple.after.label} is {_by(after)}; "
                "export both in one size."
            )

    def mask(self, couple: Couple, before: Seen, mask: Seen) -> None:
        """Refuse a mask of another size, or one that lets nothing through."""
        label = couple.mask.label if couple.mask else ""
        if mask.size != before.size:
            raise UnusableMedia(
                f"{label} is {_by(mask)} and {couple.before.label} is {_by(before)}; "
                "export both in one size."
            )
        if float(mask.picture.rgb.max()) <= 0:
            raise UnusableMedia(
                f"{label} is black: white is where the effect is to be learnt; paint it or take "
                "it away."
            )

    def colours(self, couple: Couple, before: Seen, after: Seen, target: Target) -> None:
        """Refuse a pair whose two pictures, or which and the ones before, mean colours unlike."""
        self._kinds.setdefault(target.kind, couple)
        self.matte = target.kind == "matte"
        self._alpha_left |= target.left
        self._depths.add((before.coded.bits, after.coded.bits))
        if not self.matte:
            _require_alike(couple.before.label, before.coded, couple.after.label, after.coded)
        coded = before.coded if self.matte else _fewest(before.coded, after.coded)
        if self._coded is not None:
            first = self._structures[0][0].before.label
            _require_alike(first, self._coded, couple.before.label, before.coded)
            coded = _fewest(self._coded, coded)
        self._coded = coded

    def content(self, couple: Couple, before: Image, after: Image) -> tuple[int, int]:
        """Compare what a pair shows; return by which whole pixels the second is shifted.

        Args:
            couple: Which.
            before: float32 [height, width, 3], in the space that is worked in.
            after: The same, or a matte [height, width, 1].
        """
        one = align.grey(before)
        other = after[..., 0] if self.matte else align.grey(after)
        by = (0, 0) if self.matte else self._shift(couple, one, other)
        first, second = align.overlap((one.shape[0], one.shape[1]), by)
        edges = align.structure(one[first]), align.structure(other[second])
        self._structures.append((couple, *edges))
        if self.matte:
            self._values |= {float(after.min()), float(after.max())}
        elif not self._changed:
            apart = np.abs(after[second] - before[first])
            self._changed = float(apart.max(initial=0.0)) > 1.01 * self.coded.code
        return by

    def _shift(self, couple: Couple, one: align.Grey, other: align.Grey) -> tuple[int, int]:
        found = align.shift(one, other)
        if found is None:
            return (0, 0)
        kind = "whole" if found.is_whole else "part"
        self._moved.setdefault(kind, []).append(f"{couple.after.label} by {found}")
        return found.whole

    def finish(self) -> None:
        """Look at all pairs together.

        Raises:
            UnusableMedia: They teach different things, nothing, or are no pairs.
        """
        if len(self._kinds) > 1:
            matte, picture = (self._kinds[kind].after.label for kind in ("matte", "picture"))
            raise UnusableMedia(
                f"{matte} is a matte and {picture} is a picture; put them into two effects, or "
                "say in effect.yaml which it is (makes: matte or makes: picture)."
            )
        if self.matte:
            self._require_matte()
        else:
            self._require_same_frames()
            self._require_change()
        self._note()

    def _require_matte(self) -> None:
        if max(self._values) - min(self._values) < self.coded.code:
            raise UnusableMedia(
                "There is nothing to learn: every matte in after/ is the same value everywhere."
            )
        self.notes.append("What is in after/ was taken for mattes: the effect makes an alpha.")

    def _require_change(self) -> None:
        if not self._changed:
            raise UnusableMedia(
                "There is nothing to learn: before/ and after/ hold the same pictures; put the "
                "finished ones into after/."
            )

    def _require_same_frames(self) -> None:
        for couple, before, after in self._structures:
            own = align.alike(before, after)
            if own is None:
                continue
            other, how = self._most_alike(couple, after)
            if other is not None and how > max(own + _CLEARLY, 2 * align.SAME):
                raise UnusableMedia(
                    f"{couple.after.label} is no picture of the same frame as "
                    f"{couple.before.label}: it looks like {other.before.label}; give both of a "
                    "pair the same name."
                )
            if own < align.SAME:
                raise UnusableMedia(
                    f"{couple.after.label} is no picture of the same frame as "
                    f"{couple.before.label} (their edges agree to {max(own, 0):.0%}); "
                    "put the frame that was worked on into before/."
                )

    def _most_alike(self, of: Couple, after: _Edges) -> tuple[Couple | None, float]:
        best: tuple[Couple | None, float] = (None, -1.0)
        for couple, before, _ in self._structures:
            fits = before is not None and after is not None and before.shape == after.shape
            how = align.alike(before, after) if fits and couple is not of else None
            if how is not None and how > best[1]:
                best = couple, how
        return best

    def _note(self) -> None:
        if whole := self._moved.get("whole"):
            self.notes.append(
                f"Shifted against the picture before, now put right: {listed(whole)}."
            )
        if part := self._moved.get("part"):
            self.notes.append(
                f"Shifted by parts of a pixel against the picture before: {listed(part)}; only "
                "whole pixels are put right, so look for a resize or a stabiliser in the work."
            )
        if self._alpha_left:
            self.notes.append("Colours were learnt; alpha in after/ differs and was left alone.")
        self._note_depths()

    def _note_depths(self) -> None:
        for before, after in sorted(self._depths):
            if before != after and not self.matte:
                self.notes.append(
                    f"Pictures before have {before} bits and those after {after}: what is finer "
                    f"than {min(before, after)} bits was not learnt."
                )
        if self.coded.bits <= 8:
            self.notes.append(
                "The pairs have 8 bits: on footage of more bits look for banding, or export pairs "
                "of 16 bits."
            )


_Edges = NDArray[np.float32] | None


def _require_alike(one: str, its: Coded, other: str, others: Coded) -> None:
    known = same_transfer(its.transfer, others.transfer) and same_primaries(
        its.primaries, others.primaries
    )
    if its.space != others.space or not (known or its.space != DISPLAY):
        raise UnusableMedia(
            f"{one} is {its.spoken()} and {other} is {others.spoken()}; export all pictures in "
            "one colour space."
        )


def _fewest(one: Coded, other: Coded) -> Coded:
    """Return how both are meant: with the fewer bits, and what either says of its colours."""
    fewer = min(one, other, key=lambda coded: coded.bits)
    primaries, transfer = (
        getattr(one if getattr(one, name) != UNKNOWN else other, name)
        for name in ("primaries", "transfer")
    )
    return dataclasses.replace(fewer, space=one.space, primaries=primaries, transfer=transfer)


def _by(seen: Seen) -> str:
    return f"{seen.size[0]} x {seen.size[1]}"
