"""Hum: each of its multiples is measured over seconds and taken away."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from handlers.sound.faults.hum import HumTrack
from handlers.sound.faults.windows import Samples, Window

Complex = NDArray[np.complex128]
Floats = NDArray[np.float64]

# Sound is looked at in steps of 5 ms, a second's worth together, each with two seconds around it.
_STEPS, _STEP_SECONDS, _SECONDS = 200, 0.005, 2
# What is louder than so many times the quietest tenth says less about hum, over so many steps.
_LEVEL_STEPS, _QUIETEST = 20, 0.1
# Where hum begins or ends, its removal sets in over so many seconds.
_FADE_SECONDS = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """A second of sound, and what was found in it: by track, [multiples, steps] and [steps]."""

    window: Window
    waves: list[Complex]
    weights: list[Floats]


class HumRemover:
    """Takes hum away that was found before.

    Each multiple is moved to 0 Hz by the frequency that was found (so its drift is followed),
    averaged over four seconds by a Hann window that counts quiet sound more, moved back
    and subtracted. What goes is half a hertz wide about each multiple, without delay; nothing
    rings, for nothing is fed back. Outside the ranges of hum no sample changes.

    Args:
        rate: Samples a second.
        tracks: The hum, as the first pass found it.
    """

    def __init__(self, rate: int, tracks: list[HumTrack]) -> None:
        self._rate, self._tracks = rate, tracks
        self._step = max(1, round(_STEP_SECONDS * rate))
        self.size = self._step * _STEPS
        """Samples in a window's core."""
        self._held: deque[_Heard] = deque()
        self._now = 0
        taper = np.hanning(2 * _SECONDS * _STEPS + 1)
        self._taper = taper

    def push(self, window: Window) -> Iterator[Samples]:
        """Take a window of ``size`` samples, and yield cores, float32 [channels, n], later."""
        self._held.append(self._heard(window))
        if len(self._held) > self._now + _SECONDS:
            yield self._cleaned()
            self._now += 1
        if self._now > _SECONDS:
            self._held.popleft()
            self._now -= 1

    def finish(self) -> Iterator[Samples]:
        """Yield what is left."""
        while self._now < len(self._held):
            yield self._cleaned()
            self._now += 1

    def _heard(self, window: Window) -> _Heard:
        made = _Heard(window=window, waves=[], weights=[])
        length = window.last - window.first
        steps = -(-length // self._step)
        for track in self._tracks:
            sound = np.pad(window.core[track.channel], (0, steps * self._step - length))
            turn = self._turn(track, window.at, len(sound))
            power = np.square(sound).reshape(steps, -1).mean(axis=1, dtype=np.float64)
            made.weights.append(_weights(power))
            made.waves.append(
                np.stack([
                    (sound * wave.conj()).reshape(steps, -1).mean(axis=1, dtype=np.complex128)
                    for wave in _multiples(turn, track.harmonics)
                ])
            )  # fmt: skip
        return made

    def _turn(self, track: HumTrack, at: int, length: int) -> NDArray[np.complex64]:
        """Return the fundamental as a turning pointer, the same for each sample whenever asked."""
        cycles = _cycles(track, self._rate, np.arange(at, at + length, dtype=np.float64))
        return np.asarray(np.exp(2j * np.pi * (cycles % 1.0)), np.complex64)

    def _cleaned(self) -> Samples:
        now = self._held[self._now]
        core = now.window.core.copy()
        length = core.shape[1]
        for number, track in enumerate(self._tracks):
            depth = self._depth(track, now.window.at, length)
            if not depth.any():
                continue
            amounts = self._averaged(number)
            turn = self._turn(track, now.window.at, length)
            places = (np.arange(length) + 0.5) / self._step - 0.5
            hum = np.zeros(length)
            for wave, amount in zip(_multiples(turn, track.harmonics), amounts, strict=True):
                steps = np.arange(len(amount)) - 1.0
                slow = np.interp(places, steps, amount.real) + 1j * np.interp(
                    places, steps, amount.imag
                )
                hum += 2 * (slow * wave).real
            cleaned = core[track.channel] - depth * hum
            core[track.channel] = np.where(depth > 0, cleaned, core[track.channel])
        return core

    def _averaged(self, track: int) -> Complex:
        """Return each multiple's amount in the steps of the core and one on either side."""
        waves = np.concatenate([each.waves[track] for each in self._held], axis=1)
        weights = np.concatenate([each.weights[track] for each in self._held])
        begin = sum(each.waves[track].shape[1] for each in list(self._held)[: self._now])
        steps = self._held[self._now].waves[track].shape[1]
        reach = len(self._taper) // 2 + 1
        total = np.pad(weights, reach)
        weighted = np.pad(waves * weights, ((0, 0), (reach, reach)))
        # Where the recording begins or ends, its nearest step stands for the one beyond.
        part = slice(begin, begin + steps + 2 * reach)
        weight = np.convolve(total[part], self._taper, "valid")
        made = np.stack([np.convolve(each[part], self._taper, "valid") for each in weighted])
        return np.asarray(made / np.maximum(weight, 1e-30), np.complex128)

    def _depth(self, track: HumTrack, at: int, length: int) -> Floats:
        """Return how much of the hum is taken away at each sample, 0..1."""
        places = np.arange(at, at + length, dtype=np.float64)
        depth = np.zeros(length)
        fade = _FADE_SECONDS * self._rate
        for start, end in track.ranges:
            if end + fade > at and start - fade < at + length:
                inside = np.minimum(places - start, end - 1 - places) / fade + 1
                depth = np.maximum(depth, np.clip(inside, 0, 1))
        return depth


def _weights(power: Floats) -> Floats:
    """Return how much each step says about hum: the more, the quieter it is."""
    level = uniform_filter1d(power, _LEVEL_STEPS, mode="nearest")
    return np.asarray(1 / (level + np.quantile(level, _QUIETEST) + 1e-12), np.float64)


def _multiples(
    turn: NDArray[np.complex64], harmonics: tuple[int, ...]
) -> Iterator[NDArray[np.complex64]]:
    """Yield the turning pointers of some multiples."""
    wave, multiple = np.ones_like(turn), 0
    for wanted in harmonics:
        while multiple < wanted:
            wave, multiple = wave * turn, multiple + 1
        yield wave


def _cycles(track: HumTrack, rate: int, places: Floats) -> Floats:
    """Return how often the fundamental has turned since the first sample, at some places.

    Between the places where it was measured the frequency changes evenly; before the first
    and after the last it stays.
    """
    at = np.concatenate([[min(0.0, track.at[0])], track.at, [max(places[-1], track.at[-1]) + 1]])
    hz = np.concatenate([track.hz[:1], track.hz, track.hz[-1:]])
    turned = np.append(0.0, np.cumsum(np.diff(at) * (hz[1:] + hz[:-1]) / 2)) / rate
    piece = np.clip(np.searchsorted(at, places, side="right") - 1, 0, len(at) - 2)
    along = places - at[piece]
    slope = (hz[piece + 1] - hz[piece]) / np.maximum(at[piece + 1] - at[piece], 1e-9)
    return np.asarray(turned[piece] + (hz[piece] + slope * along / 2) * along / rate, np.float64)
