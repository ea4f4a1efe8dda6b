"""Following mains hum through a recording."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.signal import firwin, upfirdn

from handlers.sound.faults.hum import MAINS, HumTrack, Lines, Spectra
from handlers.sound.faults.levels import decibels
from handlers.sound.faults.params import FaultParams
from handlers.sound.faults.record import Fault, Ranges, within
from handlers.sound.faults.windows import Window

# Hum is looked for at a rate of its own: about this many samples a second, or twice as many.
_RATE, _HALF_TAPS = 4000, 8
# Spectra of so many seconds, one every so many; of shorter recordings down to the least.
_LONG, _EVERY, _SHORTEST = 8.0, 4.0, 2.0
# Windows are one hum when its frequency changes by no more than this from one to the next, Hz.
_DRIFT = 0.1
# Between two places that hum, so far apart, it hums as well, under what is louder.
_TOGETHER_SECONDS = 30.0
# A multiple is hum when it stands out by this on the whole, dB.
_LINE = 8.0
_AUDIBLE_DB = -60.0

Sound = NDArray[np.float32]


class _Lower:
    """Lowers the rate of all channels by a whole number."""

    def __init__(self, rate: int) -> None:
        self.factor = max(1, rate // _RATE)
        self._half = _HALF_TAPS * self.factor
        self._taps = firwin(2 * self._half + 1, 1 / self.factor).astype(np.float32)
        self._next = 0

    def __call__(self, window: Window) -> Sound:
        """Return the samples that lie in the core of a window, [channels, n]."""
        begin, self._next = self._next, -(-(window.start + window.last) // self.factor)
        if self.factor == 1:
            return window.core
        first = begin * self.factor - self._half - window.start
        last = (self._next - 1) * self.factor + self._half + 1 - window.start
        length = window.sound.shape[1]
        around = window.sound[:, max(0, first) : min(last, length)]
        around = np.pad(around, ((0, 0), (max(0, -first), max(0, last - length))))
        made = upfirdn(self._taps, around, 1, self.factor, axis=1)
        return np.asarray(made[:, 2 * _HALF_TAPS :][:, : self._next - begin], np.float32)


class _Follower:
    """The hum of one channel at 50 or at 60 Hz; found in two windows one after the other."""

    def __init__(self, rate: int) -> None:
        self._waiting: tuple[int, int, Lines] | None = None
        self._last: Lines | None = None
        self.found = Ranges(round(_TOGETHER_SECONDS * rate))
        self.at, self.hz = array("d"), array("d")
        self.power: NDArray[np.float64] | float = 0.0
        self.prominence: NDArray[np.float64] | float = 0.0

    def take(self, start: int, end: int, lines: Lines | None) -> None:
        """Take what was found between two samples, None for nothing."""
        last, self._last = self._last, lines
        waiting, self._waiting = self._waiting, None
        if lines is None:
            return
        if last is None or abs(last.hz - lines.hz) > _DRIFT:
            self._waiting = start, end, lines
            return
        if waiting is not None:
            self._keep(*waiting)
        self._keep(start, end, lines)

    def alone(self) -> None:
        """Keep what was found, for there is no second window."""
        if self._waiting is not None:
            self._keep(*self._waiting)

    def _keep(self, start: int, end: int, lines: Lines) -> None:
        self.found.add(start, end)
        self.at.append((start + end) / 2)
        self.hz.append(lines.hz)
        self.power = self.power + lines.power
        self.prominence = self.prominence + lines.prominence


class Hum:
    """Looks for hum in all channels."""

    def __init__(self, rate: int, channels: int, params: FaultParams) -> None:
        self._rate, self._params = rate, params
        self._lower = _Lower(rate)
        self._own_rate = rate / self._lower.factor
        self._long, self._every = round(_LONG * self._own_rate), round(_EVERY * self._own_rate)
        self._spectra = Spectra(self._long, self._own_rate)
        self._held = np.zeros((channels, 0), np.float32)
        self._start = 0
        self._next = 0
        self._seen = 0
        self._looked = 0
        self._followers = [[_Follower(rate) for _ in MAINS] for _ in range(channels)]

    def hear(self, window: Window) -> None:
        """Take a window with at least 3 ms of context."""
        self._held = np.concatenate([self._held, self._lower(window)], axis=1)
        end = self._start + self._held.shape[1]
        while end >= self._next + self._long:
            begin = self._next - self._start
            self._look(self._spectra, self._next, self._held[:, begin : begin + self._long])
            self._next += self._every
        # Kept for the next look, and for one at the very end.
        gone = max(0, min(self._next, end - self._long) - self._start)
        self._held = self._held[:, gone:]
        self._start += gone

    def _look(self, spectra: Spectra, at: int, sound: Sound) -> None:
        self._looked += 1
        start, end = at * self._lower.factor, (at + sound.shape[1]) * self._lower.factor
        self._seen = at + sound.shape[1]
        for followers, each in zip(self._followers, sound, strict=True):
            alive = np.abs(each).max() > 10 ** (self._params.hum_db / 20)
            lines = spectra.lines(each, self._params.hum_prominence_db) if alive else {}
            for mains, follower in zip(MAINS, followers, strict=True):
                follower.take(start, end, lines.get(mains))

    def finish(self) -> None:
        """Look at the end; at less than a whole piece only if there is no more."""
        left = self._held.shape[1]
        end = self._start + left
        if self._looked and end > self._seen:
            self._look(self._spectra, end - self._long, self._held[:, left - self._long :])
        elif not self._looked and left >= _SHORTEST * self._own_rate:
            self._look(Spectra(left, self._own_rate), self._start, self._held)
        if self._looked == 1:
            for followers in self._followers:
                for follower in followers:
                    follower.alone()

    def tracks(self) -> Iterator[HumTrack]:
        """Yield what a repair needs to know."""
        for channel, followers in enumerate(self._followers):
            for follower in followers:
                harmonics = self._harmonics(follower)
                if len(harmonics):
                    yield HumTrack(
                        channel=channel, at=np.array(follower.at), hz=np.array(follower.hz),
                        harmonics=tuple(harmonics), ranges=follower.found.few(),
                    )  # fmt: skip

    def _harmonics(self, follower: _Follower) -> list[int]:
        """Return the multiples that stand out on the whole, none where there is no hum."""
        times = len(follower.at)
        if not times:
            return []
        strong = np.asarray(follower.prominence) / times >= _LINE
        power = float(np.asarray(follower.power)[strong].sum()) / times
        loud = decibels(power) >= self._params.hum_db
        return (np.flatnonzero(strong) + 1).tolist() if loud else []

    def faults(self) -> Iterator[Fault]:
        """Yield what was found."""
        for channel, followers in enumerate(self._followers):
            for follower in followers:
                harmonics = self._harmonics(follower)
                if harmonics:
                    yield self._fault(channel, follower, harmonics)

    def _fault(self, channel: int, follower: _Follower, harmonics: list[int]) -> Fault:
        times = len(follower.at)
        power = np.asarray(follower.power)[np.array(harmonics) - 1] / times
        hz, level = float(np.mean(follower.hz)), decibels(float(power.sum()))
        start, end = next(iter(follower.found))
        text = f"{within(start, end, self._rate)} channel {channel + 1} hums at {hz:.2f} Hz"
        text += f" ({level:.0f} dBFS), multiples " if len(harmonics) > 1 else f" ({level:.0f} dBFS)"
        text += ", ".join(map(str, harmonics)) + "." if len(harmonics) > 1 else "."
        return Fault(
            kind="hum", severity="warning" if level >= _AUDIBLE_DB else "info", text=text,
            channels=(channel + 1,), ranges=follower.found.few(),
            figures={
                "hz": hz, "least_hz": min(follower.hz), "most_hz": max(follower.hz), "db": level,
                "harmonics": " ".join(map(str, harmonics)),
                "harmonics_db": " ".join(f"{decibels(float(each)):.1f}" for each in power),
            },
        )  # fmt: skip
