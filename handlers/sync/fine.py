"""To the sample: GCC-PHAT of many short spans along a line, their consensus, and the drift.

Generalised cross-correlation with phase transform: C. H. Knapp and G. C. Carter, "The
generalized correlation method for estimation of time delay", IEEE Trans. ASSP 24(4), 1976.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, rfft
from scipy.ndimage import convolve1d
from scipy.signal.windows import tukey

from handlers.sync.coarse import Line
from handlers.sync.sound import RATE, Reader, Samples

Array = npt.NDArray[np.float64]
Spectrum = npt.NDArray[np.complexfloating[Any, Any]]

# Samples: the length of a span, and how far beside the line is searched.
SPAN = 4 * RATE
_REACH = 1200
_LENGTH = SPAN + 2 * _REACH
# Delays are read at this multiple of the low rate.
_FINER = 2
_BAND = (180, 3600)
# A span agrees when its own peak lies so near the line (seconds) and is so clear (deviations).
_TOLERANCE, _CLEAR = 0.002, 4.0
# A lone towering span must not decide for all.
_HIGHEST = 12.0
# A channel's level must move by this many decibels to be more than a room, hum or timecode.
_MOVES = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the spans along a line say.

    ``offset`` and ``ratio`` as in :class:`Line`, ``spans`` how many were compared and
    ``agreeing`` how many of them lie on the line; ``score`` the height of all spans added
    up, in standard deviations; ``spread`` how far the agreeing ones lie from the line (RMS,
    seconds); ``ratio_error`` the standard error of the ratio.
    """

    offset: float
    ratio: float
    spans: int
    agreeing: int
    score: float
    spread: float
    ratio_error: float

    @property
    def share(self) -> float:
        """Return the share of the spans that agree."""
        return self.agreeing / self.spans if self.spans else 0.0


class Listener:
    """Spans of an open clip, transformed once for all recordings that they are compared with."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._known: dict[int, Spectrum] = {}

    def spectrum(self, start: int) -> Spectrum:
        """Return the whitened spectrum of the span that begins at sample ``start``."""
        if start not in self._known:
            spectrum = _whitened(self._reader.span(start, SPAN))
            self._known[start] = spectrum.astype(np.complex64)
        return self._known[start]


def examine(clip: Listener, recording: Reader, line: Line, middles: Array) -> Evidence:
    """Compare spans of two files around a line, and fit it.

    Args:
        clip: the clip.
        recording: the open recording.
        line: where to look, right within ±0.1 s.
        middles: the middles of the spans, in seconds of the clip.
    """
    heights = _correlations(clip, recording, line, middles)
    heard = heights.any(axis=1)
    heights, middles = heights[heard], middles[heard]
    if not len(middles):
        return _nothing(line)
    bend, delay, score = _stack(heights, middles)
    return _fit(heights, middles, line, (bend, delay, score))


def _nothing(line: Line) -> Evidence:
    return Evidence(
        offset=line.offset, ratio=line.ratio, spans=0, agreeing=0, score=0.0, spread=0.0,
        ratio_error=0.0,
    )  # fmt: skip


def _correlations(clip: Listener, recording: Reader, line: Line, middles: Array) -> Array:
    """Return one correlation a span, [spans, delays], in deviations of its own noise."""
    return np.stack([_correlation(clip, recording, line, middle) for middle in middles])


def _correlation(clip: Listener, recording: Reader, line: Line, middle: float) -> Array:
    start = round(middle * RATE) - SPAN // 2
    # Counted in the clip's samples, the recording's span is as long as the ratio says.
    wanted = line.offset * RATE + (start - _REACH) * line.ratio
    theirs = recording.span(round(wanted), round(_LENGTH * line.ratio))
    both = np.conj(clip.spectrum(start)) * _whitened(theirs)
    delays = irfft(both, _LENGTH * _FINER)[: 2 * _REACH * _FINER + 1]
    # What rounding to whole samples left over, put back.
    rest = (round(wanted) - wanted) / RATE
    return _standardised(_moved(delays, rest * RATE * _FINER))


def _moved(delays: Array, by: float) -> Array:
    places = np.arange(len(delays)) - by
    return np.interp(places, np.arange(len(delays)), delays)


def _standardised(delays: Array) -> Array:
    spread = 1.4826 * np.median(np.abs(delays))
    if spread <= 0:
        return np.zeros_like(delays)
    return np.minimum(delays / spread, _HIGHEST)


def _whitened(samples: Samples) -> Spectrum:
    """Return the spectrum with every bin of the band at one height, moving channels added up."""
    total = np.zeros(_LENGTH // 2 + 1, np.complex128)
    for channel, weight in zip(samples, _weights(samples), strict=True):
        if weight > 0:
            spectrum = _spectrum(channel)
            total += weight * spectrum / (np.abs(spectrum) + 1e-12)
    return total


def _spectrum(channel: Samples) -> Spectrum:
    """Transform to the bins of ``_LENGTH`` samples; a span of another length is resampled so."""
    windowed = channel * tukey(len(channel), 0.1)
    length = _LENGTH if len(channel) == SPAN else len(channel)
    spectrum = rfft(windowed.astype(np.float64), length)
    bins = np.zeros(_LENGTH // 2 + 1, np.complex128)
    low, high = (round(edge * _LENGTH / RATE) for edge in _BAND)
    bins[low:high] = spectrum[low:high]
    return bins


def _weights(samples: Samples) -> Array:
    """Return how much each channel moves as speech does, 0..1."""
    frames = samples[:, : samples.shape[1] // 160 * 160].reshape(len(samples), -1, 160)
    level = 10 * np.log10((frames.astype(np.float64) ** 2).mean(axis=2) + 1e-12)
    moves = level.std(axis=1)
    return np.where(moves > _MOVES, (moves / max(moves.max(), 1e-9)) ** 2, 0.0)


def _stack(heights: Array, middles: Array) -> tuple[float, float, float]:
    """Add all spans up along each possible bend of the line.

    Returns:
        The bend, the delay in seconds at the spans' mean time, and the height there in
        standard deviations.
    """
    since = middles - middles.mean()
    most = min(400e-6, 0.06 / max(np.ptp(middles), 1e-9))
    steps = int(np.ceil(most * np.ptp(middles) * RATE * _FINER / 4))
    bends = np.linspace(-most, most, 2 * steps + 1)
    width = heights.shape[1]
    padded = np.pad(_smooth(heights), ((0, 0), (width, width)))
    best = (0.0, 0.0, -np.inf)
    for bend in bends:
        shifts = np.rint(bend * since * RATE * _FINER).astype(int)
        total = sum(row[width + by : 2 * width + by] for row, by in zip(padded, shifts, strict=True))
        place = int(np.argmax(total))
        if total[place] > best[2]:
            best = (float(bend), _seconds(place), float(total[place]))
    return best[0], best[1], best[2] / np.sqrt(len(heights))


def _smooth(heights: Array) -> Array:
    """Add neighbours up: reflections and rounding move the peaks of spans by a sample."""
    smooth = convolve1d(heights, [0.25, 0.5, 0.75, 1.0, 0.75, 0.5, 0.25], axis=1)
    spread = 1.4826 * np.median(np.abs(smooth), axis=1, keepdims=True)
    return np.minimum(smooth / (spread + 1e-9), _HIGHEST)


def _seconds(place: float) -> float:
    return (place - _REACH * _FINER) / (RATE * _FINER)


def _fit(
    heights: Array, middles: Array, line: Line, stacked: tuple[float, float, float]
) -> Evidence:
    """Lay a line through the spans' own peaks near the best line, by least squares."""
    bend, delay, score = stacked
    mean = middles.mean()
    own, height = _peaks(heights, delay + bend * (middles - mean))
    clear = height > _CLEAR
    near = clear & (np.abs(own - delay - bend * (middles - mean)) < _TOLERANCE)
    error = 0.0
    spread = 0.0
    if near.sum() >= 2:
        bend, delay, spread, error = _least_squares(own, height * near, middles - mean, (bend, delay))
    return Evidence(
        # The line said where the clip's time lies in the recording; the delay moves that.
        offset=line.offset + delay - bend * mean,
        ratio=line.ratio + bend,
        spans=len(middles),
        agreeing=int(near.sum()),
        score=score,
        spread=spread,
        ratio_error=error,
    )


