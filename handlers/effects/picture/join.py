"""Joining a clip's segments into one file, with everything that its source had beside the picture.

The packets are copied; their times are counted. Sound is copied from the source, the start
timecode becomes a track of its own (MOV) or a tag (Matroska).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from handlers.effects.picture import fields, matroska, shown_as
from handlers.effects.picture.clip_writer import FORMATS, tick_of, writing
from handlers.effects.picture.footage import Source
from handlers.effects.picture.sound_copy import SoundCopy
from handlers.effects.picture.target import Target
from handlers.media.probe import usable
from handlers.media.source import copied_picture, open_media, shown

# What describes the source's file, and not what is in it.
_OF_FILE = frozenset(
    """major_brand minor_version compatible_brands encoder timecode uid generation_uid
    operational_pattern_ul material_package_umid material_package_name file_package_umid
    modification_date product_uid toolkit_version duration""".split()  # noqa: SIM905
)
_AHEAD = Fraction(1, 2)


def join(segments: Sequence[Path], out: Path, source: Source, target: Target) -> tuple[str, ...]:
    """Write one clip from its segments; nothing is encoded again.

    Args:
        segments: What :class:`SegmentWriter` wrote, in order and without gaps.
        out: The file to write; it is whole when this returns.
        source: The footage that it was made from.
        target: What it was written as.

    Returns:
        Sentences about what of the source is not in it.

    Raises:
        UnusableMedia: The source's sound cannot be read.
        TransientFailure: It cannot be written, as when the disk is full.
    """
    notes: list[str] = []
    with ExitStack() as stack:
        stack.enter_context(writing(out))
        first = stack.enter_context(av.open(str(segments[0])))
        container: Any = stack.enter_context(
            av.open(str(out), "w", format=FORMATS[target.kind.suffix], options=_options(target))
        )
        stream = _picture(container, first.streams.video[0], source)
        container.metadata.update(_about(source))
        notes += _left_out(source)
        sound = SoundCopy(source, container, notes)
        container.start_encoding()
        pictures = _packets(segments, stream, source)
        _interleave(pictures, sound.packets(), container)
    with writing(out):
        notes += _show(out, source, target)
    notes += _fields(source, target)
    return tuple(notes)


SOUND = ".mov"
"""The ending of the file of sound beside the images that a clip became."""


def write_sound(out: Path, source: Source) -> tuple[str, ...]:
    """Write what a clip that became images has beside its picture: its sound, from frame 0 on.

    Args:
        out: The MOV to write, packet for packet; it is not made where the clip has no sound.
        source: The clip.

    Returns:
        Sentences about what of the source is not in it.

    Raises:
        UnusableMedia: The source's sound cannot be read.
        TransientFailure: It cannot be written, as when the disk is full.
    """
    notes = _left_out(source)
    if source.is_sequence or not source.probe.audio:
        return tuple(notes)
    with ExitStack() as stack:
        stack.enter_context(writing(out))
        options = {"movflags": "use_metadata_tags"}
        form = FORMATS[SOUND]
        container: Any = stack.enter_context(av.open(str(out), "w", format=form, options=options))
        container.metadata.update(_about(source))
        if source.probe.timecode is not None:
            container.metadata["timecode"] = str(source.probe.timecode)
        sound = SoundCopy(source, container, notes)
        container.start_encoding()
        for _, packet in sound.packets():
            container.mux(packet)
    return tuple(notes)


def _show(out: Path, source: Source, target: Target) -> list[str]:
    """Say how the picture wants to be shown; return what could not be said."""
    if target.kind.suffix == ".mkv" and source.video.pixel_aspect != 1:
        matroska.say_aspect(out, source.video.pixel_aspect)
    how = shown_as.of(source)
    if not how:
        return []
    if target.kind.suffix == ".mov":
        shown_as.say(out, how)
        return []
    said = "how it is turned, or on what display it was mastered"
    return [f"{target.format} does not say of {shown(source.path)} {said}."]


def _fields(source: Source, target: Target) -> list[str]:
    if not fields.is_lost(fields.order_of(source), target):
        return []
    return [f"{target.format} does not say which field of {shown(source.path)} is first."]


def _options(target: Target) -> dict[str, str]:
    if target.kind.suffix != ".mov":
        return {}
    # Any key that the source has is kept, not only those that QuickTime knows.
    return {"movflags": "use_metadata_tags+write_colr", "write_tmcd": "on"}


def _picture(container: Any, template: Any, source: Source) -> Any:
    stream = copied_picture(container, template)
    # Without its rate no timecode track is made.
    stream.codec_context.framerate = source.video.rate
    stream.codec_context.sample_aspect_ratio = source.video.pixel_aspect
    stream.time_base = tick_of(source)
    if source.probe.timecode is not None:
        stream.metadata["timecode"] = str(source.probe.timecode)
    if source.probe.reel:
        stream.metadata["reel_name"] = source.probe.reel
    return stream


def _about(source: Source) -> dict[str, str]:
    """Return the tags of the source's file that are about what is in it."""
    if source.is_sequence:
        return {}
    path = source.probe.files[0] if source.probe.files else source.path
    with usable(path), open_media(path) as container:
        return {
            key: value
            for key, value in container.metadata.items()
            if key.lower() not in _OF_FILE and value
        }


def _left_out(source: Source) -> list[str]:
    """Name tracks that are neither picture, sound nor timecode: a camera's own, captions."""
    if source.is_sequence:
        return []
    with usable(source.path), open_media(source.path) as container:
        kinds = [
            stream.type
            for stream in container.streams
            if stream.type in {"data", "subtitle"} and not stream.metadata.get("timecode")
        ]
    if not kinds:
        return []
    return [f"{shown(source.path)} has {len(kinds)} tracks of data or captions that are not kept."]


def _packets(
    segments: Sequence[Path], stream: Any, source: Source
) -> Iterator[tuple[Fraction, Any]]:
    """Yield (seconds, packet) of all pictures, each at its own time."""
    tick = tick_of(source)
    for path in segments:
        with av.open(str(path)) as container:
            place = int(container.metadata.get("comment") or container.metadata["COMMENT"])
            for packet in container.demux(container.streams.video[0]):
                if not packet.size:
                    continue
                unit = Fraction(packet.time_base)
                at = place + round(packet.pts * unit / tick)
                packet.pts = packet.dts = at
                packet.time_base = tick
                packet.duration = max(1, round((packet.duration or 0) * unit / tick))
                packet.stream = stream
                yield at * tick, packet


def _interleave(
    pictures: Iterator[tuple[Fraction, Any]], sound: Iterator[tuple[Fraction, Any]], target: Any
) -> None:
    """Write pictures, and sound a little ahead of them, so that a player need not jump."""
    waiting = next(sound, None)
    for at, picture in pictures:
        while waiting is not None and waiting[0] <= at + _AHEAD:
            target.mux(waiting[1])
            waiting = next(sound, None)
        target.mux(picture)
    while waiting is not None:
        target.mux(waiting[1])
        waiting = next(sound, None)
