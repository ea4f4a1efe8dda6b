"""Reading what counts of a clip and of a recording, without its sound."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from handlers.contract import UnusableMedia
from handlers.media.probe import probe, usable
from handlers.media.source import open_media, shown, sound_streams
from handlers.sync import ixml
from handlers.sync.records import Clip, Recording, Stamp

# Where cameras and phones say how many pictures a second the sensor gave.
_SENSOR_KEYS = ("com.android.capture.fps", "captureframerate", "capturefps", "sensorfps")
_DAY = 86400


def read_clip(path: Path, sensor_rate: Fraction | None = None) -> Clip:
    """Read what counts of a clip.

    Args:
        path: the clip.
        sensor_rate: pictures a second at the sensor, where a file beside the clip says it.

    Raises:
        UnusableMedia: It cannot be read, or holds no picture.
    """
    facts = probe(path)
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
    )


def read_recording(path: Path) -> Recording:
    """Read what counts of a recording: rates, length, bext and iXML.

    Raises:
        UnusableMedia: It cannot be read, or holds no sound.
    """
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
        remarks.append(
            f"its bext and iXML differ by {abs(counted - reference) / at:.3f} s; bext was followed"
        )
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
            with contextlib.suppress(ValueError, ZeroDivisionError):
                rate = Fraction(value.lower().removesuffix("fps").strip())
                if rate > 0:
                    return rate.limit_denominator(1001)
    return None
