"""Timecode, dates and midnight say where a recording lies."""

from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest

from handlers.media.timecode import parse
from handlers.sync.clock import is_off_speed, placings
from handlers.sync.records import Clip, Recording, Stamp

FILM = Fraction(24000, 1001)


def stamp(text):
    """A file's own clock; a date alone has no time of day."""
    return Stamp(moment=datetime.fromisoformat(text).replace(tzinfo=UTC), timed="T" in text)


def clip(timecode="10:00:00:00", rate=Fraction(25), seconds=60, date=None, **more):
    """A clip that begins at a timecode."""
    return Clip(
        path=Path("a.mov"),
        rate=rate,
        duration=Fraction(seconds),
        timecode=parse(timecode, rate) if timecode else None,
        stamp=stamp(date) if date else None,
        **more,
    )


def recording(start, seconds=600, date=None, **more):
    """A recording that begins so many seconds after midnight."""
    return Recording(
        path=Path("r.wav"),
        rate=48000,
        duration=Fraction(seconds),
        channels=2,
        start=None if start is None else Fraction(start),
        stamp=stamp(date) if date else None,
        **more,
    )


def offsets(one, other):
    """Where timecode puts a recording, in seconds."""
    return [place.seconds for place in placings(one, other)]


def test_overlap():
    """What overlaps in time is placed to the frame; what does not is not."""
    assert offsets(clip(), recording(36000 - 30)) == [30]
    assert offsets(clip(), recording(36000 + 30)) == [-30]
    assert offsets(clip(), recording(36000 - 700)) == []
    assert offsets(clip(), recording(36000 + 60)) == []


def test_no_timecode():
    """Nothing is made up where a side has none."""
    assert offsets(clip(timecode=None), recording(36000)) == []
    assert offsets(clip(), recording(None)) == []


def test_same_time_of_another_day():
    """Ten in the morning of two days are not one."""
    monday, wednesday = "2026-11-16T10:00:00", "2026-11-18T10:00:30"
    assert offsets(clip(date=monday), recording(36000 - 30, date=wednesday)) == []
    (place,) = placings(clip(date=monday), recording(36000 - 30, date="2026-11-17"))
    assert not place.dates_agree
    (place,) = placings(clip(date=monday), recording(36000 - 30, date="2026-11-16"))
    assert place.dates_agree
    assert place.dated


def test_utc_beside_local_time():
    """QuickTime writes UTC: 02:00 UTC on the 17th is 18:00 on the 16th in Los Angeles."""
    late = clip("18:00:00:00", date="2026-11-17T02:00:10")
    (place,) = placings(late, recording(64800 - 20, date="2026-11-16T18:09:00"))
    assert place.seconds == 20
    assert place.dates_agree


def test_over_midnight():
    """A recording that began before midnight holds a clip that began after, dated or not."""
    after = clip("00:10:00:00", date="2026-11-17T00:10:00")
    before = recording(86400 - 600, seconds=3000, date="2026-11-16T23:50:00")
    (place,) = placings(after, before)
    assert place.seconds == 1200
    assert place.dates_agree
    (place,) = placings(clip("00:10:00:00"), recording(86400 - 600, seconds=3000))
    assert place.seconds == 1200
    assert not place.dated


def test_film_rate_is_counted_alike():
    """At 23.976 a recorder that says so counts in true seconds, as the camera does."""
    hour = clip("01:00:00:00", rate=FILM)
    (place,) = placings(hour, recording(Fraction(36036, 10) - 5, timecode_rate=FILM))
    assert place.seconds == 5
    assert not place.doubt


def test_recorder_at_24_beside_camera_at_23976():
    """The numbers agree, true seconds do not; that is said."""
    hour = clip("01:00:00:00", rate=FILM)
    (place,) = placings(hour, recording(3600 - 5, timecode_rate=Fraction(24)))
    assert place.seconds == 5
    assert "24 frames" in place.doubt


def test_recorder_that_does_not_say():
    """Both readings are given, true seconds first."""
    hour = clip("01:00:00:00", rate=FILM)
    first, second = placings(hour, recording(3600 - 5))
    assert (first.seconds, second.seconds) == (Fraction(86, 10), 5)
    assert not first.doubt
    assert second.doubt


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(60000, 1001)])
def test_drop_frame_keeps_to_the_clock(rate):
    """Ten hours of drop-frame numbers are ten hours, within a frame."""
    (place,) = placings(clip("10:00:00;00", rate=rate), recording(36000 - 30))
    assert abs(place.seconds - 30) < Fraction(1, 20)


def test_drop_frame_beside_a_fractional_recorder():
    """Both count true seconds."""
    rate = Fraction(30000, 1001)
    one = clip("10:00:00;00", rate=rate)
    (place,) = placings(one, recording(36000 - 30, timecode_rate=rate))
    assert abs(place.seconds - 30) < Fraction(1, 20)


def test_off_speed():
    """120 pictures a second played at 24 are; 24 played at 23.976 are not."""
    assert is_off_speed(clip(sensor_rate=Fraction(120)))
    assert not is_off_speed(clip(rate=FILM, sensor_rate=Fraction(24)))
    assert not is_off_speed(clip())
