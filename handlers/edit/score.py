"""How good a range of a take is: five measures of 0..1, and their weighted mean.

Each measure falls, or stays, when a frame's figures get worse, and so does the score. How sharp
a take usually is, and how much of it is clipped anyway, is its ``Reference``: lenses and sets
differ more than takes do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]

WEIGHTS: Mapping[str, float] = MappingProxyType(
    {"focus": 0.25, "exposure": 0.25, "stability": 0.25, "speech": 0.10, "duration": 0.15}
)
"""How much each measure counts; without a ``speech`` column the others share its part."""

# Where a frame's figure is worth nothing, and from where on it cannot be better.
FOCUS = (0.3, 0.9)  # of the clip's own usual sharpness
SHAKE = (0.010, 0.001)  # of the picture's width
CLIPPED = (0.20, 0.01)  # of the pixels
CRUSHED = (0.60, 0.10)
DARK, BRIGHT = (0.01, 0.08), (0.95, 0.75)  # median luma
_LASTING = 8.0  # seconds after which a range has two thirds of the measure of duration


class Columns(Protocol):
    """A table's columns by name, as ``handlers.analysis.table.Table`` or a dict has them."""

    def __getitem__(self, name: str, /) -> Column:
        """Return a column, one value a frame."""
        ...

    def __contains__(self, name: Any, /) -> bool:
        """Say whether there is such a column."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What is usual in a take: its sharpness (the table's unit), and shares of pixels."""

    focus: float
    clipped: float
    crushed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """The measures of a range, each 0..1; ``speech`` None when nobody listened for it.

    ``spoken`` is the time in seconds in which somebody speaks.
    """

    focus: float
    exposure: float
    stability: float
    speech: float | None
    duration: float
    spoken: float

    @property
    def score(self) -> float:
        """The weighted mean, 0..1."""
        values = {name: getattr(self, name) for name in WEIGHTS}
        known = {name: value for name, value in values.items() if value is not None}
        weight = math.fsum(WEIGHTS[name] for name in known)
        return math.fsum(WEIGHTS[name] * value for name, value in known.items()) / weight


def reference(table: Columns, start: int, end: int) -> Reference:
    """Return what is usual from frame ``start`` to ``end``."""
    return Reference(
        focus=_usual(table, "focus", start, end, 0.75),
        clipped=_usual(table, "clipped", start, end, 0.5),
        crushed=_usual(table, "crushed", start, end, 0.5),
    )


def quality(table: Columns, start: int, end: int, usual: Reference, rate: float) -> Quality:
    """Measure the frames ``start`` to ``end`` (exclusive, at least one).

    Columns that are not there speak neither for nor against: their measure is 1.
    """
    seconds = (end - start) / rate
    speech = spoken(table, start, end)
    return Quality(
        focus=_mean(steps(part(table, "focus", start, end), *_scaled(FOCUS, usual.focus))),
        exposure=_mean(exposure(table, start, end)),
        stability=_mean(steps(part(table, "shake", start, end), *SHAKE)),
        speech=None if speech is None else _mean(speech),
        duration=1 - math.exp(-seconds / _LASTING),
        spoken=0.0 if speech is None else float(speech.sum()) / rate,
    )


def exposure(table: Columns, start: int, end: int) -> Column:
    """Return how well each frame is exposed, 0..1: little clipped or crushed, middle tones.

    A picture that is dark or bright on the whole may be meant so: that counts for less.
    """
    middle = part(table, "luma_p50", start, end)
    meant = 0.7 + 0.3 * np.minimum(steps(middle, *DARK), steps(middle, *BRIGHT))
    clipped = steps(part(table, "clipped", start, end), *CLIPPED)
    made: Column = meant * clipped * steps(part(table, "crushed", start, end), *CRUSHED)
    return made


def spoken(table: Columns, start: int, end: int) -> Column | None:
    """Return 1 for each frame with speech that is not clipped, or None without the column."""
    if "speech" not in table:
        return None
    heard = np.nan_to_num(table["speech"][start:end]) >= 0.5
    if "audio_clipped" in table:
        heard &= ~(np.nan_to_num(table["audio_clipped"][start:end]) >= 3).any(axis=-1)
    made: Column = heard.astype(np.float64)
    return made


def part(table: Columns, name: str, start: int, end: int) -> Column | None:
    """Return a part of a column, None where there is none."""
    return table[name][start:end].astype(np.float64) if name in table else None


def steps(values: Column | None, none: float, full: float) -> Column:
    """Return 0 at ``none``, 1 at ``full``, linear between; what is not known is 1."""
    if values is None or none == full:
        return np.ones(1)
    made: Column = np.clip((values - none) / (full - none), 0, 1)
    return np.where(np.isnan(made), 1.0, made)


def _scaled(limits: tuple[float, float], by: float) -> tuple[float, float]:
    return limits[0] * by, limits[1] * by


def _usual(table: Columns, name: str, start: int, end: int, share: float) -> float:
    values = part(table, name, start, end)
    if values is None or not np.isfinite(values).any():
        return 0.0
    return float(np.nanquantile(values, share))


def _mean(values: Column) -> float:
    # A sum of many 0.1 may end above 1.
    return min(1.0, float(values.mean()))
