"""The slate of a take: sticks that close in the picture while a clap is heard.

A transient of the sound that may be a clap (``clap``) proposes a moment. In the picture, sticks
that close are a few fields that change over two or three frames and then lie still, while
the rest of the picture goes on as it did: the last frame of that change is the first frame of
contact. Afterwards the slate leaves: the fields of the sticks show something else for good.
A slate at the tail is the same with time reversed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from handlers.edit.clap import Transient, ramp
from handlers.edit.watch import COLUMNS, ROWS, Seen

Place = Literal["head", "middle", "tail"]

LEAST = 0.3
"""Confidence below which a transient is not worth a marker."""

CHOSEN = 0.45
"""Confidence below which a clap is not taken for the slate; a clear hand clap has 0.55."""

_LEAST_SOUND = 0.15
_FIELDS = 4  # fields that sticks fill at least, in part
# Frames before a closing, and after it, with which it is compared: a slate is held still.
_STILL = (*range(-22, -5), *range(3, 8))
_LEAVING = 0.6  # seconds that a slate takes, at most, once its sticks are out of the picture
_HELD = 0.3  # seconds for which a slate is held at least
_AT_ONCE = 0.1  # seconds in which no slate is taken away: something else moved
_BURST = 3  # fields that change when a slate moves, at least
_OTHER = 6.0  # code values by which the picture differs once the slate has left
_EDGE_SECONDS = 45.0  # a slate is this near to the clip's head or tail, as a rule
_SAME_HEAD = 30.0  # seconds within which several claps are one slate's
# How much each kind of evidence adds; all of it together is 1.
_SOUND, _PICTURE, _PLACE = 0.4, 0.45, 0.15
_MOST = 0.98  # nothing is certain that nobody has looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Clap:
    """A clap, or what may be one.

    ``frame`` is the first frame of contact, ``seconds`` the time of the sound after frame 0 (exact
    to well below a millisecond). ``sound`` and ``picture`` say 0..1 how far either speaks for it.
    ``fields`` are those in which the sticks moved, as places in the 9x16 grid.
    """

    frame: int
    seconds: float
    place: Place
    confidence: float
    sound: float
    picture: float
    reasons: tuple[str, ...]
    fields: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Slate:
    """A take's slate: its clap, and from which frame to which it is in the way.

    ``start`` and ``end`` (exclusive) reach from the clip's head to where the slate has left, or
    from where it enters to the clip's tail; ``clear`` says 0..1 how clearly that was seen.
    """

    clap: Clap
    start: int
    end: int
    clear: float


def find_claps(transients: Sequence[Transient], seen: Seen, rate: Fraction) -> list[Clap]:
    """Join what was heard with what was seen.

    Args:
        transients: Sudden sounds, in seconds after frame 0.
        seen: The pictures, counted in frames of the edit rate.
        rate: Frames a second.

    Returns:
        All claps with a confidence of ``LEAST`` or more, in order of time.
    """
    motion = _Motion(seen)
    heard = [one for one in transients if one.likeness >= _LEAST_SOUND and one.seconds >= 0]
    claps = [_clap(one, motion, seen.frames, rate) for one in heard]
    inside = [clap for clap in claps if clap.frame < seen.frames]
    return [clap for clap in inside if clap.confidence >= LEAST]


def choose_slate(claps: Sequence[Clap], rate: Fraction) -> Clap | None:
    """Return the clap that counts: of several at the head the last good one (second sticks)."""
    sure = [clap for clap in claps if clap.place != "middle" and clap.confidence >= CHOSEN]
    if not sure:
        return None
    best = max(sure, key=lambda clap: clap.confidence)
    reach = _SAME_HEAD * float(rate)
    again = [
        clap
        for clap in sure
        if clap.place == best.place == "head"
        and 0 <= clap.frame - best.frame <= reach
        and clap.confidence >= 0.8 * best.confidence
    ]
    return max(again, key=lambda clap: clap.frame, default=best)


def slate_of(clap: Clap, seen: Seen, rate: Fraction) -> Slate:
    """Return from where to where the slate of a clap is in the picture's way."""
    later = _Later(seen, reverse=clap.place == "tail")
    gone, clear = later.gone(clap, float(rate))
    if clap.place == "tail":
        return Slate(clap=clap, start=max(0, seen.frames - gone), end=seen.frames, clear=clear)
    return Slate(clap=clap, start=0, end=min(gone, seen.frames), clear=clear)


