"""All faults of a recording's sound, found in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from handlers.sound.faults.clicks import Clicks
from handlers.sound.faults.clipping import Clipping
from handlers.sound.faults.dropouts import Dropouts
from handlers.sound.faults.hum import HumTrack
from handlers.sound.faults.hum_track import Hum
from handlers.sound.faults.levels import Offset, Silence
from handlers.sound.faults.ltc import REACH_SECONDS, LinearTimecode
from handlers.sound.faults.pairs import Pairs
from handlers.sound.faults.params import FaultParams
from handlers.sound.faults.record import Fault
from handlers.sound.faults.windows import Samples, Window, Windows

_WINDOW_SECONDS = 1.0
# Floats beyond this are no sound; their squares would be no numbers.
_LOUDEST = 1e4
# What is no fault of a timecode track: it is a square wave, and nobody listens to it.
_OF_LISTENING = frozenset(
    {
        "audio_clipping",
        "clicks",
        "dropout",
        "hum",
        "dc_offset",
        "out_of_phase",
        "identical_channels",
    }
)
_ORDER = ("error", "warning", "info")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a repair needs to know of a recording: its hum, and channels, from 0."""

    hum: tuple[HumTrack, ...] = ()
    offset: tuple[int, ...] = ()
    timecode: frozenset[int] = frozenset()


class FaultFinder:
    """Finds the faults of a recording that comes in blocks.

    Memory is a second and a few tenths of sound, eight seconds of it at a twelfth of the
    rate, and a few numbers every four seconds. The blocks' sizes make no difference.

    Args:
        rate: Samples a second, 8000 to 192,000.
        channels: How many there are.
        params: From where on something is a finding.
    """

    def __init__(self, rate: int, channels: int, params: FaultParams | None = None) -> None:
        params = params or FaultParams()
        reach = max(64, round(REACH_SECONDS * rate))
        self._windows = Windows(channels, max(64, round(_WINDOW_SECONDS * rate)), reach)
        self._levels = Silence(rate, channels, params)
        self._offset = Offset(rate, channels, params)
        self._clipping = Clipping(rate, channels, params)
        self._dropouts = Dropouts(rate, channels, params)
        self._clicks = Clicks(rate, channels, params)
        self._hum = Hum(rate, channels, params)
        self._pairs = Pairs(rate, channels, params)
        self._timecode = [LinearTimecode(rate, channel) for channel in range(channels)]
        self._heard = 0

    def push(self, block: Samples) -> None:
        """Take a block, float [n, channels], full scale 1.

        What is no number counts as zero, for one would spoil all levels around it; who reads
        the file tells of it.
        """
        sane = np.clip(np.nan_to_num(block), -_LOUDEST, _LOUDEST)
        for window in self._windows.push(sane):
            self._hear(window)

    def finish(self) -> list[Fault]:
        """Return the faults, the worst first; nothing may be pushed after it."""
        for window in self._windows.finish():
            self._hear(window)
        self._hum.finish()
        if not self._heard:
            return []
        found = [fault for fault in self._all() if not self._timecode_only(fault)]
        return sorted(found, key=lambda fault: _ORDER.index(fault.severity))

    def known(self) -> Known:
        """Return what a repair needs to know, after ``finish``."""
        timecode = frozenset(filter(self._is_timecode, range(len(self._timecode))))
        return Known(
            hum=tuple(track for track in self._hum.tracks() if track.channel not in timecode),
            offset=tuple(each for each in self._offset.channels() if each not in timecode),
            timecode=timecode,
        )

    def _hear(self, window: Window) -> None:
        self._heard += window.last - window.first
        self._levels.hear(window)
        self._offset.hear(window)
        self._pairs.hear(window)
        self._hum.hear(window)
        for channel, timecode in enumerate(self._timecode):
            heard = timecode.hear(window)
            clipped = self._clipping.hear(window, channel)
            lost = self._dropouts.hear(window, channel)
            if not heard:
                self._clicks.hear(window, channel, np.concatenate([clipped, lost]))

    def _all(self) -> Iterator[Fault]:
        return chain(
            self._levels.faults(), self._dropouts.faults(), self._clipping.faults(),
            self._clicks.faults(), self._hum.faults(), self._offset.faults(),
            self._pairs.faults(), *(timecode.faults() for timecode in self._timecode),
        )  # fmt: skip

    def _is_timecode(self, channel: int) -> bool:
        return self._timecode[channel].covers(self._heard)

    def _timecode_only(self, fault: Fault) -> bool:
        """Say whether a fault is one of a timecode track, and no fault there."""
        return fault.kind in _OF_LISTENING and any(
            self._is_timecode(channel - 1) for channel in fault.channels
        )


def find_faults(
    blocks: Iterable[Samples], rate: int, channels: int, params: FaultParams | None = None
) -> list[Fault]:
    """Return the faults of a recording, the worst first; see ``FaultFinder``."""
    finder = FaultFinder(rate, channels, params)
    for block in blocks:
        finder.push(block)
    return finder.finish()
