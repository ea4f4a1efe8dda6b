"""The contact sheet: one labelled picture a shot."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from handlers.edit.record import Edit, PlacedShot
from handlers.media.clip import frames_at
from handlers.media.look import Look
from handlers.media.picture import upright
from handlers.media.probe import Probe

SCHEMA = "fxd.sheet/1"
# Nobody looks at more pictures than this; a JPEG ends at 65535 pixels a side, and all
# pixels of the sheet are in memory at once.
MOST_CELLS = 240
_MOST_HIGH, _MOST_PIXELS = 50_000, 60_000_000
_COLUMNS = 5
_MARGIN = 8
_LABEL = 34
_INK, _PAPER = (230, 230, 230), (24, 24, 24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One picture of the sheet, at its place in the clip."""

    shot: PlacedShot
    number: int


def choose(shots: Sequence[PlacedShot]) -> list[Cell]:
    """Pick the middle picture of each shot, of at most 240 shots spread evenly."""
    count = min(len(shots), MOST_CELLS)
    kept = [shots[position * len(shots) // count] for position in range(count)]
    return [Cell(shot=shot, number=sum(shot.decoded) // 2) for shot in kept]


def write_sheet(
    path: Path,
    edit: Edit,
    source: Probe,
    width: int,
    tell: Callable[[float], None],
    look: Look | None = None,
) -> int:
    """Write the sheet as JPEG, ``tell`` gets the fraction done; returns how many shots it shows.

    ``look`` is how its pictures are shown; None shows their values as they are.

    Pictures are sought one by one after the shots are known, so that decoding
    the clip need not keep any.
    """
    cells = choose(edit.shots)
    columns = min(_COLUMNS, max(1, len(cells)))
    rows = -(-len(cells) // columns)
    size = _cell_size(edit, width, rows, columns)
    sheet = Image.new(
        "RGB",
        (
            columns * (size[0] + _MARGIN) + _MARGIN,
            rows * (size[1] + _LABEL + _MARGIN) + _LABEL,
        ),
        _PAPER,
    )
    draw = ImageDraw.Draw(sheet)
    places = []
    draw.text((_MARGIN, 10), _title(edit, len(cells)), fill=_INK, font=_font())
    for position, (cell, picture) in enumerate(_pictures(edit, source, cells, size[1], look)):
        tell(position / len(cells))
        row, column = divmod(position, columns)
        corner = (
            _MARGIN + column * (size[0] + _MARGIN),
            _LABEL + row * (size[1] + _LABEL + _MARGIN),
        )
        if picture is not None:
            sheet.paste(picture.resize(size), corner)
            places.append([cell.shot.index + 1, *corner, *size])
        draw.text((corner[0], corner[1] + size[1] + 3), _label(cell.shot), fill=_INK, font=_font())
    # Where each shot's picture is: so pages need not decode the clip again.
    comment = json.dumps({"schema": SCHEMA, "cells": places}, separators=(",", ":"))
    sheet.save(path, quality=85, comment=comment)
    return len(cells)


def _pictures(
    edit: Edit, source: Probe, cells: Sequence[Cell], height: int, look: Look | None
) -> Iterator[tuple[Cell, Any | None]]:
    # Seeking goes by time: on a variable rate that is the place on the grid, not the count.
    numbers = [_sought(edit, cell) for cell in cells]
    found = iter(frames_at(edit.source, source, numbers))
    for cell, frame in zip(cells, found, strict=True):
        yield cell, None if frame is None else upright(frame, edit.video, height, look).to_image()


def _sought(edit: Edit, cell: Cell) -> int:
    return (cell.shot.start + cell.shot.end) // 2 if edit.vfr else cell.number


def _cell_size(edit: Edit, width: int, rows: int, columns: int) -> tuple[int, int]:
    video = edit.video
    wide, high = float(video.width * video.pixel_aspect), float(video.height)
    shape = high / wide if video.rotation not in {90, 270} else wide / high
    # A very tall or very flat picture is squeezed rather than filling the sheet.
    shape = max(0.05, min(2.0, shape))
    roomy = (_MOST_PIXELS / (rows * columns * shape)) ** 0.5
    width = int(min(width, roomy, _MOST_HIGH / (rows * shape)))
    return width, max(16, round(width * shape))


def _title(edit: Edit, cells: int) -> str:
    of = f"{cells} of {len(edit.shots)}" if cells < len(edit.shots) else str(cells)
    return f"{edit.name}   {of} shot{'s' if len(edit.shots) != 1 else ''}   {edit.start}"


def _label(shot: PlacedShot) -> str:
    return f"{shot.index + 1}   {shot.source_in}   {shot.frames} f"


def _font() -> Any:
    return ImageFont.load_default(14)
