"""One clip and one recording compared by their sound, with a decision that errs towards no."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from handlers.sync.coarse import (
    BASES,
    MOST_DRIFT,
    HalfValues,
    Line,
    Values,
    features,
    rail_features,
    search,
)
from handlers.sync.envelope import VALUES_A_SECOND, Envelope
from handlers.sync.fine import SPAN_SECONDS, Array, Evidence, Listener, examine
from handlers.sync.sound import Reader, Source

# Spans for a first look at a line, and for measuring it.
_FIRST, _ALL = 12, 40
CHANCE = 5.5
"""A first look below this score, in deviations, is chance."""
# What a match takes: the height of all spans together, and how many of them lie on one line.
_SCORE, _FEWEST = 11.0, 2
# A phrase that sounds twice alike fills two spans of five; below the height of ``_TALL`` a
# larger share is asked for.
_SHARE, _TALL, _SHARE_BELOW = 0.4, 20.0, 0.6
# A second place that is almost as good makes both worthless.
_RIVAL = 0.6
# Looks so near each other, in seconds, are one place; results so far apart are two.
_HERE, _ELSEWHERE = 0.25, 0.05
# Coarse scores below this are chance whatever follows.
_COARSE = 3.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Who takes part: files, features, and for how many seconds there is sound.

    ``rails`` are the features of its single rails, where several of them move.
    """

    source: Source
    values: Values
    rails: tuple[HalfValues, ...]
    seconds: float

    @classmethod
    def of(cls, source: Source, envelope: Envelope) -> Side:
        """Make from what was kept of the files."""
        return cls(
            source=source,
            values=features(envelope),
            rails=rail_features(envelope),
            seconds=float(envelope.duration),
        )

    @property
    def nbytes(self) -> int:
        """Return how much memory the features take."""
        return self.values.nbytes + sum(rail.nbytes for rail in self.rails)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the sound says: the best place, if any, and a rival that is almost as good."""

    best: Evidence | None = None
    rival: Evidence | None = None

    @property
    def sure(self) -> bool:
        """Say whether there is one place and no other."""
        return self.best is not None and self.rival is None


def compare(clip: Side, listener: Listener, recording: Side, hints: Sequence[float] = ()) -> Found:
    """Find where a recording lies against a clip.

    Args:
        clip: the clip.
        listener: the same clip, open.
        recording: the recording.
        hints: offsets in seconds at which to look in any case, as timecode gives them.
    """
    lines = search(clip.values, recording.values, recording.rails)
    lines = [line for line in lines if line.score > _COARSE]
    lines += [Line(offset=hint, ratio=1.0, score=0.0) for hint in hints]
    if not lines:
        return Found()
    with Reader(recording.source) as reader:
        looks = [_look(clip, listener, recording, reader, line) for line in lines]
        best = _best([look for look in looks if look is not None])
        measured = [_measure(clip, listener, recording, reader, look) for look in best]
    good = sorted(filter(convincing, measured), key=lambda each: -each.score)
    rivals = [each for each in good[1:] if _apart(each.line, good[0].line) > _ELSEWHERE]
    rival = next((each for each in rivals if each.score > _RIVAL * good[0].score), None)
    return Found(best=good[0] if good else None, rival=rival)


def convincing(evidence: Evidence) -> bool:
    """Say whether so much agreement cannot be chance."""
    return (
        evidence.score >= _SCORE
        and evidence.share >= (_SHARE if evidence.score >= _TALL else _SHARE_BELOW)
        and evidence.agreeing >= min(_FEWEST, evidence.spans)
        and min(abs(evidence.ratio - 1 - base) for base in BASES) <= MOST_DRIFT
    )


def _look(
    clip: Side, listener: Listener, recording: Side, reader: Reader, line: Line
) -> Evidence | None:
    evidence = examine(listener, reader, line, _middles(clip, recording, line, _FIRST))
    return evidence if evidence.score > CHANCE else None


def _best(looks: Sequence[Evidence]) -> list[Evidence]:
    """Of several looks at one place keep the best; at most three places."""
    kept: list[Evidence] = []
    for look in sorted(looks, key=lambda each: -each.score):
        if not any(_apart(look.line, other.line) < _HERE for other in kept):
            kept.append(look)
    return kept[:3]


def _measure(
    clip: Side, listener: Listener, recording: Side, reader: Reader, look: Evidence
) -> Evidence:
    return examine(listener, reader, look.line, _middles(clip, recording, look.line, _ALL))


def _apart(one: Line, other: Line) -> float:
    """Return how far two lines lie apart where the second was measured, in seconds."""
    return abs(one.at(other.middle) - other.at(other.middle))


def _middles(clip: Side, recording: Side, line: Line, most: int) -> Array:
    """Choose the middles of spans, in seconds of the clip: the liveliest of each stretch."""
    first = max(0.0, -line.offset / line.ratio)
    last = min(clip.seconds, (recording.seconds - line.offset) / line.ratio)
    count = int(np.clip((last - first) / SPAN_SECONDS, 0, most))
    if count == 0:
        return np.array([(first + last) / 2]) if last - first > 1 else np.zeros(0)
    edges = np.linspace(first, last, count + 1)
    return np.array(
        [_liveliest(clip.values, begin, end) for begin, end in itertools.pairwise(edges)]
    )


def _liveliest(values: npt.NDArray[np.float32], begin: float, end: float) -> float:
    half = SPAN_SECONDS / 2
    low, high = (int(edge * VALUES_A_SECOND) for edge in (begin, end))
    stir = np.abs(values[:, low:high]).sum(axis=0)
    width = int(SPAN_SECONDS * VALUES_A_SECOND)
    if len(stir) <= width:
        return (begin + end) / 2
    total = np.cumsum(np.concatenate([[0], stir]))
    place = int(np.argmax(total[width:] - total[:-width]))
    return begin + place / VALUES_A_SECOND + half