class _Motion:
    """How far sticks seem to close at a frame."""

    def __init__(self, seen: Seen) -> None:
        self._rows = {int(number): row for row, number in enumerate(seen.numbers)}
        # What changes everywhere at once is the camera, or the light.
        change = seen.change.reshape(len(seen.numbers), -1).astype(np.float32) / 2
        middle = np.median(change, axis=1, keepdims=True) if len(change) else change
        self._change = np.maximum(change - middle, 0)

    def fields(self, frame: int) -> NDArray[np.float32] | None:
        """Return by how much each field's change at ``frame`` stops after it, [144]."""
        row = self._rows.get(frame)
        if row is None or row < 1 or row + 2 >= len(self._change):
            return None
        change = self._change
        after = np.maximum(change[row + 1], 0.6 * change[row + 2])
        stopped: NDArray[np.float32] = np.maximum(change[row] - after, 0)
        return stopped

    def closing(self, frame: int) -> float:
        """Return the strength in code values of 255 of the fields that stop most."""
        stopped = self.fields(frame)
        if stopped is None:
            return 0.0
        strongest = float(np.sort(stopped)[-_FIELDS:].mean())
        before = np.sort(self._change[self._rows[frame] - 1])[-_FIELDS:].mean()
        # Sticks do not get there within one frame; a jump of a single one is a cut or a flash.
        return strongest * (0.6 + 0.4 * ramp(float(before), 3, 12))

    def usual(self, frame: int) -> float:
        """Return what four in five frames around do not exceed."""
        return float(np.quantile([self.closing(frame + step) for step in _STILL], 0.8))


def _clap(heard: Transient, motion: _Motion, frames: int, rate: Fraction) -> Clap:
    exact = heard.seconds * float(rate)
    # A shutter sees the first half of a frame, sound is late by a frame at twelve metres.
    near = {number: _prior(number - exact) for number in range(int(exact) - 1, int(exact) + 3)}
    frame = max(near, key=lambda number: near[number] * (2 + motion.closing(number)))
    strength, usual = motion.closing(frame), motion.usual(frame)
    picture = ramp(strength, 4, 16) * ramp(strength / (usual + 1), 0.8, 2.2)
    if picture < 0.1:
        frame = int(np.ceil(exact - 0.25))
    stopped = motion.fields(frame)
    fields = () if stopped is None or picture < 0.1 else _strongest(stopped)
    place = _place(exact, frames, rate)
    return Clap(
        frame=frame,
        seconds=heard.seconds,
        place=place,
        confidence=_confidence(heard.likeness, picture, place),
        sound=round(heard.likeness, 3),
        picture=round(picture, 3),
        reasons=_reasons(heard, picture, place),
        fields=fields,
    )


def _prior(late: float) -> float:
    """How likely contact is seen ``late`` frames after the sound's time."""
    return min(ramp(late, -2.0, -0.8), ramp(late, 2.0, 0.9))


def _strongest(stopped: NDArray[np.float32]) -> tuple[int, ...]:
    places = np.argsort(stopped)[::-1][:_FIELDS]
    return tuple(int(place) for place in places if stopped[place] > 0.4 * stopped[places[0]])


def _place(exact: float, frames: int, rate: Fraction) -> Place:
    edge = min(_EDGE_SECONDS * float(rate), 0.5 * frames)
    if exact <= edge:
        return "head"
    return "tail" if exact >= frames - edge else "middle"


def _confidence(sound: float, picture: float, place: Place) -> float:
    there = 1.0 if place != "middle" else 0.0
    together = sound * (_SOUND + _PICTURE * picture + _PLACE * there)
    return round(min(_MOST, together), 3)