def _peaks(heights: Array, expected: Array) -> tuple[Array, Array]:
    """Return where each span's highest point lies within a few milliseconds of the line."""
    around = round(2 * _TOLERANCE * RATE * _FINER)
    centres = np.rint(expected * RATE * _FINER).astype(int) + _REACH * _FINER
    places, tops = [], []
    for row, centre in zip(heights, centres, strict=True):
        low = int(np.clip(centre - around, 1, len(row) - 2))
        high = int(np.clip(centre + around + 1, low + 1, len(row) - 1))
        top = low + int(np.argmax(row[low:high]))
        before, at, after = row[top - 1 : top + 2]
        curve = before - 2 * at + after
        places.append(top + (0.5 * (before - after) / curve if curve < 0 else 0.0))
        tops.append(at)
    return np.array([_seconds(place) for place in places]), np.array(tops)


def _least_squares(
    own: Array, weight: Array, since: Array, start: tuple[float, float]
) -> tuple[float, float, float, float]:
    """Fit delay and bend, the bend held near the stack's where little speaks for another."""
    bend, delay = start
    for _ in range(3):
        residual = own - delay - bend * since
        scale = max(1.4826 * float(np.median(np.abs(residual[weight > 0]))), 1e-4)
        robust = weight * np.clip(1 - (residual / (4 * scale)) ** 2, 0, 1) ** 2
        total = robust.sum()
        if total <= 0:
            break
        mean = (robust * since).sum() / total
        moment = (robust * (since - mean) ** 2).sum()
        level = (robust * own).sum() / total
        if moment > 0:
            bend = float((robust * (since - mean) * (own - level)).sum() / moment)
        delay = float(level - bend * mean)
    residual = own - delay - bend * since
    inside = robust > 0
    spread = float(np.sqrt((robust * residual**2).sum() / max(robust.sum(), 1e-12)))
    moment = float(((since[inside] - since[inside].mean()) ** 2).sum()) if inside.any() else 0.0
    error = max(spread, 2e-5) / np.sqrt(moment) if moment > 0 else 0.0
    return bend, delay, spread, float(error)
