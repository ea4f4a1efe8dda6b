"""Writing FCPXML 1.10, which Final Cut Pro 10.6 and later and Resolve 18 and later read.

Times are rational seconds. Picture lies on the grid of its frames; sound begins where
its sample does. The first picture track is the primary storyline. A clip brings its own
sound along; all else is connected to the storyline: pictures on lanes above it,
recordings on lanes below, where both systems show what is synced to what.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from handlers.turnover.fcpxml_assets import Resources, audio_rate, seconds, sound_of
from handlers.turnover.limits import rate_text
from handlers.turnover.model import (
    Clip,
    Gap,
    Item,
    Kind,
    Marker,
    Media,
    Timeline,
    Track,
    channels_of,
)
from handlers.turnover.xml import element, save

VERSION = "1.10"
# Project rates of Final Cut Pro; a timeline of another is for Resolve alone.
_FINAL_CUT = frozenset(
    [Fraction(rate) for rate in (24, 25, 30, 50, 60)]
    + [Fraction(rate * 1000, 1001) for rate in (24, 30, 60)]
)

# How the format names the rates of files.
_NAMED_RATES = {
    **{Fraction(rate): str(rate) for rate in (24, 25, 30, 48, 50, 60)},
    Fraction(24000, 1001): "23.98",
    Fraction(30000, 1001): "29.97",
    Fraction(48000, 1001): "47.95",
    Fraction(60000, 1001): "59.94",
}

_Key = tuple[int, int, Path, Fraction]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Host:
    """An item of the storyline: where it begins, its own time there, and what hangs on it."""

    item: Item
    at: int
    begin: Fraction
    anchored: list[Any] = field(default_factory=list)
    markers: list[Any] = field(default_factory=list)


def write(timeline: Timeline, path: Path) -> tuple[str, ...]:
    """Write the timeline; return what Final Cut Pro will not do with it."""
    save(path, _Document(timeline).root(), "fcpxml")
    if timeline.rate in _FINAL_CUT:
        return ()
    rate = rate_text(timeline.rate)
    return (f"Final Cut Pro has no project of {rate} frames a second; open the FCPXML in Resolve.",)


class _Document:
    """One timeline on its way to FCPXML."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._resources = Resources(timeline)
        videos = timeline.of_kind(Kind.VIDEO)
        self._primary = videos[0] if videos else None
        # Sound that begins and ends with its own picture is part of that clip.
        shown = {_key(at, clip) for track in videos for at, clip in track.placed()}
        self._own: dict[_Key, list[tuple[Track, Clip]]] = {}
        for track in timeline.of_kind(Kind.AUDIO):
            for at, clip in track.placed():
                if (key := _key(at, clip)) in shown:
                    self._own.setdefault(key, []).append((track, clip))

    def root(self) -> Any:
        """Return the document: resources, and an event with the files and the timeline."""
        hosts = self._hosts()
        self._connect(hosts)
        self._mark(hosts)
        name = self._timeline.name
        media = [self._browsed(each) for each in self._timeline.media()]
        project = element("project", self._sequence(hosts), name=name)
        event = element("event", *media, project, name=name)
        library = element("library", event)
        return element("fcpxml", self._resources.element(), library, version=VERSION)

    def _sequence(self, hosts: list[_Host]) -> Any:
        timeline = self._timeline
        return element(
            "sequence",
            element("spine", *(self._told(host) for host in hosts)),
            format=self._resources.sequence_format,
            duration=self._span(timeline.frames),
            tcStart=self._span(timeline.start.frames),
            tcFormat=_counting(drop=timeline.drop_frame),
            audioLayout="stereo",
            audioRate=audio_rate(timeline),
        )

    def _hosts(self) -> list[_Host]:
        """Return the storyline, with a gap at its end where other tracks are longer."""
        items: list[Item] = list(self._primary.items) if self._primary else []
        rest = self._timeline.frames - sum(item.frames for item in items)
        if rest > 0:
            items.append(Gap(frames=rest))
        hosts, at = [], 0
        for item in items:
            begin = _begin(item) if isinstance(item, Clip) else Fraction(0)
            hosts.append(_Host(item=item, at=at, begin=begin))
            at += item.frames
        return hosts

    def _connect(self, hosts: list[_Host]) -> None:
        above = self._timeline.of_kind(Kind.VIDEO)[1:]
        below = self._timeline.of_kind(Kind.AUDIO)
        for side, tracks in ((1, above), (-1, below)):
            lane = 0
            for track in tracks:
                clips = [each for each in track.placed() if not self._is_own(track, *each)]
                lane += side if clips else 0
                for at, clip in clips:
                    host = _under(hosts, at)
                    offset = host.begin + (at - host.at) / self._timeline.rate
                    host.anchored.append(self._asset_clip(track, clip, at, offset, lane))

    def _is_own(self, track: Track, at: int, clip: Clip) -> bool:
        return track.kind is Kind.AUDIO and _key(at, clip) in self._own

    def _mark(self, hosts: list[_Host]) -> None:
        """Hang the timeline's markers on what lies below them: a sequence has none itself."""
        rate = self._timeline.rate
        for marker in self._timeline.markers:
            if hosts and 0 <= marker.frame < self._timeline.frames:
                host = _under(hosts, marker.frame)
                local = host.begin + (marker.frame - host.at) / rate
                host.markers.extend(_marker(marker, local, rate))

    def _told(self, host: _Host) -> Any:
        offset = (self._timeline.start.frames + host.at) / self._timeline.rate
        if isinstance(host.item, Gap) or self._primary is None:
            return element(
                "gap",
                *host.anchored,
                *host.markers,
                name="Gap",
                offset=seconds(offset),
                start="0s",
                duration=self._span(host.item.frames),
            )
        return self._asset_clip(self._primary, host.item, host.at, offset, None, host)

    def _asset_clip(
        self,
        track: Track,
        clip: Clip,
        at: int,
        offset: Fraction,
        lane: int | None,
        host: _Host | None = None,
    ) -> Any:
        sounding = (
            [(track, clip)] if track.kind is Kind.AUDIO else self._own.get(_key(at, clip), [])
        )
        hung = (host.anchored, host.markers) if host else ([], [])
        return element(
            "asset-clip",
            element("note", text=clip.media.logged.notes) if clip.media.logged.notes else None,
            self._conform(clip.media),
            *hung[0],
            *_clip_markers(clip),
            *hung[1],
            *_channel_sources(sounding),
            ref=self._resources.asset(clip.media),
            lane=lane,
            offset=seconds(offset),
            name=clip.name,
            start=seconds(_begin(clip)),
            duration=self._span(clip.frames),
            **self._uses(track, clip, sounding),
        )

    def _uses(
        self, track: Track, clip: Clip, sounding: list[tuple[Track, Clip]]
    ) -> dict[str, str | None]:
        """Return which parts of the media play, and their roles."""
        video = track.kind is Kind.VIDEO
        enabled = "all" if video else "audio"
        if video and clip.media.sound and not sounding:
            enabled = "video"
        return {
            "format": self._resources.format_of(clip.media),
            "tcFormat": _counting(drop=clip.media.start.drop_frame),
            # "all" is what is meant where nothing is said.
            "srcEnable": None if enabled == "all" or not clip.media.picture else enabled,
            "audioRole": sounding[0][0].role_of(sounding[0][1]) if sounding else None,
            "videoRole": track.role_of(clip) if video else None,
        }

    def _conform(self, media: Media) -> Any:
        """Let a picture of another rate play in real time, not frame for frame."""
        if media.picture is None or media.rate == self._timeline.rate:
            return None
        # The file itself says its rate where the format has no name for it.
        return element("conform-rate", scaleEnabled=0, srcFrameRate=_NAMED_RATES.get(media.rate))

    def _browsed(self, media: Media) -> Any:
        """Return a file as the browser lists it: whole, with its log, ratings and keywords."""
        begin, length = seconds(media.begin), seconds(media.seconds)
        span = {"start": begin, "duration": length}
        circled = element("rating", name="Circled", **span, value="favorite")
        tracks = self._timeline.tracks
        markers = (
            m for t in tracks for _, clip in t.placed() if clip.media == media for m in clip.markers
        )
        return element(
            "asset-clip",
            element("note", text=media.logged.notes) if media.logged.notes else None,
            *(
                each
                for marker in dict.fromkeys(markers)
                for each in _marker(marker, media.begin + marker.frame / media.rate, media.rate)
            ),
            circled if media.logged.circled else None,
            ref=self._resources.asset(media),
            name=media.name,
            **span,
            format=self._resources.format_of(media),
            tcFormat=_counting(drop=media.start.drop_frame),
            audioRole="dialogue" if media.sound else None,
        )

    def _span(self, frames: int) -> str:
        return seconds(frames / self._timeline.rate)


