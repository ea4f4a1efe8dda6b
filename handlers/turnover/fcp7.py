"""Writing FCP7 XML ("xmeml"), which Premiere Pro and Resolve read.

The format knows mono tracks of sound only, so each channel has a track of its own.
Times are whole frames; in and out count from the file's first frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from handlers.media.timecode import Timecode, nominal
from handlers.turnover.colours import RGB
from handlers.turnover.lanes import Lane, Placed, lanes
from handlers.turnover.limits import (
    CannotExpressError,
    is_ntsc,
    rate_text,
    require_smpte,
    rounded,
    sounds,
    whole_start,
)
from handlers.turnover.model import Clip, Kind, Marker, Media, Picture, Timeline
from handlers.turnover.xml import element, save

# Id, kind, number of the track and place on it, counted from 1.
_Named = tuple[str, Kind, int, int]
_LINK = ("linkclipref", "mediatype", "trackindex", "clipindex")
_ASPECT_NAMES = {Fraction(1): "square", Fraction(4, 3): "HD-(1440x1080)"}


@dataclass(slots=True, kw_only=True)
class _Writer:
    """What is known while one document is written: file ids, and which clips are linked."""

    timeline: Timeline
    files: dict[Path, str] = field(default_factory=dict)
    links: dict[int, list[_Named]] = field(default_factory=dict)


def write(timeline: Timeline, path: Path) -> tuple[str, ...]:
    """Write the timeline; return what had to be rounded.

    Raises:
        CannotExpressError: There is no timecode for the rate.
    """
    require_smpte(timeline, "FCP7 XML")
    for media in timeline.media():
        _require_rate(media)
    save(path, element("xmeml", _sequence(timeline), version=4), "xmeml")
    return rounded(sounds(timeline), "FCP7 XML")


def _require_rate(media: Media) -> None:
    if is_ntsc(media.rate) or media.rate.denominator == 1:
        return
    raise CannotExpressError(
        f"FCP7 XML has no rate of {rate_text(media.rate)}, at which {media.name} runs; "
        "use the OTIO or FCPXML."
    )


def _sequence(timeline: Timeline) -> Any:
    writer = _Writer(timeline=timeline)
    tracks = lanes(timeline)
    for lane in tracks:
        for place, placed in enumerate(lane.placed, 1):
            if placed.clip.link is not None:
                writer.links.setdefault(placed.clip.link, []).append(_named(lane, place))
    pictures, channels = ([t for t in tracks if t.kind is kind] for kind in Kind)
    return element(
        "sequence",
        element("name", text=timeline.name),
        element("duration", text=timeline.frames),
        _rate(timeline.rate),
        _timecode(timeline.start),
        element("media", _video(writer, pictures), _audio(writer, channels)),
        *(_marker(marker) for marker in timeline.markers),
        id="sequence-1",
    )


def _named(lane: Lane, place: int) -> _Named:
    return f"clipitem-{lane.name.lower()}-{place}", lane.kind, lane.number, place


def _video(writer: _Writer, tracks: list[Lane]) -> Any:
    timeline = writer.timeline
    # Without its format Resolve does not know the picture's size.
    what = element("samplecharacteristics", _rate(timeline.rate), *_picture(timeline.picture))
    return element("video", element("format", what), *_tracks(writer, tracks))


def _audio(writer: _Writer, tracks: list[Lane]) -> Any:
    rate = next((clip.media.sound.rate for clip in sounds(writer.timeline) if clip.media.sound), 0)
    what = element(
        "samplecharacteristics", element("depth", text=16), element("samplerate", text=rate)
    )
    form = element("format", what) if tracks else None
    return element("audio", form, *_tracks(writer, tracks))


def _tracks(writer: _Writer, tracks: list[Lane]) -> list[Any]:
    return [
        element(
            "track",
            *(_item(writer, placed, _named(lane, n)) for n, placed in enumerate(lane.placed, 1)),
        )
        for lane in tracks
    ]


def _item(writer: _Writer, placed: Placed, named: _Named) -> Any:
    clip, media = placed.clip, placed.clip.media
    begin = whole_start(clip, media.rate)
    # Media of another rate play in real time, so their length in frames is another.
    length = max(1, round(clip.frames * media.rate / writer.timeline.rate))
    return element(
        "clipitem",
        element("name", text=clip.name),
        element("enabled", text="TRUE"),
        element("duration", text=media.frames),
        _rate(media.rate),
        element("start", text=placed.at),
        element("end", text=placed.at + clip.frames),
        element("in", text=begin),
        element("out", text=begin + length),
        _file(writer, media),
        _source_track(placed),
        _log(media),
        *(_marker(marker) for marker in clip.markers if not placed.channel),
        *_links(writer, clip),
        id=named[0],
    )


def _source_track(placed: Placed) -> Any:
    if not placed.channel:
        return None
    index = element("trackindex", text=placed.channel)
    return element("sourcetrack", element("mediatype", text="audio"), index)


def _links(writer: _Writer, clip: Clip) -> Iterator[Any]:
    """Tie picture and sound together: an editing system then moves and trims them as one.

    Each item names all items of its group, itself too, by track and place, counted from 1.
    """
    group = writer.links.get(clip.link, []) if clip.link is not None else []
    if len(group) < 2:
        return
    for named in group:
        said = zip(_LINK, named, strict=True)
        yield element("link", *(element(tag, text=text) for tag, text in said))


def _file(writer: _Writer, media: Media) -> Any:
    """Return the file in full where it is first used; later its id stands for it."""
    if media.path in writer.files:
        return element("file", id=writer.files[media.path])
    writer.files[media.path] = name = f"file-{len(writer.files) + 1}"
    return element(
        "file",
        element("name", text=media.name),
        element("pathurl", text=media.path.as_uri()),
        _rate(media.rate),
        element("duration", text=media.frames),
        _timecode(media.start, media.reel),
        element("media", _file_video(media), _file_audio(media)),
        id=name,
    )


def _file_video(media: Media) -> Any:
    if media.picture is None:
        return None
    what = element("samplecharacteristics", _rate(media.rate), *_picture(media.picture))
    return element("video", what)


def _file_audio(media: Media) -> Any:
    if not media.sound or not media.sound.channels:
        return None
    what = element("samplecharacteristics", element("samplerate", text=media.sound.rate))
    return element("audio", what, element("channelcount", text=media.sound.channels))


def _log(media: Media) -> Any:
    logged = media.logged
    said = {"scene": logged.scene, "shottake": logged.take, "lognote": logged.notes}
    made = [element(tag, text=text) for tag, text in said.items() if text]
    if logged.circled is not None:
        made.append(element("good", text=str(logged.circled).upper()))
    return element("logginginfo", *made) if made else None


def _marker(marker: Marker) -> Any:
    red, green, blue = RGB[marker.colour]
    channels = {"alpha": 255, "red": red, "green": green, "blue": blue}
    # A marker without length says so with -1.
    out = marker.frame + marker.frames if marker.frames > 1 else -1
    return element(
        "marker",
        element("name", text=marker.name),
        element("comment", text=marker.remark),
        element("in", text=marker.frame),
        element("out", text=out),
        element("color", *(element(name, text=level) for name, level in channels.items())),
    )


def _timecode(start: Timecode, reel: str | None = None) -> Any:
    return element(
        "timecode",
        _rate(start.rate),
        element("string", text=start),
        element("frame", text=start.frames),
        element("displayformat", text="DF" if start.drop_frame else "NDF"),
        element("reel", element("name", text=reel)) if reel else None,
    )


def _picture(picture: Picture) -> list[Any]:
    aspect = _ASPECT_NAMES.get(picture.pixel_aspect)
    return [
        element("width", text=picture.width),
        element("height", text=picture.height),
        element("pixelaspectratio", text=aspect) if aspect else None,
    ]


def _rate(rate: Fraction) -> Any:
    ntsc = str(is_ntsc(rate)).upper()
    return element("rate", element("timebase", text=nominal(rate)), element("ntsc", text=ntsc))
