"""What the tags of a clip say beyond the probe: curve, sensor rate, further timecodes."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from handlers.analysis.curve import curve_of
from handlers.analysis.findings import Declared
from handlers.media.probe import VideoFacts, usable
from handlers.media.source import open_media
from handlers.media.timecode import Timecode, TimecodeError, parse

Tag = tuple[str, str, str]

_GAMMA_KEY = re.compile(r"gamma|transfer|curve|look|colou?r.?space|log|eotf", re.IGNORECASE)
# "com.android.capture.fps", "com.arri.camera.SensorFps" and their like.
_SENSOR_KEY = re.compile(r"(sensor|capture|record(ing)?)[ ._-]?(fps|frame.?rate)$", re.IGNORECASE)
_FASTEST = 100_000


def declared(path: Path, video: VideoFacts) -> Declared:
    """Read a clip's tags.

    Raises:
        UnusableMedia: It cannot be opened.
    """
    with usable(path), open_media(path) as container:
        tags = [("the file", key, value) for key, value in container.metadata.items()]
        for stream in container.streams:
            where = f"track {stream.index + 1} ({stream.type})"
            tags += [(where, key, value) for key, value in stream.metadata.items()]
    return read(tags, video)


def read(tags: list[Tag], video: VideoFacts) -> Declared:
    """Read tags (where it stands, key, value)."""
    return Declared(
        timecodes=dict(_timecodes(tags, video.rate)),
        sensor_rate=next(_sensor_rates(tags), None),
        gamma=next(_gammas(tags), None),
    )


def _timecodes(tags: list[Tag], rate: Fraction) -> Iterator[tuple[str, Timecode]]:
    """Yield the timecodes that differ from the first, which is the one that the probe takes.

    It is no other place's word against the probe's: that counts an edit list in.
    """
    first = None
    for where, key, value in tags:
        if key.lower() in {"timecode", "time_code"}:
            with contextlib.suppress(TimecodeError):
                found = parse(value, rate)
                first = first or found
                if found != first:
                    yield where, found


def _sensor_rates(tags: list[Tag]) -> Iterator[Fraction]:
    for _, key, value in tags:
        if _SENSOR_KEY.search(key):
            with contextlib.suppress(ValueError, ZeroDivisionError):
                rate = Fraction(value.strip())
                if 0 < rate < _FASTEST:
                    yield rate


def _gammas(tags: list[Tag]) -> Iterator[str]:
    for _, key, value in tags:
        if _GAMMA_KEY.search(key) and curve_of("unknown", value).is_log:
            yield value
