"""Building a clip's page from what is in its result folder; each of the files may be missing."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from handlers.media.timecode import Timecode, parse
from handlers.report.records import ClipPage, Clock, Finding, Selects, Shot, Span
from handlers.report.strips import frame_columns

Columns = Mapping[str, npt.NDArray[Any]]

DOCUMENTS = ("shots", "qc", "selects", "metadata", "verified")
"""The stems of the JSON files that a page is made of."""

_SHEET = "contact-sheet.jpg"
# Together at most a few megabytes of a page.
_PICTURE_WIDTH, _PICTURE_QUALITY = 240, 72


def load_clip(folder: Path, title: str | None = None) -> ClipPage:
    """Build a page of what lies in ``folder``; ``title`` is the clip's name where no file says it.

    Reads ``shots.json``, ``analysis.npz``, ``qc.json``, ``selects.json``,
    ``metadata.json``, ``verified.json``, the contact sheet and the proxy's name.
    """
    said = {name: _json(folder / f"{name}.json") for name in DOCUMENTS}
    return clip_page(folder, said, read_columns(folder / "analysis.npz"), title)


def clip_page(
    folder: Path, documents: Mapping[str, Any], columns: Columns, title: str | None = None
) -> ClipPage:
    """Build a page of what is known of a clip whose contact sheet and proxy lie in ``folder``.

    Args:
        folder: The clip's results.
        documents: What its JSON files hold, by their stems; each may be missing or empty.
        columns: The analysis table's, as far as there are any.
        title: The clip's name where no document says it.
    """
    shots, quality, selects, metadata, verified = (documents.get(name) or {} for name in DOCUMENTS)
    columns = frame_columns(columns)
    said = next((found for found in (shots, quality, selects) if found), {})
    clock = _clock(said, shots, columns)
    sheet = folder / _SHEET
    proxy = next(iter(sorted(folder.glob("*.mov"))), None)
    return ClipPage(
        title=str(said.get("source") or title or folder.name),
        reel=shots.get("reel"),
        clock=clock,
        proxy=proxy.name if proxy and clock else None,
        sheet=sheet.name if sheet.is_file() else None,
        verdict=verified.get("verdict"),
        shots=tuple(_shots(shots)),
        pictures=pictures(sheet),
        selects=_selects(selects) if selects else None,
        findings=tuple(_findings(quality)) if quality else None,
        columns=columns,
        metadata=metadata,
    )


def pictures(sheet: Path, width: int = _PICTURE_WIDTH) -> dict[int, bytes]:
    """Cut the pictures out of a contact sheet: JPEGs by shot number, at most ``width`` pixels wide.

    A sheet says in its JPEG comment where they are; one that does not gives none.
    """
    if not sheet.is_file():
        return {}
    with Image.open(sheet) as image:
        return {
            number: _cut(image, (left, top, left + wide, top + high), width)
            for number, left, top, wide, high in _cells(image)
        }


def _cells(image: Image.Image) -> list[list[int]]:
    try:
        said = json.loads(image.info.get("comment", b""))
    except ValueError:
        return []
    return said["cells"] if isinstance(said, dict) and said.get("schema") == "fxd.sheet/1" else []


def _cut(image: Image.Image, box: tuple[int, int, int, int], width: int) -> bytes:
    part = image.crop(box)
    part.thumbnail((width, 4 * width))
    made = io.BytesIO()
    part.save(made, "JPEG", quality=_PICTURE_QUALITY)
    return made.getvalue()


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def read_columns(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read an analysis table's columns; none where there is no such file."""
    if not path.is_file():
        return {}
    with np.load(path, allow_pickle=False) as table:
        return {name: table[name] for name in table.files}


def _clock(
    said: Mapping[str, Any], shots: Mapping[str, Any], columns: Mapping[str, Any]
) -> Clock | None:
    """Every file says the rate; how long the clip is and where it starts, the shots say best."""
    if "rate" not in said:
        return None
    rate = Fraction(said["rate"])
    start = shots.get("start_timecode")
    frames = shots.get("frames") or max((len(values) for values in columns.values()), default=0)
    return Clock(
        start=parse(start, rate) if start else Timecode(frames=0, rate=rate), frames=int(frames)
    )


def _shots(found: Mapping[str, Any]) -> Iterator[Shot]:
    for shot in found.get("shots", ()):
        yield Shot(
            number=shot["index"] + 1,
            start=shot["start"],
            end=shot["end"],
            transition=shot.get("transition_in", "cut"),
            transition_start=shot.get("transition_start"),
            transition_end=shot.get("transition_end"),
            confidence=shot.get("confidence"),
            seconds=_moment(found.get("frame_times"), shot.get("decoded_start")),
        )


def _moment(times: list[float] | None, picture: int | None) -> float | None:
    """Return the middle of a picture of a variable rate: its neighbours are seldom a frame away."""
    if not times or picture is None:
        return None
    around = times[picture : picture + 2]
    return sum(around) / len(around)


def _findings(found: Mapping[str, Any]) -> Iterator[Finding]:
    keys = ("kind", "severity", "text", "start", "end")
    for finding in found.get("findings", ()):
        yield Finding(**{key: finding[key] for key in keys if key in finding})


def _selects(found: Mapping[str, Any]) -> Selects:
    slate, take = found.get("slate"), found.get("take")
    others = [clap for clap in found.get("claps", ()) if clap != slate]
    return Selects(
        slate=_clap(slate) if slate else None,
        claps=tuple(_clap(each) for each in others),
        take=_span(take) if take else None,
        ranges=tuple(_span(each) for each in found.get("ranges", ())),
        faults=tuple(
            _span({**each, "reasons": [each["kind"]]}) for each in found.get("faults", ())
        ),
    )


def _clap(found: Mapping[str, Any]) -> Span:
    return _span({**found, "start": found["frame"], "end": found["frame"] + 1})


def _span(found: Mapping[str, Any]) -> Span:
    return Span(
        start=found["start"],
        end=found["end"],
        confidence=found.get("confidence"),
        score=found.get("score"),
        reasons=tuple(found.get("reasons", ())),
    )
