"""Clicks: short breaks in the waveform that what came before does not foretell.

Speech and most other sound is well predicted from its last samples (linear prediction); a
click is not, and stands out of the prediction's error (Vaseghi, Advanced Digital Signal
Processing and Noise Reduction, ch. 12; Godsill and Rayner, Digital Audio Restoration, ch. 5).
So does each pulse of a voice, a plosive, a clap. A pulse has neighbours as high as itself; a
plosive and a clap go on for milliseconds. A click stands alone and is over at once.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from handlers.analysis.findings import count
from handlers.sound.faults.params import FaultParams
from handlers.sound.faults.prediction import (
    FRAME_SECONDS,
    filled,
    order_at,
    prediction_error,
)  # fmt: skip
from handlers.sound.faults.record import Fault, Ranges, within
from handlers.sound.faults.windows import Window

Sound = NDArray[np.float32]
Places = NDArray[np.intp]
Floats = NDArray[np.float32]

# The level that an error is held against: of the maxima of blocks, so many either side, the third
# quarter. A voice has a pulse in most of them, down to 50 a second.
_BLOCK_SECONDS, _BESIDE, _QUARTILE = 0.005, 8, 0.75
# Within so many blocks of a click only what comes near it in height is told from it.
_SPOILT, _BELOW = 9, 8.0
# A click is over within so many seconds; the sound after and before it is lower than it by the
# same ratio, that long.
_WIDEST, _GUARD = 0.002, 0.008
_PIECE = 0.001
# Filling in a click takes away so much of the error; half of it will do where that stands out of
# the level around it by more than lips and tongue do, which make longer clicks than cables.
_SHORT = 0.0005
_EXPLAINED, _PARTLY, _FAR = 6.0, 2.0, 20.0
# Of the median error, what is no longer the sound's own.
_NOTICED = 6.0
# An error lower than this cannot be heard in any sound.
_LEAST = 1e-3
REACH_SECONDS = 0.06
"""So much sound around is needed to judge a click."""
_TOGETHER_SECONDS = 0.5


def find_clicks(sound: Sound, rate: int, params: FaultParams) -> Places:
    """Find clicks in one channel.

    Args:
        sound: Float [n].
        rate: Samples a second.
        params: ``click_ratio`` is how far the error stands out of the level around it.

    Returns:
        Where they begin and end, int [clicks, 2], end exclusive, in order.
    """
    size = max(2, round(_BLOCK_SECONDS * rate))
    none = np.zeros((0, 2), np.intp)
    if len(sound) < 4 * size or not sound.any():
        return none
    error = np.abs(prediction_error(sound, rate))
    highest = _block_maxima(error, size)
    around = _level_around(highest)
    # Where a click is, its predictor is no good for the samples beside it.
    least = np.maximum(params.click_ratio * around, maximum_filter1d(highest, _SPOILT) / _BELOW)
    level, least = (np.repeat(each, size)[: len(error)] for each in (around, least))
    marks = error >= np.maximum(_LEAST, least)
    if not marks.any():
        return none
    made = []
    for place in _events(marks, round(_PIECE * rate)).tolist():
        if _alone(error, place, rate, params.click_ratio):
            own = _additive(sound, place, float(level[place[0]]), rate)
            made += [own] if own else []
    return np.array(made, np.intp).reshape(-1, 2)


def _block_maxima(error: Floats, size: int) -> Floats:
    blocks = -(-len(error) // size)
    padded = np.pad(error, (0, blocks * size - len(error)))
    return np.asarray(padded.reshape(blocks, size).max(axis=1), np.float32)


def _level_around(highest: Floats) -> Floats:
    """Return what errors are held against, given the highest of each block."""
    padded = np.pad(highest, _BESIDE, mode="reflect" if len(highest) > _BESIDE else "edge")
    near = sliding_window_view(padded, 2 * _BESIDE + 1)
    place = int(_QUARTILE * 2 * _BESIDE)
    return np.asarray(np.partition(near, place, axis=1)[:, place], np.float32)


def _events(marks: NDArray[np.bool_], reach: int) -> Places:
    """Put marks together that stand no further apart than ``reach``."""
    places = np.flatnonzero(marks)
    breaks = np.flatnonzero(np.diff(places) > reach)
    first = places[np.append(0, breaks + 1)]
    last = places[np.append(breaks, len(places) - 1)]
    return np.stack([first, last + 1], axis=1)


def _alone(error: Floats, place: list[int], rate: int, ratio: float) -> bool:
    """Say whether an event is short, and high above what is right beside it."""
    start, end = place
    if end - start > _WIDEST * rate + order_at(rate):
        return False
    peak = error[start:end].max()
    piece, guard = round(_PIECE * rate), round(_GUARD * rate)
    sides = (error[max(0, start - guard) : max(0, start - piece)], error[end + piece : end + guard])
    for side in sides:
        pieces = len(side) // piece
        if not pieces:
            return False
        highest = np.sort(side[: pieces * piece].reshape(pieces, piece).max(axis=1))
        if highest[int(_QUARTILE * (pieces - 1))] * ratio > peak:
            return False
    return True


def _additive(sound: Sound, place: list[int], level: float, rate: int) -> tuple[int, int] | None:
    """Return where a click is that was added to the sound: without it, the sound goes on.

    A pulse of a voice is where new sound begins, and cannot be filled in; that gives None.
    """
    order, half = order_at(rate), round(FRAME_SECONDS * rate)
    begin = max(0, place[0] - half)
    around = sound[begin : place[1] + half].astype(np.float64)
    start, end = place[0] - begin, place[1] - begin
    if start <= order + 1 or len(around) - end <= order + 1:
        return None
    # The predictor is learnt without what is judged by it.
    _, taps = filled(around, _marked(around, start, end), order)
    start, end = _ends(around, start, end, taps)
    if not 0 < end - start <= _WIDEST * rate:
        return None
    made, taps = filled(around, _marked(around, start - 1, end + 1), order)
    reach = slice(start, end + order + 1)
    before, after = (np.abs(np.convolve(each, taps)[reach]).max() for each in (around, made))
    far, explained = before >= _FAR * level, before >= _EXPLAINED * after
    short = end - start <= _SHORT * rate
    sure = (explained and (far or short)) or (far and before >= _PARTLY * after)
    return (start + begin, end + begin) if sure else None


def _marked(sound: NDArray[np.float64], start: int, end: int) -> NDArray[np.bool_]:
    marks = np.zeros(len(sound), bool)
    marks[start:end] = True
    return marks


def _ends(
    sound: NDArray[np.float64], start: int, end: int, taps: NDArray[np.float64]
) -> tuple[int, int]:
    """Return where a click begins and ends, given where its error does.

    The error begins with the click and goes on for as many samples as the predictor has;
    predicted backwards, from the sound after it, it ends with the click.
    """
    errors = [
        np.abs(np.convolve(sound, taps)[: len(sound)]),
        np.abs(np.convolve(sound[::-1], taps)[: len(sound)][::-1]),
    ]
    marks = []
    for error in errors:
        least = max(_NOTICED * float(np.median(error)), error[start:end].max() / 50)
        marks.append(np.flatnonzero(error[start:end] >= least) + start)
    forward, backward = marks
    if not (len(forward) and len(backward)):
        return start, start
    return int(forward[0]), max(int(forward[0]), int(backward[-1])) + 1


class Clicks:
    """Counts clicks in each channel."""

    def __init__(self, rate: int, channels: int, params: FaultParams) -> None:
        self._rate, self._params = rate, params
        self._found = [Ranges(round(_TOGETHER_SECONDS * rate)) for _ in range(channels)]
        self._worst = [0.0] * channels
        self._heard = 0
        self._reach = round(REACH_SECONDS * rate)

    def hear(self, window: Window, channel: int, known: Places) -> None:
        """Take one channel of a window.

        Args:
            window: With at least ``REACH_SECONDS`` of context.
            channel: Which one, from 0.
            known: Places in the window that have another fault, and no click for that.
        """
        if channel == 0:
            self._heard += window.last - window.first
        begin = max(0, window.first - self._reach)
        sound = window.sound[channel, begin : window.last + self._reach]
        for start, end in (find_clicks(sound, self._rate, self._params) + begin).tolist():
            if window.first <= start < window.last and not beside(start, end, known, self._rate):
                self._found[channel].add(window.start + start, window.start + end)
                size = float(np.ptp(window.sound[channel, start - 1 : end + 1]))
                self._worst[channel] = max(self._worst[channel], size)

    def faults(self) -> Iterator[Fault]:
        """Yield what was found."""
        for channel, found in enumerate(self._found):
            if found:
                yield self._fault(channel, found)

    def _fault(self, channel: int, found: Ranges) -> Fault:
        rate = 60 * self._rate * found.count / self._heard
        worst = float(20 * np.log10(max(self._worst[channel], 1e-6)))
        start, end = next(iter(found))
        what = "clicks" if found.count == 1 else f"begins to click, {count(found.count, 'click')}"
        text = f"{within(start, end, self._rate)} channel {channel + 1} {what}; "
        text += f"the largest jumps by {worst:.0f} dBFS."
        return Fault(
            kind="clicks", severity="warning", text=text, channels=(channel + 1,),
            ranges=found.few(),
            figures={"count": found.count, "a_minute": rate, "largest_db": worst},
        )  # fmt: skip


def beside(start: int, end: int, places: Places, rate: int) -> bool:
    """Say whether a click lies on one of some places, or within 2 ms of it."""
    reach = round(_WIDEST * rate)
    near = (places[:, 0] - reach < end) & (start < places[:, 1] + reach)
    return bool(near.any())
