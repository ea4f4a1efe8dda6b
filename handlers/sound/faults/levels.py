"""DC offset, silence and dead channels: what block levels show."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from handlers.analysis.findings import count
from handlers.analysis.sound import FLOOR_DB
from handlers.sound.faults.params import FaultParams
from handlers.sound.faults.record import Fault, Ranges, within
from handlers.sound.faults.windows import Window, spans

# Blocks for levels; a DC offset is looked for in the mean of whole windows, shorter ones than a
# part of a second swing with the sound itself.
_BLOCK_SECONDS, _SHORTEST_DC = 0.01, 0.25
# The offset stands still: it is so many times what it wavers by between quarters of a window.
_STEADY = 2.0
_QUARTERS = 4
# Beyond this, in dB of full scale, an offset costs headroom and clicks at every edit.
_HARMFUL_DB = -40.0

Levels = NDArray[np.float64]


def decibels(power: float) -> float:
    """Return a mean square as dB of full scale, not below the floor."""
    return float(10 * np.log10(max(power, 10 ** (FLOOR_DB / 10))))


class Silence:
    """Silence, of all channels or of one while others live, and channels that never do."""

    def __init__(self, rate: int, channels: int, params: FaultParams) -> None:
        self._rate, self._params = rate, params
        self._size = max(1, round(rate * _BLOCK_SECONDS))
        self._limit = 10 ** (params.silence_db / 10)
        self.loudest = np.zeros(channels)
        self._end = 0
        # Where the silence that goes on began: of all together, then of each channel.
        self._since: list[int | None] = [None] * (channels + 1)
        self._found = [Ranges(0) for _ in range(channels + 1)]

    def hear(self, window: Window) -> None:
        """Take the core of a window."""
        power = _power(window.core, self._size)
        self.loudest = np.maximum(self.loudest, power.max(axis=1))
        self._end = window.at + window.core.shape[1]
        quiet = power < self._limit
        every = quiet.all(axis=0)
        self._follow(0, every, window.at)
        for channel in range(len(quiet)):
            self._follow(channel + 1, quiet[channel] & ~every, window.at)

    def _follow(self, which: int, quiet: NDArray[np.bool_], at: int) -> None:
        if not quiet.any():
            self._close(which, at)
            return
        for start, end in spans(quiet).tolist():
            if start > 0 or self._since[which] is None:
                self._close(which, at)
                self._since[which] = at + start * self._size
            if end < len(quiet):
                self._close(which, at + end * self._size)

    def _close(self, which: int, at: int) -> None:
        since, self._since[which] = self._since[which], None
        if since is not None and at - since >= self._params.silence_seconds * self._rate:
            self._found[which].add(since, at)

    def dead(self) -> NDArray[np.bool_]:
        """Say which channels never have sound."""
        return self.loudest < 10 ** (self._params.dead_db / 10)

    def faults(self) -> Iterator[Fault]:
        """Yield what was found."""
        for which in range(len(self._since)):
            self._close(which, self._end)
        silent = self.loudest < self._limit
        if silent.all():
            yield self._whole_silence()
            return
        yield from self._silences(0, "there is no sound in any channel", ())
        for channel, dead in enumerate(self.dead().tolist()):
            if dead:
                yield self._dead(channel)
            else:
                text = f"channel {channel + 1} has no sound while others do"
                yield from self._silences(channel + 1, text, (channel + 1,))

    def _whole_silence(self) -> Fault:
        channels = count(len(self.loudest), "channel")
        return Fault(
            kind="silence", severity="warning",
            text=f"There are {channels} and no sound in any of them."
            if len(self.loudest) != 1 else "There is no sound.",
            ranges=((0, self._end),),
            figures={"level_db": decibels(float(self.loudest.max()))},
        )  # fmt: skip

    def _silences(self, which: int, what: str, channels: tuple[int, ...]) -> Iterator[Fault]:
        found = self._found[which]
        if found:
            start, end = next(iter(found))
            more = f", and {found.count - 1} times more" if found.count > 1 else ""
            yield Fault(
                kind="silence", severity="info",
                text=f"{within(start, end, self._rate)} {what}{more}.",
                channels=channels, ranges=found.few(),
                figures={"count": found.count, "seconds": found.samples / self._rate},
            )  # fmt: skip

    def _dead(self, channel: int) -> Fault:
        return Fault(
            kind="dead_channel", severity="warning",
            text=f"Channel {channel + 1} is dead while others have sound.",
            channels=(channel + 1,),
            figures={"level_db": decibels(float(self.loudest[channel]))},
        )  # fmt: skip


def _power(sound: NDArray[np.float32], size: int) -> Levels:
    """Return the mean square about each block's own mean, [channels, blocks]."""
    channels, length = sound.shape
    whole = length - length % size
    parts = [sound[:, :whole].reshape(channels, -1, size)]
    # What is left is a block too, unless it says less than the one before it.
    if length - whole >= size // 2 or not whole:
        parts.append(sound[:, np.newaxis, whole:])
    return np.concatenate(
        [
            np.maximum(0, np.einsum("cbs,cbs->cb", part, part, dtype=np.float64) / part.shape[2]
            - part.mean(axis=2, dtype=np.float64) ** 2)
            for part in parts
        ],
        axis=1,
    )  # fmt: skip


class Offset:
    """DC offset: a mean that stands still."""

    def __init__(self, rate: int, channels: int, params: FaultParams) -> None:
        self._rate = rate
        self._least = 10 ** (params.dc_db / 20)
        self._found = [Ranges(2 * rate) for _ in range(channels)]
        self._sum = np.zeros(channels)

    def hear(self, window: Window) -> None:
        """Take the core of a window."""
        length = window.core.shape[1]
        if length < _SHORTEST_DC * self._rate and window.at:
            return
        parts = np.array_split(window.core, min(_QUARTERS, length), axis=1)
        means = np.array([part.mean(axis=1, dtype=np.float64) for part in parts])
        mean = means.mean(axis=0)
        steady = np.abs(mean) >= np.maximum(self._least, _STEADY * means.std(axis=0))
        for channel in np.flatnonzero(steady).tolist():
            self._found[channel].add(window.at, window.at + length)
            self._sum[channel] += mean[channel] * length

    def channels(self) -> list[int]:
        """Return the channels with an offset, from 0; a single sample has none."""
        return [channel for channel, found in enumerate(self._found) if found.samples > 1]

    def faults(self) -> Iterator[Fault]:
        """Yield what was found."""
        for channel in self.channels():
            found = self._found[channel]
            offset = float(self._sum[channel] / found.samples)
            level = decibels(offset**2)
            start, end = next(iter(found))
            text = f"{within(start, end, self._rate)} channel {channel + 1} has a DC offset "
            text += f"of {100 * offset:+.2f} % of full scale ({level:.1f} dBFS)."
            yield Fault(
                kind="dc_offset", severity="warning" if level > _HARMFUL_DB else "info",
                text=text, channels=(channel + 1,), ranges=found.few(),
                figures={"db": level, "offset": offset, "seconds": found.samples / self._rate},
            )  # fmt: skip