def _key(at: int, clip: Clip) -> _Key:
    return at, clip.frames, clip.media.path, clip.start


def _begin(clip: Clip) -> Fraction:
    """Return the second since midnight at which a clip begins in its media's own time."""
    start = clip.start / clip.media.rate
    if clip.start.denominator != 1 and clip.media.sound:
        # A time that a recording can have: that of a sample.
        rate = clip.media.sound.rate
        start = Fraction(round(start * rate), rate)
    return clip.media.begin + start


def _under(hosts: list[_Host], at: int) -> _Host:
    return hosts[bisect_right(hosts, at, key=lambda host: host.at) - 1]


def _clip_markers(clip: Clip) -> Iterator[Any]:
    media = clip.media
    end = clip.start + clip.frames
    for marker in clip.markers:
        if clip.start <= marker.frame < end:
            yield from _marker(marker, media.begin + marker.frame / media.rate, media.rate)


def _marker(marker: Marker, start: Fraction, rate: Fraction) -> Iterator[Any]:
    span = {"start": seconds(start), "duration": seconds(marker.frames / rate)}
    yield element("marker", **span, value=marker.name, note=marker.comment or None)
    if marker.keywords:
        yield element("keyword", **span, value=", ".join(marker.keywords))


def _channel_sources(sounding: list[tuple[Track, Clip]]) -> Iterator[Any]:
    """Say which channels play in which role, where it is not all of them in one."""
    heard = [(track.role_of(clip), channels_of(clip)) for track, clip in sounding]
    total = sum(len(channels) for _, channels in heard)
    if len({role for role, _ in heard}) < 2 and total == max(
        (sound_of(clip.media).channels for _, clip in sounding), default=0
    ):
        return
    for role, channels in heard:
        yield element("audio-channel-source", srcCh=", ".join(map(str, channels)), role=role)


def _counting(*, drop: bool) -> str:
    return "DF" if drop else "NDF"
