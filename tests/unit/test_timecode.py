"""Timecode against SMPTE ST 12-1: counted out frame by frame, and by values worked out by hand."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.media import timecode as tc

NTSC = 1001
RATES = [
    (Fraction(24000, NTSC), False, 24),
    (Fraction(24), False, 24),
    (Fraction(25), False, 25),
    (Fraction(30000, NTSC), False, 30),
    (Fraction(30000, NTSC), True, 30),
    (Fraction(30), False, 30),
    (Fraction(48000, NTSC), False, 48),
    (Fraction(48), False, 48),
    (Fraction(50), False, 50),
    (Fraction(60000, NTSC), False, 60),
    (Fraction(60000, NTSC), True, 60),
    (Fraction(60), False, 60),
    (Fraction(120000, NTSC), True, 120),
]


def counted(base: int, *, drop: bool) -> list[str]:
    """Count eleven minutes the long way: each number in turn, the left-out ones skipped."""
    width = 3 if base > 100 else 2
    out = []
    for minute in range(11):
        for second in range(60):
            for frame in range(base):
                if drop and minute % 10 and second == 0 and frame < base // 15:
                    continue
                sign = ";" if drop else ":"
                out.append(f"00:{minute:02d}:{second:02d}{sign}{frame:0{width}d}")
    return out


@pytest.mark.parametrize(("rate", "drop", "base"), RATES)
def test_counts_like_a_counter(rate, drop, base):
    """Each of the first eleven minutes' frames has the number that counting gives it."""
    expected = counted(base, drop=drop)
    made = [tc.to_timecode(number, rate, drop=drop) for number in range(len(expected))]
    assert made == expected


@pytest.mark.parametrize(("rate", "drop", "base"), RATES)
def test_every_number_reads_back(rate, drop, base):
    """Reading is the inverse of writing, at every frame of eleven minutes."""
    for number, text in enumerate(counted(base, drop=drop)):
        read = tc.parse(text, rate)
        assert (read.frames, read.drop_frame) == (number, drop)


@given(st.integers(min_value=-(10**9), max_value=10**9), st.sampled_from(RATES))
def test_round_trip_over_days(number, counting):
    """Any number, of any day, wraps into one day and reads back."""
    rate, drop, _ = counting
    text = tc.to_timecode(number, rate, drop=drop)
    assert tc.parse(text, rate).frames == number % tc.frames_per_day(rate, drop=drop)


@pytest.mark.parametrize(
    ("text", "rate", "frames"),
    [
        ("13:25:10:05", Fraction(24000, NTSC), 1159445),
        ("01:00:00;00", Fraction(30000, NTSC), 107892),
        ("00:10:00;00", Fraction(30000, NTSC), 17982),
        ("00:01:00;02", Fraction(30000, NTSC), 1800),
        ("23:59:59;29", Fraction(30000, NTSC), 2589407),
        ("00:01:00;04", Fraction(60000, NTSC), 3600),
        ("23:59:59:23", Fraction(24), 2073599),
        (" 00:00:01,00 ", Fraction(30000, NTSC), 30),
        ("00:00:01.00", Fraction(30000, NTSC), 30),
    ],
)
def test_known_values(text, rate, frames):
    """Values worked out by hand from the standard."""
    assert tc.parse(text, rate).frames == frames


@pytest.mark.parametrize(("rate", "drop", "base"), RATES)
def test_midnight_wraps(rate, drop, base):
    """The frame after the last of a day is the first; the one before the first is the last."""
    day = tc.frames_per_day(rate, drop=drop)
    last = tc.Timecode(frames=day - 1, rate=rate, drop_frame=drop)
    assert str(last + 1) == tc.to_timecode(0, rate, drop=drop)
    assert str(last) == tc.to_timecode(-1, rate, drop=drop)
    assert str(last).endswith(str(base - 1))


@pytest.mark.parametrize(
    ("text", "rate", "says"),
    [
        ("00:01:00;00", Fraction(30000, NTSC), "leaves out frames 0 to 1"),
        ("00:01:00;03", Fraction(60000, NTSC), "leaves out frames 0 to 3"),
        ("00:00:00:24", Fraction(24000, NTSC), "frame 24 does not exist at 24"),
        ("24:00:00:00", Fraction(25), "hours go to 23"),
        ("00:60:00:00", Fraction(25), "hours go to 23"),
        ("00:00:60:00", Fraction(25), "hours go to 23"),
        ("00:00:00;00", Fraction(25), "29.97, 59.94"),
        ("00:00:00;00", Fraction(24000, NTSC), "not at 23.976"),
        ("1:2:3:4", Fraction(25), "is no timecode"),
        ("\u0660\u0660:00:00:00", Fraction(25), "is no timecode"),
        ("", Fraction(25), "is no timecode"),
    ],
)
def test_refusals_say_why(text, rate, says):
    """A timecode that cannot be is refused in one clear sentence."""
    with pytest.raises(tc.TimecodeError, match=says):
        tc.parse(text, rate)


def test_tenth_minutes_keep_all_their_numbers():
    """00:10:00;00 exists, though 00:09:00;00 does not."""
    assert tc.parse("00:10:00;00", Fraction(30000, NTSC)).frames == 17982
    with pytest.raises(tc.TimecodeError):
        tc.parse("00:09:00;00", Fraction(30000, NTSC))


def test_no_drop_frame_where_it_is_not_defined():
    """Neither a record nor a written timecode can claim drop-frame at 24."""
    with pytest.raises(tc.TimecodeError):
        tc.Timecode(frames=0, rate=Fraction(24), drop_frame=True)
    with pytest.raises(tc.TimecodeError):
        tc.to_timecode(0, Fraction(30), drop=True)
    assert not tc.can_drop(Fraction(24000, NTSC))


def test_a_rate_is_positive():
    """Zero frames a second is no rate."""
    with pytest.raises(tc.TimecodeError, match="is no edit rate"):
        tc.nominal(Fraction(0))


@pytest.mark.parametrize(
    ("rough", "exact"),
    [
        (Fraction("23.98"), Fraction(24000, NTSC)),
        (Fraction("23.976"), Fraction(24000, NTSC)),
        (Fraction("29.97"), Fraction(30000, NTSC)),
        (Fraction("59.94"), Fraction(60000, NTSC)),
        (Fraction(25), Fraction(25)),
        (Fraction(24), Fraction(24)),
    ],
)
def test_rounded_rates_snap_to_the_one_they_mean(rough, exact):
    """Rates that were written as decimals become the fraction they stand for."""
    assert tc.snap(rough) == exact


def test_other_rates_stay():
    """A rate that is no standard one is kept as it is."""
    assert tc.snap(Fraction(15)) == Fraction(15)
    assert not tc.is_standard(Fraction(15))


@pytest.mark.parametrize(
    ("text", "was", "now", "expected"),
    [
        ("01:00:00:12", Fraction(25), Fraction(50), "01:00:00:24"),
        ("01:02:00;12", Fraction(30000, NTSC), Fraction(60000, NTSC), "01:02:00;24"),
        ("01:02:03;12", Fraction(30000, NTSC), Fraction(24000, NTSC), "01:02:03:09"),
    ],
)
def test_rescale_keeps_the_moment(text, was, now, expected):
    """A timecode counted at one rate keeps its clock reading at another."""
    assert str(tc.rescale(tc.parse(text, was), now)) == expected
