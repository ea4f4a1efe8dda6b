"""What is suggested for a take: its slate, its trims and its usable ranges; selects.json.

Nothing of it changes a clip or leaves anything out: these are suggestions, each with a
confidence of 0..1 and its reasons in words, for markers in an editor.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from handlers.edit.clap import Transient
from handlers.edit.look import Look, look
from handlers.edit.ranges import Fault, Range, find_faults, find_ranges
from handlers.edit.score import Columns, reference
from handlers.edit.slate import Clap, choose_slate, find_claps, slate_of
from handlers.edit.tables import write_json
from handlers.edit.trims import Take, find_take
from handlers.edit.watch import Seen
from handlers.media.timecode import Timecode
from models.errors import FxdError

SCHEMA = "fxd.selects/1"
NAME = "selects.json"

MarkerKind = Literal["slate", "clap", "take", "range", "fault"]
Colour = Literal["purple", "pink", "cyan", "green", "red"]

_COLOURS: dict[str, Colour] = {
    "slate": "purple",
    "clap": "pink",
    "take": "cyan",
    "range": "green",
    "fault": "red",
}


class SelectsError(FxdError):
    """A file that is no selects.json."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selects:
    """All suggestions for one clip; frames of the edit rate, end exclusive, best range first.

    ``slate`` is the clap that counts, one of ``claps``, or None. ``look`` is by which takes of one
    set-up are known.
    """

    rate: Fraction
    frames: int
    slate: Clap | None
    claps: tuple[Clap, ...]
    take: Take
    ranges: tuple[Range, ...]
    faults: tuple[Fault, ...]
    look: Look | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkerRecord:
    """A marker for a timeline: plain values, for any format. ``frames`` is at least 1."""

    name: str
    start: int
    frames: int
    colour: Colour
    comment: str
    kind: MarkerKind
    confidence: float


def suggest(
    table: Columns, frames: int, seen: Seen, transients: Sequence[Transient], rate: Fraction
) -> Selects:
    """Work out all suggestions for a clip.

    Args:
        table: The analysis table's columns, ``frames`` rows; those that are not there are not
            needed.
        frames: The clip's length in frames of the edit rate, at least 1.
        seen: What was seen, counted in the same frames.
        transients: Sudden sounds, in seconds after frame 0; empty without sound.
        rate: Edit rate in frames a second.
    """
    claps = find_claps(transients, seen, rate)
    chosen = choose_slate(claps, rate)
    slate = None if chosen is None else slate_of(chosen, seen, rate)
    take = find_take(table, frames, slate, rate)
    usual = reference(table, take.start, take.end)
    return Selects(
        rate=rate,
        frames=frames,
        slate=chosen,
        claps=tuple(claps),
        take=take,
        ranges=tuple(find_ranges(table, take.start, take.end, rate)),
        faults=tuple(find_faults(table, take.start, take.end, usual, float(rate))),
        look=look(seen, take.start, take.end),
    )


def markers(selects: Selects, *, ranges: int = 5) -> list[MarkerRecord]:
    """Return markers in order of time: slate, other claps, take, best ranges, faults."""
    return sorted(_markers(selects, ranges), key=lambda marker: (marker.start, marker.kind))


def _markers(selects: Selects, most: int) -> Iterator[MarkerRecord]:
    for clap in selects.claps:
        kind: MarkerKind = "slate" if clap is selects.slate else "clap"
        name = "Slate" if kind == "slate" else "Clap?"
        yield _marker(kind, name, (clap.frame, clap.frame + 1), clap.reasons, clap.confidence)
    take = selects.take
    yield _marker("take", "Take", (take.start, take.end), take.reasons, take.confidence)
    for number, one in enumerate(selects.ranges[:most], 1):
        reasons = (f"score {one.score:.2f}", *one.reasons)
        yield _marker("range", f"Select {number}", (one.start, one.end), reasons, one.confidence)
    for fault in selects.faults:
        span = fault.start, fault.end
        yield _marker("fault", fault.kind.capitalize(), span, (fault.kind,), 0.8)


