"""What a fault of sound is, and how many places become few ranges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from handlers.analysis.findings import Severity

_MOST_RANGES = 100
Figure = float | int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that somebody should know about a recording.

    ``ranges`` are half-open [start, end) in samples, in order and apart from each other, at
    most a hundred; none where it concerns the whole. ``channels`` count from 1, none where
    it concerns all. ``figures`` say in their names what they are: db, hz, count, seconds.
    """

    kind: str
    severity: Severity
    text: str
    channels: tuple[int, ...] = ()
    ranges: tuple[tuple[int, int], ...] = ()
    figures: Mapping[str, Figure] = field(default_factory=dict)


class Ranges:
    """Places put together where they lie close, and closer the more there are of them.

    ``count`` and ``samples`` are of what was added, before it was put together.

    Args:
        reach: Places no further apart than this, in samples, are one range.
    """

    def __init__(self, reach: int) -> None:
        self._reach = reach
        self._spans: list[list[int]] = []
        self.count = 0
        self.samples = 0

    def __bool__(self) -> bool:
        return bool(self.count)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return ((start, end) for start, end in self._spans)

    def add(self, start: int, end: int) -> None:
        """Add a place; none may begin before the one added last."""
        self.count += 1
        self.samples += end - start
        self._join(start, end)
        if len(self._spans) > 2 * _MOST_RANGES:
            self._thin()

    def few(self) -> tuple[tuple[int, int], ...]:
        """Return the ranges, at most a hundred."""
        if len(self._spans) > _MOST_RANGES:
            self._thin()
        return tuple(self)

    def _join(self, start: int, end: int) -> None:
        last = self._spans[-1] if self._spans else None
        if last is not None and start - last[1] <= self._reach:
            last[1] = max(last[1], end)
        else:
            self._spans.append([start, end])

    def _thin(self) -> None:
        while len(self._spans) > _MOST_RANGES:
            self._reach = max(1, 2 * self._reach)
            spans, self._spans = self._spans, []
            for start, end in spans:
                self._join(start, end)


def within(start: int, end: int, rate: int) -> str:
    """Return "At 0:01:02.345" or "From 0:01:02.345 to 0:01:03.000", in the file's own time."""
    if end - start < rate / 1000:
        return f"At {clock(start, rate)}"
    return f"From {clock(start, rate)} to {clock(end, rate)}"


def clock(sample: int, rate: int) -> str:
    """Return a place as hours, minutes, seconds and thousandths since the first sample."""
    thousandths = round(1000 * sample / rate)
    seconds, rest = divmod(thousandths, 1000)
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:03d}"


def entry(fault: Fault, rate: int) -> dict[str, Any]:
    """Return a fault as plain JSON values, its ranges in samples and in seconds."""
    return {
        "kind": fault.kind,
        "severity": fault.severity,
        "text": fault.text,
        "channels": list(fault.channels),
        "ranges": [
            {"start": start, "end": end, "start_seconds": start / rate, "end_seconds": end / rate}
            for start, end in fault.ranges
        ],
        "figures": {name: _plain(value) for name, value in fault.figures.items()},
    }


def _plain(value: Figure) -> Figure:
    return round(float(value), 4) if isinstance(value, float) else value
