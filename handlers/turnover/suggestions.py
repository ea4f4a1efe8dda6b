"""What the analysis found, as markers: suggestions with their confidence and reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from handlers.turnover.model import Colour, Marker

# What is only for information would bury what needs a look.
_SEVERITIES = {"error": Colour.RED, "warning": Colour.ORANGE}


def markers(
    selects: Mapping[str, Any] | None = None, qc: Mapping[str, Any] | None = None
) -> tuple[Marker, ...]:
    """Return markers, by frame of the clip, for what selects.json and qc.json hold.

    The slate is yellow, the take green, usable ranges blue, numbered from the best on;
    warnings are orange and errors red. Findings that hold for the whole clip have no
    place on it and are left to the report.
    """
    found = [*_of_selects(selects or {}), *_of_findings((qc or {}).get("findings", ()))]
    return tuple(sorted(found, key=lambda marker: marker.frame))


def _of_selects(selects: Mapping[str, Any]) -> Iterator[Marker]:
    if slate := selects.get("slate"):
        yield _suggested("slate", slate, slate["frame"], slate["frame"] + 1, Colour.YELLOW)
    if take := selects.get("take"):
        yield _suggested("take", take, take["start"], take["end"], Colour.GREEN)
    for number, kept in enumerate(selects.get("ranges", ()), 1):
        name = f"select {number}"
        yield _suggested(name, kept, kept["start"], kept["end"], Colour.BLUE)


def _suggested(name: str, found: Mapping[str, Any], start: int, end: int, colour: Colour) -> Marker:
    reasons = "; ".join(found.get("reasons", ()))
    sure = f"{found['confidence']:.0%}"
    return Marker(
        frame=start,
        frames=max(1, end - start),
        name=name,
        comment=f"{sure}: {reasons}" if reasons else sure,
        colour=colour,
        keywords=(name.partition(" ")[0],),
    )


def _of_findings(findings: Any) -> Iterator[Marker]:
    for each in findings:
        if each["severity"] in _SEVERITIES and each.get("start") is not None:
            yield Marker(
                frame=each["start"],
                frames=max(1, each["end"] - each["start"]),
                name=each["kind"],
                comment=each["text"],
                colour=_SEVERITIES[each["severity"]],
                keywords=("qc",),
            )
