"""Digital dropouts: zeros, held samples and repeated buffers inside sound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handlers.analysis.findings import count
from handlers.sound.faults.params import FaultParams
from handlers.sound.faults.record import Fault, Ranges, within
from handlers.sound.faults.windows import Window, spans

Sound = NDArray[np.float32]
Places = NDArray[np.intp]

# Digital zero, with what the arithmetic of lossy codecs leaves of it.
_ZERO = 1e-6
_LEAST_SECONDS = 0.001
# Sound breaks off: right beside the gap it is as loud as around, and alive. A gate fades.
_NEAR_SECONDS, _AROUND_SECONDS, _ABRUPT, _ALIVE = 0.002, 0.02, 0.1, 1e-3
# A held sample that is as high as anything around is a clipped top.
_TOP = 0.98
# Buffers of drivers; one that is repeated is repeated a few times at most, unlike a steady tone.
_BUFFERS = (32, 64, 128, 256, 512, 1024, 2048, 4096)
_MOST_REPEATS = 4
_TOGETHER_SECONDS = 1.0
_KINDS = ("zeros", "held", "repeated")


@dataclass(slots=True)
class _Open:
    """A run that went on where the core ended."""

    start: int
    sound_before: bool
    zero: bool
    top: bool


class Dropouts:
    """Looks for dropouts in each channel."""

    def __init__(self, rate: int, channels: int, params: FaultParams) -> None:
        self._rate = rate
        self._least = max(8, round(_LEAST_SECONDS * rate))
        self._most = params.dropout_seconds * rate
        reach = round(_TOGETHER_SECONDS * rate)
        self._found = [Ranges(reach) for _ in range(channels)]
        self._counts = [dict.fromkeys(_KINDS, 0) for _ in range(channels)]
        self._open: list[_Open | None] = [None] * channels

    def hear(self, window: Window, channel: int) -> Places:
        """Take one channel of a window; return its dropouts' places in the window."""
        sound = window.sound[channel]
        made = [*self._still(window, channel, sound), *_repeats(window, sound)]
        made.sort()
        for start, end, kind in made:
            self._found[channel].add(window.start + start, window.start + end)
            self._counts[channel][kind] += 1
        return np.array([place[:2] for place in made], np.intp).reshape(-1, 2)

    def _still(self, window: Window, channel: int, sound: Sound) -> Iterator[tuple[int, int, str]]:
        """Yield runs of one value that end in the core; one that goes on is kept for later."""
        first, last = window.first, window.last
        core = sound[first:last]
        zero = np.abs(core) <= _ZERO
        same = np.diff(core, prepend=np.float32(np.nan)) == 0
        runs = spans(same | zero)
        # The value that is held stands before the first that is the same.
        runs[:, 0] -= ~zero[runs[:, 0]] & (runs[:, 0] > 0)
        opened, self._open[channel] = self._open[channel], None
        edges = (runs[:, 0] <= 0) | (runs[:, 1] == len(core))
        if opened is not None and not (len(runs) and runs[0, 0] == 0):
            yield from self._close(opened, sound, window.start, first)
        for start, end in runs[edges | (runs[:, 1] - runs[:, 0] >= self._least)].tolist():
            run = opened if start == 0 and opened else self._begin(window, sound, start + first)
            if end == len(core) and not window.ends:
                self._open[channel] = run
            elif end < len(core):
                yield from self._close(run, sound, window.start, end + first)

    def _begin(self, window: Window, sound: Sound, start: int) -> _Open:
        value = abs(float(sound[start]))
        near = sound[max(0, start - self._least) : start + 20 * self._least]
        return _Open(
            start=window.start + start,
            sound_before=self._breaks(sound[max(0, start - self._around) : start][::-1]),
            zero=value <= _ZERO,
            top=value >= _TOP * float(np.abs(near).max()),
        )

    @property
    def _around(self) -> int:
        return round(_AROUND_SECONDS * self._rate)

    def _breaks(self, beside: Sound) -> bool:
        """Say whether sound ends at once; ``beside`` begins at the gap."""
        near = beside[: max(2, round(_NEAR_SECONDS * self._rate))]
        if len(near) < 2:
            return False
        level, around = (float(np.sqrt(np.square(part).mean())) for part in (near, beside))
        return level >= _ALIVE and level >= _ABRUPT * around

    def _close(
        self, run: _Open, sound: Sound, window_start: int, end: int
    ) -> Iterator[tuple[int, int, str]]:
        start = run.start - window_start
        if not self._least <= end - start <= self._most:
            return
        after = self._breaks(sound[end : end + self._around])
        if run.sound_before and after and (run.zero or not run.top):
            yield start, end, "zeros" if run.zero else "held"

    def faults(self) -> Iterator[Fault]:
        """Yield what was found."""
        for channel, found in enumerate(self._found):
            if found:
                yield self._fault(channel, found)

    def _fault(self, channel: int, found: Ranges) -> Fault:
        start, end = next(iter(found))
        lost = 1000 * found.samples / self._rate
        text = f"{within(start, end, self._rate)} channel {channel + 1} "
        text += "drops out" if found.count == 1 else f"begins to drop out, {found.count} times"
        text += f"; {lost:.0f} ms are lost, {count(found.samples, 'sample')}."
        return Fault(
            kind="dropout", severity="error", text=text, channels=(channel + 1,),
            ranges=found.few(),
            figures={"count": found.count, "lost_ms": lost, **self._counts[channel]},
        )  # fmt: skip


def _repeats(window: Window, sound: Sound) -> Iterator[tuple[int, int, str]]:
    """Yield pieces that are the same as the piece right before them and begin in the core."""
    taken = -1
    for size in _BUFFERS:
        if size > window.first or window.last + size > len(sound):
            continue
        same = sound[window.first : window.last + size] == sound[window.first - size : window.last]
        for start, end in spans(same).tolist() if _long(same, size) else ():
            at, length = start + window.first, end - start
            if taken < at < window.last and _is_repeat(sound[at : at + size], length):
                taken = at + length
                yield at, taken, "repeated"


def _is_repeat(piece: Sound, length: int) -> bool:
    """Say whether a piece is repeated a few times, and is sound that does not stand still."""
    if not len(piece) <= length <= _MOST_REPEATS * len(piece):
        return False
    moving = float((np.diff(piece) != 0).mean()) > 0.5
    return moving and float(np.square(piece).mean()) >= _ALIVE**2


def _long(same: NDArray[np.bool_], size: int) -> bool:
    """Say quickly whether a run of ``size`` can be there at all."""
    piece = size // 2
    whole = len(same) - len(same) % piece
    return bool(same[:whole].reshape(-1, piece).all(axis=1).any())
