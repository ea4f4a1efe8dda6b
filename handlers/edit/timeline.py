"""Timelines of a clip's shots: OpenTimelineIO, and FCP7 XML through its adapter."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import opentimelineio as otio
from lxml import etree  # type: ignore[import-untyped]
from opentimelineio.opentime import RationalTime, TimeRange

from handlers.edit.names import writable
from handlers.edit.record import Edit, PlacedShot

_XML = "fcp_xml"
_LINK = ("linkclipref", "mediatype", "trackindex", "clipindex")


def timeline(edit: Edit) -> Any:
    """Return a timeline that cuts the source into its shots, at the source's timecode.

    Each clip refers to the source, and to the proxy (key "proxy") where one was
    made; the proxy's place is relative to the timeline file. Each stream of sound has
    a track.
    """
    edit = writable(edit)
    made = otio.schema.Timeline(
        name=edit.stem,
        global_start_time=_time(edit, edit.start.frames),
        metadata={_XML: _sequence_metadata(edit), "fxd": _said(edit)},
    )
    made.tracks.append(_track(edit, "V1", otio.schema.TrackKind.Video))
    for number in range(1, edit.audio_streams + 1):
        made.tracks.append(_track(edit, f"A{number}", otio.schema.TrackKind.Audio))
    return made


def write_otio(path: Path, edit: Edit) -> None:
    """Write the timeline as .otio."""
    if not timeline(edit).to_json_file(str(path)):
        raise OSError(f"{path.name} could not be written")


def can_write_xml(edit: Edit) -> bool:
    """Say whether FCP7 XML can carry the rate; it needs one that timecode is defined at."""
    return bool(RationalTime.is_smpte_timecode_rate(float(edit.rate)))


def write_xml(path: Path, edit: Edit) -> None:
    """Write the timeline as FCP7 XML, which Premiere Pro and Resolve read.

    The format knows mono tracks only, so each channel of the source has one.
    """
    # One track of sound goes through the adapter, which is slow; the others repeat it.
    line = timeline(replace(edit, audio_streams=min(1, edit.audio_channels)))
    for clip in itertools.chain.from_iterable(line.audio_tracks()):
        clip.metadata[_XML] = {"sourcetrack": {"mediatype": "audio", "trackindex": "1"}}
    root = etree.fromstring(otio.adapters.write_to_string(line, _XML).encode())
    _spread(root, edit.audio_channels)
    _link(root)
    etree.indent(root, "    ")
    # The adapter leaves out the document type, by which some readers know the format.
    path.write_bytes(
        etree.tostring(root, encoding="UTF-8", xml_declaration=True, doctype="<!DOCTYPE xmeml>")
    )


def _spread(root: Any, channels: int) -> None:
    """Repeat the track of sound for each channel, counted over all of the file's streams."""
    audio = root.find(".//sequence/media/audio")
    for first in audio.findall("track"):
        tracks = [first, *(copy.deepcopy(first) for _ in range(channels - 1))]
        for number, track in enumerate(tracks, 1):
            audio.append(track)
            for item in track.iterfind("clipitem"):
                _choose(item, number, (number - 1) * len(track))


def _choose(item: Any, channel: int, behind: int) -> None:
    """Let an item play one channel; its id counts on ``behind`` the first track's."""
    item.set("id", f"clipitem-{int(item.get('id').rpartition('-')[2]) + behind}")
    item.find("sourcetrack/trackindex").text = str(channel)


def _link(root: Any) -> None:
    """Tie picture and sound of each shot together, which the adapter does not do.

    An editing system then moves and trims them as one. Each item names all items of
    its shot, itself too, by track and place, counted from 1.
    """
    tracks = [
        (kind, str(number), track.findall("clipitem"))
        for kind in ("video", "audio")
        for number, track in enumerate(root.findall(f".//sequence/media/{kind}/track"), 1)
    ]
    if len(tracks) < 2:
        return
    for place, items in enumerate(zip(*(items for _, _, items in tracks), strict=True), 1):
        named = [
            (item.get("id"), kind, number, str(place))
            for item, (kind, number, _) in zip(items, tracks, strict=True)
        ]
        for item in items:
            for texts in named:
                link = etree.SubElement(item, "link")
                for tag, text in zip(_LINK, texts, strict=True):
                    etree.SubElement(link, tag).text = text


def _track(edit: Edit, name: str, kind: str) -> Any:
    track = otio.schema.Track(name=name, kind=kind)
    track.extend([_clip(edit, shot) for shot in edit.shots])
    return track


def _clip(edit: Edit, shot: PlacedShot) -> Any:
    clip = otio.schema.Clip(
        name=edit.name,
        source_range=_range(edit, edit.start.frames + shot.start, shot.frames),
        metadata={"fxd": {"index": shot.index, "transition_in": shot.transition_in}},
    )
    references = {otio.schema.Clip.DEFAULT_MEDIA_KEY: _reference(edit, edit.source.as_uri())}
    if edit.proxy:
        references["proxy"] = _reference(edit, quote(edit.proxy))
    clip.set_media_references(references, otio.schema.Clip.DEFAULT_MEDIA_KEY)
    return clip


def _reference(edit: Edit, url: str) -> Any:
    reference = otio.schema.ExternalReference(
        target_url=url,
        available_range=_range(edit, edit.start.frames, edit.frames),
        metadata={_XML: {"timecode": _counting(edit), "media": _media(edit)}},
    )
    reference.name = edit.name
    return reference


def _range(edit: Edit, start: int, frames: int) -> Any:
    return TimeRange(_time(edit, start), _time(edit, frames))


def _time(edit: Edit, frames: int) -> Any:
    return RationalTime(frames, float(edit.rate))


def _counting(edit: Edit) -> dict[str, Any]:
    made: dict[str, Any] = {"displayformat": "DF" if edit.drop_frame else "NDF"}
    if edit.reel:
        made["reel"] = {"name": edit.reel}
    return made


def _media(edit: Edit) -> dict[str, Any]:
    """Say what is in the source; the adapter would claim sound in every file."""
    size = {"width": str(edit.video.width), "height": str(edit.video.height)}
    made: dict[str, Any] = {"video": {"samplecharacteristics": size}}
    if edit.audio_channels:
        made["audio"] = {"channelcount": str(edit.audio_channels)}
    return made


def _sequence_metadata(edit: Edit) -> dict[str, Any]:
    """Return what Resolve wants besides the cuts: the picture's format."""
    size = {"width": str(edit.video.width), "height": str(edit.video.height)}
    return {
        "timecode": {"displayformat": "DF" if edit.drop_frame else "NDF"},
        "media": {"video": {"format": {"samplecharacteristics": size}}},
    }


def _said(edit: Edit) -> dict[str, Any]:
    return {
        "rate": f"{edit.rate.numerator}/{edit.rate.denominator}",
        "drop_frame": edit.drop_frame,
        "start_timecode": str(edit.start),
        "start_timecode_source": edit.start_source,
        "vfr": edit.vfr,
    }
