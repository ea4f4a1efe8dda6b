"""The usable ranges of a take: cut where something is wrong, best first, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from handlers.edit.score import Columns, Quality, Reference, part, quality, reference
from models.shots.decode import runs

Marks = NDArray[np.bool_]

SOFT = 0.5  # of the take's usual sharpness
SHAKEN = 0.008  # of the picture's width
CLIPPED, CRUSHED = 0.12, 0.25  # of the pixels, above what is usual in the take
LEAST = 1.0  # seconds; shorter ranges are of no use to anybody

_BRIEF = 0.2  # seconds; a passing softness or shake shorter than this is none
_JOINED = 0.3  # seconds between two of one fault that make them one


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A usable range: frames ``start`` to ``end`` (exclusive) of the edit rate.

    ``score`` 0..1 is :attr:`handlers.edit.score.Quality.score`; ``confidence`` 0..1 says how far
    from any limit it stays.
    """

    start: int
    end: int
    score: float
    confidence: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Frames that no range may hold, and what is wrong with them."""

    start: int
    end: int
    kind: str


def find_ranges(table: Columns, start: int, end: int, rate: Fraction) -> list[Range]:
    """Return the usable ranges between two frames, best first."""
    usual, each = reference(table, start, end), float(rate)
    wrong = np.zeros(end - start, bool)
    for fault in find_faults(table, start, end, usual, each):
        wrong[fault.start - start : fault.end - start] = True
    spans = ((start + first, start + last) for first, last in runs(~wrong))
    made = [
        _range(table, first, last, usual, each)
        for first, last in spans
        if last - first >= LEAST * each
    ]
    return sorted(made, key=lambda one: (-one.score, one.start))


def find_faults(table: Columns, start: int, end: int, usual: Reference, rate: float) -> list[Fault]:
    """Return what is wrong between two frames, in order of kind."""
    found = []
    for kind, marks, brief in _wrong(table, start, end, usual):
        if marks is None:
            continue
        for first, last in _joined(marks, round(_JOINED * rate)):
            if last - first >= (_BRIEF * rate if brief else 1):
                found.append(Fault(start=start + first, end=start + last, kind=kind))
    return found


def _wrong(
    table: Columns, start: int, end: int, usual: Reference
) -> Iterator[tuple[str, Marks | None, bool]]:
    """Yield each fault, its frames, and whether it may pass unnoticed when it is brief."""

    def over(name: str, limit: float) -> Marks | None:
        values = part(table, name, start, end)
        return None if values is None else values > limit

    decoded, focus = part(table, "decoded", start, end), part(table, "focus", start, end)
    yield "lost frames", None if decoded is None else decoded == 0, False
    yield "black", over("black", 0), False
    yield "frozen", over("freeze", 0), False
    yield "soft", None if focus is None else focus < SOFT * usual.focus, True
    yield "shaken", over("shake", SHAKEN), True
    yield "clipped", over("clipped", usual.clipped + CLIPPED), True
    yield "crushed", over("crushed", usual.crushed + CRUSHED), True


def _joined(marks: Marks, gap: int) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for first, last in runs(marks):
        if joined and first - joined[-1][1] < gap:
            joined[-1] = joined[-1][0], last
        else:
            joined.append((first, last))
    return joined


def _range(table: Columns, start: int, end: int, usual: Reference, rate: float) -> Range:
    measured = quality(table, start, end, usual, rate)
    worst = min(measured.focus, measured.exposure, measured.stability)
    return Range(
        start=start,
        end=end,
        score=round(measured.score, 3),
        confidence=round(0.35 + 0.6 * worst, 3),
        reasons=_words(measured, (end - start) / rate),
    )


def _words(measured: Quality, seconds: float) -> tuple[str, ...]:
    words = (
        _word(measured.stability, "steady", "a little shake", "shaky"),
        _word(measured.focus, "sharp", "softer in places", "soft"),
        _word(measured.exposure, "well exposed", "exposure uneven", "badly exposed"),
    )
    if measured.speech is None:
        return (*words, f"{seconds:.1f} s long")
    speech = f"speech for {measured.spoken:.1f} s" if measured.spoken >= 0.5 else "no speech"
    return (*words, speech, f"{seconds:.1f} s long")


def _word(value: float, good: str, fair: str, poor: str) -> str:
    return good if value >= 0.75 else fair if value >= 0.45 else poor
