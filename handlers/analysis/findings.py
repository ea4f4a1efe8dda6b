"""What a finding is, and what the checks look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from handlers.analysis.table import Table
from handlers.media.decode import DecodeError
from handlers.media.probe import Probe, VideoFacts
from handlers.media.timecode import Timecode
from models.shots.decode import runs

Severity = Literal["info", "warning", "error"]
Marks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that somebody should know about a clip.

    ``start`` and ``end`` are frames of the edit rate, end exclusive, both None where it
    concerns the whole clip. ``value`` is what was measured and ``threshold`` what it was
    held against, in the unit of that kind; ``channel`` counts from 1 over all streams.
    """

    kind: str
    severity: Severity
    start: int | None
    end: int | None
    text: str
    value: float | None = None
    threshold: float | None = None
    channel: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLength:
    """One audio stream: channels, seconds of sound from frame 0 on, and how late it sets in."""

    channels: int
    seconds: float
    late: float
    gaps: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What metadata says beyond the probe, as far as it is known.

    ``timecodes`` are start timecodes by where they stand ("bext", "iXML"); ``sensor_rate``
    is in frames a second; ``gamma`` is the camera's own name of its transfer curve.
    """

    timecodes: Mapping[str, Timecode] = field(default_factory=dict)
    sensor_rate: Fraction | None = None
    gamma: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Everything that the checks look at; ``errors`` and ``error_count`` are the decoder's.

    ``start`` is the timecode of frame 0, ``clip_point`` where highlights end (0..1 of all
    code values), ``speech_heard`` whether a voice model was there.
    """

    name: str
    source: Probe
    video: VideoFacts
    start: Timecode
    table: Table
    declared: Declared = field(default_factory=Declared)
    errors: Sequence[DecodeError] = ()
    error_count: int = 0
    vfr: bool = False
    streams: Sequence[StreamLength] = ()
    clip_point: float | None = None
    speech_heard: bool = True

    @property
    def rate(self) -> float:
        """Frames a second."""
        return float(self.table.rate)

    def frames(self, seconds: float) -> int:
        """Return a length in frames, at least 1."""
        return max(1, round(seconds * self.rate))

    def span(self, start: int, end: int) -> str:
        """Return "From 01:00:00:00 to 01:00:00:10", or "At 01:00:00:00" for one frame."""
        if end - start == 1:
            return f"At {self.start + start}"
        return f"From {self.start + start} to {self.start + end}"


def long_runs(marks: Marks, least: int) -> Iterator[tuple[int, int]]:
    """Yield the runs of at least so many frames."""
    return ((start, end) for start, end in runs(marks) if end - start >= least)


def groups(marks: Marks, reach: int) -> Iterator[tuple[int, int]]:
    """Yield spans of marked frames that stand no further apart than ``reach``, end exclusive."""
    places = np.flatnonzero(marks)
    for group in np.split(places, np.flatnonzero(np.diff(places) > reach) + 1):
        if len(group):
            yield int(group[0]), int(group[-1]) + 1


def entry(finding: Finding, start: Timecode) -> dict[str, Any]:
    """Return a finding as plain JSON values, with the timecodes of its range."""
    made = {name: _plain(getattr(finding, name)) for name in finding.__slots__}
    for name, frame in (("source_in", finding.start), ("source_out", finding.end)):
        made[name] = None if frame is None else str(start + frame)
    return made


def _plain(value: Any) -> Any:
    return round(float(value), 4) if isinstance(value, float | np.floating) else value


def count(number: int, one: str) -> str:
    """Return "1 frame", "2 frames"."""
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"
