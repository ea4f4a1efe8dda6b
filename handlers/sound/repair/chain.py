"""Repairs one after the other, on a recording that streams through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from handlers.sound.faults.finder import Known
from handlers.sound.faults.ltc import REACH_SECONDS
from handlers.sound.faults.params import FaultParams, RepairParams
from handlers.sound.faults.record import Fault
from handlers.sound.faults.windows import Samples, Window, Windows
from handlers.sound.repair.gaps import GapFiller
from handlers.sound.repair.hum import HumRemover
from handlers.sound.repair.offset import OffsetRemover


class Repair:
    """Puts right what was found and is to be put right.

    First gaps are filled, then hum goes, then DC: a clipped top is seen at its level only as
    long as nothing has been added to it. As many samples come out as went in, each in its place.
    Timecode tracks are left alone.

    Args:
        rate: Samples a second.
        channels: How many there are.
        params: What is put right.
        known: What the first pass found.
        faults: From where on something was a finding in that pass.
    """

    def __init__(
        self, rate: int, channels: int, params: RepairParams, known: Known,
        faults: FaultParams | None = None,
    ) -> None:  # fmt: skip
        self._rate, self._channels, self._params, self._known = rate, channels, params, known
        self._gaps = GapFiller(rate, channels, faults or FaultParams(), params, known.timecode)

    def __call__(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        """Yield blocks, float32 [n, channels], of the sound that comes in blocks.

        Values may lie beyond full scale where clipped tops are filled in.
        """
        sound = iter(blocks)
        second = max(64, self._rate)
        if self._params.clicks or self._params.clipping:
            reach = max(64, round(REACH_SECONDS * self._rate))
            sound = self._windowed(sound, second, reach, self._gaps)
        if self._params.hum and self._known.hum:
            sound = self._without_hum(sound)
        if self._params.dc and self._known.offset:
            remover = OffsetRemover(self._rate, self._known.offset)
            sound = self._windowed(sound, second, remover.reach, remover)
        return sound

    def faults(self) -> list[Fault]:
        """Return what was repaired, what was left, and what is now beyond full scale.

        Once all blocks have been taken.
        """
        made = [*self._gaps.clicks.faults(), *self._gaps.tops.faults()]
        peak = self._gaps.tops.peak
        if peak > 1:
            over = float(20 * np.log10(peak))
            made.append(Fault(
                kind="declip_headroom", severity="warning",
                text=f"Filled-in tops go {over:.1f} dB beyond full scale: the recording has to "
                "be made quieter by as much, or limited, before it is written as integers.",
                figures={"db": over, "peak": peak},
            ))  # fmt: skip
        return made

    def _windowed(
        self, blocks: Iterator[Samples], size: int, reach: int, work: Callable[[Window], Samples]
    ) -> Iterator[Samples]:
        windows = Windows(self._channels, size, reach)
        for block in blocks:
            for window in windows.push(block):
                yield work(window).T
        for window in windows.finish():
            yield work(window).T

    def _without_hum(self, blocks: Iterator[Samples]) -> Iterator[Samples]:
        remover = HumRemover(self._rate, list(self._known.hum))
        windows = Windows(self._channels, remover.size, 0)
        for block in blocks:
            for window in windows.push(block):
                yield from (made.T for made in remover.push(window))
        for window in windows.finish():
            yield from (made.T for made in remover.push(window))
        yield from (made.T for made in remover.finish())
