"""Mains hum: lines at 50 or 60 Hz and their multiples that stand still for seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d

Floats = NDArray[np.float64]

MAINS = (50, 60)
"""The frequencies of mains, Hz."""
# How far mains may be off, Hz, and how finely it is looked for there.
_OFF, _FINE = 0.5, 0.02
_HIGHEST = 1500.0
# Sound is levelled over so many seconds, by so much at most: hum is the same in loud sound and
# in pauses, and shows in the pauses.
_LEVEL_SECONDS, _MOST_LIFT = 0.1, 20.0
# A line stands out of the median of bands this wide, Hz; it takes five bins of the spectrum, which
# hold one and a half times the power of its peak.
_BAND = 4.0
_LINE_BINS = 1.5
# By less than this, dB, anything may stand out; by no more than so much it counts, and only of
# the first multiples.
_CHANCE, _ENOUGH, _DECIDING, _FIRST = 8.0, 16.0, 10, 3
# Lines are one hum when they are where the surest one says, to so many bins, and more for each
# multiple of it.
_AGREE, _UNSURE = 0.3, 0.1
# Levels of a bin that are no sound, in mean square.
_QUANTUM = 1e-13


@dataclass(frozen=True, slots=True, kw_only=True)
class HumTrack:
    """The hum of one channel, as it is to be taken out.

    ``at`` are samples and ``hz`` the frequencies of the fundamental there, both [n];
    ``harmonics`` are the multiples that stand out, ``ranges`` where there is hum at all.
    """

    channel: int
    at: Floats
    hz: Floats
    harmonics: tuple[int, ...]
    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """What one spectrum shows: the fundamental, and power and prominence (dB) of each multiple."""

    hz: float
    power: Floats
    prominence: Floats


class Spectra:
    """Looks for hum in pieces of sound of one length.

    Args:
        samples: How long they are.
        rate: Samples a second.
    """

    def __init__(self, samples: int, rate: float) -> None:
        self._bin = rate / samples
        self._box = max(1, round(_LEVEL_SECONDS * rate))
        self._shape = np.hanning(samples)
        self._band = max(8, round(_BAND / self._bin))
        self._multiples = {
            mains: np.arange(1, int(min(_HIGHEST, 0.45 * rate) / mains) + 1) for mains in MAINS
        }

    def lines(self, sound: NDArray[np.float32], least: float) -> dict[int, Lines]:
        """Return the hum of a piece of sound, by mains; none where there is none.

        Args:
            sound: Float [samples].
            least: How far its lines stand out together, dB beyond what may be chance.
        """
        power, stands = self._spectrum(sound.astype(np.float64))
        found = {mains: self._found(power, stands, mains, least) for mains in MAINS}
        return {mains: lines for mains, lines in found.items() if lines is not None}

    def _found(self, power: Floats, stands: Floats, mains: int, least: float) -> Lines | None:
        grid = mains + np.arange(-_OFF, _OFF + _FINE / 2, _FINE)
        deciding = self._multiples[mains][:_DECIDING]
        here = stands[self._peaks(power, grid[:, np.newaxis] * deciding)]
        counts = np.clip(here - _CHANCE, 0, _ENOUGH)
        # Of lines that all stand out by enough, the higher ones decide.
        best = int(np.argmax((counts + 0.01 * here).sum(axis=1)))
        # Mains show in their first multiples; an engine may have some of the others.
        if counts[best].sum() < least or not counts[best][:_FIRST].any():
            return None
        counted = counts[best] > 0
        hz = self._refined(power, grid[best], deciding[counted], here[best][counted])
        at = self._peaks(power, hz * self._multiples[mains])
        beside = np.clip(at[:, np.newaxis] + np.arange(-2, 3), 0, len(power) - 1)
        return Lines(hz=hz, power=power[beside].sum(axis=1) / _LINE_BINS, prominence=stands[at])

    def _spectrum(self, sound: Floats) -> tuple[Floats, Floats]:
        """Return the mean square of a line in each bin, and how far it stands out, dB."""
        wave = sound - sound.mean()
        level = np.sqrt(uniform_filter1d(np.square(wave), self._box, mode="nearest") + _QUANTUM)
        shape = self._shape * np.minimum(np.median(level) / level, _MOST_LIFT)
        spectrum = np.fft.rfft(wave * shape)
        power = 2 * (np.square(spectrum.real) + np.square(spectrum.imag)) / shape.sum() ** 2
        stands = (power + _QUANTUM) / (self._floor(power) + _QUANTUM)
        # Only what is higher than all beside it is a line, not its own foot.
        return power, 10 * np.log10(np.where(power == maximum_filter1d(power, 7), stands, 1))

    def _floor(self, power: Floats) -> Floats:
        """Return what the sound around has in each bin."""
        bands = len(power) // self._band
        middle = np.median(power[: bands * self._band].reshape(bands, self._band), axis=1)
        # A band that is full of one line is held against its neighbours.
        middle = np.minimum(middle, np.maximum(np.roll(middle, 1), np.roll(middle, -1)))
        centres = (np.arange(bands) + 0.5) * self._band
        return np.asarray(np.interp(np.arange(len(power)), centres, middle), np.float64)

    def _peaks(self, power: Floats, hz: Floats) -> NDArray[np.intp]:
        """Return the highest bin next to each frequency."""
        at = np.clip(np.rint(hz / self._bin).astype(int), 2, len(power) - 3)
        highest = power[at[..., np.newaxis] + np.arange(-1, 2)].argmax(axis=-1)
        return np.asarray(at + highest - 1, np.intp)

    def _refined(
        self, power: Floats, hz: float, multiples: NDArray[np.int_], stands: Floats
    ) -> float:
        """Return the fundamental from where its lines peak between bins.

        The line that stands out most says where it is; higher multiples say it more exactly,
        unless they are elsewhere, as what stands out by chance is.
        """
        at = self._peaks(power, hz * multiples)
        left, here, right = (np.log(power[at + step] + 1e-30) for step in (-1, 0, 1))
        bend = np.minimum(left - 2 * here + right, -1e-9)
        peaks = (at + np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) * self._bin
        surest = int(np.argmax(stands))
        times = multiples / multiples[surest]
        agree = np.abs(peaks - times * peaks[surest]) <= self._bin * (_AGREE + _UNSURE * times)
        own, peaks = multiples[agree], peaks[agree]
        return float((own * peaks).sum() / (own**2).sum())
