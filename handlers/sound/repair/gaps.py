"""Clicks and clipped tops: short gaps that are filled in from the sound around them.

A gap is filled by the samples that are foretold best from both of its sides (Janssen, Veldhuis
and Vries, Adaptive Interpolation of Discrete-Time Signals, 1986); those of a clipped top are
no lower than the top. All other samples stay as they are, to the bit.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from handlers.sound.faults.clicks import REACH_SECONDS, beside, find_clicks
from handlers.sound.faults.clipping import clipped_runs
from handlers.sound.faults.dropouts import Dropouts
from handlers.sound.faults.params import FaultParams, RepairParams
from handlers.sound.faults.prediction import filled, order_at
from handlers.sound.faults.windows import Samples, Window
from handlers.sound.repair.record import Tally

Places = NDArray[np.intp]
Floats = NDArray[np.float64]

# So much sound on either side is learnt from; more coefficients for longer gaps, up to so many.
_AROUND_SECONDS, _MOST_ORDER = 0.015, 60
# Clipped tops this near to each other are filled in together, up to a length.
_TOGETHER_SECONDS = 0.01
# Where more than this part is lost, there is nothing to foretell it from.
_MOST_LOST = 0.2


class GapFiller:
    """Fills in the clicks and clipped tops of a recording, window by window.

    Args:
        rate: Samples a second.
        channels: How many there are.
        params: What is found.
        repair: What is filled in, and how long it may be.
        leave: Channels that are left alone, from 0.
    """

    def __init__(
        self, rate: int, channels: int, params: FaultParams, repair: RepairParams,
        leave: frozenset[int] = frozenset(),
    ) -> None:  # fmt: skip
        self._rate, self._params, self._repair, self._leave = rate, params, repair, leave
        self._dropouts = Dropouts(rate, channels, params)
        self.clicks = Tally("clicks", rate, channels)
        self.tops = Tally("audio_clipping", rate, channels)
        # What a gap that ends in the next core needs there: first sample and values.
        self._over: list[list[tuple[int, Floats]]] = [[] for _ in range(channels)]

    def __call__(self, window: Window) -> Samples:
        """Return the core of a window, float32 [channels, n], with its gaps filled."""
        core = window.core.copy()
        for channel in range(len(core)):
            patches, self._over[channel] = self._over[channel], []
            if channel not in self._leave:
                patches += self._patches(window, channel)
            for start, values in patches:
                self._lay(core[channel], window.at, channel, start, values)
        return core

    def _lay(
        self, core: NDArray[np.float32], at: int, channel: int, start: int, values: Floats
    ) -> None:
        fits = min(len(values), len(core) - (start - at))
        core[start - at : start - at + fits] = values[:fits]
        if fits < len(values):
            self._over[channel].append((at + len(core), values[fits:]))

    def _patches(self, window: Window, channel: int) -> list[tuple[int, Floats]]:
        sound = window.sound[channel]
        tops = clipped_runs(sound, self._params)
        lost = self._dropouts.hear(window, channel)
        made: list[tuple[int, Floats]] = []
        if self._repair.clipping:
            made += self._filled_tops(window, channel, tops)
        if self._repair.clicks:
            made += self._filled_clicks(window, channel, np.concatenate([tops, lost]))
        return made

    def _filled_clicks(
        self, window: Window, channel: int, known: Places
    ) -> Iterator[tuple[int, Floats]]:
        reach = round(REACH_SECONDS * self._rate)
        begin = max(0, window.first - reach)
        near = window.sound[channel, begin : window.last + reach]
        for first, last in (find_clicks(near, self._rate, self._params) + begin).tolist():
            own = window.first <= first < window.last
            if not own or beside(first, last, known, self._rate):
                continue
            # The samples beside it may have a trace of it.
            start, end = max(window.first, first - 1), last + 1
            order = min(_MOST_ORDER, max(order_at(self._rate), 3 * (end - start) + 2))
            short = end - start <= self._repair.click_seconds * self._rate + 2
            made = self._fill(window.sound[channel], [[start, end]], order) if short else None
            self.clicks.add(channel, window.start + start, window.start + end, made is not None)
            if made is not None:
                yield window.start + start, made

    def _filled_tops(
        self, window: Window, channel: int, tops: Places
    ) -> Iterator[tuple[int, Floats]]:
        sound = window.sound[channel]
        long = tops[:, 1] - tops[:, 0] > self._repair.clip_seconds * self._rate
        own = tops[(tops[:, 0] >= window.first) & (tops[:, 0] < window.last)]
        for group in _groups(own, round(_TOGETHER_SECONDS * self._rate)):
            order = min(_MOST_ORDER, 2 * order_at(self._rate))
            # Tops further away than a prediction reaches are taken as they are.
            beyond = 2 * order
            close = (tops[:, 1] > group[0][0] - beyond) & (tops[:, 0] < group[-1][1] + beyond)
            near = tops[close & ~long]
            made = self._fill(sound, group, order, near)
            for start, end in group:
                short = end - start <= self._repair.clip_seconds * self._rate
                done = made is not None and short
                self.tops.add(channel, window.start + start, window.start + end, done)
                if made is not None and short:
                    values = made[start - group[0][0] : end - group[0][0]]
                    self.tops.peak = max(self.tops.peak, float(np.abs(values).max()))
                    yield window.start + start, values

    def _fill(
        self, sound: NDArray[np.float32], group: list[list[int]], order: int,
        tops: Places | None = None,
    ) -> Floats | None:  # fmt: skip
        """Return what stands from a group's first sample to its last once its gaps are filled.

        None where that cannot be: at the ends of the recording, or where too much is lost.
        """
        around = max(round(_AROUND_SECONDS * self._rate), 4 * order)
        first, last = group[0][0], group[-1][1]
        begin = max(0, first - around)
        part = sound[begin : last + around].astype(np.float64)
        lost = np.zeros(len(part), bool)
        for start, end in group if tops is None else tops.tolist():
            lost[max(0, start - begin) : max(0, end - begin)] = True
        # What is too near the ends of the part to be filled in is taken as it is.
        lost[: order + 1] = False
        lost[len(lost) - order - 1 :] = False
        if not lost[first - begin : last - begin].any() or lost.mean() > _MOST_LOST:
            return None
        if not (lost[first - begin] and lost[last - 1 - begin]):
            return None
        made, _ = filled(part, lost, order, None if tops is None else part[lost])
        return made[first - begin : last - begin]


def _groups(places: Places, longest: int) -> Iterator[list[list[int]]]:
    """Put places together as long as they are within one stretch of so many samples."""
    group: list[list[int]] = []
    for start, end in places.tolist():
        if group and end - group[0][0] > longest:
            yield group
            group = []
        group.append([start, end])
    if group:
        yield group
