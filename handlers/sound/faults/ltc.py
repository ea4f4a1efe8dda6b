"""Linear timecode on a sound track: found, decoded and told of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from handlers.analysis.findings import count
from handlers.media.timecode import snap
from handlers.sound.faults.ltc_word import WORD_HALVES, Halves, Word, words
from handlers.sound.faults.record import Fault, Figure, Ranges, clock
from handlers.sound.faults.windows import Window

Sound = NDArray[np.float32]
Times = NDArray[np.float64]

# Level changes a second: 24 frames of zeros to 30 of ones, played up to a tenth off speed.
_FEWEST_CHANGES, _MOST_CHANGES = 1920 * 0.85, 4800 * 1.15
# A change counts from this part of the level on; noise about zero makes none.
_TRIGGER = 0.35
_QUIETEST = 1e-4
# So many intervals are one or two half cells long, to within a part of one.
_CLEAR, _OFF = 0.75, 0.3
# Below this rate changes lie so near to each other that they are looked for between samples.
_LOW_RATE, _FINER = 32000, 4
# Fewer frames may be chance; and frames stand where the one before lets expect them, to a part.
_FEWEST_FRAMES = 5
_EVEN = 0.03
REACH_SECONDS = 0.1
"""A frame is read whole from the window in which it begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    at: float
    length: float
    word: Word
    backward: bool


def decode(sound: Sound, rate: int) -> list[_Frame]:
    """Decode the frames of timecode in some sound, float [n], in order of time."""
    changes = _changes(sound, rate)
    intervals = np.diff(changes)
    half = _half_cell(intervals)
    if half is None:
        return []
    lengths = np.maximum(1, np.rint(intervals / half)).astype(int)
    clear = (np.abs(intervals / half - lengths) <= _OFF) & (lengths <= 2)
    if clear.mean() < _CLEAR:
        return []
    places = np.append(0, np.cumsum(np.minimum(lengths, WORD_HALVES)))
    cells: Halves = np.zeros(places[-1] + 1, np.uint8)
    cells[places] = 1
    when = np.interp(np.arange(len(cells)), places, changes)
    found = [
        _Frame(at=float(when[begin]), length=WORD_HALVES * half, word=word, backward=backward)
        for begin, word, backward in words(cells)
    ]
    return sorted(found, key=lambda frame: frame.at)


def _changes(sound: Sound, rate: int) -> Times:
    """Return when the level changes, in samples with their fractions."""
    finer = _FINER if rate < _LOW_RATE else 1
    wave = sound - sound.mean()
    level = float(np.sqrt(np.square(wave).mean()))
    none = np.zeros(0)
    if level < _QUIETEST:
        return none
    # Plain crossings first: most sound is told from timecode by their number.
    crossings = np.count_nonzero((wave[1:] < 0) != (wave[:-1] < 0)) * rate / len(wave)
    if not 0.5 * _FEWEST_CHANGES <= crossings <= 2 * _MOST_CHANGES:
        return none
    wave = resample_poly(wave, finer, 1) if finer > 1 else wave
    made = _triggered(wave, _TRIGGER * level) / finer
    seconds = len(sound) / rate
    return made if len(made) >= 0.25 * _FEWEST_CHANGES * seconds else none


def _triggered(wave: Sound, least: float) -> Times:
    """Return where a wave reaches the trigger level on the other side of zero."""
    beyond = np.flatnonzero(np.abs(wave) >= least)
    if len(beyond) < 2:
        return np.zeros(0)
    high = wave[beyond] > 0
    # The first of all is a change too: timecode may begin there, out of silence.
    turned = np.append(max(1, beyond[0]), beyond[1:][high[1:] != high[:-1]])
    now, before = wave[turned].astype(np.float64), wave[turned - 1].astype(np.float64)
    rise = now - before
    part = np.divide(np.sign(now) * least - before, rise, out=np.zeros_like(now), where=rise != 0)
    return np.asarray(turned - 1 + np.clip(part, 0, 1), np.float64)


