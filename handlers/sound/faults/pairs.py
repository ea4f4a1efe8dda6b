"""Channels against each other: out of phase, inverted, the same."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from handlers.sound.faults.params import FaultParams
from handlers.sound.faults.record import Fault, Ranges, within
from handlers.sound.faults.windows import Window

Matrix = NDArray[np.float64]
Marks = NDArray[np.bool_]

# A channel quieter than this, in mean square, has no phase.
_QUIETEST = 1e-7
# Channels that are no stereo pair are one sound inverted only when they are this alike.
_ALIKE = 0.95
# Two channels are one sound at two levels when so little is different, by correlation.
_SAME = 0.9999


class Pairs:
    """Correlates every channel with every other, window by window.

    Neighbours (1 and 2, 3 and 4, and so on) are taken for pairs; of others only those are told of
    that are one and the same sound.
    """

    def __init__(self, rate: int, channels: int, params: FaultParams) -> None:
        self._rate, self._params, self._channels = rate, params, channels
        self._upper = np.triu(np.ones((channels, channels), bool), 1)
        self._equal = self._upper.copy()
        self._opposite = self._upper.copy()
        self._product = np.zeros((channels, channels))
        self._heard = 0
        self._out: dict[tuple[int, int], Ranges] = {}
        self._least: dict[tuple[int, int], float] = {}
        self._limit = np.full((channels, channels), -_ALIKE)
        for left in range(0, channels - 1, 2):
            self._limit[left, left + 1] = params.phase

    def hear(self, window: Window) -> None:
        """Take the core of a window."""
        if self._channels < 2:
            return
        sound = window.core - window.core.mean(axis=1, keepdims=True)
        length = sound.shape[1]
        product = (sound @ sound.T).astype(np.float64)
        self._product += product
        self._heard += length
        power = np.diag(product)
        both = np.sqrt(np.outer(power, power))
        alive = power > _QUIETEST * length
        known = self._upper & np.outer(alive, alive)
        alike = np.divide(product, both, out=np.zeros_like(product), where=known)
        self._compare(window.core, alike, known)
        for pair in np.argwhere(known & (alike < self._limit)).tolist():
            self._add((pair[0], pair[1]), window, float(alike[pair[0], pair[1]]))

    def _compare(self, core: NDArray[np.float32], alike: Matrix, known: Marks) -> None:
        """Cross out the pairs that are not the same, or not the same upside down."""
        self._equal &= ~known | (alike > _SAME)
        self._opposite &= ~known | (alike < -_SAME)
        for marks, sign in ((self._equal, 1), (self._opposite, -1)):
            for one, other in np.argwhere(marks & known).tolist():
                marks[one, other] = np.array_equal(core[one], sign * core[other])

    def _add(self, pair: tuple[int, int], window: Window, alike: float) -> None:
        found = self._out.setdefault(pair, Ranges(self._rate // 2))
        found.add(window.at, window.at + window.core.shape[1])
        self._least[pair] = min(alike, self._least.get(pair, 1.0))

    def faults(self) -> Iterator[Fault]:
        """Yield what was found."""
        power = np.diag(self._product)
        alive = power > _QUIETEST * max(1, self._heard)
        known = self._upper & np.outer(alive, alive)
        told = np.zeros_like(known)
        for one, other in np.argwhere(known & self._opposite).tolist():
            told[one, other] = True
            yield self._inverted(one, other)
        for (one, other), found in sorted(self._out.items()):
            if not told[one, other] and self._long(found):
                yield self._out_of_phase(one, other, found)
        yield from self._doubles(known)

    def _long(self, found: Ranges) -> bool:
        spans = [(start, end) for start, end in found if self._lasts(end - start)]
        return bool(spans)

    def _lasts(self, length: int) -> bool:
        return length >= min(self._params.phase_seconds * self._rate, self._heard)

    def _inverted(self, one: int, other: int) -> Fault:
        text = f"Channels {one + 1} and {other + 1} are the same with opposite polarity: summed, "
        text += "nothing is left of them."
        return Fault(
            kind="out_of_phase", severity="warning", text=text, channels=(one + 1, other + 1),
            ranges=((0, self._heard),), figures={"correlation": -1.0},
        )  # fmt: skip

    def _out_of_phase(self, one: int, other: int, found: Ranges) -> Fault:
        start, end = next(iter(found))
        text = f"{within(start, end, self._rate)} channels {one + 1} and {other + 1} "
        text += f"are out of phase, {found.samples / self._rate:.1f} s in all."
        return Fault(
            kind="out_of_phase", severity="warning", text=text, channels=(one + 1, other + 1),
            ranges=tuple(span for span in found.few() if self._lasts(span[1] - span[0])),
            figures={"correlation": self._least[one, other],
                     "seconds": found.samples / self._rate},
        )  # fmt: skip

    def _doubles(self, known: Marks) -> Iterator[Fault]:
        """Yield channels that are the same, each once, with the first that it is the same as."""
        power = np.diag(self._product)
        both = np.sqrt(np.outer(power, power))
        alike = np.divide(self._product, both, out=np.zeros_like(both), where=known)
        for other in range(1, self._channels):
            exact = np.flatnonzero((known & self._equal)[:, other])
            near = np.flatnonzero(known[:, other] & (alike[:, other] > _SAME))
            if len(exact):
                yield _double(int(exact[0]), other, 0.0, "the same to the sample")
            elif len(near):
                one = int(near[0])
                apart = float(10 * np.log10(power[other] / power[one]))
                yield _double(one, other, apart, f"one sound, {apart:+.1f} dB apart")


def _double(one: int, other: int, apart: float, what: str) -> Fault:
    return Fault(
        kind="identical_channels", severity="info",
        text=f"Channels {one + 1} and {other + 1} are {what}.",
        channels=(one + 1, other + 1), figures={"level_difference_db": apart},
    )  # fmt: skip
