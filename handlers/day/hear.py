"""Which recordings belong to a day's takes: the sync package's answer in a day's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from handlers.contract import AssetKind, UnusableMedia, Verdict
from handlers.day.assemble import Heard, HeardPart
from handlers.day.load import Recording, Take
from handlers.media.check import check
from handlers.media.probe import probe
from handlers.media.source import shown
from handlers.media.timecode import Timecode, can_drop
from handlers.sync import records
from handlers.sync.envelope import envelope
from handlers.sync.match import unclaimed
from handlers.sync.read import read_clip, read_recording
from handlers.sync.several import match_all
from handlers.sync.sound import Part

_PPM = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """What was found: recordings by their take's path, surest first, and a row for each answer.

    ``broken`` says in a sentence each which recordings are not whole, used or not.
    """

    heard: Mapping[Path, Sequence[Heard]] = field(default_factory=dict)
    rows: tuple[Mapping[str, Any], ...] = ()
    broken: tuple[str, ...] = ()

    @property
    def unused(self) -> list[str]:
        """The names of the recordings that no take was given, unreadable ones too."""
        return [str(row["recording"]) for row in self.rows if not row.get("clip")]


def match(
    takes: Sequence[Take], recordings: Sequence[Recording], tell: Callable[[float, str], None]
) -> Sound:
    """Find the recordings of takes; without any recording there is nothing to say."""
    rows: list[Mapping[str, Any]] = []
    broken = tuple(filter(None, map(_why_broken, recordings)))
    readable: dict[Path, records.Recording] = {}
    for recording in recordings:
        try:
            readable[recording.path] = read_recording(recording.path, recording.parts)
        except UnusableMedia as error:
            rows.append({"recording": recording.name, "refusal": str(error)})
    if not readable:
        return Sound(rows=tuple(rows), broken=broken)
    clips = [replace(_clip(take), camera=_camera(take)) for take in takes]
    sounds = list(readable.values())
    answers = match_all(clips, sounds, records.Options(), tell, cache(envelope))
    heard: dict[Path, list[Heard]] = {}
    for answer in answers:
        if isinstance(answer, records.Match):
            heard.setdefault(answer.clip, []).append(_heard(answer, readable[answer.recording]))
        rows.append(_row(answer, readable))
    unused = [
        {
            "recording": shown(recording.path),
            "refusal": f"{shown(recording.path)} was given to no clip of this day.",
        }
        for recording in unclaimed(answers, sounds)
    ]
    return Sound(heard=heard, rows=(*rows, *unused), broken=broken)


def _why_broken(recording: Recording) -> str:
    """Say what is wrong with a recording; empty where it is whole."""
    report = check(recording.path, AssetKind.RECORDING, recording.parts)
    return "" if report.verdict is Verdict.WHOLE else report.reason


def _clip(take: Take) -> records.Clip:
    """Return what counts of a take; the frames of an image sequence have no tags to read."""
    if take.source.audio or not take.source.files:
        return read_clip(take.path, _sensor_rate(take), take.source)
    return records.Clip(
        path=take.path,
        rate=take.rate,
        duration=take.frames / take.rate,
        timecode=take.source.timecode,
        sensor_rate=_sensor_rate(take),
        has_sound=False,
    )


def _camera(take: Take) -> str | None:
    found = take.said.get("camera_index")
    return str(found) if found else None


def _sensor_rate(take: Take) -> Fraction | None:
    found = take.said.get("sensor_rate")
    return Fraction(str(found)) if found else None


def _heard(found: records.Match, recording: records.Recording) -> Heard:
    at = recording.start
    facts = probe(found.recording)
    return Heard(
        path=found.recording,
        name=shown(found.recording),
        offset=Fraction(found.offset_samples),
        drift=(found.ratio - 1) * _PPM,
        rate=recording.rate,
        samples=int(recording.duration * recording.rate),
        streams=tuple(stream.channels for stream in facts.audio),
        start_sample=None if at is None else round(at * recording.rate),
        drop_frame=_drops(facts.timecode),
        parts=tuple(_part(part, recording) for part in recording.source.parts),
    )


def _drops(timecode: Timecode | None) -> bool | None:
    """Say whether a recorder counts drop-frame; None where its rate leaves that open."""
    return timecode.drop_frame if timecode and can_drop(timecode.rate) else None


def _part(part: Part, recording: records.Recording) -> HeardPart:
    seconds = recording.duration if part.seconds is None else part.seconds
    return HeardPart(
        path=part.files[0],
        begin=round(part.begin * recording.rate),
        samples=int(seconds * recording.rate),
    )


def _row(
    answer: records.Match | records.Refusal, readable: Mapping[Path, records.Recording]
) -> dict[str, Any]:
    """Return an answer as the day's files show it: names instead of paths."""
    row = dict(answer.to_json()) | {"clip": shown(answer.clip)}
    if isinstance(answer, records.Refusal):
        row["refusal"] = row.pop("reason")
    else:
        row["recording"] = shown(answer.recording)
        row["sample_rate"] = readable[answer.recording].rate
    return row