def _reasons(heard: Transient, picture: float, place: Place) -> tuple[str, ...]:
    sounds = f"a sudden sound, {heard.rise:.0f} dB in {heard.attack:.0f} ms, gone after "
    sounds += f"{heard.decay:.0f} ms"
    if picture >= 0.5:
        looks = "sticks close in the picture"
    elif picture >= 0.1:
        looks = "something stops in the picture, not clearly"
    else:
        looks = "nothing closes in the picture: a hand clap, or another sound"
    where = {"head": "at the head", "tail": "at the tail", "middle": "in the middle of the clip"}
    return sounds, looks, where[place]


def _board(fields: Sequence[int]) -> list[int]:
    """Return the fields of the sticks and those around: a part of the board is among them."""
    grid = np.zeros((ROWS, COLUMNS), bool)
    for field in fields:
        row, column = divmod(field, COLUMNS)
        grid[max(0, row - 2) : row + 3, max(0, column - 1) : column + 2] = True
    return [int(place) for place in np.flatnonzero(grid)]


class _Later:
    """What becomes of the slate after its clap, or before it when time is reversed."""

    def __init__(self, seen: Seen, *, reverse: bool) -> None:
        count = len(seen.numbers)
        bright = seen.bright.reshape(count, -1).astype(np.int16)
        change = seen.change.reshape(count, -1) / np.float32(2)
        self._reverse, self._frames = reverse, seen.frames
        self._numbers = seen.numbers
        if reverse:
            # A change lies between a frame and the one before it: reversed, the one after.
            self._numbers = seen.frames - 1 - seen.numbers[::-1]
            bright = bright[::-1]
            change = np.roll(change[::-1], 1, axis=0)
        self._bright, self._change = bright, change

    def gone(self, clap: Clap, rate: float) -> tuple[int, float]:
        """Return the first frame without the slate, counted from this end; and how clear it is."""
        frame = self._frames - 1 - clap.frame if self._reverse else clap.frame
        # Before the clap of a tail slate the sticks are open: a moment earlier they are still.
        held = round(0.25 * rate) if self._reverse else 0
        begin = int(np.searchsorted(self._numbers, frame + held))
        uncovered = self._uncovered(_board(clap.fields), begin, rate)
        if uncovered is None or uncovered - begin < _AT_ONCE * rate:
            # Before a tail slate's clap its number is called; after one, somebody steps aside.
            return frame + round((1.6 if self._reverse else 0.9) * rate), 0.0
        return self._calm(uncovered, rate) - begin + frame + held, 0.9

    def _uncovered(self, fields: list[int], begin: int, rate: float) -> int | None:
        """Return the row at which the fields of the slate show something else for good."""
        second = round(rate)
        shown = self._bright[begin : begin + 8 * second][:, fields]
        if not fields or len(shown) < 2 * second:
            return None
        # What stays as it is while the slate is held is the slate, more than what is behind it.
        unrest = np.ptp(shown[: max(3, round(_HELD * rate))], axis=0)
        shown = shown[:, unrest <= np.median(unrest)]
        away = np.abs(shown - np.median(shown[:3], axis=0)).mean(axis=1)
        later = float(np.median(away[-len(away) // 2 :]))
        if later < _OTHER:
            return None
        other = away > 0.5 * later
        for row in np.flatnonzero(other[: -second // 2]):
            if other[row : row + second].mean() > 0.85:
                return begin + int(row)
        return None

    def _calm(self, row: int, rate: float) -> int:
        """Return the row at which the burst of change around ``row`` is over.

        A burst is when a few fields change by more than is usual for each of them later on.
        """
        body = self._change[row + round(1.5 * rate) : row + round(9 * rate)]
        usual = np.quantile(body, 0.9, axis=0) if len(body) else np.float32(0)
        last = min(len(self._change), row + round(_LEAVING * rate))
        bursts = (self._change[row:last] > 1.3 * usual + 5).sum(axis=1) >= _BURST
        patience = max(2, round(0.1 * rate))
        for number in range(len(bursts)):
            if not bursts[number : number + patience].any():
                return row + number
        return last
