"""The day's contact sheet: one labelled picture a take."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

_COLUMNS, _WIDTH, _HEIGHT = 6, 240, 135
_MARGIN, _LABEL = 8, 36
_INK, _PAPER = (230, 230, 230), (24, 24, 24)
# All pixels of the sheet are in memory at once, and nobody looks at more.
MOST_CELLS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A take's picture (a JPEG, or None where there is none) and the two lines below it."""

    picture: bytes | None
    first: str
    second: str


def write_sheet(path: Path, title: str, cells: Sequence[Cell]) -> None:
    """Write the sheet as JPEG; past 600 takes it shows the first and says so."""
    shown = cells[:MOST_CELLS]
    if len(shown) < len(cells):
        title = f"{title}   the first {len(shown)} of {len(cells)}"
    columns = min(_COLUMNS, max(1, len(shown)))
    rows = -(-len(shown) // columns)
    size = (
        columns * (_WIDTH + _MARGIN) + _MARGIN,
        rows * (_HEIGHT + _LABEL + _MARGIN) + _LABEL,
    )
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, 10), title, fill=_INK, font=_font())
    for position, cell in enumerate(shown):
        row, column = divmod(position, columns)
        _draw(
            sheet,
            draw,
            cell,
            _MARGIN + column * (_WIDTH + _MARGIN),
            _LABEL + row * (_HEIGHT + _LABEL + _MARGIN),
        )
    sheet.save(path, quality=85)


def _draw(sheet: Image.Image, draw: Any, cell: Cell, left: int, top: int) -> None:
    if cell.picture is not None:
        with Image.open(io.BytesIO(cell.picture)) as picture:
            picture.thumbnail((_WIDTH, _HEIGHT))
            middle = (_WIDTH - picture.width) // 2, (_HEIGHT - picture.height) // 2
            sheet.paste(picture, (left + middle[0], top + middle[1]))
    draw.text((left, top + _HEIGHT + 2), cell.first, fill=_INK, font=_font())
    draw.text((left, top + _HEIGHT + 17), cell.second, fill=_INK, font=_font())


def _font() -> Any:
    return ImageFont.load_default(13)
