"""Where a recording may lie against a clip: envelopes of several chunks, searched everywhere.

Chunks of the shorter file are correlated with all of the longer one. One chunk may be drowned
in noise, so what counts is a line: places of many chunks that one offset and one drift explain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from handlers.sync.envelope import VALUES_A_SECOND, Envelope

Values = npt.NDArray[np.float32]
HalfValues = npt.NDArray[np.float16]

STILL = 0.5
"""What moves less than this (decibels, RMS) holds nothing to compare."""

BASES = (0.0, 1 / 1000, -1 / 1001)
"""Drifts by nature: none, and the 0.1 % of pull-up and pull-down."""
MOST_DRIFT = 300e-6
"""How far two clocks may run apart beside that; cheap crystals keep within 100 ppm each."""

# Values: the longest chunk that a pull of 0.1 % does not smear, and how many are looked at.
_CHUNK, _MOST_CHUNKS = 40 * VALUES_A_SECOND, 40
# How many places of a chunk are kept, and how many values apart they lie at least.
_PLACES, _APART = 60, 6
# Lines are laid through about so many places, of one chunk or of several.
_ANCHORS = 24
_BLOCK = 1 << 14
# Quieter than this below the loudest of the last seconds, in dB, nothing is heard over the room.
_DEPTH = 30.0
_SLOW = 2 * VALUES_A_SECOND
# How far from a line a chunk's place may lie, in values.
_NEAR = 2.5
# Chance alone hardly comes so high, in its own standard deviations.
_STANDS_OUT = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A place to look closer: recording time = ``offset`` + clip time · ``ratio``, in seconds.

    ``score`` is that of all chunks together, in standard deviations of chance. ``middle`` is
    the clip time around which the line was found: far from there, a small error of the ratio
    moves it a long way.
    """

    offset: float
    ratio: float
    score: float
    middle: float = 0.0

    def at(self, seconds: float) -> float:
        """Return the recording time at a clip time."""
        return self.offset + self.ratio * seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """The best places of one chunk: its middle, its lags, in values, and their scores."""

    middle: float
    lags: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float64]


def features(envelope: Envelope) -> Values:
    """Return what is compared, float32 [bands, values]: decibels above the local mean, all rails.

    Levels far below the loudest of the surroundings are room and hiss, and count as one. A
    steady rail (hum, recorded timecode, an empty track) comes out near zero by itself.
    """
    total = np.zeros(envelope.levels.shape[1:], np.float32)
    # One by one: many hours of several rails would not fit at once.
    for rail in envelope.levels:
        total += _rail(rail)
    return total


def rail_features(envelope: Envelope) -> tuple[HalfValues, ...]:
    """Return the same for each rail that moves, float16; none where no two of them do.

    Where many actors have a track each, what the camera heard may be one of them only.
    """
    moving = []
    for rail in envelope.levels if len(envelope.levels) > 1 else ():
        found = _rail(rail)
        if float(np.std(found)) > STILL:
            moving.append(found.astype(np.float16))
    return tuple(moving) if len(moving) > 1 else ()


def _rail(levels: npt.NDArray[np.uint8]) -> Values:
    return np.stack([_above_surroundings(band.astype(np.float32) / 2) for band in levels])


def _above_surroundings(level: Values) -> Values:
    if not level.size:
        return level
    loudest = maximum_filter1d(uniform_filter1d(level, 20), 20 * VALUES_A_SECOND)
    above = np.maximum(level, loudest - _DEPTH)
    return np.asarray(above - uniform_filter1d(above, _SLOW), np.float32)


def search(
    clip: Values, recording: Values, rails: Sequence[HalfValues] = (), most: int = 9
) -> list[Line]:
    """Return the most likely lines, best first; none where a file is shorter than a second.

    Args:
        clip: features of the clip, [bands, values].
        recording: features of the recording, of all its rails.
        rails: those of each of its rails, where there are several: they are searched one by
            one where nothing stands out in all of them together.
        most: how many lines.
    """
    lines = _lines_between(clip, recording)
    if max((line.score for line in lines), default=0.0) < _STANDS_OUT:
        lines += [line for rail in rails for line in _lines_between(clip, rail.astype(np.float32))]
    return _distinct(sorted(lines, key=lambda line: -line.score), most)


def _lines_between(clip: Values, recording: Values) -> list[Line]:
    swapped = clip.shape[1] > recording.shape[1]
    short, long = (recording, clip) if swapped else (clip, recording)
    if short.shape[1] < VALUES_A_SECOND:
        return []
    lines = _lines(_places(short, long), long.shape[1])
    return [_swapped(line) for line in lines] if swapped else lines


def _swapped(line: Line) -> Line:
    return Line(
        offset=-line.offset / line.ratio,
        ratio=1 / line.ratio,
        score=line.score,
        middle=line.at(line.middle),
    )


