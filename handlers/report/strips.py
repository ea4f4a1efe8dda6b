"""Bringing a table of any length down to what a screen can show.

Each column of a strip keeps the smallest and the largest value of its frames, so
that one bad frame in an hour is still seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_COLUMNS = 2000
"""More columns than a page is wide would only make it heavy."""
_FLOOR_DB = -60.0
# A page with more rows of waveform than this shows nothing clearly.
_MOST_CHANNELS = 16
# Which columns of the table each strip is drawn from.
_LOWEST = ("luma_p01", "luma_p10", "luma_p50", "focus")
_HIGHEST = (
    "luma_p50", "luma_p90", "luma_p99", "clipped", "crushed", "focus", "motion", "shake", "speech",
)  # fmt: skip
_DIGITS = 4


def strips(columns: Mapping[str, NDArray[np.generic]]) -> dict[str, Any]:
    """Return what the page draws: each lane a list of at most 2,000 numbers, None where unknown.

    Args:
        columns: The per-frame table; every column has n rows.

    Returns:
        ``frames`` (n), ``columns`` (their count), ``low`` and ``high`` by column
        name, ``peak`` and ``level`` a list for each channel (0..1 over 60 dB).
    """
    frames = max((len(values) for values in columns.values()), default=0)
    edges = column_edges(frames)
    return {
        "frames": frames,
        "columns": len(edges),
        "low": _lanes(columns, _LOWEST, np.fmin, edges),
        "high": _lanes(columns, _HIGHEST, np.fmax, edges),
        "peak": _channels(columns.get("peak_db"), edges),
        "level": _channels(columns.get("level_db"), edges),
        "audio_clipped": _sums(columns.get("audio_clipped"), edges),
    }


def sound_strips(traces: Mapping[str, NDArray[np.generic]]) -> dict[str, Any]:
    """Return what the page of a recording draws; see :func:`strips`.

    Args:
        traces: ``peak_db`` and ``level_db``, and ``loudness`` in LUFS where it was measured,
            each [n, 2]: before and after.

    Returns:
        ``loudness`` a list each for before and after, beside what :func:`strips` returns of sound.
    """
    edges = column_edges(len(traces["peak_db"]))
    loudness = np.asarray(traces.get("loudness", np.zeros((len(traces["peak_db"]), 0))))
    return {
        "frames": len(traces["peak_db"]),
        "columns": len(edges),
        "peak": _channels(traces["peak_db"], edges),
        "level": _channels(traces["level_db"], edges),
        "loudness": [_reduced(one, np.fmax, edges) for one in loudness.T],
        "audio_clipped": [],
    }


def column_edges(frames: int, most: int = MOST_COLUMNS) -> NDArray[np.int64]:
    """Return the first frame of each column: floor(k · frames / columns)."""
    columns = min(frames, most)
    return np.arange(columns, dtype=np.int64) * frames // max(1, columns)


def _lanes(
    columns: Mapping[str, NDArray[np.generic]],
    names: tuple[str, ...],
    reduce: np.ufunc,
    edges: NDArray[np.int64],
) -> dict[str, list[float | None]]:
    return {name: _reduced(columns[name], reduce, edges) for name in names if name in columns}


def _reduced(
    values: NDArray[Any], reduce: np.ufunc, edges: NDArray[np.int64]
) -> list[float | None]:
    if not len(edges):
        return []
    return _plain(reduce.reduceat(np.asarray(values, np.float64), edges))


def _plain(values: NDArray[np.float64]) -> list[float | None]:
    """Four digits are more than a strip's height shows; JSON knows no NaN."""
    return [float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None for value in values]


def _channels(decibels: NDArray[Any] | None, edges: NDArray[np.int64]) -> list[list[float | None]]:
    """Silence is minus infinity: the lowest value of the strip."""
    if decibels is None:
        return []
    table = decibels.reshape(len(decibels), -1).T
    return [_reduced(_height(channel), np.fmax, edges) for channel in table[:_MOST_CHANNELS]]


def _height(decibels: NDArray[Any]) -> NDArray[np.float64]:
    known = np.nan_to_num(np.asarray(decibels, np.float64), nan=_FLOOR_DB)
    return np.clip(1 - known / _FLOOR_DB, 0, 1)


def _sums(counts: NDArray[Any] | None, edges: NDArray[np.int64]) -> list[float | None]:
    if counts is None:
        return []
    return _reduced(np.asarray(counts).reshape(len(counts), -1).sum(axis=1), np.add, edges)


def frame_columns(table: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return what of a table counts frames: a file may carry its rate and the like beside."""
    frames = len(table["seconds"]) if "seconds" in table else 0
    return {name: values for name, values in table.items() if values.ndim and len(values) == frames}
