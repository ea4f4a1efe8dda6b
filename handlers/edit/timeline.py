"""A clip cut into its shots, as a timeline that any editing system can be given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from handlers.edit.record import Edit, PlacedShot
from handlers.media.source import shown
from handlers.turnover.apart import Stream, own_sound, streams
from handlers.turnover.model import (
    Clip,
    Kind,
    Logged,
    Marker,
    Media,
    Picture,
    Timeline,
    Track,
)


def timeline(edit: Edit, markers: Sequence[Marker] = (), logged: Logged | None = None) -> Timeline:
    """Return a timeline that cuts the source into its shots, at the source's timecode.

    Each stream of sound has a track; picture and sound of a shot are linked.

    Args:
        edit: The clip and its shots.
        markers: Remarks, by frame of the clip; each lands on the shot in which it begins.
        logged: What the log says of the clip.
    """
    media = clip_media(edit, logged)
    cuts = [_clip(media, shot, markers) for shot in edit.shots]
    heard = streams(edit.audio, edit.sound_files, edit.start, edit.reel)
    return Timeline(
        name=edit.stem,
        start=edit.start,
        picture=_picture(edit),
        tracks=(
            Track(kind=Kind.VIDEO, name="V1", items=tuple(cuts)),
            *(_sound_track(f"A{n}", stream, cuts, edit.rate) for n, stream in enumerate(heard, 1)),
        ),
        said={"start_timecode_source": edit.start_source, "vfr": edit.vfr},
    )


def clip_media(edit: Edit, logged: Logged | None = None) -> Media:
    """Return the clip as what timelines refer to."""
    return Media(
        path=edit.source,
        name=edit.name,
        start=edit.start,
        # The last picture counts as a frame, however little of it the file promises.
        frames=max((edit.frames, *(shot.end for shot in edit.shots))),
        reel=edit.reel,
        picture=_picture(edit),
        sound=own_sound(edit.audio, edit.sound_files),
        proxy=edit.proxy,
        files=edit.files,
        logged=replace(
            logged or Logged(), sound_files=tuple(shown(file.path) for file in edit.sound_files)
        ),
    )


def _picture(edit: Edit) -> Picture:
    video = edit.video
    return Picture(width=video.width, height=video.height, pixel_aspect=video.pixel_aspect)


def _sound_track(name: str, stream: Stream, cuts: Sequence[Clip], rate: Fraction) -> Track:
    silent = (replace(cut, markers=()) for cut in cuts)
    items = tuple(item for cut in silent for item in stream.items(cut, rate))
    return Track(kind=Kind.AUDIO, name=name, items=items)


def _clip(media: Media, shot: PlacedShot, markers: Sequence[Marker]) -> Clip:
    return Clip(
        media=media,
        start=Fraction(shot.start),
        frames=shot.frames,
        link=shot.index + 1,
        markers=tuple(each for each in markers if shot.start <= each.frame < shot.end),
        said={"index": shot.index, "transition_in": shot.transition_in},
    )
