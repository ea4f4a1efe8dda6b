"""Writing AAF, which Avid Media Composer, Pro Tools and Resolve read.

Each file is a master mob over a file mob, which says where the file is, over a tape mob
with the reel's name and timecode. Nothing is embedded. Sound counts in frames, and each
channel has a track of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aaf2
from aaf2.misc import TaggedValueHelper

from handlers.media.timecode import nominal
from handlers.turnover.aaf_mobs import Mobs
from handlers.turnover.colours import RGB
from handlers.turnover.lanes import Lane, Placed, lanes
from handlers.turnover.limits import require_one_rate, require_smpte, rounded, sounds, whole_start
from handlers.turnover.model import Kind, Marker, Timeline

# Numbers that no file's slots have: OpenTimelineIO tells slots of different mobs apart by them.
_TIMECODE_SLOT, _MARKER_SLOT = 1000, 5000


def write(timeline: Timeline, path: Path) -> tuple[str, ...]:
    """Write the timeline; return what had to be rounded.

    Raises:
        CannotExpressError: There is no timecode for the rate, or there are two rates.
    """
    require_smpte(timeline, "AAF")
    require_one_rate(timeline, "AAF")
    with aaf2.open(str(path), "w") as file:
        _Composition(timeline, file).write()
    return rounded(sounds(timeline), "AAF", timeline.rate)


class _Composition:
    """One timeline on its way to the composition mob that Avid shows as a sequence."""

    def __init__(self, timeline: Timeline, file: Any) -> None:
        self._timeline = timeline
        self._create = file.create
        self._mobs = Mobs(file, timeline)
        self._mob = file.create.CompositionMob(timeline.name)
        self._mob.usage = "Usage_TopLevel"
        self._rate = str(timeline.rate)
        file.content.mobs.append(self._mob)

    def write(self) -> None:
        """Fill the composition: its timecode, its tracks, and the markers on the first."""
        self._timecode()
        tracks = lanes(self._timeline)
        for slot, lane in enumerate(tracks, _TIMECODE_SLOT + 1):
            self._slot(slot, lane.name, lane.number, self._sequence(lane))
        if markers := list(_markers(self._timeline)):
            self._mark(markers)

    def _timecode(self) -> None:
        """Give it the primary timecode; without one Resolve starts the timeline anywhere."""
        timeline = self._timeline
        code = self._create.Timecode(
            nominal(timeline.rate), drop=timeline.drop_frame, length=max(1, timeline.frames)
        )
        code.start = timeline.start.frames
        self._slot(_TIMECODE_SLOT, "TC1", 1, code)

    def _slot(self, slot: int, name: str, number: int, segment: Any) -> None:
        made = self._mob.create_timeline_slot(self._rate, slot)
        made.name = name
        made["PhysicalTrackNumber"].value = number
        made.segment = segment

    def _sequence(self, lane: Lane) -> Any:
        kind = "picture" if lane.kind is Kind.VIDEO else "sound"
        sequence = self._create.Sequence(media_kind=kind)
        at = 0
        for placed in lane.placed:
            if placed.at > at:
                sequence.components.append(self._create.Filler(kind, placed.at - at))
            sequence.components.append(self._clip(kind, placed))
            at = placed.at + placed.clip.frames
        if (rest := self._timeline.frames - at) > 0:
            sequence.components.append(self._create.Filler(kind, rest))
        sequence.length = self._timeline.frames
        return sequence

    def _clip(self, kind: str, placed: Placed) -> Any:
        clip = placed.clip
        start = whole_start(clip, self._timeline.rate)
        mob, slot = self._mobs.master(clip.media, placed.channel)
        return self._create.SourceClip(
            start=start, length=clip.frames, mob_id=mob, slot_id=slot, media_kind=kind
        )

    def _mark(self, markers: list[tuple[int, Marker]]) -> None:
        slot = self._create.EventMobSlot(_MARKER_SLOT)
        slot.edit_rate = self._rate
        slot["PhysicalTrackNumber"].value = 1
        sequence = self._create.Sequence(media_kind="DescriptiveMetadata")
        slot.segment = sequence
        self._mob.slots.append(slot)
        ordered = sorted(markers, key=lambda each: each[0])
        # All at once: the library goes through the whole list each time that it grows.
        sequence.components.extend([self._marker(at, marker) for at, marker in ordered])

    def _marker(self, at: int, marker: Marker) -> Any:
        made = self._create.DescriptiveMarker()
        made["Position"].value = at
        made["Comment"].value = marker.text
        made["DescribedSlots"].value = {_TIMECODE_SLOT + 1}
        made.length = marker.frames
        # Avid keeps colours of eight bits in words of sixteen.
        levels = (level * 257 for level in RGB[marker.colour])
        made["CommentMarkerColor"].value = dict(zip(("red", "green", "blue"), levels, strict=True))
        said = TaggedValueHelper(made["CommentMarkerAttributeList"])
        said["_ATN_CRM_COLOR"] = marker.colour.capitalize()
        said["_ATN_CRM_COM"] = marker.text
        said["_ATN_CRM_LENGTH"] = marker.frames
        return made


def _markers(timeline: Timeline) -> Iterator[tuple[int, Marker]]:
    """Yield all markers by frame of the timeline; those that no clip shows are not there."""
    yield from ((marker.frame, marker) for marker in timeline.markers)
    for track in timeline.tracks:
        for at, clip in track.placed():
            for marker in clip.markers:
                if clip.start <= marker.frame < clip.start + clip.frames:
                    yield at + marker.frame - int(clip.start), marker
