"""A timeline that belongs to no editing system: tracks of clips that refer to media.

Record positions are whole frames of the timeline's rate, counted from its first.
Positions in media are frames of the media's own rate, counted from its first frame
or sample; for sound they may be fractions, so that they are exact to the sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

from handlers.media.timecode import Timecode
from models.errors import FxdError


class TimelineError(FxdError, ValueError):
    """Clips, gaps and media that do not make a timeline: a fault of the caller's."""


class Kind(StrEnum):
    """What a track carries."""

    VIDEO = "video"
    AUDIO = "audio"


class Colour(StrEnum):
    """The colours of markers, by the names that editing systems share."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    GREEN = "green"
    CYAN = "cyan"
    BLUE = "blue"
    PURPLE = "purple"
    MAGENTA = "magenta"
    PINK = "pink"
    WHITE = "white"
    BLACK = "black"


def printable(text: str) -> str:
    """Return one line without control characters and surrogates, which no format needs."""
    return "".join(char for char in text if char.isprintable())


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """A remark on ``frames`` frames from ``frame`` on.

    A clip's markers count in its media, so that they stay with the picture; the
    timeline's count from its first frame.
    """

    frame: int
    name: str
    frames: int = 1
    comment: str = ""
    colour: Colour = Colour.BLUE
    keywords: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _keep_printable(self, "name", "comment")
        kept = (printable(word) for word in self.keywords)
        object.__setattr__(self, "keywords", tuple(word for word in kept if word))
        if self.frames < 1:
            raise TimelineError(f"marker {self.name!r} is {self.frames} frames long")

    @property
    def remark(self) -> str:
        """Comment and keywords as one text, for formats that have no keywords."""
        words = f"[{', '.join(self.keywords)}]" if self.keywords else ""
        return " ".join(filter(None, (self.comment, words)))

    @property
    def text(self) -> str:
        """Name, comment and keywords as one text, for formats that have but one."""
        return ": ".join(filter(None, (self.name, self.remark)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The picture of a clip or timeline in pixels; ``pixel_aspect`` is width over height."""

    width: int
    height: int
    pixel_aspect: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """The sound of a file: the channels of each stream, and samples a second.

    ``start_sample`` counts from midnight (the time reference of a broadcast wave) and
    ``samples`` is the length, where they are known; else the media's frames stand in.
    """

    streams: tuple[int, ...]
    rate: int = 48000
    start_sample: int | None = None
    samples: int | None = None

    @property
    def channels(self) -> int:
        """How many channels there are over all streams."""
        return sum(self.streams)


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """What the log says of media; ``columns`` are more of it, by the names of an ALE.

    ``circled`` is None where nothing says whether the take is to be printed.
    ``sound_files`` are the names of the recordings that belong to it.
    """

    scene: str = ""
    take: str = ""
    circled: bool | None = None
    notes: str = ""
    camera: str = ""
    sound_files: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _keep_printable(self, "scene", "take", "notes", "camera")
        object.__setattr__(self, "sound_files", tuple(map(printable, self.sound_files)))
        columns = {printable(key): printable(text) for key, text in self.columns.items()}
        object.__setattr__(self, "columns", MappingProxyType(columns))


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A file that clips refer to: a camera clip or a recording.

    ``path`` is absolute; ``name`` is the file's name with its ending. ``start`` is the
    timecode of the first frame; ``frames`` the length at ``rate``, for a recording
    rounded down. ``proxy`` is the place of a proxy relative to the timeline's files.
    """

    path: Path
    name: str
    start: Timecode
    frames: int
    reel: str | None = None
    picture: Picture | None = None
    sound: Sound | None = None
    proxy: str | None = None
    logged: Logged = field(default_factory=Logged)

    def __post_init__(self) -> None:
        _keep_printable(self, "name")
        object.__setattr__(self, "reel", printable(self.reel or "") or None)
        if not self.path.is_absolute():
            raise TimelineError(f"{self.name}: media need absolute paths")

    @property
    def rate(self) -> Fraction:
        """Frames a second, of the picture or of the recorder's timecode."""
        return self.start.rate

    @property
    def begin(self) -> Fraction:
        """Seconds from midnight to the first frame or sample."""
        if self.picture is None and self.sound and self.sound.start_sample is not None:
            return Fraction(self.sound.start_sample, self.sound.rate)
        return self.start.frames / self.rate

    @property
    def seconds(self) -> Fraction:
        """The exact length."""
        if self.picture is None and self.sound and self.sound.samples is not None:
            return Fraction(self.sound.samples, self.sound.rate)
        return self.frames / self.rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A part of media on a track, ``frames`` long on the timeline.

    ``start`` is where it begins in the media. ``channels`` says which channels of the
    file a sound clip plays, counted from 1 over all its streams. Clips with the same
    ``link`` are one to the editor: they move and trim together. ``said`` is anything
    else that is known of it, in types that JSON has.
    """

    media: Media
    start: Fraction
    frames: int
    name: str = ""
    channels: tuple[int, ...] = ()
    role: str = ""
    link: int | None = None
    markers: tuple[Marker, ...] = ()
    said: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _keep_printable(self, "name", "role")
        object.__setattr__(self, "start", Fraction(self.start))
        object.__setattr__(self, "name", self.name or self.media.name)
        if self.frames < 1 or self.start < 0:
            raise TimelineError(f"{self.name}: {self.frames} frames from {self.start} on")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Nothing, for as many frames."""

    frames: int

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise TimelineError(f"a gap of {self.frames} frames")


