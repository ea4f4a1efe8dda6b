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

from handlers.sync.coarse import BASES, Line
from handlers.sync.sound import RATE, Reader, Samples

Array = npt.NDArray[np.float64]
Spectrum = npt.NDArray[np.complexfloating[Any, Any]]

# Samples: the length of a span, and how far beside the line is searched.
SPAN = 4 * RATE
SPAN_SECONDS = SPAN / RATE
_REACH = 1200
_LENGTH = SPAN + 2 * _REACH
# Delays are read at this multiple of the low rate.
_FINER = 2
_FINE_RATE = RATE * _FINER
_BAND = (180, 3600)
# A span agrees when its own peak lies so near the line (seconds) and is so clear (deviations).
_TOLERANCE, _CLEAR = 0.002, 4.0
# How far a line may bend from where it is looked for: as a slope, and in seconds at its ends.
_MOST_BEND, _BENT_AWAY = 400e-6, 0.06
# What two clocks in use are apart, as a standard deviation.
_USUAL_DRIFT = 80e-6
# Spectra of a clip that are kept, of 150 KB each.
_REMEMBERED = 200
# No span is read more precisely than this, in seconds.
_PRECISE = 1e-4
# A lone towering span must not decide for all.
_HIGHEST = 12.0
# A channel's level must move by this many decibels to be more than a room, hum or timecode.
# Speech over noise moves by so many; more is silence between words, and says nothing more.
_MOVES, _LIVELY = 1.5, 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the spans along a line say.

    ``line`` is the one that fits best, ``spans`` how many were compared and
    ``agreeing`` how many of them lie on the line; ``score`` the height of all spans added
    up, in standard deviations; ``spread`` how far the agreeing ones lie from the line (RMS,
    seconds); ``ratio_error`` the standard error of the ratio.
    """

    line: Line
    spans: int
    agreeing: int
    score: float
    spread: float
    ratio_error: float

    @property
    def share(self) -> float:
        """Return the share of the spans that agree."""
        return self.agreeing / self.spans if self.spans else 0.0

    @property
    def offset(self) -> float:
        """Return the second of the recording that sounds at frame 0."""
        return self.line.offset

    @property
    def ratio(self) -> float:
        """Return how many seconds of the recording last one second of the clip."""
        return self.line.ratio


class Listener:
    """Spans of an open clip, transformed once for all recordings that they are compared with."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._known: dict[int, Spectrum] = {}

    def spectrum(self, start: int) -> Spectrum:
        """Return the whitened spectrum of the span that begins at sample ``start``."""
        if start not in self._known:
            # Every recording asks for the same spans, unless it holds a part of the clip only.
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
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
    if not len(middles):
        return _nothing(line)
    mixes = _correlations(clip, recording, line, middles)
    found = [_examined(heights, middles, line) for heights in mixes]
    return max(found, key=lambda each: each.score)


def _examined(heights: Array, middles: Array, line: Line) -> Evidence:
    heard = heights.any(axis=1)
    heights, middles = heights[heard], middles[heard]
    if not len(middles):
        return _nothing(line)
    return _fit(heights, middles, line, _stack(heights, middles))


def _nothing(line: Line) -> Evidence:
    return Evidence(line=line, spans=0, agreeing=0, score=0.0, spread=0.0, ratio_error=0.0)


def _correlations(clip: Listener, recording: Reader, line: Line, middles: Array) -> Array:
    """Return one correlation a mix and span, [mixes, spans, delays], in deviations of its noise."""
    each = [_correlation(clip, recording, line, middle) for middle in middles]
    return np.stack(each, axis=1)


def _correlation(clip: Listener, recording: Reader, line: Line, middle: float) -> Array:
    start = round(middle * RATE) - SPAN // 2
    # Counted in the clip's samples, the recording's span is as long as the ratio says.
    wanted = line.offset * RATE + (start - _REACH) * line.ratio
    theirs = recording.span(round(wanted), round(_LENGTH * line.ratio))
    ours = np.conj(clip.spectrum(start))
    # What rounding to whole samples left over is put back.
    rest = (round(wanted) - wanted) / RATE * _FINE_RATE
    return np.stack([_delays(ours * mix, rest) for mix in _mixes(theirs)])


def _delays(both: Spectrum, rest: float) -> Array:
    if not both.any():
        return np.zeros(2 * _REACH * _FINER + 1)
    delays = irfft(both, _LENGTH * _FINER)[: 2 * _REACH * _FINER + 1]
    return _standardised(_moved(delays, rest))


def _moved(delays: Array, by: float) -> Array:
    places = np.arange(len(delays)) - by
    return np.asarray(np.interp(places, np.arange(len(delays)), delays))


def _standardised(delays: Array) -> Array:
    spread = 1.4826 * np.median(np.abs(delays))
    if spread <= 0:
        return np.zeros_like(delays)
    return _limited(delays / spread)


def _whitened(samples: Samples) -> Spectrum:
    """Return the spectrum with every bin of the band at one height, moving channels added up."""
    return np.asarray(_channels(samples).sum(axis=0))


def _mixes(samples: Samples) -> Spectrum:
    """Return the same, [mixes, bins]: of all channels, then of each where there are several.

    Of actors with a track each, the camera may have heard one.
    """
    channels = _channels(samples)
    together = channels.sum(axis=0, keepdims=True)
    return np.concatenate([together, channels]) if len(channels) > 1 else together


