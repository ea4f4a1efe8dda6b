"""What is suggested for a take: its slate, its trims and its usable ranges; selects.json.

Nothing of it changes a clip or leaves anything out: these are suggestions, each with a
confidence of 0..1 and its reasons in words, for markers in an editor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from handlers.edit.clap import Transient
from handlers.edit.look import Look, look
from handlers.edit.ranges import Fault, Range, find_faults, find_ranges
from handlers.edit.score import Columns, reference
from handlers.edit.slate import Clap, choose_slate, find_claps, slate_of
from handlers.edit.tables import write_json
from handlers.edit.trims import Take, find_take
from handlers.edit.watch import Seen
from handlers.media.timecode import Timecode

SCHEMA = "fxd.selects/1"
NAME = "selects.json"


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


def write(folder: Path, selects: Selects, source: str, start: Timecode) -> dict[str, Any]:
    """Write selects.json into ``folder``; return its content."""
    content = to_json(selects, source, start)
    write_json(folder / NAME, content)
    return content
