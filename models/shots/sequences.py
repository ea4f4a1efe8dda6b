"""Generated sequences for training and testing: lively takes, joined by every transition.

More than :mod:`models.shots.transitions` does: the takes come from footage that a camera
films anew each time, transitions have curves and holds, and much happens that is none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.shots.material import Footage
from models.shots.takes import Liveliness, take
from models.shots.transitions import Blended, Example, Kind, Label, Weights, mix

# Cuts are the commonest; a dip is one kind, whatever its colour.
_CHANCES = {
    Kind.CUT: 0.34,
    Kind.DISSOLVE: 0.27,
    Kind.DIP_BLACK: 0.11,
    Kind.DIP_WHITE: 0.07,
    Kind.WIPE: 0.21,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to make: shot and transition lengths in frames, chances of each kind."""

    shot: tuple[int, int] = (12, 110)
    length: tuple[int, int] = (2, 60)
    short_too: float = 0.5  # how many lengths are drawn with a liking for short ones
    chances: dict[Kind, float] = field(default_factory=lambda: dict(_CHANCES))
    single: float = 0.15  # sequences without any transition
    same_footage: float = 0.06  # cuts to another view of the same
    ended: float = 0.0  # sequences that reach over an end of their clip
    lively: Liveliness = field(default_factory=Liveliness)


def sequence(footage: Sequence[Footage], plan: Plan, count: int, seed: Sequence[int]) -> Example:
    """Make a sequence.

    Args:
        footage: What to film; two items at least.
        plan: What to make of it.
        count: Frames.
        seed: The same one makes the same frames.

    Returns:
        uint8 [count, 27, 48, 3] and its labels. Transitions may run over the ends.
    """
    random = np.random.default_rng(list(seed))
    if random.random() < plan.single:
        frames, _ = take(footage, count, random, lively=plan.lively)
        labels: list[Label] = []
    else:
        frames, labels = _joined(footage, plan, count, random)
    # Begins anywhere, so that a shot's start says nothing about its transitions.
    first = int(random.integers(len(frames) - count + 1))
    inside = [_moved(label, -first) for label in labels]
    kept = tuple(label for label in inside if label.end >= 0 and label.start <= count)
    made = Example(frames=_finished(frames[first : first + count], random), labels=kept)
    return _ended(made, random) if plan.ended and random.random() < plan.ended else made


def _ended(example: Example, random: np.random.Generator) -> Example:
    """Let the clip begin or end within the sequence: there its edge is repeated.

    A transition that is not whole leads to no other shot and counts as none.
    """
    count = len(example.frames)
    first, last = 0, count - 1
    if random.random() < 0.5:
        first = int(random.integers(1, 2 * count // 3))
    else:
        last = int(random.integers(count // 3, count - 1))
    frames = example.frames[np.clip(np.arange(count), first, last)]
    whole = (label for label in example.labels if first < label.start and label.end <= last)
    return Example(frames=frames, labels=tuple(whole))


def _joined(
    footage: Sequence[Footage], plan: Plan, count: int, random: np.random.Generator
) -> tuple[Blended, list[Label]]:
    """Join takes until there are enough frames to begin anywhere in the first shot."""
    kind, level = _transition(plan, random)
    made, name = _next(footage, plan, random, 0, len(level), "")
    first, labels = len(made) - len(level), []
    parts, reached = [made[:first]], first
    while True:
        old, length = made[len(made) - len(level) :], len(level)
        drawn, following = _transition(plan, random)
        other = "" if random.random() < plan.same_footage else name
        made, name = _next(footage, plan, random, length, len(following), other)
        parts.append(mix(old, made[:length], kind, level, random))
        labels.append(Label(start=reached, end=reached + length, kind=kind))
        if reached >= first + count:
            break
        parts.append(made[length : len(made) - len(following)])
        reached += len(made) - len(following)
        kind, level = drawn, following
    return np.concatenate(parts), labels


def _next(
    footage: Sequence[Footage],
    plan: Plan,
    random: np.random.Generator,
    before: int,
    after: int,
    other_than: str,
) -> tuple[Blended, str]:
    """A take with frames to spare for the transitions at both of its ends."""
    count = before + int(random.integers(plan.shot[0], plan.shot[1] + 1)) + after
    return take(footage, count, random, lively=plan.lively, other_than=other_than)


def _transition(plan: Plan, random: np.random.Generator) -> tuple[Kind, Weights]:
    """Draw a kind, and how far it has come in each of its frames."""
    kinds = list(plan.chances)
    chances = np.array([plan.chances[kind] for kind in kinds])
    kind = kinds[int(random.choice(len(kinds), p=chances / chances.sum()))]
    if kind is Kind.CUT:
        return kind, np.empty(0, np.float32)
    length = _length(plan, random)
    level = np.arange(1, length + 1) / (length + 1)
    if kind in (Kind.DIP_BLACK, Kind.DIP_WHITE):
        level = _held(level, random)
    elif random.random() < 0.3:
        level = level * level * (3 - 2 * level)
    return kind, level.astype(np.float32)


def _length(plan: Plan, random: np.random.Generator) -> int:
    shortest, longest = plan.length
    if random.random() < plan.short_too:
        return round(math.exp(random.uniform(math.log(shortest), math.log(longest))))
    return int(random.integers(shortest, longest + 1))


def _held(level: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """Stay at the dip's colour for a part of its time, up to a half; often for none."""
    hold = random.choice([0.0, random.uniform(0, 0.5)])
    away, back = level / (1 - hold), (level - hold) / (1 - hold)
    return np.where(level < 0.5, np.minimum(away, 0.5), np.maximum(back, 0.5))


def _moved(label: Label, by: int) -> Label:
    return Label(start=label.start + by, end=label.end + by, kind=label.kind)


def _finished(frames: Blended, random: np.random.Generator) -> NDArray[np.uint8]:
    """Letterbox or pillarbox some, and round to code values."""
    frames = frames.copy()
    if random.random() < 0.15:
        rows = int(random.integers(1, 5))
        frames[:, :rows], frames[:, -rows:] = 0, 0
    elif random.random() < 0.05:
        columns = int(random.integers(2, 8))
        frames[:, :, :columns], frames[:, :, -columns:] = 0, 0
    return np.clip(np.rint(frames), 0, 255).astype(np.uint8)
