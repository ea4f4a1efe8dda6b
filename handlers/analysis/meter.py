"""The analysis of one clip: what the edit pass feeds, and the table that comes out."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from handlers.analysis.params import QcParams
from handlers.analysis.picture import PictureMeter
from handlers.analysis.series import add_series
from handlers.analysis.table import Table
from handlers.media.probe import Probe, VideoFacts


class Meter:
    """Measures a clip's pictures; see ``docs/analysis.md`` for what comes out.

    Args:
        source: What the clip is; it has video.
        video: Its picture.
        qc: From where on a frame counts as black, frozen, repeated.
        gamma: The camera's own name of its transfer curve, if known.
    """

    def __init__(
        self, source: Probe, video: VideoFacts, qc: QcParams, gamma: str | None = None
    ) -> None:
        self._source, self._video, self._qc = source, video, qc
        self.picture = PictureMeter(video, gamma)
        self._decoded = array("b")

    def push(self, frame: av.VideoFrame | None) -> None:
        """Take the next frame; None where the one before stands in for a lost one."""
        self._decoded.append(frame is not None)
        if frame is None:
            self.picture.repeat()
        else:
            self.picture.push(frame)

    def finish(self, rows: int, times: Sequence[float] | None = None) -> Table:
        """Return the table.

        Args:
            rows: The clip's length on the edit rate.
            times: Seconds of each picture after the first, where the rate is variable.
        """
        rate = self._video.rate
        shown = _shown(rows, len(self._decoded), rate, times)
        fresh = np.diff(shown, prepend=-1) != 0
        columns: dict[str, NDArray[Any]] = {
            "seconds": np.arange(rows) * (rate.denominator / rate.numerator),
            "decoded": np.array(self._decoded, bool)[shown],
        }
        for name, values in self.picture.columns().items():
            columns[name] = values[shown]
        for name in ("difference", "shift_x", "shift_y", "motion"):
            # A picture of a variable rate that is shown for several frames moves once.
            columns[name][~fresh] = 0
        columns |= add_series(columns, float(rate), self._qc)
        return Table(rate=rate, columns=columns)


def _shown(
    rows: int, pictures: int, rate: Fraction, times: Sequence[float] | None
) -> NDArray[np.int64]:
    """Return which picture is shown in each row."""
    if times is None:
        return np.minimum(np.arange(rows), pictures - 1)
    places = np.round(np.asarray(times, np.float64) * float(rate)).astype(np.int64)
    return np.clip(np.searchsorted(places, np.arange(rows), side="right") - 1, 0, pictures - 1)
