"""The word of linear timecode: 80 bits a frame (SMPTE ST 12-1).

A bit is a cell that begins with a change of level; a one has a second change in its middle
(bi-phase mark). Which level is which does not matter, so neither does polarity. Here a word
is half cells: 1 where the level changes at the beginning of one, 0 where it does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from handlers.media.timecode import Timecode, TimecodeError, can_drop, parse

Halves = NDArray[np.uint8]

_SYNC = "0011111111111101"
_DATA_BITS = 64
WORD_HALVES = 160
"""Half cells in a word."""


def halves(bits: str) -> bytes:
    """Return bits as half cells."""
    return bytes(half for bit in bits for half in (1, int(bit)))


_FORWARD, _BACKWARD = halves(_SYNC), halves(_SYNC[::-1])
# Where the digits stand: first bit and how many; least bit first.
_FRAME, _SECOND, _MINUTE, _HOUR = (
    ((0, 4), (8, 2)), ((16, 4), (24, 3)), ((32, 4), (40, 3)), ((48, 4), (56, 2)),
)  # fmt: skip
_DROP_BIT = 10
_USER_BITS = (4, 12, 20, 28, 36, 44, 52, 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What one frame's timecode says.

    ``user`` is the eight user groups as hexadecimal digits, the eighth first, as they are
    displayed.
    """

    hour: int
    minute: int
    second: int
    frame: int
    drop: bool
    user: str

    def timecode(self, rate: Fraction) -> Timecode | None:
        """Return it as a timecode at a rate; None where it has no such frame.

        The flag of a rate that cannot drop is not taken for a count.
        """
        sign = ";" if self.drop and can_drop(rate) else ":"
        text = f"{self.hour:02d}:{self.minute:02d}:{self.second:02d}{sign}{self.frame:02d}"
        try:
            return parse(text, rate)
        except TimecodeError:
            return None


def words(cells: Halves) -> Iterator[tuple[int, Word, bool]]:
    """Find the words in half cells.

    Yields:
        The half cell at which each begins in time, what it says, and whether it was played
        backwards; those that are damaged are left out.
    """
    together = cells.tobytes()
    for pattern, backward in ((_FORWARD, False), (_BACKWARD, True)):
        place = together.find(pattern)
        while place >= 0:
            begin = place + len(pattern) if backward else place - 2 * _DATA_BITS
            word = _word(cells[max(0, begin) : begin + 2 * _DATA_BITS], backward=backward)
            if word is not None:
                yield (place if backward else begin), word, backward
            place = together.find(pattern, place + 1)


def _word(cells: Halves, *, backward: bool) -> Word | None:
    if len(cells) < 2 * _DATA_BITS or not cells[::2].all():
        return None
    bits = cells[1::2]
    bits = bits[::-1] if backward else bits
    fields = [_number(bits, *digits) for digits in (_HOUR, _MINUTE, _SECOND, _FRAME)]
    hour, minute, second, frame = fields
    if min(fields) < 0 or hour > 23 or minute > 59 or second > 59 or frame > 29:
        return None
    user = "".join(f"{_value(bits, at, 4):X}" for at in reversed(_USER_BITS))
    drop = bool(bits[_DROP_BIT])
    return Word(hour=hour, minute=minute, second=second, frame=frame, drop=drop, user=user)


def _number(bits: Halves, ones: tuple[int, int], tens: tuple[int, int]) -> int:
    """Return a number of two decimal digits, -1 where a digit is none."""
    one = _value(bits, *ones)
    return 10 * _value(bits, *tens) + one if one <= 9 else -1


def _value(bits: Halves, at: int, count: int) -> int:
    return sum(int(bits[at + n]) << n for n in range(count))
