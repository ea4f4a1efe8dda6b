"""The words of this package: clips, recordings, and what came of comparing them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from handlers.media.timecode import Timecode
from handlers.sync.sound import Source

PULLS = (Fraction(1), Fraction(1001, 1000), Fraction(1000, 1001))
"""Recording seconds a clip second: as it should be, and 0.1 % off by a sample rate's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What a file's own clock says: a date, and the time of day where ``timed``."""

    moment: datetime
    timed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """What counts of a clip.

    ``rate`` is the edit rate, ``duration`` in seconds, ``timecode`` that of frame 0,
    ``sensor_rate`` at how many pictures a second it was shot, where the file says so. ``heard``
    are the files that hold its sound, where that is not the one at ``path``.
    """

    path: Path
    rate: Fraction
    # Which camera it is of, where anything says so.
    camera: str | None = None
    duration: Fraction
    timecode: Timecode | None = None
    stamp: Stamp | None = None
    sensor_rate: Fraction | None = None
    has_sound: bool = True
    heard: Source | None = None

    @property
    def source(self) -> Source:
        """The files that hold its sound."""
        return self.heard or Source.of(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What counts of a recording.

    ``rate`` is its sampling rate in hertz, as its header says; ``start`` are the seconds since
    midnight of its first sample; ``timecode_rate`` how many numbers a second the recorder
    counted. ``remarks`` are contradictions inside the file, each a sentence. ``heard`` are its
    files where it was written in several; ``path`` is the first of them.
    """

    path: Path
    rate: int
    duration: Fraction
    channels: int
    start: Fraction | None = None
    timecode_rate: Fraction | None = None
    stamp: Stamp | None = None
    remarks: tuple[str, ...] = ()
    heard: Source | None = None

    @property
    def source(self) -> Source:
        """Its files."""
        return self.heard or Source.of(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to compare.

    ``waveform`` False matches by timecode alone. ``tolerance`` is how far timecode and
    waveform may lie apart, in seconds, and still be one answer: recorders that are set by hand
    or jammed in the morning are off by frames.
    """

    waveform: bool = True
    tolerance: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A recording that belongs to a clip, and where it lies.

    ``offset_samples`` says which sample of the recording, at its own rate, sounds at the start
    of frame 0; negative where the recording begins later. A clip's second lasts
    ``pull`` · (1 + ``drift_ppm`` / 10⁶) seconds of the recording: positive drift means
    that the recording must be played faster to stay with the picture. ``confidence`` is 0..1;
    ``reasons`` say in words what it rests on, and all that speaks against it.
    """

    clip: Path
    recording: Path
    method: str
    offset_samples: float
    drift_ppm: float
    pull: Fraction
    confidence: float
    reasons: tuple[str, ...]

    @property
    def ratio(self) -> float:
        """Return how many seconds of the recording last one second of the clip."""
        return float(self.pull) * (1 + self.drift_ppm * 1e-6)

    def to_json(self) -> Mapping[str, Any]:
        """Return plain JSON values; paths as text, the pull as "1001/1000"."""
        return {
            "clip": str(self.clip),
            "recording": str(self.recording),
            "method": self.method,
            "offset_samples": round(self.offset_samples, 3),
            "drift_ppm": round(self.drift_ppm, 2),
            "pull": str(self.pull),
            "confidence": round(self.confidence, 3),
            "reasons": list(self.reasons),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A clip to which no recording is given, and why, in one sentence."""

    clip: Path
    reason: str

    def to_json(self) -> Mapping[str, Any]:
        """Return plain JSON values."""
        return {"clip": str(self.clip), "reason": self.reason}