Item = Clip | Gap


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """Clips and gaps in order, without overlap; ``role`` holds for clips that have none."""

    kind: Kind
    name: str
    items: tuple[Item, ...]
    role: str = ""

    @property
    def frames(self) -> int:
        """The length on the timeline."""
        return sum(item.frames for item in self.items)

    def placed(self) -> Iterator[tuple[int, Clip]]:
        """Yield each clip with the frame of the timeline at which it begins."""
        at = 0
        for item in self.items:
            if isinstance(item, Clip):
                yield at, item
            at += item.frames

    def role_of(self, clip: Clip) -> str:
        """Return the clip's role, else the track's, else what Final Cut calls it."""
        return clip.role or self.role or ("video" if self.kind is Kind.VIDEO else "dialogue")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Tracks that play together from ``start`` on, in the order in which they are stacked."""

    name: str
    start: Timecode
    picture: Picture
    tracks: tuple[Track, ...]
    markers: tuple[Marker, ...] = ()
    said: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _keep_printable(self, "name")
        for track in self.tracks:
            for _, clip in track.placed():
                _require_kind(track, clip)
                _require_inside(clip, self.rate)

    @property
    def rate(self) -> Fraction:
        """Frames a second."""
        return self.start.rate

    @property
    def drop_frame(self) -> bool:
        """Say whether its timecode counts drop-frame."""
        return self.start.drop_frame

    @property
    def frames(self) -> int:
        """The length, which is that of the longest track."""
        return max((track.frames for track in self.tracks), default=0)

    def of_kind(self, kind: Kind) -> tuple[Track, ...]:
        """Return the tracks of picture or of sound."""
        return tuple(track for track in self.tracks if track.kind is kind)

    def media(self) -> tuple[Media, ...]:
        """Return each file once, in the order of first use, picture before sound."""
        tracks = (*self.of_kind(Kind.VIDEO), *self.of_kind(Kind.AUDIO))
        found = {clip.media.path: clip.media for t in reversed(tracks) for _, clip in t.placed()}
        order = dict.fromkeys(clip.media.path for track in tracks for _, clip in track.placed())
        return tuple(found[path] for path in order)


def channels_of(clip: Clip) -> tuple[int, ...]:
    """Return the channels that a sound clip plays: those it names, else all of the file's."""
    total = clip.media.sound.channels if clip.media.sound else 0
    return clip.channels or tuple(range(1, total + 1))


def _require_kind(track: Track, clip: Clip) -> None:
    media = clip.media
    if track.kind is Kind.VIDEO and media.picture is None:
        raise TimelineError(f"{clip.name} has no picture for track {track.name}")
    if track.kind is Kind.VIDEO and clip.start.denominator != 1:
        raise TimelineError(f"{clip.name} begins between two pictures, at {clip.start}")
    if track.kind is Kind.AUDIO:
        total = media.sound.channels if media.sound else 0
        if not total or max(channels_of(clip)) > total or min(channels_of(clip)) < 1:
            raise TimelineError(f"{clip.name} has no such sound for track {track.name}")


def _require_inside(clip: Clip, rate: Fraction) -> None:
    media = clip.media
    over = clip.start / media.rate + clip.frames / rate - media.seconds
    # A picture of another rate may end within the timeline's last frame.
    if over * rate >= 1 or (over > 0 and media.rate == rate and media.picture):
        raise TimelineError(f"{clip.name} goes on for {float(over):.3f} s after its media end")


def _keep_printable(record: Any, *names: str) -> None:
    for name in names:
        object.__setattr__(record, name, printable(getattr(record, name)))
