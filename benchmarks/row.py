"""What a benchmark returns: rows of one table, each a figure with its aim."""

from __future__ import annotations

import importlib
import math
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure. ``aim`` is empty and ``met`` None where a figure is only for reading."""

    name: str
    value: float
    unit: str
    aim: str = ""
    met: bool | None = None


def at_most(name: str, value: float, unit: str, limit: float) -> Row:
    """Return a figure that must not be above a limit."""
    met = bool(value <= limit)
    return Row(name=name, value=float(value), unit=unit, aim=f"≤ {limit:g}", met=met)


def at_least(name: str, value: float, unit: str, limit: float) -> Row:
    """Return a figure that must not be below a limit."""
    met = bool(value >= limit)
    return Row(name=name, value=float(value), unit=unit, aim=f"≥ {limit:g}", met=met)


def figure(name: str, value: float, unit: str) -> Row:
    """Return a figure without an aim, to read the others by."""
    return Row(name=name, value=float(value), unit=unit)


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that ``share`` of the values do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def table(rows: Iterable[Row]) -> list[str]:
    """Return the lines of the table."""
    words = {True: "met", False: "NOT MET", None: ""}
    cells = [(row.name, _number(row.value), row.unit, row.aim, words[row.met]) for row in rows]
    wide = [max(len(line[column]) for line in cells) for column in range(3)]
    return [
        f"{name:<{wide[0]}}  {value:>{wide[1]}} {unit:<{wide[2]}}  {aim:<8} {met}".rstrip()
        for name, value, unit, aim, met in cells
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3f}"


def measure(name: str, quick: bool) -> list[Row]:  # noqa: FBT001 - called by its place
    """Run one benchmark by its module's name, in this process.

    Raises:
        RuntimeError: It could not be measured. Not every exception can be handed over
            to another process, so its text is.
    """
    try:
        rows: list[Row] = importlib.import_module(f"benchmarks.{name}").run(quick)
    except Exception as error:  # noqa: BLE001 - told to the other process
        traceback.print_exc()
        raise RuntimeError(f"{type(error).__name__}: {error}") from None
    return rows
