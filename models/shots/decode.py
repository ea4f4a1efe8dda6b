"""From what the networks say of each frame to transitions with kind and range."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.shots.windows import FrameScores, Scores

TransitionKind = Literal["cut", "dissolve", "dip", "wipe", "gradual"]

THRESHOLD = 0.5
# Once a transition is sure, its edges count from this score on.
_EDGE = 0.2
# A cut marks one or two frames, and the published network is not sharper than that.
_LONGEST_CUT = 3
_KINDS: tuple[TransitionKind, ...] = ("cut", "dissolve", "dip", "wipe")


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """Where a new shot begins: its first frame, how it is reached, and how sure that is.

    ``start`` to ``end``, end exclusive, are the mixed frames of a gradual transition, in
    whose middle ``frame`` lies; for a cut both are ``frame``. The published network alone
    tells only "gradual" from "cut".
    """

    frame: int
    kind: TransitionKind
    confidence: float
    start: int
    end: int


def boundaries(scores: FrameScores, threshold: float = THRESHOLD) -> list[Boundary]:
    """Find where new shots begin.

    Args:
        scores: What the networks say, with or without the extension.
        threshold: What counts as sure, 0..1.

    Returns:
        Boundaries in order, none at frame 0.
    """
    if scores.kinds is None:
        found = _published(scores.cut, scores.transition, threshold)
    else:
        found = _extended(scores, threshold)
    return [boundary for boundary in found if 0 < boundary.frame < len(scores.cut)]


def runs(marked: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield the runs of true values, end exclusive."""
    edges = np.flatnonzero(np.diff(marked.astype(np.int8), prepend=0, append=0)).tolist()
    yield from zip(edges[::2], edges[1::2], strict=True)


def _published(cut: Scores, transition: Scores, threshold: float) -> list[Boundary]:
    """One run of marked frames is one boundary.

    In ``cut`` the network marks the last frame before a cut; in ``transition`` all frames
    that are part of a transition. A dip to black has two marks in ``cut``: on its way
    out and on its way in.
    """
    marked = (transition >= min(_EDGE, threshold)) | (cut >= threshold)
    found = (_judged(start, end, cut, transition, threshold) for start, end in runs(marked))
    return [boundary for boundary in found if boundary is not None]


def _judged(
    start: int, end: int, cut: Scores, transition: Scores, threshold: float
) -> Boundary | None:
    """Judge one run of marked frames; None when nothing in it is sure."""
    peak = start + int(np.argmax(cut[start:end]))
    sharp, mixed = float(cut[peak]), float(transition[start:end].max())
    if end - start > _LONGEST_CUT and max(sharp, mixed) >= threshold:
        return _gradual("gradual", start, end, max(sharp, mixed))
    # A mark says that the change lies after its frame.
    return _cut(peak + 1, sharp) if sharp >= threshold else None


def _cut(frame: int, confidence: float) -> Boundary:
    sure = round(min(1.0, confidence), 4)
    return Boundary(frame=frame, kind="cut", confidence=sure, start=frame, end=frame)


def _gradual(kind: TransitionKind, start: int, end: int, confidence: float) -> Boundary:
    sure, middle = round(min(1.0, confidence), 4), (start + end) // 2
    return Boundary(frame=middle, kind=kind, confidence=sure, start=start, end=end)


def _extended(scores: FrameScores, threshold: float) -> list[Boundary]:
    """Each run of frames that are probably part of a transition says what it is."""
    kinds, span = scores.kinds, scores.span
    if kinds is None or span is None:
        return []
    part = kinds[:, 1:].sum(axis=1)
    found: list[Boundary] = []
    for start, end in runs(part >= min(0.4, threshold)):
        if part[start:end].max() < threshold:
            continue
        kind = _KINDS[int(np.argmax(kinds[start:end, 1:].sum(axis=0)))]
        if kind == "cut":
            found += _cuts(start, end, kinds[:, 1], scores.cut, threshold)
        else:
            found.append(_voted(kind, start, end, part, span))
    return _apart([one for one in found if _between_shots(one, len(part))])


def _between_shots(boundary: Boundary, count: int) -> bool:
    """A clip that fades out at its end has no shot after that; nor one before a fade in."""
    return boundary.kind == "cut" or 1 < boundary.start < boundary.end < count - 1


def _cuts(start: int, end: int, mark: Scores, middle: Scores, threshold: float) -> list[Boundary]:
    """Cuts may follow each other on every other frame, as in a trailer."""
    sure = runs((mark[start:end] >= threshold) & (middle[start:end] >= threshold))
    spans = [(start + first, start + last) for first, last in sure] or [(start, end)]
    both = mark + middle
    peaks = [first + int(np.argmax(both[first:last])) for first, last in spans]
    return [_cut(peak + 1, float(mark[peak])) for peak in peaks]


def _voted(
    kind: TransitionKind, start: int, end: int, part: Scores, span: NDArray[np.float32]
) -> Boundary:
    """Each frame of the run says where the transition starts and ends; the median counts.

    The middle has a median of its own: a frame that takes the start for too early takes
    the end for too late.
    """
    at, weight = np.arange(start, end), part[start:end]
    since, until = span[start:end].T
    first, last = round(_median(at - since, weight)), round(_median(at + until, weight))
    if last <= first:
        first, last = start, end
    first, last = max(0, first), min(len(part), max(first + 1, last))
    middle = int(_median(at + (until - since) / 2, weight))
    sure = round(min(1.0, float(weight.max())), 4)
    frame = min(max(first, middle), last)
    return Boundary(frame=frame, kind=kind, confidence=sure, start=first, end=last)


def _median(values: NDArray[np.floating[Any]], weight: Scores) -> float:
    order = np.argsort(values)
    along = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(along, along[-1] / 2)])


def _apart(found: Sequence[Boundary]) -> list[Boundary]:
    """Drop what lies within a surer transition: a run that broke in two votes twice."""
    kept: list[Boundary] = []
    for boundary in sorted(found, key=_mass, reverse=True):
        if not any(_clash(boundary, other) for other in kept):
            kept.append(boundary)
    return sorted(kept, key=lambda boundary: boundary.frame)


def _mass(boundary: Boundary) -> float:
    return boundary.confidence * (1 + boundary.end - boundary.start)


def _clash(one: Boundary, other: Boundary) -> bool:
    return one.start < other.end and other.start < one.end
