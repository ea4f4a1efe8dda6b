"""The mobs of an AAF that stand for files: master over file over tape."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from aaf2.mobid import MobID

from handlers.media.timecode import frames_per_day, nominal
from handlers.turnover.model import Media, Picture, Sound, Timeline

_PICTURE_SLOT, _CODE_SLOT = 1, 1000
_MINE = uuid.UUID("6f1f7a0c-3f0e-5d1c-9a53-5d0b8f1b7e21")


def _first_frame(media: Media, timeline: Timeline) -> int:
    """Return the media's first frame since midnight, counted at the timeline's rate."""
    if media.rate == timeline.rate:
        return media.start.frames
    return round(media.begin * timeline.rate)


class Mobs:
    """Mobs for each file, made when a clip first plays them.

    Their ids are made from place, start and length of the file, so that the same clip in
    two timelines is the same clip to Avid.
    """

    def __init__(self, file: Any, timeline: Timeline) -> None:
        self._file = file
        self._timeline = timeline
        self._masters: dict[Path, Any] = {}
        self._tapes: dict[tuple[str, bool], Any] = {}

    def master(self, media: Media, channel: int) -> tuple[Any, int]:
        """Return the id of a file's master mob, and the slot of a channel; 0 is the picture."""
        if media.path not in self._masters:
            self._masters[media.path] = self._make(media)
        return self._masters[media.path].mob_id, _PICTURE_SLOT + channel

    def _make(self, media: Media) -> Any:
        tape = self._tape(media)
        file = self._mob("SourceMob", media.name, "file", str(media.path.as_uri()), media)
        file.descriptor = self._descriptor(media)
        master = self._mob("MasterMob", media.name, "master", str(media.path.as_uri()), media)
        first = _first_frame(media, self._timeline)
        for channel in _channels(media):
            self._tape_slot(tape, channel)
            self._refer(file, tape, channel, first, media)
            self._refer(master, file, channel, 0, media)
        self._log(master, media)
        return master

    def _mob(self, kind: str, name: str, part: str, place: str, media: Media | None = None) -> Any:
        mob = getattr(self._file.create, kind)(name)
        length = (media.start, media.seconds) if media else ()
        mob_id = MobID.new()
        mob_id.material = uuid.uuid5(_MINE, "\n".join(map(str, (part, place, *length))))
        mob.mob_id = mob_id
        self._file.content.mobs.append(mob)
        return mob

    def _tape(self, media: Media) -> Any:
        """Return the tape of a reel, which runs from midnight for two days: clips may pass one."""
        name = media.reel or Path(media.name).stem
        key = (name, media.start.drop_frame)
        if key not in self._tapes:
            rate = self._timeline.rate
            tape = self._mob("SourceMob", name, "tape", f"{name}\n{rate}\n{media.start.drop_frame}")
            tape.descriptor = self._file.create.TapeDescriptor()
            slot = tape.create_timeline_slot(str(rate), _CODE_SLOT)
            slot["PhysicalTrackNumber"].value = 1
            drop = media.start.drop_frame
            slot.segment = self._file.create.Timecode(nominal(rate), drop=drop, length=self._days)
            self._tapes[key] = tape
        return self._tapes[key]

    @property
    def _days(self) -> int:
        return 2 * frames_per_day(self._timeline.rate)

    def _tape_slot(self, tape: Any, channel: int) -> None:
        number = _PICTURE_SLOT + channel
        if any(slot.slot_id == number for slot in tape.slots):
            return
        slot = self._slot(tape, channel)
        slot.segment = self._file.create.SourceClip(length=self._days, media_kind=_kind(channel))

    def _refer(self, mob: Any, below: Any, channel: int, start: int, media: Media) -> None:
        length = round(media.seconds * self._timeline.rate)
        self._slot(mob, channel).segment = self._file.create.SourceClip(
            start=start,
            length=length,
            mob_id=below.mob_id,
            slot_id=_PICTURE_SLOT + channel,
            media_kind=_kind(channel),
        )

    def _slot(self, mob: Any, channel: int) -> Any:
        slot = mob.create_timeline_slot(str(self._timeline.rate), _PICTURE_SLOT + channel)
        slot.name = f"A{channel}" if channel else "V1"
        slot["PhysicalTrackNumber"].value = channel or 1
        return slot

    def _descriptor(self, media: Media) -> Any:
        parts = []
        if media.picture:
            parts.append(self._picture(media.picture, media))
        if media.sound and media.sound.channels:
            parts.append(self._sound(media.sound, media))
        if len(parts) > 1:
            whole = self._file.create.MultipleDescriptor()
            whole["SampleRate"].value = str(media.rate)
            whole["Length"].value = media.frames
            whole["FileDescriptors"].extend(parts)
            parts = [whole]
        locator = self._file.create.NetworkLocator()
        locator["URLString"].value = media.path.as_uri()
        parts[0]["Locator"].append(locator)
        return parts[0]

    def _picture(self, picture: Picture, media: Media) -> Any:
        made = self._file.create.CDCIDescriptor()
        shape = picture.width * picture.pixel_aspect / picture.height
        values = {
            "SampleRate": str(media.rate),
            "Length": media.frames,
            "StoredWidth": picture.width,
            "StoredHeight": picture.height,
            "ImageAspectRatio": f"{shape.numerator}/{shape.denominator}",
            "FrameLayout": "FullFrame",
            # The format demands these; systems read them again from the file that they link.
            "ComponentWidth": 8,
            "HorizontalSubsampling": 2,
            "VideoLineMap": [42, 0],
        }
        return _filled(made, values)

    def _sound(self, sound: Sound, media: Media) -> Any:
        made = self._file.create.PCMDescriptor()
        # As the picture's: demanded, and read again from the file. Recorders write 24 bits.
        block = 3 * sound.channels
        values = {
            "SampleRate": sound.rate,
            "AudioSamplingRate": sound.rate,
            "Length": round(media.seconds * sound.rate),
            "Channels": sound.channels,
            "QuantizationBits": 24,
            "BlockAlign": block,
            "AverageBPS": block * sound.rate,
        }
        return _filled(made, values)

    def _log(self, master: Any, media: Media) -> None:
        logged = media.logged
        circled = {True: "Yes", False: "No", None: ""}[logged.circled]
        said = {
            "Scene": logged.scene,
            "Take": logged.take,
            "Circled": circled,
            "Comments": logged.notes,
            "Camera": logged.camera,
            "Sound file": ", ".join(logged.sound_files),
            **logged.columns,
        }
        for key, text in said.items():
            if text:
                master.comments[key] = text


def _channels(media: Media) -> list[int]:
    """Return the slots of a file: 0 for the picture, then its channels from 1 on."""
    channels = media.sound.channels if media.sound else 0
    return [*([0] if media.picture else []), *range(1, channels + 1)]


def _kind(channel: int) -> str:
    return "sound" if channel else "picture"


def _filled(made: Any, values: dict[str, Any]) -> Any:
    for key, value in values.items():
        made[key].value = value
    return made
