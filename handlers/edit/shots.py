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
# A cut marks one or two frames; what is longer is mixed.
_LONGEST_CUT = 2


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

    The network marks the last frame before a cut, and the middle of a gradual
    transition, in ``cut``; in ``transition`` it marks all frames that are part of one.

    Args:
        cut: Scores 0..1, float32 [n].
        transition: Scores 0..1, float32 [n].
        threshold: What counts as marked.

    Returns:
        Boundaries in order, none at frame 0.
    """
    found: list[Boundary] = []
    for start, end in runs(cut >= threshold):
        boundary = _boundary(start, end, cut, transition, threshold)
        reached = found[-1].frame if found else 0
        # Two marks inside one long transition are one boundary.
        if reached < boundary.frame < len(cut):
            found.append(boundary)
    return found


def _boundary(start: int, end: int, cut: Scores, transition: Scores, threshold: float) -> Boundary:
    """Judge one run of marked frames, together with the mixed frames around it."""
    peak = start + int(np.argmax(cut[start:end]))
    first, last = _extent(transition >= threshold, peak)
    gradual = last - first > _LONGEST_CUT
    # A mark says that the change lies after its frame.
    frame = (first + last + 1) // 2 if gradual else peak + 1
    kind: Transition = "gradual" if gradual else "cut"
    return Boundary(frame=frame, kind=kind, confidence=round(float(cut[peak]), 4))


def _extent(mixed: NDArray[np.bool_], frame: int) -> tuple[int, int]:
    """The run of mixed frames around ``frame``, end exclusive; at least the frame itself."""
    first, last = frame, frame + 1
    while first > 0 and mixed[first - 1]:
        first -= 1
    while last < len(mixed) and mixed[last]:
        last += 1
    return first, last


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
