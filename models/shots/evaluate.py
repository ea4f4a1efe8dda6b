"""How well boundaries are found: F1 at a tolerance, false ones, kinds and ranges.

Both ways of judging, the published network alone and with the extension, see the same
sequences, and the trunk goes over each window once for both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.shots.dataset import CLASS_OF
from models.shots.decode import Boundary, boundaries
from models.shots.events import Event
from models.shots.material import Footage
from models.shots.sequences import Plan, sequence
from models.shots.takes import Liveliness
from models.shots.transitions import Example, Label
from models.shots.windows import (
    AROUND,
    CLASSES,
    WIDE,
    WINDOW,
    FrameScores,
    joined,
    plan,
    window,
)

Frames = NDArray[np.uint8]
Finder = Callable[[Frames], Sequence[Boundary]]

TOLERANCE = 2
SEQUENCE, TAKE = 250, 100
# What a detector must not take for a cut.
NEGATIVES = tuple(Event)
_CALM = Liveliness(chance=0.0)
TEST_PLAN = Plan(shot=(30, 100), short_too=0.0, single=0.0, lively=_CALM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How boundaries compare with labels.

    ``kinds`` is the fraction of found ones whose kind is right; ``edge`` the mean distance
    in frames of a gradual one's start and end from the label's.
    """

    found: int
    right: int
    labels: int
    kinds: float
    edge: float

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.right / max(1, self.found + self.labels)


def transitions(footage: Sequence[Footage], count: int, seed: int) -> list[Example]:
    """Make test sequences of 250 frames in which shots are joined in every way."""
    return [sequence(footage, TEST_PLAN, SEQUENCE, (seed, n)) for n in range(count)]


def negatives(footage: Sequence[Footage], count: int, seed: int) -> list[tuple[Event, Example]]:
    """Make single takes of 100 frames, ``count`` for each event."""
    made = []
    for number, event in enumerate(NEGATIVES):
        one = Plan(single=1.0, lively=Liveliness(chance=1.0, events=(event,)))
        seeds = [(seed, number, n) for n in range(count)]
        made += [(event, sequence(footage, one, TAKE, some)) for some in seeds]
    return made


def score(examples: Sequence[Example], found: Sequence[Sequence[Boundary]]) -> Score:
    """Compare what was found in each example with its labels, each label used once."""
    counted = [_counted(example, some) for example, some in zip(examples, found, strict=True)]
    pairs = [pair for labels, some in counted for pair in matched(labels, some)]
    edges = [
        (abs(label.start - boundary.start) + abs(label.end - boundary.end)) / 2
        for label, boundary in pairs
        if label.end > label.start
    ]
    return Score(
        found=sum(len(some) for _, some in counted),
        right=len(pairs),
        labels=sum(len(labels) for labels, _ in counted),
        kinds=float(np.mean([_same_kind(*pair) for pair in pairs])) if pairs else 0.0,
        edge=float(np.mean(edges)) if edges else 0.0,
    )


def _counted(example: Example, found: Sequence[Boundary]) -> tuple[list[Label], list[Boundary]]:
    """Leave out transitions that the sequence shows in part, and what was found in them."""
    last = len(example.frames) - 1
    whole = [label for label in example.labels if label.start >= 1 and label.end <= last]
    parts = [label for label in example.labels if label not in whole]
    kept = [one for one in found if not any(_within(one, label) for label in parts)]
    return whole, kept


def _within(boundary: Boundary, label: Label) -> bool:
    return label.start - TOLERANCE <= boundary.frame <= label.end + TOLERANCE


def matched(labels: Sequence[Label], found: Sequence[Boundary]) -> list[tuple[Label, Boundary]]:
    """Pair each label with the nearest boundary within the tolerance that is still free."""
    left, pairs = list(found), []
    for label in labels:
        near = [one for one in left if abs(one.frame - label.boundary) <= TOLERANCE]
        if near:
            best = min(near, key=lambda one: abs(one.frame - label.boundary))
            left.remove(best)
            pairs.append((label, best))
    return pairs


def _same_kind(label: Label, boundary: Boundary) -> bool:
    return CLASSES[CLASS_OF[label.kind]] == boundary.kind


class PairJudge:
    """Judges whole sequences with and without the extension.

    Args:
        trunk: :class:`models.shots.extension.Trunk`.
        extension: The Keras model of the bundle ``shots``.
        cache: Where the trunk's answers are kept for a next time, or None.
    """

    def __init__(self, trunk: Any, extension: Any, cache: Path | None = None) -> None:
        self._trunk = trunk
        self._extension = extension
        self._cache = cache

    def __call__(self, frames: Frames, name: str = "") -> tuple[FrameScores, FrameScores]:
        """Return the scores of all frames, uint8 [n, 27, 48, 3]: published, extended."""
        published: list[tuple[int, FrameScores]] = []
        extended: list[tuple[int, FrameScores]] = []
        pieces = list(plan([(0, len(frames))]))
        for (start, end), scores in zip(pieces, self.read(frames, name), strict=True):
            first = (start + end - WINDOW) // 2
            said = FrameScores(cut=scores[:, 0], transition=scores[:, 1])
            more = extend(self._extension, window(frames, first - AROUND, WIDE), scores)
            for made, whole in ((said, published), (more, extended)):
                whole.append((start, made.part(start - first, end - first)))
        return joined(published, len(frames)), joined(extended, len(frames))

    def read(self, frames: Frames, name: str) -> NDArray[np.float32]:
        """Have the trunk look at each window, or remember what it said: [windows, 100, 2]."""
        seen = hashlib.sha256(frames.tobytes()).hexdigest()[:16]
        path = self._cache / f"{name}-{seen}.npy" if self._cache else None
        if path is not None and path.exists():
            kept: NDArray[np.float32] = np.load(path, allow_pickle=False)
            return kept
        firsts = [(start + end - WINDOW) // 2 for start, end in plan([(0, len(frames))])]
        made: NDArray[np.float32] = np.stack([self._trunk(window(frames, at)) for at in firsts])
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, made)
        return made


def extend(extension: Any, wide: Frames, scores: NDArray[np.float32]) -> FrameScores:
    """Ask the extension about one window: 200 frames, and the trunk's scores of the middle."""
    said = extension.predict_on_batch({"frames": wide[None], "scores": scores[None]})
    kinds = said["kinds"][0]
    return FrameScores(
        cut=said["middle"][0], transition=1 - kinds[:, 0], kinds=kinds, span=said["span"][0]
    )


def compare(
    judge: PairJudge, examples: Sequence[Example], calm: Sequence[tuple[Event, Example]]
) -> dict[str, float]:
    """Measure both ways of judging.

    Returns:
        ``f1`` and ``false`` (boundaries in takes that have none) of the extension, the same
        with ``published_`` of the published network, and the extension's ``kinds`` and ``edge``.
    """
    both = [judge(one.frames, f"transitions-{n}") for n, one in enumerate(examples)]
    takes = [judge(one.frames, f"negatives-{n}") for n, (_, one) in enumerate(calm)]
    metrics: dict[str, float] = {}
    for number, prefix in enumerate(("published_", "")):
        made = score(examples, [boundaries(scores[number]) for scores in both])
        metrics[f"{prefix}f1"] = made.f1
        metrics[f"{prefix}false"] = sum(len(boundaries(scores[number])) for scores in takes)
    metrics["kinds"], metrics["edge"] = made.kinds, made.edge
    return metrics