def _half_cell(intervals: Times) -> float | None:
    """Return the length of a half cell in samples: intervals are one or two of them."""
    if len(intervals) < WORD_HALVES // 2:
        return None
    half = float(np.percentile(intervals, 10))
    for _ in range(8):
        near = intervals[intervals < 2.5 * half]
        lengths = np.where(near < 1.5 * half, 1, 2)
        half = float(near.sum() / lengths.sum())
    return half


class LinearTimecode:
    """Follows the timecode of one channel."""

    def __init__(self, rate: int, channel: int) -> None:
        self._rate, self._channel = rate, channel
        self._first: _Frame | None = None
        self._last: _Frame | None = None
        self._found = Ranges(rate // 10)
        self._frames = 0
        self._jumps = 0
        self._backward = 0
        self._even, self._even_length = 0, 0.0
        self._reach = round(REACH_SECONDS * rate)

    def hear(self, window: Window) -> bool:
        """Take a window; say whether there is timecode in it."""
        begin = max(0, window.first - self._reach)
        sound = window.sound[self._channel, begin : window.last + self._reach]
        heard = False
        for frame in decode(sound, self._rate):
            if window.first <= round(frame.at) + begin < window.last:
                heard = True
                self._take(frame, frame.at + begin + window.start)
        return heard

    def _take(self, frame: _Frame, at: float) -> None:
        now = _Frame(at=at, length=frame.length, word=frame.word, backward=frame.backward)
        last, self._last = self._last, now
        self._first = self._first or now
        self._frames += 1
        self._backward += now.backward
        self._found.add(round(at), round(at + now.length))
        if last is None:
            return
        apart = now.at - last.at
        if abs(apart / now.length - 1) <= _EVEN and self._follows(last, now):
            self._even += 1
            self._even_length += apart
        else:
            self._jumps += 1

    def _follows(self, last: _Frame, now: _Frame) -> bool:
        counted = Fraction(30 if now.length * 27.5 < self._rate else
                           25 if now.length * 24.5 < self._rate else 24)  # fmt: skip
        if now.word.drop and counted == 30:
            counted = Fraction(30000, 1001)
        before, after = last.word.timecode(counted), now.word.timecode(counted)
        return before is not None and before + (-1 if now.backward else 1) == after

    def covers(self, samples: int) -> bool:
        """Say whether this channel is a timecode track: most of so many samples are timecode."""
        return self._frames >= _FEWEST_FRAMES and 2 * self._found.samples > samples

    def faults(self) -> Iterator[Fault]:
        """Yield what was found."""
        if self._first is None or self._frames < _FEWEST_FRAMES or not self._even:
            return
        exact = self._rate * self._even / self._even_length
        rate = snap(Fraction(exact).limit_denominator(10000))
        first = self._first
        code = first.word.timecode(rate)
        shown = str(code) if code else "an impossible timecode"
        backward = 2 * self._backward > self._frames
        text = f"Channel {self._channel + 1} carries linear timecode"
        text += ", played backwards" if backward else ""
        text += f": {shown} at {clock(round(first.at), self._rate)}, "
        text += f"{float(rate):.5g} frames a second, user bits {first.word.user}"
        text += f"; it jumps {count(self._jumps, 'time')}." if self._jumps else "."
        figures: dict[str, Figure] = {
            "timecode": shown, "first_sample": round(first.at), "rate": str(rate),
            "measured_rate": exact, "drop_frame": int(first.word.drop),
            "user_bits": first.word.user, "frames": self._frames, "jumps": self._jumps,
            "backward": int(backward),
        }  # fmt: skip
        yield Fault(
            kind="ltc", severity="warning" if self._jumps else "info", text=text,
            channels=(self._channel + 1,), ranges=self._found.few(), figures=figures,
        )  # fmt: skip
