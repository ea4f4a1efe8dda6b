"""From the network's scores for each frame to shots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Transition = Literal["start", "cut", "gradual"]
Scores = NDArray[np.float32]

THRESHOLD = 0.5
# Once a transition is sure, its edges count from this score on.
_EDGE = 0.2
# A cut marks one or two frames, and the network is not sharper than that.
_LONGEST_CUT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One shot of a clip: frames ``start`` to ``end``, from 0, end exclusive.

    ``transition_in`` says how it begins: with the clip itself, by a cut, or by a
    gradual transition, in whose middle ``start`` then lies. ``confidence``, 0..1,
    is the network's score for that beginning; the clip's own start is certain.
    """

    index: int
    start: int
    end: int
    transition_in: Transition
    confidence: float

    @property
    def frames(self) -> int:
        """The shot's length in frames."""
        return self.end - self.start

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """The first frame of a new shot, how it is reached, and how sure that is."""

    frame: int
    kind: Transition
    confidence: float


def boundaries(cut: Scores, transition: Scores, threshold: float = THRESHOLD) -> list[Boundary]:
    """Find where new shots begin.

    In ``cut`` the network marks the last frame before a cut; in ``transition`` all
    frames that are part of a transition. One run of marked frames is one boundary, for
    a dip to black has two marks in ``cut``: on its way out and on its way in.

    Args:
        cut: Scores 0..1, float32 [n].
        transition: Scores 0..1, float32 [n].
        threshold: What counts as sure.

    Returns:
        Boundaries in order, none at frame 0.
    """
    edge = min(_EDGE, threshold)
    found = (
        _boundary(start, end, cut, transition, threshold)
        for start, end in runs((transition >= edge) | (cut >= threshold))
    )
    return [boundary for boundary in found if boundary and 0 < boundary.frame < len(cut)]


def _boundary(
    start: int, end: int, cut: Scores, transition: Scores, threshold: float
) -> Boundary | None:
    """Judge one run of marked frames; None when nothing in it is sure."""
    peak = start + int(np.argmax(cut[start:end]))
    sharp, mixed = float(cut[peak]), float(transition[start:end].max())
    if end - start > _LONGEST_CUT and max(sharp, mixed) >= threshold:
        confidence = round(max(sharp, mixed), 4)
        return Boundary(frame=(start + end) // 2, kind="gradual", confidence=confidence)
    if sharp >= threshold:
        # A mark says that the change lies after its frame.
        return Boundary(frame=peak + 1, kind="cut", confidence=round(sharp, 4))
    return None


def runs(marked: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield the runs of true values, end exclusive."""
    edges = np.flatnonzero(np.diff(marked.astype(np.int8), prepend=0, append=0)).tolist()
    yield from zip(edges[::2], edges[1::2], strict=True)


def shots(found: Sequence[Boundary], frames: int) -> list[Shot]:
    """Cut a clip of ``frames`` frames at ``found``; a clip without frames has no shots."""
    if frames == 0:
        return []
    begin = Boundary(frame=0, kind="start", confidence=1.0)
    ends = [boundary.frame for boundary in found] + [frames]
    return [
        Shot(
            index=index,
            start=boundary.frame,
            end=end,
            transition_in=boundary.kind,
            confidence=boundary.confidence,
        )
        for index, (boundary, end) in enumerate(zip([begin, *found], ends, strict=True))
    ]
