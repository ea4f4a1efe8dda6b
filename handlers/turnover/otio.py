"""Writing OpenTimelineIO, which Resolve 18.5 and later and many tools read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import quote

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from handlers.turnover.model import Clip, Gap, Item, Kind, Marker, Media, Timeline, Track

# The number of an image: the last digits before the ending.
_NUMBER = re.compile(r"(\d+)\.[^.]+$")
_KIND = {Kind.VIDEO: otio.schema.TrackKind.Video, Kind.AUDIO: otio.schema.TrackKind.Audio}
# Resolve's own exports tie picture and sound together by this number.
_RESOLVE, _LINK = "Resolve_OTIO", "Link Group ID"


def write(timeline: Timeline, path: Path, home: Path | None = None) -> tuple[str, ...]:
    """Write the timeline as .otio; see ``to_otio``. Nothing is left out."""
    if not to_otio(timeline, home).to_json_file(str(path)):
        raise OSError(f"{path.name} could not be written")
    return ()


def to_otio(timeline: Timeline, home: Path | None = None) -> Any:
    """Return the timeline as OpenTimelineIO's.

    Each clip refers to its media, and to a proxy (key "proxy") where there is one. The
    start of sound is a fraction of a frame where it must be, exact to the sample. Metadata
    "fxd" holds what OpenTimelineIO has no place for: roles, channels, links, the log.

    Args:
        timeline: What to write.
        home: The folder that the file will stand in; media are then referred to by their
            place relative to it, so that all can move together. None: by absolute path.
    """
    made = otio.schema.Timeline(
        name=timeline.name,
        global_start_time=_time(timeline.start.frames, timeline.rate),
        metadata={"fxd": _said(timeline)},
    )
    made.tracks.markers.extend(_markers(timeline.markers, Fraction(0), timeline.rate))
    made.tracks.extend([_track(timeline, track, home) for track in timeline.tracks])
    return made


def _track(timeline: Timeline, track: Track, home: Path | None) -> Any:
    made = otio.schema.Track(name=track.name, kind=_KIND[track.kind])
    made.extend([_item(timeline, track, item, home) for item in track.items])
    return made


def _item(timeline: Timeline, track: Track, item: Item, home: Path | None) -> Any:
    if isinstance(item, Gap):
        return otio.schema.Gap(duration=_time(item.frames, timeline.rate))
    return _clip(timeline, track, item, home)


def _clip(timeline: Timeline, track: Track, clip: Clip, home: Path | None) -> Any:
    media = clip.media
    # Media of another rate play in real time.
    length = clip.frames * media.rate / timeline.rate
    made = otio.schema.Clip(
        name=clip.name,
        source_range=_range(_first(media) + clip.start, length, media.rate),
        metadata=_clip_metadata(track, clip),
    )
    made.markers.extend(_markers(clip.markers, _first(media), media.rate))
    main = _images(media, home) if media.is_sequence else _reference(media, _url(media, home))
    references = {otio.schema.Clip.DEFAULT_MEDIA_KEY: main}
    if media.proxy:
        references["proxy"] = _reference(media, quote(os.fsencode(media.proxy)))
    made.set_media_references(references, otio.schema.Clip.DEFAULT_MEDIA_KEY)
    return made


def _clip_metadata(track: Track, clip: Clip) -> dict[str, Any]:
    own: dict[str, Any] = {**clip.said, "role": track.role_of(clip)}
    made: dict[str, Any] = {"fxd": own}
    if track.kind is Kind.AUDIO and clip.channels:
        own["channels"] = list(clip.channels)
    if clip.link is not None:
        own["link"] = clip.link
        made[_RESOLVE] = {_LINK: clip.link}
    if clip.start.denominator != 1 and clip.media.sound:
        exact = clip.start / clip.media.rate * clip.media.sound.rate
        own["start_sample"] = f"{exact.numerator}/{exact.denominator}"
    return made


def _url(media: Media, home: Path | None) -> str:
    file = media.first_file
    return file.as_uri() if home is None else _relative(file, home)


def _images(media: Media, home: Path | None) -> Any:
    """Refer to a sequence by the number of its first image; a missing one holds the one before."""
    folder, _, name = _url(media, home).rpartition("/")
    numbered = _NUMBER.search(name)
    # The caller's "#" stands for digits, so there are some.
    prefix, digits = (name[: numbered.start(1)], numbered[1]) if numbered else (name, "")
    reference = otio.schema.ImageSequenceReference(
        target_url_base=f"{folder}/" if folder else "",
        name_prefix=prefix,
        name_suffix=name[len(prefix) + len(digits) :],
        start_frame=int(digits or 0),
        rate=float(media.rate),
        frame_zero_padding=len(digits),
        missing_frame_policy=otio.schema.ImageSequenceReference.MissingFramePolicy.hold,
        available_range=_available(media),
        metadata={"fxd": _media_said(media)},
    )
    reference.name = media.name
    return reference


def _available(media: Media) -> Any:
    return _range(_first(media), media.seconds * media.rate, media.rate)


def _reference(media: Media, url: str) -> Any:
    reference = otio.schema.ExternalReference(
        target_url=url,
        available_range=_available(media),
        metadata={"fxd": _media_said(media)},
    )
    reference.name = media.name
    return reference


def _relative(path: Path, home: Path) -> str:
    return quote(os.fsencode(os.path.relpath(path, home)))


def _first(media: Media) -> Fraction:
    """Return the first frame's number since midnight; between two for a recording."""
    return media.begin * media.rate


def _markers(markers: Iterable[Marker], begin: Fraction, rate: Fraction) -> list[Any]:
    return [_marker(marker, begin, rate) for marker in markers]


def _marker(marker: Marker, begin: Fraction, rate: Fraction) -> Any:
    return otio.schema.Marker(
        name=marker.name,
        marked_range=_range(begin + marker.frame, Fraction(marker.frames), rate),
        color=marker.colour.upper(),
        comment=marker.comment,
        metadata={
            "fxd": {"keywords": list(marker.keywords)},
            _RESOLVE: {"Keywords": list(marker.keywords), "Note": marker.comment},
        },
    )


def _media_said(media: Media) -> dict[str, Any]:
    logged = media.logged
    said: dict[str, Any] = {
        "reel": media.reel,
        "start_timecode": str(media.start),
        "drop_frame": media.start.drop_frame,
        "channels": media.sound.channels if media.sound else 0,
        "scene": logged.scene,
        "take": logged.take,
        "circled": logged.circled,
        "notes": logged.notes,
        "camera": logged.camera,
        "sound_files": list(logged.sound_files),
        "log": dict(logged.columns),
    }
    return {key: value for key, value in said.items() if value not in (None, "", [], {})}


def _said(timeline: Timeline) -> dict[str, Any]:
    return {
        "rate": f"{timeline.rate.numerator}/{timeline.rate.denominator}",
        "drop_frame": timeline.drop_frame,
        "start_timecode": str(timeline.start),
        **timeline.said,
    }


def _range(start: Fraction, frames: Fraction, rate: Fraction) -> Any:
    return TimeRange(_time(start, rate), _time(frames, rate))


def _time(frames: Fraction | int, rate: Fraction) -> Any:
    return RationalTime(float(frames), float(rate))
