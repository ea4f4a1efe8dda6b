"""Loudness and peaks of sound as it streams by: ITU-R BS.1770-4, EBU Tech 3341 and 3342.

The measuring is libebur128's; here are its windows as curves, the loudness of dialogue, and
sentences where there is nothing to measure.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyebur128
from numpy.typing import NDArray
from pyebur128 import MeasurementMode

from handlers.sound.layout import Layout

Samples = NDArray[np.float32]
Curve = NDArray[np.float32]
Region = tuple[int, int]

STEPS_A_SECOND = 10
"""Values of a curve in a second."""
MOMENTARY, SHORT_TERM = 4, 30
"""Windows of momentary and short-term loudness, in steps: 0.4 s and 3 s."""
LOWEST_RATE, HIGHEST_RATE = 8000, 192_000

# BS.1770: 0.691 dB are taken off, so that 1 kHz reads as its level.
_OFFSET = -0.691
_SILENCE = -70.0
# EBU R 128 s1: loudness range says little about less than a minute.
_RANGE_SECONDS = 60
# 24 bits end here; what is below is nobody's peak.
_NO_PEAK = 1e-8
_MODE = MeasurementMode.MODE_I | MeasurementMode.MODE_LRA


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialogue:
    """How loud what is spoken is, in LUFS, and which share of the length it has (0..1)."""

    loudness: float | None
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Loudness:
    """What was measured: loudness in LUFS, range in LU, peaks in dBTP and dBFS, None where none.

    ``notes`` are the sentences that say why. ``energies`` [steps] is the weighted mean square of
    each tenth of a second over all channels, from which curves and dialogue are made.
    """

    rate: int
    samples: int
    names: Sequence[str]
    integrated: float | None
    range: float | None
    true_peaks: Sequence[float | None]
    sample_peaks: Sequence[float | None]
    notes: Sequence[str] = ()
    energies: NDArray[np.float64] = field(repr=False)

    @property
    def true_peak(self) -> float | None:
        """The highest of all channels, LFE as well."""
        return _most(self.true_peaks)

    @property
    def sample_peak(self) -> float | None:
        """The highest of all channels."""
        return _most(self.sample_peaks)

    @property
    def momentary(self) -> Curve:
        """Loudness of the 0.4 s before the end of each tenth of a second [steps], NaN: none."""
        return curve(self.energies, MOMENTARY)

    @property
    def short_term(self) -> Curve:
        """Loudness of the 3 s before the end of each tenth of a second [steps], NaN: none."""
        return curve(self.energies, SHORT_TERM)

    @property
    def momentary_max(self) -> float | None:
        """The loudest 0.4 s."""
        return _highest(self.momentary)

    @property
    def short_term_max(self) -> float | None:
        """The loudest 3 s."""
        return _highest(self.short_term)

    def dialogue(self, regions: Iterable[Region]) -> Dialogue:
        """Return the loudness of what is spoken.

        As ITU-R BS.1770-1, on which dialogue gating rests, has it: the mean over all of the
        marked sound and all channels, with no other gate than the marks.

        Args:
            regions: Where there is speech, [start, end) in samples; they may overlap.
        """
        share = _shares(regions, self.samples, self.rate, len(self.energies))
        weight = float(share.sum())
        spoken = weight * self.rate / STEPS_A_SECOND / self.samples if self.samples else 0.0
        if weight < MOMENTARY:
            return Dialogue(loudness=None, share=min(1.0, spoken))
        level = level_of(float(share @ self.energies) / weight)
        return Dialogue(loudness=level, share=min(1.0, spoken))

    def entry(self) -> dict[str, Any]:
        """Return the figures as plain JSON values; the curves are not among them."""
        return {
            "integrated_lufs": _plain(self.integrated),
            "range_lu": _plain(self.range),
            "momentary_max_lufs": _plain(self.momentary_max),
            "short_term_max_lufs": _plain(self.short_term_max),
            "true_peak_dbtp": _plain(self.true_peak),
            "sample_peak_dbfs": _plain(self.sample_peak),
            "channels": [
                {"name": name, "true_peak_dbtp": _plain(true), "sample_peak_dbfs": _plain(peak)}
                for name, true, peak in zip(
                    self.names, self.true_peaks, self.sample_peaks, strict=True
                )
            ],
            "notes": list(self.notes),
        }


class Steps:
    """Hears sound by tenths of a second, weighted as ITU-R BS.1770 has it.

    Args:
        rate: Samples a second, 8,000 to 192,000.
        layout: What the channels are.
        mode: What else libebur128 is to measure meanwhile.

    Raises:
        ValueError: the meter takes no such rate.
    """

    def __init__(self, rate: int, layout: Layout, mode: int = MeasurementMode.MODE_M) -> None:
        if not LOWEST_RATE <= rate <= HIGHEST_RATE:
            raise ValueError(f"Loudness is measured from 8 to 192 kHz, not at {rate} Hz.")
        self.rate = rate
        self.state = pyebur128.R128State(len(layout.names), rate, int(mode))
        for channel, kind in enumerate(layout.types):
            self.state.set_channel(channel, kind)
        self.done = 0
        """How many tenths are whole."""
        self.end = 0
        """How many samples there were."""

    def __call__(self, block: Samples) -> Iterator[tuple[Samples, float | None]]:
        """Yield the block's pieces of each tenth, with its mean square where that is whole.

        Args:
            block: float32 or float64 [n, channels], every value a number.
        """
        while len(block):
            due = step_end(self.done, self.rate) - self.end
            piece, block = block[:due], block[due:]
            self.state.add_frames(np.ascontiguousarray(piece).reshape(-1), len(piece))
            self.end += len(piece)
            whole = len(piece) == due
            self.done += whole
            yield piece, self._energy() if whole else None

    def _energy(self) -> float:
        return energy_of(pyebur128.get_loudness_window(self.state, 1000 // STEPS_A_SECOND))


class Meter:
    """Measures sound block by block; keeps three seconds of it and half a kilobyte a second.

    Args:
        rate: Samples a second, 8,000 to 192,000.
        layout: What the channels are.
        peaks: Whether to look for peaks, which takes three quarters of the time.

    Raises:
        ValueError: the meter takes no such rate.
    """

    def __init__(self, rate: int, layout: Layout, *, peaks: bool = True) -> None:
        self._steps = Steps(rate, layout, _MODE | MeasurementMode.MODE_TRUE_PEAK * peaks)
        self._peaked = peaks
        self._layout = layout
        self._energies = array("d")
        self._broken = 0

    def push(self, block: Samples) -> None:
        """Take the next samples, float32 or float64 [n, channels], as many as you like."""
        for _, energy in self._steps(self._finite(block)):
            if energy is not None:
                self._energies.append(energy)

    def finish(self) -> Loudness:
        """Return what was measured."""
        energies = np.array(self._energies)
        rate, samples, state = self._steps.rate, self._steps.end, self._steps.state
        integrated = _number(pyebur128.get_loudness_global(state))
        spread = pyebur128.get_loudness_range(state)
        has_range = integrated is not None and len(energies) >= SHORT_TERM
        return Loudness(
            rate=rate,
            samples=samples,
            names=self._layout.names,
            integrated=integrated,
            range=_number(spread) if has_range else None,
            true_peaks=self._peaks(pyebur128.get_true_peak),
            sample_peaks=self._peaks(pyebur128.get_sample_peak),
            notes=(
                *self._layout.notes,
                *_notes(samples / rate, integrated, energies, self._broken),
            ),
            energies=energies,
        )

    def _finite(self, block: Samples) -> Samples:
        """One value that is no number would spoil every window after it: it counts as silence."""
        good = np.isfinite(block)
        if good.all():
            return block
        self._broken += int(good.size - np.count_nonzero(good))
        return np.where(good, block, np.zeros((), block.dtype))

    def _peaks(self, ask: Any) -> tuple[float | None, ...]:
        if not self._peaked:
            return (None,) * len(self._layout.names)
        state = self._steps.state
        found = [float(ask(state, channel)) for channel in range(len(self._layout.names))]
        return tuple(20 * float(np.log10(peak)) if peak > _NO_PEAK else None for peak in found)


def measure(
    blocks: Iterable[Samples], rate: int, layout: Layout, *, peaks: bool = True
) -> Loudness:
    """Measure sound of any length; see `Meter`."""
    meter = Meter(rate, layout, peaks=peaks)
    for block in blocks:
        meter.push(block)
    return meter.finish()


def step_end(step: int, rate: int) -> int:
    """Return the sample at which a tenth of a second ends; rates need not be multiples of ten."""
    return ((step + 1) * rate + STEPS_A_SECOND // 2) // STEPS_A_SECOND


def curve(energies: NDArray[np.float64], window: int) -> Curve:
    """Return the loudness of the last ``window`` steps at each step; NaN before, and in silence."""
    made = np.full(len(energies), np.nan, np.float32)
    if len(energies) >= window:
        total = np.lib.stride_tricks.sliding_window_view(energies, window).mean(axis=1)
        heard = np.log10(total, where=total > 0, out=np.full(len(total), np.nan))
        made[window - 1 :] = _OFFSET + 10 * heard
    return made


def _shares(regions: Iterable[Region], samples: int, rate: int, steps: int) -> NDArray[np.float64]:
    """Return how much of each step is marked, 0..1; what is marked twice counts once."""
    ends = np.array([0, *(step_end(step, rate) for step in range(steps))])
    covered = np.zeros(steps)
    done = 0
    for start, end in sorted(regions):
        first, last = max(start, done), min(end, samples)
        if first < last:
            low = int(np.searchsorted(ends, first, "right")) - 1
            high = int(np.searchsorted(ends, last, "left"))
            covered[low:high] += np.diff(np.clip(ends[low : high + 1], first, last))
            done = last
    made: NDArray[np.float64] = covered / np.diff(ends)
    return made


def _notes(
    seconds: float, integrated: float | None, energies: NDArray[np.float64], broken: int
) -> list[str]:
    made = []
    if broken:
        made.append(f"{broken:,} samples are no numbers and were measured as silence.")
    if len(energies) < MOMENTARY:
        made.append(f"{seconds:.3f} s of sound are too short: loudness needs 0.4 s.")
    elif integrated is None:
        made.append(f"Nothing is louder than {_SILENCE:g} LUFS, so there is no loudness.")
    elif len(energies) < SHORT_TERM:
        made.append("Short-term loudness and range need 3 s of sound.")
    elif seconds < _RANGE_SECONDS:
        made.append("Loudness range says little about less than a minute.")
    return made


def energy_of(level: float) -> float:
    """Return the weighted mean square of a loudness in LUFS."""
    return float(10 ** ((level - _OFFSET) / 10))


def level_of(energy: float) -> float | None:
    """Return the loudness of a weighted mean square, in LUFS."""
    return _OFFSET + 10 * float(np.log10(energy)) if energy > 0 else None


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _highest(values: Curve) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.max()) if len(known) else None


def _most(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return max(known) if known else None


def _plain(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
