"""Everything that is measured of sound while it goes by once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handlers.sound.faults.finder import FaultFinder, Known
from handlers.sound.faults.params import FaultParams
from handlers.sound.faults.record import Fault
from handlers.sound.layout import Layout
from handlers.sound.levels import Levels, Quiet
from handlers.sound.loudness import Loudness, Meter
from handlers.sound.preview import Preview
from handlers.sound.reader import Sound
from handlers.sound.spectrogram import Powers, Spectrogram
from handlers.sound.trace import Trace

Tell = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What was heard; ``quiet``, ``faults`` and ``known`` only where they were asked for.

    ``trace`` are columns a frame of time, ``powers`` a spectrogram in dB, [columns, bins].
    """

    loudness: Loudness
    trace: dict[str, NDArray[np.float32]]
    powers: Powers
    quiet: Quiet | None = None
    faults: Sequence[Fault] = ()
    known: Known | None = None

    @property
    def timecode_channels(self) -> frozenset[int]:
        """Channels from 0 that carry timecode and no sound."""
        return self.known.timecode if self.known is not None else frozenset()


@dataclass(slots=True, kw_only=True)
class Ear:
    """Hears one sound from its beginning to its end.

    Args:
        sound: What will be heard.
        layout: What its channels are.
        frames: Frames a second of the page's time axis.
        preview: Where what a browser plays is written.
        search: What to search for faults with; None searches for none.
    """

    sound: Sound
    layout: Layout
    frames: Fraction
    preview: Path
    search: FaultParams | None = None
    _finder: FaultFinder | None = field(init=False, default=None)
    _levels: Levels | None = field(init=False, default=None)

    def hear(self, tell: Tell) -> Heard:
        """Hear all of it; ``tell`` gets the share that is done."""
        rate, channels, samples = self.sound.rate, self.sound.channels, self.sound.samples
        meter, trace = Meter(rate, self.layout), Trace(rate, self.frames)
        pictured, played = Spectrogram(rate, samples), Preview(self.preview, rate, channels)
        if self.search is not None:
            self._finder = FaultFinder(rate, channels, self.search)
            self._levels = Levels(rate)
        listening: list[Any] = [meter, trace, pictured, played, self._finder, self._levels]
        done = 0
        for block in self.sound.blocks():
            for one in listening:
                if one is not None:
                    one.push(block)
            done += len(block)
            tell(done / max(1, samples))
        played.close()
        return Heard(
            loudness=meter.finish(),
            trace=trace.finish(),
            powers=pictured.finish(),
            quiet=self._levels.finish() if self._levels else None,
            faults=self._finder.finish() if self._finder else (),
            known=self._finder.known() if self._finder else None,
        )
