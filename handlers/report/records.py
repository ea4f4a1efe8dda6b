"""What a page shows, as data: one record for a clip's page, one for a day's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handlers.media.timecode import Timecode


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The time axis: frames of the edit rate from 0, ``frames`` of them; timecode of frame 0."""

    start: Timecode
    frames: int

    @property
    def rate(self) -> Fraction:
        """The edit rate in frames a second."""
        return self.start.rate

    def at(self, frame: int) -> str:
        """Write the timecode of a frame."""
        return str(self.start + frame)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A shot: frames of the edit rate, end exclusive, and the transition that leads into it.

    ``seconds`` is a moment at which its first picture is shown, where the rate is variable.
    """

    number: int
    start: int
    end: int
    transition: str = "cut"
    transition_start: int | None = None
    transition_end: int | None = None
    confidence: float | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A suggestion for frames ``start`` to ``end`` (exclusive), with its reasons in words."""

    start: int
    end: int
    confidence: float | None = None
    score: float | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Selects:
    """What is suggested of a take: where its slate and the take are, ranges with the best first.

    ``claps`` are what may be claps too; ``faults`` what speaks against parts of the take, each
    with its kind as the only reason.
    """

    slate: Span | None = None
    claps: tuple[Span, ...] = ()
    take: Span | None = None
    ranges: tuple[Span, ...] = ()
    faults: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A finding of the quality check; ``text`` says all of it.

    Without frames it is about the whole clip.
    """

    kind: str
    severity: str
    text: str
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPage:
    """All that a clip's page shows; what is missing is left out.

    ``proxy`` and ``sheet`` are names of files beside the page; ``pictures`` are
    JPEGs by shot number; ``columns`` the per-frame table, each [n] or [n, channels].
    """

    title: str
    reel: str | None = None
    clock: Clock | None = None
    proxy: str | None = None
    sheet: str | None = None
    verdict: str | None = None
    shots: tuple[Shot, ...] = ()
    pictures: Mapping[int, bytes] = field(default_factory=dict)
    selects: Selects | None = None
    findings: tuple[Finding, ...] | None = None
    columns: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayClip:
    """One clip in a day's list; ``folder`` is relative to the day page, with "/" between parts.

    ``findings`` counts by severity; ``placed`` is where it lies in the string-out,
    in frames, end exclusive.
    """

    name: str
    folder: str
    clock: Clock | None = None
    scene: str | None = None
    take: str | None = None
    circled: bool | None = None
    notes: str | None = None
    camera: str | None = None
    reel: str | None = None
    verdict: str | None = None
    findings: Mapping[str, int] = field(default_factory=dict)
    picture: bytes | None = None
    placed: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRow:
    """Which sound belongs to a clip, or why none was taken.

    Of a recording that no clip was given, ``clip`` is empty and ``refusal`` says so.
    ``offset`` is the sample of the recording that sounds at the clip's frame 0;
    ``sample_rate`` in hertz; ``drift`` in parts per million.
    """

    clip: str
    recording: str | None = None
    method: str | None = None
    offset: Fraction | float | None = None
    sample_rate: int | None = None
    drift: float | None = None
    pull: str | None = None
    confidence: float | None = None
    reasons: tuple[str, ...] = ()
    refusal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Movie:
    """A movie beside a day's page, such as the string-out."""

    file: str
    clock: Clock
    name: str = "String-out"


@dataclass(frozen=True, slots=True, kw_only=True)
class DayPage:
    """All that a day's page shows; ``notes`` are sentences about the day as a whole.

    ``synced`` is how many of ``clips`` have a recording: ``sync`` cannot tell, since clips of two
    cards may have one name.
    """

    title: str
    clips: tuple[DayClip, ...] = ()
    sync: tuple[SyncRow, ...] = ()
    synced: int = 0
    movie: Movie | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of speech, music, noise or silence; frames, end exclusive."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row of a table of figures: what it is, before and after, in words."""

    name: str
    before: str
    after: str
    verdict: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundPage:
    """All that the page of a recording shows, before and after.

    ``clock`` counts frames of time, for want of a finer scale; ``before`` and ``after`` are names
    of files beside the page that a browser plays, as is ``spectrogram``. ``traces`` hold the
    columns ``peak_db`` and ``level_db``, and ``loudness`` in LUFS, each [frames, 2]: before, after.
    ``chunks`` say what became of each part of the file, ``notes`` are sentences about all of it.
    """

    title: str
    clock: Clock | None = None
    before: str | None = None
    after: str | None = None
    spectrogram: str | None = None
    facts: tuple[tuple[str, str], ...] = ()
    figures: tuple[Figure, ...] = ()
    findings: tuple[Finding, ...] = ()
    segments: tuple[Segment, ...] = ()
    chunks: tuple[tuple[str, str], ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    traces: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """One frame before and after, as JPEGs for a screen; ``label`` says which frame it is."""

    label: str
    before: bytes
    after: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectRow:
    """One effect of a chain: its name and version, how much of it, what is known of it."""

    name: str
    version: str
    how: str
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectPage:
    """All that the page of a rendered clip shows.

    ``rendered`` is the name of what was rendered, beside the page. ``figures`` say what the chain
    changed; ``notes`` are sentences about all of it.
    """

    title: str
    rendered: str
    facts: tuple[tuple[str, str], ...] = ()
    effects: tuple[EffectRow, ...] = ()
    figures: tuple[tuple[str, str], ...] = ()
    stills: tuple[Still, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnRow:
    """One pair that an effect is judged by: JPEGs in the order of the page's ``columns``."""

    label: str
    pictures: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnPage:
    """All that the page of a learnt effect shows.

    ``said`` is the sentence about what won. ``scores`` are name, PSNR, SSIM, ΔE2000 and GMSD of
    each candidate. ``stills`` compare pictures before with results. ``curve`` is an SVG of how it
    was trained; ``cube`` the name of the table beside the page.
    """

    title: str
    said: str
    cube: str
    columns: tuple[str, ...]
    facts: tuple[tuple[str, str], ...] = ()
    scores: tuple[tuple[str, str, str, str, str], ...] = ()
    rows: tuple[LearnRow, ...] = ()
    stills: tuple[Still, ...] = ()
    curve: str | None = None
    notes: tuple[str, ...] = ()
