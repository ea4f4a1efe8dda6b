"""The analysis of one clip: what the edit pass feeds, and the table that comes out."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from handlers.analysis.clipping import clipping
from handlers.analysis.laid import Samples
from handlers.analysis.params import QcParams
from handlers.analysis.picture import SINCE_BEFORE, PictureMeter
from handlers.analysis.series import add_series
from handlers.analysis.sound import StreamMeter, joined
from handlers.analysis.speech import Ear, Voice
from handlers.analysis.table import Table
from handlers.media.probe import Probe, VideoFacts

# Sound that waits for the first picture to say when frame 0 is: the decoder says it earlier.
_MOST_EARLY = 100_000


class Meter:
    """Measures a clip's pictures and sound; ``docs/analysis.md`` says what comes out.

    Args:
        source: What the clip is.
        video: Its picture.
        qc: From where on a frame counts as black, frozen, repeated.
        voice: Hears speech, or None.
        gamma: The camera's own name of its transfer curve, if known.
        listen: Hears a stream's sound, float32 [n, channels], laid from frame 0 on; by its index.
        folder: Where the figures of a long clip are kept until the table is made, in files without
            a name; None: where the system has its temporary files.
    """

    def __init__(
        self,
        source: Probe,
        video: VideoFacts,
        qc: QcParams,
        voice: Voice | None = None,
        gamma: str | None = None,
        listen: Mapping[int, Callable[[Samples], None]] = MappingProxyType({}),
        *,
        folder: Path | None = None,
    ) -> None:
        self._rate, self._qc = video.rate, qc
        self.picture = PictureMeter(video, gamma, folder)
        self._decoded = array("b")
        self._ears = {facts.index: Ear(facts, voice) for facts in source.audio} if voice else {}
        self.streams = {
            facts.index: StreamMeter(facts, video.rate, self._hearing(facts.index, listen), folder)
            for facts in source.audio
        }
        self._origin: Fraction | None = None
        self.clip_point: float | None = None
        self._early: list[tuple[int, av.AudioFrame, Fraction | None]] = []

    def _hearing(
        self, index: int, listen: Mapping[int, Callable[[Samples], None]]
    ) -> tuple[Callable[[Samples], None], ...]:
        ears = (self._ears[index].push,) if index in self._ears else ()
        return (*ears, listen[index]) if index in listen else ears

    def begin(self, origin: Fraction) -> None:
        """Take the time of frame 0, in seconds of the source's clock."""
        self._origin = origin
        early, self._early = self._early, []
        for index, frame, seconds in early:
            self.sound(index, frame, seconds)

    def push(self, frame: av.VideoFrame | None) -> None:
        """Take the next frame; None where the one before stands in for a lost one."""
        self._decoded.append(frame is not None)
        if frame is None:
            self.picture.repeat()
        else:
            self.picture.push(frame)

    def sound(self, index: int, frame: av.AudioFrame, seconds: Fraction | None) -> None:
        """Take some sound of the stream ``index``, and when it is heard on that clock."""
        if index not in self.streams:
            return
        if self._origin is None:
            if len(self._early) < _MOST_EARLY:
                self._early.append((index, frame, seconds))
            return
        self.streams[index].push(frame, None if seconds is None else seconds - self._origin)

    def finish(self, rows: int, times: Sequence[float] | None = None) -> Table:
        """Return the table, made of what was measured.

        Args:
            rows: The clip's length on the edit rate.
            times: Seconds of each picture after the first, where the rate is variable.
        """
        shown = shown_pictures(rows, len(self._decoded), self._rate, times)
        columns: dict[str, NDArray[Any]] = {
            "seconds": np.arange(rows) * (self._rate.denominator / self._rate.numerator),
            "decoded": np.array(self._decoded, bool)[shown],
        }
        measured = self._picture()
        for name in list(measured):
            # One after the other: a long clip's columns are not in memory twice.
            columns[name] = measured.pop(name)[shown]
        again = np.diff(shown, prepend=-1) == 0
        for name in SINCE_BEFORE:
            # A picture of a variable rate that is shown for several frames moves once.
            columns[name][again] = 0
        columns |= add_series(columns, float(self._rate), self._qc, held=again)
        return Table(rate=self._rate, columns=columns | self._sound(rows))

    def _picture(self) -> dict[str, NDArray[np.float32]]:
        measured = self.picture.columns()
        reader = self.picture.reader
        found = clipping(self.picture.tails, reader.curve, reader.scale)
        self.clip_point = found.point
        return measured | {"clipped": found.clipped}

    def _sound(self, rows: int) -> dict[str, NDArray[Any]]:
        if not self.streams:
            return {}
        made = joined(stream.finish(rows) for stream in self.streams.values())
        if self._ears:
            heard = [ear.finish(rows, self._rate) for ear in self._ears.values()]
            made["speech"] = np.max(heard, axis=0)
        return made


def shown_pictures(
    rows: int, pictures: int, rate: Fraction, times: Sequence[float] | None
) -> NDArray[np.int64]:
    """Return which picture is shown in each row, int64 [rows]."""
    if times is None:
        return np.minimum(np.arange(rows), pictures - 1)
    places = np.round(np.asarray(times, np.float64) * float(rate)).astype(np.int64)
    return np.clip(np.searchsorted(places, np.arange(rows), side="right") - 1, 0, pictures - 1)
