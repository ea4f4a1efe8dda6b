"""Shots: what lies between a clip's transitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from models.shots.decode import THRESHOLD, Boundary, TransitionKind, boundaries
from models.shots.windows import FrameScores

Transition = Literal["start"] | TransitionKind

__all__ = [
    "THRESHOLD", "Boundary", "FrameScores", "Shot", "Transition", "boundaries", "shots",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One shot of a clip: frames ``start`` to ``end``, from 0, end exclusive.

    ``transition_in`` says how it begins: with the clip itself, by a cut, or by a dissolve,
    dip or wipe, in whose middle ``start`` then lies ("gradual" where only the published
    network judged, which does not tell them apart). ``transition_start`` to
    ``transition_end``, end exclusive, are the frames that show something of both shots, or
    the dip's colour; equal for a cut. ``confidence``, 0..1, is the network's score for that
    beginning; the clip's own start is certain.
    """

    index: int
    start: int
    end: int
    transition_in: Transition
    confidence: float
    transition_start: int = 0
    transition_end: int = 0

    @property
    def frames(self) -> int:
        """The shot's length in frames."""
        return self.end - self.start

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {name: getattr(self, name) for name in self.__slots__}


def shots(found: Sequence[Boundary], frames: int) -> list[Shot]:
    """Cut a clip of ``frames`` frames at ``found``; a clip without frames has no shots."""
    if frames == 0:
        return []
    begins = [
        Shot(
            index=index,
            start=boundary.frame,
            end=frames,
            transition_in=boundary.kind,
            confidence=boundary.confidence,
            transition_start=boundary.start,
            transition_end=boundary.end,
        )
        for index, boundary in enumerate(found, 1)
    ]
    first = Shot(
        index=0,
        start=0,
        end=frames,
        transition_in="start",
        confidence=1.0,
        transition_start=0,
        transition_end=0,
    )
    ends = [shot.start for shot in begins] + [frames]
    return [replace(shot, end=end) for shot, end in zip([first, *begins], ends, strict=True)]
