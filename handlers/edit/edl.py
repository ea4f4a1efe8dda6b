"""Writing a CMX 3600 edit decision list that relinks.

An editing system finds the media by reel, clip name and source timecode. No
path may stand in a comment: some systems then refuse the list.
"""

from __future__ import annotations

from collections.abc import Iterator

from handlers.edit.names import edl_reel
from handlers.edit.record import Edit, PlacedShot


def edl(edit: Edit) -> str:
    """Return the list; the record side starts where the timeline does, at the source's start.

    Lists of more than 999 events number on with four digits.
    """
    return "\n".join(_lines(edit)) + "\n"


def _lines(edit: Edit) -> Iterator[str]:
    yield f"TITLE: {edit.stem}"
    yield f"FCM: {'' if edit.drop_frame else 'NON-'}DROP FRAME"
    reel = edl_reel(edit.source, edit.reel)
    for shot in edit.shots:
        yield ""
        yield _event(shot, reel)
        yield f"* FROM CLIP NAME: {edit.name}"


def _event(shot: PlacedShot, reel: str) -> str:
    # A dissolve is in the pictures themselves, so each event is a cut.
    times = f"{shot.source_in} {shot.source_out}"
    return f"{shot.index + 1:03d}  {reel:<8} V     C        {times} {times}"
