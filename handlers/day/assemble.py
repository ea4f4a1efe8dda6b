"""From a day's takes to timelines: the string-out, the selects reel, the rough cut."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from handlers.day.load import Take
from handlers.edit.logged import columns
from handlers.media.source import shown
from handlers.media.timecode import Timecode, can_drop, frames_per_day, parse
from handlers.turnover import apart
from handlers.turnover.model import (
    Clip,
    Gap,
    Item,
    Kind,
    Logged,
    Marker,
    Media,
    Picture,
    Sound,
    Timeline,
    Track,
)
from handlers.turnover.synced import Laid, fill

# Where a programme begins by custom; what stands before it is left to bars and slates.
_FIRST_HOUR, _FIRST_HOUR_DROPPING = "01:00:00:00", "01:00:00;00"
_PPM = 1_000_000
_CAMERA, _PRODUCTION = "dialogue.camera", "dialogue.production"

Remarks = Callable[[Take], Sequence[Marker]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardPart:
    """One file of a recording: ``begin`` is the sample of the whole that it begins with."""

    path: Path
    begin: int
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A recording that belongs to a take, placed to the sample.

    ``offset`` is which sample of it, at its own ``rate``, sounds at the take's frame 0, below 0
    where it begins later; its clock runs ``drift`` parts in a million faster than the
    camera's. ``streams`` has the channels of each of its streams. ``start_sample`` counts from
    midnight of the recorder's timecode, ``drop_frame`` is None where nothing says how it counts.
    ``parts`` are its files in order.
    """

    path: Path
    name: str
    offset: Fraction
    drift: float
    rate: int
    samples: int
    streams: tuple[int, ...]
    start_sample: int | None = None
    drop_frame: bool | None = None
    parts: tuple[HeardPart, ...] = ()

    @property
    def files(self) -> tuple[HeardPart, ...]:
        """Its files: one at least."""
        return self.parts or (HeardPart(path=self.path, begin=0, samples=self.samples),)

    def at(self, seconds: Fraction) -> Fraction:
        """Return which sample sounds that long after the take's frame 0."""
        return self.offset + seconds * self.rate * (1 + Fraction(self.drift) / _PPM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Frames ``start`` to ``end`` (exclusive) of a take, and what it is called."""

    take: Take
    start: int
    end: int

    @property
    def name(self) -> str:
        """Scene and take where they are known, else the clip's name."""
        take = self.take
        return f"{take.scene}-{take.take or '?'}" if take.scene else take.name


def string_out(takes: Iterable[Take]) -> list[Piece]:
    """Return every take whole, in order: nothing is left out."""
    return [Piece(take=take, start=0, end=take.frames) for take in takes]


def selects(takes: Iterable[Take]) -> list[Piece]:
    """Return every range that is worth using, in the order of the takes and of time."""
    return [
        Piece(take=take, start=start, end=end)
        for take in takes
        for start, end in sorted(take.ranges)
    ]


def rough_cut(takes: Sequence[Take], setup_of: Callable[[Take], str]) -> list[Piece]:
    """Return one take of each set-up, from "action" to "cut", in the order of the scenes.

    A circled take is taken before the others, then the one with the best range, then the last:
    a director who goes on shooting was not yet content.
    """
    groups: dict[str, list[Take]] = {}
    for take in takes:
        groups.setdefault(setup_of(take), []).append(take)
    return [_trimmed(_best(group)) for group in groups.values()]


def _best(group: Sequence[Take]) -> Take:
    ranked = enumerate(group)
    return max(ranked, key=lambda each: (each[1].circled is True, each[1].score, each[0]))[1]


def _trimmed(take: Take) -> Piece:
    start, end = take.trimmed
    return Piece(take=take, start=start, end=end)


def day_rate(takes: Sequence[Take]) -> tuple[Fraction, bool]:
    """Return the edit rate of most takes, and whether most of those count drop-frame."""
    rate = Counter(take.rate for take in takes).most_common(1)[0][0]
    dropping = Counter(take.start.drop_frame for take in takes if take.rate == rate)
    return rate, dropping.most_common(1)[0][0]


def first_timecode(takes: Sequence[Take]) -> Timecode:
    """Return where a timeline of these takes begins: the first hour at the day's rate."""
    rate, drop = day_rate(takes)
    return parse(_FIRST_HOUR_DROPPING if drop else _FIRST_HOUR, rate)


def lay(
    name: str,
    pieces: Sequence[Piece],
    heard: Mapping[Path, Sequence[Heard]],
    folder: Path,
    remarks: Remarks = lambda _: (),
) -> Timeline:
    """Lay pieces end to end: picture, camera sound, and the recorders' sound below it.

    Args:
        name: What the timeline is called.
        pieces: At least one.
        heard: Recordings by their take's path.
        folder: Where the timeline's files will stand, to refer to proxies from.
        remarks: Gives the markers of a take, in its frames.
    """
    start = first_timecode([piece.take for piece in pieces])
    first = pieces[0].take.source.video
    assert first is not None  # noqa: S101 - what has no picture is no take
    media = {piece.take.path: _media(piece.take, heard, folder) for piece in pieces}
    placed = [_Placed(piece=piece, begins=start, media=media[piece.take.path]) for piece in pieces]
    return Timeline(
        name=name,
        start=start,
        picture=Picture(width=first.width, height=first.height, pixel_aspect=first.pixel_aspect),
        tracks=(
            _picture_track(placed, remarks),
            *_camera_tracks(placed),
            *_recorder_tracks(placed, heard),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """A piece on a timeline that ``begins`` at this timecode."""

    piece: Piece
    begins: Timecode
    media: Media

    @property
    def rate(self) -> Fraction:
        """Frames a second of the timeline."""
        return self.begins.rate

    @property
    def frames(self) -> int:
        """Its length on the timeline; a clip of another rate plays in its own time."""
        length = self.piece.end - self.piece.start
        return max(1, math.floor(length / self.piece.take.rate * self.rate))

    @property
    def begin(self) -> Fraction:
        """Seconds after the take's frame 0."""
        return self.piece.start / self.piece.take.rate


def _media(take: Take, heard: Mapping[Path, Sequence[Heard]], folder: Path) -> Media:
    video = take.source.video
    assert video is not None  # noqa: S101 - what has no picture is no take
    proxy = take.proxy
    return Media(
        path=take.path.absolute(),
        name=take.name,
        start=take.start,
        frames=take.frames,
        reel=take.reel,
        picture=Picture(width=video.width, height=video.height, pixel_aspect=video.pixel_aspect),
        sound=apart.own_sound(take.source.audio, take.source.sound_files),
        proxy=_relative(proxy, folder) if proxy else None,
        files=tuple(file.absolute() for file in take.source.files),
        logged=_logged(take, heard.get(take.path, ())),
    )


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


def _logged(take: Take, heard: Sequence[Heard]) -> Logged:
    return Logged(
        scene=take.scene,
        take=take.take,
        circled=take.circled,
        notes=str(take.said.get("notes") or ""),
        camera=str(take.said.get("camera") or ""),
        sound_files=(
            *(shown(file.path) for file in take.source.sound_files),
            *(shown(part.path) for each in heard for part in each.files),
        ),
        columns=columns(take.said),
    )


def _picture_track(placed: Sequence[_Placed], remarks: Remarks) -> Track:
    items = []
    for number, each in enumerate(placed, 1):
        piece = each.piece
        markers = [mark for mark in remarks(piece.take) if piece.start <= mark.frame < piece.end]
        items.append(
            Clip(
                media=each.media,
                start=Fraction(piece.start),
                frames=each.frames,
                name=piece.name,
                link=number,
                markers=tuple(markers),
            )
        )
    return Track(kind=Kind.VIDEO, name="V1", items=tuple(items))


def _camera_tracks(placed: Sequence[_Placed]) -> list[Track]:
    """Return a track for each stream of sound that a camera recorded."""
    streams = [_streams(each.piece.take) for each in placed]
    return [
        Track(
            kind=Kind.AUDIO,
            name=f"camera {row + 1}",
            role=_CAMERA,
            items=tuple(
                item
                for link, (each, own) in enumerate(zip(placed, streams, strict=True), 1)
                for item in _camera(each, own[row] if row < len(own) else None, link)
            ),
        )
        for row in range(max(map(len, streams)))
    ]


def _streams(take: Take) -> list[apart.Stream]:
    return apart.streams(take.source.audio, take.source.sound_files, take.start, take.reel)


def _camera(each: _Placed, stream: apart.Stream | None, link: int) -> Sequence[Item]:
    if stream is None:
        return (Gap(frames=each.frames),)
    start, name = Fraction(each.piece.start), each.piece.name
    clip = Clip(media=each.media, start=start, frames=each.frames, name=name, link=link)
    return stream.items(clip, each.rate)


def _recorder_tracks(
    placed: Sequence[_Placed], heard: Mapping[Path, Sequence[Heard]]
) -> list[Track]:
    """Return a track for each recorder that ran beside a take."""
    found = [list(heard.get(each.piece.take.path, ())) for each in placed]
    return [
        Track(
            kind=Kind.AUDIO,
            name=f"recorder {row + 1}",
            role=_PRODUCTION,
            items=tuple(
                item
                for link, (each, sound) in enumerate(zip(placed, found, strict=True), 1)
                for item in _recorded(each, sound[row] if row < len(sound) else None, link)
            ),
        )
        for row in range(max(map(len, found), default=0))
    ]


def _recorded(each: _Placed, sound: Heard | None, link: int) -> Sequence[Item]:
    """Return a recording under a piece, with gaps where it does not reach."""
    if sound is None:
        return (Gap(frames=each.frames),)
    laid = [
        Laid(
            media=_recording(sound, part, each.begins),
            offset=sound.offset - part.begin,
            speed=1 + Fraction(sound.drift) / _PPM,
        )
        for part in sound.files
    ]
    said = {"offset_samples": float(sound.offset), "drift_ppm": sound.drift}
    return fill(laid, each.begin, each.frames, each.rate, link=link, said=said)


def _recording(sound: Heard, part: HeardPart, timeline: Timecode) -> Media:
    rate, drop = timeline.rate, _drops(sound, timeline)
    # At 23.976 a day of timecode lasts 86 s longer than one of the clock.
    day = round(frames_per_day(rate, drop=drop) / rate * sound.rate)
    first = None if sound.start_sample is None else (sound.start_sample + part.begin) % day
    seconds = Fraction(first or 0, sound.rate)
    return Media(
        path=part.path.absolute(),
        name=shown(part.path),
        start=Timecode(frames=math.floor(seconds * rate), rate=rate, drop_frame=drop),
        frames=max(1, math.floor(Fraction(part.samples, sound.rate) * rate)),
        sound=Sound(
            streams=sound.streams,
            rate=sound.rate,
            start_sample=first,
            samples=part.samples,
        ),
    )


def _drops(sound: Heard, timeline: Timecode) -> bool:
    """Say how a recording's frames are numbered: as by the recorder, else as the timeline's."""
    said = timeline.drop_frame if sound.drop_frame is None else sound.drop_frame
    return said and can_drop(timeline.rate)