def _chunks(short: Values) -> list[tuple[int, Values]]:
    length = short.shape[1]
    size = min(length, _CHUNK)
    count = min(_MOST_CHUNKS, max(1, -(-length // _CHUNK)))
    starts = np.linspace(0, length - size, count).round().astype(int)
    return [(int(start), short[:, start : start + size]) for start in starts]


def _places(short: Values, long: Values) -> list[_Places]:
    chunks = _chunks(short)
    size = chunks[0][1].shape[1]
    blocks, step = _block_spectra(long, size)
    room = _room(long, size)
    return [
        _best(_correlate(chunk, blocks, step, room), start, size)
        for start, chunk in chunks
        if chunk.any()
    ]


def _block_spectra(long: Values, size: int) -> tuple[npt.NDArray[np.complex64], int]:
    """Cut into overlapping blocks (overlap-save), and transform: [blocks, bands, bins]."""
    length = next_fast_len(max(_BLOCK, 2 * size), real=True)
    step = length - size + 1
    padded = np.pad(long, ((0, 0), (size, size + length)))
    count = -(-(long.shape[1] + size) // step)
    windows = np.lib.stride_tricks.sliding_window_view(padded, length, axis=1)
    blocks = windows[:, : count * step : step].swapaxes(0, 1)
    return rfft(blocks, axis=2), step


def _room(long: Values, size: int) -> Values:
    """Return the norm of what a chunk lies on, for each lag from minus the size on."""
    energy = np.concatenate([[0.0], np.cumsum((long**2).sum(axis=0), dtype=np.float64)])
    ends = np.clip(np.arange(long.shape[1] + size), 0, long.shape[1])
    starts = np.clip(np.arange(long.shape[1] + size) - size, 0, long.shape[1])
    norm = np.sqrt(energy[ends] - energy[starts])
    # Where there is next to nothing, chance alone would look alike.
    return np.asarray(np.maximum(norm, 0.5 * np.median(norm) + 1e-6), np.float32)


def _correlate(chunk: Values, blocks: npt.NDArray[np.complex64], step: int, room: Values) -> Values:
    length = 2 * (blocks.shape[2] - 1)
    spectrum = np.conj(rfft(chunk, length, axis=1))
    both = irfft(np.einsum("bf,kbf->kf", spectrum, blocks), length, axis=1)
    joined = both[:, :step].reshape(-1)[: len(room)]
    return np.asarray(joined / (room * np.linalg.norm(chunk)), np.float32)


def _best(correlation: Values, start: int, size: int) -> _Places:
    """Keep the highest peaks, in standard deviations of all lags (by their median)."""
    middle = np.median(correlation)
    spread = 1.4826 * np.median(np.abs(correlation - middle)) + 1e-6
    peak = correlation == maximum_filter1d(correlation, 2 * _APART + 1)
    found = np.flatnonzero(peak & (correlation > middle))
    found = found[np.argsort(correlation[found])[::-1][:_PLACES]]
    return _Places(
        middle=start + size / 2,
        # Lag 0 of the padded blocks is minus the size; counted from the chunk's own start.
        lags=found - size - float(start),
        scores=(correlation[found] - middle) / spread,
    )


def _lines(places: Sequence[_Places], long: int) -> list[Line]:
    if not places:
        return []
    middles = np.array([each.middle for each in places])
    reach = float(np.ptp(middles))
    steps = int(np.ceil(MOST_DRIFT * reach / _NEAR))
    drifts = np.linspace(-MOST_DRIFT, MOST_DRIFT, 2 * steps + 1) if steps else np.zeros(1)
    few = max(2, _ANCHORS // len(places))
    anchors = [(each.middle, lag) for each in places for lag in each.lags[:few]]
    return [
        _line(places, middles, anchor, base + drifts, long) for base in BASES for anchor in anchors
    ]


def _line(
    places: Sequence[_Places],
    middles: npt.NDArray[np.float64],
    anchor: tuple[float, float],
    drifts: npt.NDArray[np.float64],
    long: int,
) -> Line:
    """Return the best line through one place of one chunk."""
    middle, lag = anchor
    wanted = lag + drifts[:, None] * (middles - middle)
    scores = np.stack([_score_at(each, wanted[:, k]) for k, each in enumerate(places)], axis=1)
    inside = (wanted + middles > 0) & (wanted + middles < long)
    count = np.maximum(inside.sum(axis=1), 1)
    total = (scores * inside).sum(axis=1) / np.sqrt(count)
    # Of drifts that explain the same, the least.
    best = int(np.argmax(total - 1e-3 * np.abs(drifts - np.median(drifts)) / MOST_DRIFT))
    drift = drifts[best]
    offset = lag - drift * middle
    return Line(
        offset=float(offset) / VALUES_A_SECOND,
        ratio=1 + float(drift),
        score=float(total[best]),
        middle=float(middle) / VALUES_A_SECOND,
    )


def _score_at(places: _Places, wanted: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    near = np.abs(places.lags[None] - wanted[:, None]) <= _NEAR
    return np.asarray(np.where(near, places.scores[None], 0.0).max(axis=1, initial=0.0))


def _distinct(lines: Sequence[Line], most: int) -> list[Line]:
    """Leave out lines that say the same as a better one."""
    kept: list[Line] = []
    for line in lines:
        if not any(_same(line, other) for other in kept):
            kept.append(line)
        if len(kept) == most:
            break
    return kept


def _same(line: Line, other: Line) -> bool:
    apart = line.at(other.middle) - other.at(other.middle)
    return abs(apart) < 0.15 and abs(line.ratio - other.ratio) < 4e-4
