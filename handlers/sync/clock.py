"""Where the clocks say that a recording lies against a clip: timecode, dates and midnight."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from handlers.media.timecode import Timecode, frames_per_day, nominal
from handlers.sync.records import Clip, Recording, Stamp

_DAY = Fraction(86400)
# Shot faster or slower than this share of the edit rate, a clip is off-speed; the 0.1 % of
# 23.976 against 24 is not.
_SAME_SPEED = Fraction(3, 1000)
# Less common sound than this, in seconds, is two files that touch.
_LEAST = Fraction(1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """One reading of the timecodes: which second of the recording sounds at frame 0.

    ``doubt`` says in words what had to be assumed, or is empty. ``dated`` is False where
    a file has no date, ``dates_agree`` where the dates are a day apart.
    """

    seconds: Fraction
    doubt: str = ""
    dated: bool = True
    dates_agree: bool = True


def is_off_speed(clip: Clip) -> bool:
    """Say whether it was shot at another rate than it plays at."""
    if clip.sensor_rate is None:
        return False
    return abs(clip.sensor_rate / clip.rate - 1) > _SAME_SPEED


def placings(clip: Clip, recording: Recording) -> list[Placing]:
    """Return where timecode puts the recording, likeliest first; none where they do not overlap."""
    if clip.timecode is None or recording.start is None:
        return []
    found = []
    for mine, theirs, doubt in _readings(clip.timecode, recording):
        days = _days_between(clip.stamp, mine, recording.stamp, theirs)
        # Without dates, and where clocks are set to different zones, midnight may lie between.
        for day in (0, -1, 1) if days is None or abs(days) <= 1 else ():
            if days is not None and day not in {0, days}:
                continue
            seconds = mine - theirs + day * _day_length(clip.timecode)
            if _overlap(clip, recording, seconds) > _LEAST:
                found.append(
                    Placing(
                        seconds=seconds,
                        doubt=doubt,
                        dated=days is not None,
                        dates_agree=days is None or day == days,
                    )
                )
    return sorted(found, key=lambda each: (not each.dates_agree, bool(each.doubt)))


def _overlap(clip: Clip, recording: Recording, seconds: Fraction) -> Fraction:
    return min(recording.duration, seconds + clip.duration) - max(Fraction(0), seconds)


def _readings(timecode: Timecode, recording: Recording) -> list[tuple[Fraction, Fraction, str]]:
    """Return seconds of clip and recording on one scale, for each way to read them.

    A recorder writes how many samples have passed since midnight. At 23.976 it counts frames
    that last longer than the numbers say, as the camera does: both then agree in true seconds.
    One that counts whole rates agrees with the camera in numbers.
    """
    start = recording.start or Fraction(0)
    counted = timecode.frames / timecode.rate
    theirs = recording.timecode_rate
    # Drop-frame numbers keep to true time; so do those of whole rates.
    true = timecode.drop_frame or timecode.rate.denominator == 1
    if theirs.denominator == timecode.rate.denominator if theirs else true:
        return [(counted, start, "")]
    numbers = counted if true else Fraction(timecode.frames, nominal(timecode.rate))
    if theirs is None:
        doubt = "the recorder does not say at which rate it counts"
        return [(counted, start, ""), (numbers, start, doubt)]
    doubt = (
        f"the recorder counts {float(theirs):.6g} frames a second, "
        f"the camera {float(timecode.rate):.6g}"
    )
    return [(numbers, start * theirs / nominal(theirs), doubt)]


def _day_length(timecode: Timecode) -> Fraction:
    return frames_per_day(timecode.rate, drop=timecode.drop_frame) / timecode.rate


def _days_between(
    clip: Stamp | None, mine: Fraction, recording: Stamp | None, theirs: Fraction
) -> int | None:
    if clip is None or recording is None:
        return None
    return _day(clip, mine) - _day(recording, theirs)


def _day(stamp: Stamp, timecode: Fraction) -> int:
    """Return the number of the day on which a file's timecode counts.

    A file's own clock may run in another zone (QuickTime's is UTC), or show the end of
    the recording. Timecode that is the time of day lies within half a day of it.
    """
    day = stamp.moment.toordinal()
    if not stamp.timed:
        return day
    moment = stamp.moment
    clock = Fraction(moment.hour * 3600 + moment.minute * 60 + moment.second)
    half = _DAY / 2
    since = (timecode - clock + half) % _DAY - half
    return day + int((clock + since) // _DAY)
