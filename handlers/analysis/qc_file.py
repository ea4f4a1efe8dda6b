"""Checks of what a file says about itself: timecode, rate, fields, speed."""

from __future__ import annotations

from collections.abc import Iterator

from handlers.analysis.findings import Finding, Subject
from handlers.analysis.params import QcParams
from handlers.media.timecode import is_standard, snap

# Rates further apart than this share are two rates: 23.976 and 24 are the same speed.
_SAME_SPEED = 0.005


def timecode(subject: Subject, _: QcParams) -> Iterator[Finding]:
    """No timecode at all, or several that differ."""
    own = subject.source.timecode
    if own is None:
        text = f"{subject.name} has no timecode; 00:00:00:00 stands in for it."
        yield Finding(kind="missing_timecode", severity="warning", start=None, end=None, text=text)
        return
    for where, other in sorted(subject.declared.timecodes.items()):
        apart = _apart(own.frames / own.rate, other.frames / other.rate)
        if apart > 1 / own.rate:
            text = f"Its timecode begins at {own}, but {where} says {other}."
            yield Finding(kind="contradictory_timecode", severity="error", start=None, end=None,
                          text=text, value=float(apart), threshold=float(1 / own.rate))  # fmt: skip


def _apart(first: object, second: object) -> float:
    """Return how many seconds lie between two times of day, the short way round midnight."""
    day = 24 * 60 * 60
    apart = abs(float(first) - float(second)) % day  # type: ignore[arg-type]
    return min(apart, day - apart)


def rates(subject: Subject, _: QcParams) -> Iterator[Finding]:
    """A rate that varies, one of no standard, a sensor that ran at another one."""
    video = subject.video
    if subject.vfr:
        text = f"The frame rate varies; frames are placed on a grid of {float(video.rate):.5g} "
        text += "frames a second. Convert it to a constant rate before the conform."
        yield Finding(kind="variable_frame_rate", severity="warning", start=None, end=None,
                      text=text, value=float(video.rate))  # fmt: skip
    elif not is_standard(video.rate):
        text = f"{float(video.rate):.5g} frames a second is no rate that editors use."
        yield Finding(kind="odd_frame_rate", severity="warning", start=None, end=None, text=text,
                      value=float(video.rate))  # fmt: skip
    sensor = subject.declared.sensor_rate
    if sensor and abs(float(snap(sensor) / video.rate) - 1) > _SAME_SPEED:
        text = f"Off-speed: recorded at {float(sensor):.5g} frames a second, plays at "
        text += f"{float(video.rate):.5g}; its sound cannot be in sync."
        yield Finding(kind="off_speed", severity="info", start=None, end=None, text=text,
                      value=float(sensor), threshold=float(video.rate))  # fmt: skip


def fields(subject: Subject, _: QcParams) -> Iterator[Finding]:
    """Two fields a frame."""
    if subject.video.interlaced:
        text = f"{subject.name} is interlaced; its proxy is not."
        yield Finding(kind="interlaced", severity="warning", start=None, end=None, text=text)


CHECKS = (timecode, rates, fields)
