"""Writing a CMX 3600 edit decision list that relinks.

An editing system finds the media by reel, clip name and source timecode. No
path may stand in a comment: some systems then refuse the list.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from handlers.edit.names import edl_reel, writable
from handlers.edit.record import Edit, PlacedShot
from handlers.media.timecode import Timecode, frames_per_day, nominal, parse

# SMPTE ST 12-1 numbers no more frames in a second; readers refuse a larger frame number.
_HIGHEST_RATE = 60


def can_write(edit: Edit) -> bool:
    """Say whether timecode can number the frames of a second, as an EDL needs it."""
    return nominal(edit.rate) <= _HIGHEST_RATE


def edl(edit: Edit) -> str:
    """Return the list; the record side starts where the timeline does, at the source's start.

    Where it would pass midnight it starts at one o'clock: record time only rises. The
    source side is the source's timecode always, which starts again at midnight. Lists
    of more than 999 events number on with four digits.
    """
    return "\n".join(_lines(writable(edit))) + "\n"


def _lines(edit: Edit) -> Iterator[str]:
    yield f"TITLE: {edit.stem}"
    yield f"FCM: {'' if edit.drop_frame else 'NON-'}DROP FRAME"
    reel = edl_reel(edit.source, edit.reel)
    start = _record_start(edit)
    for shot in edit.shots:
        yield ""
        yield _event(shot, reel, start)
        yield f"* FROM CLIP NAME: {edit.name}"


def _event(shot: PlacedShot, reel: str, start: Timecode) -> str:
    # A dissolve is in the pictures themselves, so each event is a cut.
    source = f"{shot.source_in} {shot.source_out}"
    record = f"{start + shot.start} {start + shot.end}"
    return f"{shot.index + 1:03d}  {reel:<8} V     C        {source} {record}"


def _record_start(edit: Edit) -> Timecode:
    """Return the source's start, else one o'clock, else midnight: what leaves room for all."""
    begin = edit.start
    hour = parse(f"01:00:00{';' if begin.drop_frame else ':'}00", begin.rate)
    day = frames_per_day(begin.rate, drop=begin.drop_frame)
    length = max((shot.end for shot in edit.shots), default=0)
    # An end at midnight itself would be written as 00:00:00:00, before its start.
    fitting = (start for start in (begin, hour) if start.frames + length < day)
    return next(fitting, replace(begin, frames=0))