def _marker(
    kind: MarkerKind,
    name: str,
    span: tuple[int, int],
    reasons: Sequence[str],
    confidence: float,
) -> MarkerRecord:
    return MarkerRecord(
        name=name,
        start=span[0],
        frames=max(1, span[1] - span[0]),
        colour=_COLOURS[kind],
        comment=f"{', '.join(reasons)} (confidence {confidence:.2f})",
        kind=kind,
        confidence=confidence,
    )


def to_json(selects: Selects, source: str, start: Timecode) -> dict[str, Any]:
    """Return the content of selects.json.

    Args:
        selects: What is suggested.
        source: The clip's name.
        start: Timecode of frame 0.
    """

    def placed(first: int, last: int, **more: Any) -> dict[str, Any]:
        times = {"source_in": str(start + first), "source_out": str(start + last)}
        return {"start": first, "end": last, **times, **more}

    def clap(one: Clap) -> dict[str, Any]:
        return {
            "frame": one.frame,
            "source_in": str(start + one.frame),
            "source_out": str(start + one.frame + 1),
            "seconds": round(one.seconds, 6),
            "place": one.place,
            "confidence": one.confidence,
            "sound": one.sound,
            "picture": one.picture,
            "reasons": list(one.reasons),
        }

    def judged(one: Take | Range) -> dict[str, Any]:
        return {"confidence": one.confidence, "reasons": list(one.reasons)}

    take = selects.take
    return {
        "schema": SCHEMA,
        "source": source,
        "rate": f"{selects.rate.numerator}/{selects.rate.denominator}",
        "frames": selects.frames,
        "slate": None if selects.slate is None else clap(selects.slate),
        "claps": [clap(one) for one in selects.claps],
        "take": placed(take.start, take.end, **judged(take)),
        "ranges": [
            placed(one.start, one.end, score=one.score, **judged(one)) for one in selects.ranges
        ],
        "faults": [placed(one.start, one.end, kind=one.kind) for one in selects.faults],
        "look": None if selects.look is None else selects.look.to_text(),
    }


def write(folder: Path, selects: Selects, source: str, start: Timecode) -> Path:
    """Write selects.json into ``folder``; return where."""
    path = folder / NAME
    write_json(path, to_json(selects, source, start))
    return path


def read(path: Path) -> Selects:
    """Read what :func:`write` wrote.

    Raises:
        SelectsError: It is something else, or damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            raise SelectsError(f"{path.name} is of another kind: {content['schema']}")
        return _read(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
        raise SelectsError(f"{path.name} is no list of selects: {error}") from error


def _read(content: Mapping[str, Any]) -> Selects:
    claps = tuple(_read_clap(each) for each in content["claps"])
    slate = None if content["slate"] is None else _read_clap(content["slate"])
    chosen = next((clap for clap in claps if clap == slate), slate)
    return Selects(
        rate=Fraction(content["rate"]),
        frames=int(content["frames"]),
        slate=chosen,
        claps=claps,
        take=Take(**_span(content["take"]), **_judged(content["take"])),
        ranges=tuple(
            Range(**_span(each), **_judged(each), score=float(each["score"]))
            for each in content["ranges"]
        ),
        faults=tuple(Fault(**_span(each), kind=str(each["kind"])) for each in content["faults"]),
        look=None if content["look"] is None else Look.from_text(content["look"]),
    )


def _span(each: Mapping[str, Any]) -> dict[str, Any]:
    return {"start": int(each["start"]), "end": int(each["end"])}


def _judged(each: Mapping[str, Any]) -> dict[str, Any]:
    reasons = tuple(str(reason) for reason in each["reasons"])
    return {"confidence": float(each["confidence"]), "reasons": reasons}


def _read_clap(each: Mapping[str, Any]) -> Clap:
    if each["place"] not in {"head", "middle", "tail"}:
        raise ValueError(f"a clap is at {each['place']!r}")
    return Clap(
        frame=int(each["frame"]),
        seconds=float(each["seconds"]),
        place=each["place"],
        sound=float(each["sound"]),
        picture=float(each["picture"]),
        **_judged(each),
    )
