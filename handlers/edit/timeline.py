"""A clip cut into its shots, as a timeline that any editing system can be given."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

from handlers.edit.record import Edit, PlacedShot
from handlers.turnover.model import (
    Clip,
    Kind,
    Logged,
    Marker,
    Media,
    Picture,
    Sound,
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
    ends = itertools.accumulate((each.channels for each in edit.audio), initial=0)
    streams = [tuple(range(begin + 1, end + 1)) for begin, end in itertools.pairwise(ends)]
    sound = [_track(edit, media, f"A{number}", heard) for number, heard in enumerate(streams, 1)]
    return Timeline(
        name=edit.stem,
        start=edit.start,
        picture=_picture(edit),
        tracks=(_track(edit, media, "V1", (), markers), *sound),
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
        sound=_sound(edit),
        proxy=edit.proxy,
        logged=logged or Logged(),
    )


def _picture(edit: Edit) -> Picture:
    video = edit.video
    return Picture(width=video.width, height=video.height, pixel_aspect=video.pixel_aspect)


def _sound(edit: Edit) -> Sound | None:
    if not edit.audio:
        return None
    return Sound(streams=tuple(each.channels for each in edit.audio), rate=edit.audio[0].rate)


def _track(
    edit: Edit, media: Media, name: str, channels: tuple[int, ...], markers: Sequence[Marker] = ()
) -> Track:
    return Track(
        kind=Kind.AUDIO if channels else Kind.VIDEO,
        name=name,
        items=tuple(_clip(media, shot, channels, markers) for shot in edit.shots),
    )


def _clip(
    media: Media, shot: PlacedShot, channels: tuple[int, ...], markers: Sequence[Marker]
) -> Clip:
    return Clip(
        media=media,
        start=Fraction(shot.start),
        frames=shot.frames,
        channels=channels,
        link=shot.index + 1,
        markers=tuple(each for each in markers if shot.start <= each.frame < shot.end),
        said={"index": shot.index, "transition_in": shot.transition_in},
    )
