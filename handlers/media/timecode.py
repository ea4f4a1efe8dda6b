"""Timecode and frame numbers, exact in both directions.

Frame numbers count from midnight (00:00:00:00 is frame 0). Drop-frame counting
follows SMPTE ST 12-1: at 30000/1001 frames a second the numbers 00 and 01 are
left out at the start of each minute, except each tenth; twice as many at twice
the rate. No picture is dropped, only numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from models.errors import FxdError

STANDARD_RATES = (
    Fraction(24000, 1001),
    Fraction(24),
    Fraction(25),
    Fraction(30000, 1001),
    Fraction(30),
    Fraction(48000, 1001),
    Fraction(48),
    Fraction(50),
    Fraction(60000, 1001),
    Fraction(60),
    Fraction(100),
    Fraction(120000, 1001),
    Fraction(120),
)
"""Edit rates in frames a second that film and television use."""

_PATTERN = re.compile(r"(\d{2}):(\d{2}):(\d{2})([:;.,])(\d{2,3})", re.ASCII)
_DROP_SIGNS = frozenset(";.,")
# Two rates closer than this are one rate, written with different rounding (23.98, 23.976).
_SAME_RATE = Fraction(1, 2500)


class TimecodeError(FxdError, ValueError):
    """A timecode that does not exist, or that cannot be at this rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timecode:
    """A frame number since midnight, and how it is written.

    ``frames`` lies in 0 .. one day; ``rate`` is in frames a second, exact.
    """

    frames: int
    rate: Fraction
    drop_frame: bool = False

    def __post_init__(self) -> None:
        _require_drop(self.rate, drop=self.drop_frame)
        day = frames_per_day(self.rate, drop=self.drop_frame)
        object.__setattr__(self, "frames", self.frames % day)

    def __str__(self) -> str:
        return to_timecode(self.frames, self.rate, drop=self.drop_frame)

    def __add__(self, frames: int) -> Timecode:
        return Timecode(frames=self.frames + frames, rate=self.rate, drop_frame=self.drop_frame)


def parse(text: str, rate: Fraction) -> Timecode:
    """Read a timecode; a ";" before the frames means drop-frame.

    Raises:
        TimecodeError: The text is no timecode, or names a frame that does not exist.
    """
    hours, minutes, seconds, sign, frames = _fields(text)
    drop = sign in _DROP_SIGNS
    _require_drop(rate, drop=drop)
    _require_range(text, hours, minutes, seconds)
    base = nominal(rate)
    if frames >= base:
        raise TimecodeError(f"{text}: frame {frames} does not exist at {base} frames a second")
    number = ((hours * 60 + minutes) * 60 + seconds) * base + frames
    if drop:
        number -= _numbers_left_out(text, base, hours * 60 + minutes, seconds, frames)
    return Timecode(frames=number, rate=rate, drop_frame=drop)


def to_timecode(frames: int, rate: Fraction, *, drop: bool = False) -> str:
    """Write a frame number as "HH:MM:SS:FF"; it wraps at 24 hours, below zero too.

    Raises:
        TimecodeError: There is no drop-frame counting at ``rate``.
    """
    _require_drop(rate, drop=drop)
    number = frames % frames_per_day(rate, drop=drop)
    base = nominal(rate)
    if drop:
        number = _with_numbers_left_out(number, base)
    seconds, frame = divmod(number, base)
    sign = ";" if drop else ":"
    width = 3 if base > 100 else 2
    return (
        f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{sign}{frame:0{width}d}"
    )


def nominal(rate: Fraction) -> int:
    """Return the count of frame numbers in one second of timecode: 24 at 24000/1001."""
    if rate <= 0:
        raise TimecodeError(f"{rate} is no edit rate")
    return max(1, round(rate))


def can_drop(rate: Fraction) -> bool:
    """Say whether drop-frame counting is defined: 30000/1001 and its multiples only."""
    return rate.denominator == 1001 and rate.numerator % 30000 == 0


def frames_per_day(rate: Fraction, *, drop: bool = False) -> int:
    """Return the count of frame numbers between two midnights of timecode."""
    base = nominal(rate)
    return 144 * _in_ten_minutes(base) if drop else 24 * 60 * 60 * base


def snap(rate: Fraction) -> Fraction:
    """Return the standard rate that ``rate`` stands for (23.98 is 24000/1001), else itself."""
    nearest = min(STANDARD_RATES, key=lambda standard: abs(standard - rate))
    return nearest if is_standard(rate) else rate


def is_standard(rate: Fraction) -> bool:
    """Say whether ``rate`` is one of the standard rates, within rounding."""
    return any(abs(standard - rate) <= standard * _SAME_RATE for standard in STANDARD_RATES)


def rescale(timecode: Timecode, rate: Fraction) -> Timecode:
    """Count the same moment at another rate, as when 60 pictures a second carry 30 numbers.

    Hours, minutes and seconds stay; the frame part is scaled.
    """
    seconds, _, part = str(timecode).replace(";", ":").rpartition(":")
    frame = int(part) * nominal(rate) // nominal(timecode.rate)
    drop = timecode.drop_frame and can_drop(rate)
    return parse(f"{seconds}{';' if drop else ':'}{frame:02d}", rate)


def _fields(text: str) -> tuple[int, int, int, str, int]:
    match = _PATTERN.fullmatch(text.strip())
    if match is None:
        raise TimecodeError(f"{text!r} is no timecode; write HH:MM:SS:FF, or HH:MM:SS;FF for drop")
    hours, minutes, seconds, sign, frames = match.groups()
    return int(hours), int(minutes), int(seconds), sign, int(frames)


def _require_range(text: str, hours: int, minutes: int, seconds: int) -> None:
    if hours > 23 or minutes > 59 or seconds > 59:
        raise TimecodeError(f"{text}: hours go to 23, minutes and seconds to 59")


def _require_drop(rate: Fraction, *, drop: bool) -> None:
    if drop and not can_drop(rate):
        raise TimecodeError(
            f"drop-frame timecode exists at 29.97, 59.94 and 119.88 only, not at {float(rate):g}"
        )


def _dropped(base: int) -> int:
    return base // 15


def _in_ten_minutes(base: int) -> int:
    return 600 * base - 9 * _dropped(base)


def _numbers_left_out(text: str, base: int, minutes: int, seconds: int, frames: int) -> int:
    dropped = _dropped(base)
    if minutes % 10 and seconds == 0 and frames < dropped:
        raise TimecodeError(
            f"{text} does not exist: drop-frame leaves out frames 0 to {dropped - 1} "
            "at the start of this minute"
        )
    return dropped * (minutes - minutes // 10)


def _with_numbers_left_out(number: int, base: int) -> int:
    dropped = _dropped(base)
    tens, rest = divmod(number, _in_ten_minutes(base))
    # The first minute of ten is whole; each of the other nine is shorter by ``dropped``.
    minutes = max(0, rest - dropped) // (60 * base - dropped)
    return number + dropped * (9 * tens + minutes)