def _channels(samples: Samples) -> Spectrum:
    found = np.zeros((len(samples), _LENGTH // 2 + 1), np.complex128)
    for number, weight in enumerate(_weights(samples)):
        if weight > 0:
            spectrum = _spectrum(samples[number])
            found[number] = weight * spectrum / (np.abs(spectrum) + 1e-12)
    return found


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
    moves = np.minimum(level.std(axis=1), _LIVELY)
    return np.where(moves > _MOVES, (moves / max(moves.max(), 1e-9)) ** 2, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bent:
    """A line beside the one looked along: ``delay`` in seconds at the spans' mean time.

    ``bend`` is its slope and ``error`` that of the slope, ``spread`` the RMS of what is left.
    """

    bend: float
    delay: float
    score: float
    spread: float = 0.0
    error: float = 1.0


def _stack(heights: Array, middles: Array) -> _Bent:
    """Add all spans up along each possible bend of the line; return the highest."""
    since = middles - middles.mean()
    reach = float(np.ptp(middles))
    most = min(_MOST_BEND, _BENT_AWAY / max(reach, 1e-9))
    steps = int(np.ceil(most * reach * _FINE_RATE / 4))
    bends = np.linspace(-most, most, 2 * steps + 1) if steps else np.zeros(1)
    width = heights.shape[1]
    padded = np.pad(_smooth(heights), ((0, 0), (width, width)))
    best = _Bent(bend=0.0, delay=0.0, score=-np.inf)
    for bend in bends:
        shifts = np.rint(bend * since * _FINE_RATE).astype(int)
        rows = (row[width + by : 2 * width + by] for row, by in zip(padded, shifts, strict=True))
        total = np.sum(list(rows), axis=0) / np.sqrt(len(heights))
        place = int(np.argmax(total))
        if total[place] > best.score:
            best = _Bent(bend=float(bend), delay=_seconds(place), score=float(total[place]))
    return best


def _smooth(heights: Array) -> Array:
    """Add neighbours up: reflections and rounding move the peaks of spans by a sample."""
    smooth = convolve1d(heights, [0.25, 0.5, 0.75, 1.0, 0.75, 0.5, 0.25], axis=1)
    spread = 1.4826 * np.median(np.abs(smooth), axis=1, keepdims=True)
    return _limited(smooth / (spread + 1e-9))


def _limited(heights: Array) -> Array:
    """Scale down what towers; cut off flat, a clear peak would lie anywhere on its top."""
    top = heights.max(axis=-1, keepdims=True)
    return np.asarray(heights * np.minimum(1.0, _HIGHEST / np.maximum(top, 1e-9)))


def _seconds(place: float) -> float:
    return (place - _REACH * _FINER) / (_FINE_RATE)


def _fit(heights: Array, middles: Array, line: Line, stacked: _Bent) -> Evidence:
    """Lay a line through the spans' own peaks near the best line, by least squares."""
    mean = float(middles.mean())
    since = middles - mean
    own, height = _peaks(heights, stacked.delay + stacked.bend * since)
    near = height > _CLEAR
    near &= np.abs(own - stacked.delay - stacked.bend * since) < _TOLERANCE
    fitted = stacked
    if near.sum() >= 2:
        fitted = _least_squares(own, height * near, since, stacked)
    ratio = _believed(line.ratio + fitted.bend, fitted.error)
    return Evidence(
        # The line is held at the spans' mean time, where it was measured best.
        line=Line(
            offset=line.offset + fitted.delay + (line.ratio - ratio) * mean,
            ratio=ratio,
            score=stacked.score,
            middle=mean,
        ),
        spans=len(middles),
        agreeing=int(near.sum()),
        score=stacked.score,
        spread=fitted.spread,
        ratio_error=min(fitted.error, _USUAL_DRIFT),
    )


def _believed(ratio: float, error: float) -> float:
    """Weigh a measured drift against what clocks do: a few seconds of sound show no drift."""
    base = min(BASES, key=lambda each: abs(ratio - 1 - each))
    trust = _USUAL_DRIFT**2 / (_USUAL_DRIFT**2 + error**2)
    return 1 + base + (ratio - 1 - base) * trust


def _peaks(heights: Array, expected: Array) -> tuple[Array, Array]:
    """Return where each span's highest point lies within a few milliseconds of the line."""
    around = round(2 * _TOLERANCE * _FINE_RATE)
    centres = np.rint(expected * _FINE_RATE).astype(int) + _REACH * _FINER
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


def _least_squares(own: Array, weight: Array, since: Array, start: _Bent) -> _Bent:
    """Fit delay and bend with Tukey's weights, so that a span that heard an echo counts less."""
    bend, delay, robust = start.bend, start.delay, weight
    for _ in range(3):
        residual = own - delay - bend * since
        scale = max(1.4826 * float(np.median(np.abs(residual[weight > 0]))), _PRECISE)
        robust = weight * np.clip(1 - (residual / (4 * scale)) ** 2, 0, 1) ** 2
        mean, level = (float(np.average(each, weights=robust)) for each in (since, own))
        moment = float((robust * (since - mean) ** 2).sum())
        bend = float((robust * (since - mean) * (own - level)).sum()) / max(moment, 1e-12)
        delay = level - bend * mean
    residual = own - delay - bend * since
    spread = float(np.sqrt(np.average(residual**2, weights=robust)))
    inside = since[robust > 0]
    error = max(spread, _PRECISE) / max(float(inside.std()) * np.sqrt(len(inside)), 1e-9)
    return _Bent(bend=bend, delay=delay, score=start.score, spread=spread, error=float(error))
