"""Reading what counts of a clip and of a recording, without its sound.

Each may consist of several files: a clip's chapters and its files of sound, a recorder's parts of
four gigabytes. Such a recording is one, as long as all of its parts.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from handlers.contract import UnusableMedia
from handlers.media import bwf, spanned
from handlers.media.clip import probe_clip
from handlers.media.probe import Probe, probe, usable
from handlers.media.source import open_media, shown, sound_streams
from handlers.sync import ixml, words
from handlers.sync.records import Clip, Recording, Stamp
from handlers.sync.sound import Part, Source

# Where cameras and phones say how many pictures a second the sensor gave.
_SENSOR_KEYS = ("com.android.capture.fps", "captureframerate", "capturefps", "sensorfps")
_DAY = 86400


def read_clip(path: Path, sensor_rate: Fraction | None = None, source: Probe | None = None) -> Clip:
    """Read what counts of a clip.

    Args:
        path: the clip, or the first of its files.
        sensor_rate: pictures a second at the sensor, where a file beside the clip says it.
        source: what the clip is, where that is known already.

    Raises:
        UnusableMedia: It cannot be read, or holds no picture.
    """
    facts = source or probe_clip(path)
    if facts.video is None:
        raise UnusableMedia(f"{shown(path)} holds no picture; put it with the recordings.")
    with usable(path), open_media(path) as container:
        tags = _tags(container)
    length = facts.duration or Fraction(0)
    if facts.video.frames:
        length = facts.video.frames / facts.video.rate
    return Clip(
        path=path,
        rate=facts.video.rate,
        duration=length,
        timecode=facts.timecode,
        stamp=_stamp(tags),
        sensor_rate=sensor_rate or _sensor_rate(tags),
        has_sound=bool(facts.audio),
        heard=_heard(path, facts),
    )


def _heard(path: Path, facts: Probe) -> Source | None:
    """Return the files that hold a clip's sound, where it is not the clip's file alone."""
    if not facts.files and not facts.sound_files:
        return None
    streams = {file.stream for file in facts.sound_files}
    within = any(stream.index not in streams for stream in facts.audio)
    begin, parts = Fraction(0), []
    for number, picture in enumerate(facts.files or (path,)):
        apart = [file.path for file in facts.sound_files if file.part == number]
        files = (*((picture,) if within else ()), *apart)
        parts.append(Part(files=files, begin=begin))
        begin += spanned.length(probe(picture)) if facts.files else 0
    return Source(path=path, parts=tuple(parts))


def read_recording(path: Path, parts: Sequence[Path] = ()) -> Recording:
    """Read what counts of a recording: rates, length, bext and iXML.

    Args:
        path: The recording, or the first of its files.
        parts: All of its files in order, where there are several.

    Raises:
        UnusableMedia: It cannot be read, holds no sound, or a part is of another kind.
    """
    if len(parts) < 2:
        return _recording(path)
    found = [_recording(part) for part in parts]
    for other in found[1:]:
        _require_alike(found[0], other)
    begin = Fraction(0)
    laid = [Part(files=(path,), seconds=found[0].duration)]
    remarks = list(found[0].remarks)
    for before, after in itertools.pairwise(found):
        pause = _pause(before, after)
        begin += before.duration + max(Fraction(0), pause)
        laid.append(Part(files=(after.path,), begin=begin, seconds=after.duration))
        remarks += _unsteady(before, after, pause)
    return replace(
        found[0],
        duration=begin + found[-1].duration,
        remarks=tuple(remarks),
        heard=Source(path=path, parts=tuple(laid)),
    )


def _require_alike(first: Recording, other: Recording) -> None:
    if (first.rate, first.channels) != (other.rate, other.channels):
        raise UnusableMedia(
            f"{shown(other.path)} does not continue {shown(first.path)}: it has {other.channels} "
            f"channels at {other.rate:,} Hz, not {first.channels} at {first.rate:,} Hz; put the "
            "two recordings into different folders."
        )


def _pause(before: Recording, after: Recording) -> Fraction:
    """Return the seconds between two parts, below 0 where they overlap, by the recorder's clock."""
    # Some recorders stamp all parts alike.
    if before.start is None or after.start is None or before.start == after.start:
        return Fraction(0)
    pause = after.start - before.start - before.duration
    # Over midnight the clock begins again.
    return pause + _DAY if pause < -_DAY // 2 else pause


def _unsteady(before: Recording, after: Recording, pause: Fraction) -> list[str]:
    if not pause:
        return []
    where, done = ("after", "silent until then") if pause > 0 else ("before", "laid behind it")
    apart = f"{float(abs(pause)):.3f} s {where} the end of {shown(before.path)}"
    return [f"{shown(after.path)} begins {apart}: {done}"]


def _recording(path: Path) -> Recording:
    with usable(path), open_media(path) as container:
        streams = sound_streams(container)
        if not streams:
            raise UnusableMedia(f"{shown(path)} holds no sound; put it with the clips.")
        rate = streams[0].rate
        tags = _tags(container)
        length = _length(container, streams[0])
        channels = sum(stream.channels for stream in streams)
    texts = ixml.read_ixml(path)
    start, remarks = _start(tags, texts, rate)
    return Recording(
        path=path,
        rate=rate,
        duration=length,
        channels=channels,
        start=start,
        timecode_rate=ixml.fraction(texts, "TIMECODE_RATE"),
        stamp=_stamp(tags),
        remarks=remarks,
    )


def _tags(container: Any) -> dict[str, str]:
    tagged = [*(stream.metadata for stream in container.streams), container.metadata]
    return {key.lower(): value.strip() for tags in tagged for key, value in tags.items()}


def _length(container: Any, stream: Any) -> Fraction:
    if stream.duration:
        return Fraction(stream.duration * stream.time_base)
    return Fraction(container.duration or 0, 1_000_000)


def _start(
    tags: Mapping[str, str], texts: Mapping[str, str], rate: int
) -> tuple[Fraction | None, tuple[str, ...]]:
    """Return the seconds since midnight of sample 0, and what contradicts them.

    Recorders write zero for "no timecode" and for midnight alike; so does a file with an empty
    bext. Zero with an iXML that gives a rate is taken for midnight.
    """
    counted = ixml.joined(
        texts, "TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI", "TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO"
    )
    if counted is None:
        counted = ixml.joined(texts, "BWF_TIME_REFERENCE_HIGH", "BWF_TIME_REFERENCE_LOW")
    reference = _whole(tags.get("time_reference", ""))
    at = ixml.number(texts, "TIMESTAMP_SAMPLE_RATE") or rate
    if not reference and not (reference == 0 and "TIMECODE_RATE" in texts):
        reference = counted
    if reference is None or reference >= _DAY * 2 * at:
        return None, ()
    remarks = []
    if counted is not None and counted != reference:
        remarks.append(words.starts_contradict(Fraction(reference, at), Fraction(counted, at)))
    return Fraction(reference, at), tuple(remarks)


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _stamp(tags: Mapping[str, str]) -> Stamp | None:
    date, time = tags.get("date", ""), tags.get("creation_time", "")
    # FFmpeg calls the time of day of a bext chunk "creation_time", beside its "date".
    if len(time) == 8 and date:
        with contextlib.suppress(ValueError):
            return Stamp(moment=datetime.fromisoformat(f"{date}T{time}").replace(tzinfo=UTC))
    for text, timed in ((time, True), (date, len(date) > 10)):
        with contextlib.suppress(ValueError):
            moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
            # Clocks that were never set stand at the beginning of their count.
            if moment.year > 1990:
                return Stamp(moment=moment, timed=timed)
    return None


def _sensor_rate(tags: Mapping[str, str]) -> Fraction | None:
    for key, value in tags.items():
        if key.endswith(_SENSOR_KEYS):
            rate = bwf.ratio(value.lower().removesuffix("fps").strip())
            if rate is not None:
                return rate.limit_denominator(1001)
    return None
