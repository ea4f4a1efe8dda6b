"""The contact sheet of what was learnt, and the curve of how."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from handlers.effects.pairs.judge import Candidate, Judged, Row, Shown
from models.effects.checkpoint import Point

COLUMNS = ("before", "truth", "result", "error x 8")
_WIDE, _MARGIN, _LABEL = 400, 8, 26
_INK, _PAPER = (230, 230, 230), (24, 24, 24)
_PLOT = (720, 300)
_EDGE = 54


def shown_candidate(judged: Judged) -> Candidate:
    """Return whose results are shown: the winner's, or the best of what was refused."""
    if judged.winner != "identity":
        return judged.winner
    learnt: list[Candidate] = [name for name in judged.scores if name != "identity"]
    return max(learnt, key=lambda name: judged.scores[name].psnr)


def write_sheet(path: Path, judged: Judged) -> None:
    """Write before, truth, result and error of each pair that was looked at, as one JPEG."""
    who = shown_candidate(judged)
    lines = [[_cell(each) for each in _pictures(row, who)] for row in judged.rows]
    heights = [max(cell.height for cell in line) + _LABEL for line in lines]
    size = len(COLUMNS) * (_WIDE + _MARGIN) + _MARGIN, _LABEL + sum(heights) + _MARGIN
    sheet = Pillow.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    top = _LABEL
    for row, line, high in zip(judged.rows, lines, heights, strict=True):
        for column, cell in enumerate(line):
            left = _MARGIN + column * (_WIDE + _MARGIN)
            draw.text((left, 5), COLUMNS[column], fill=_INK, font=_font())
            sheet.paste(cell, (left, top))
        draw.text((_MARGIN, top + high - _LABEL + 4), label(row, who), fill=_INK, font=_font())
        top += high
    sheet.save(path, quality=88)


def label(row: Row, who: Candidate) -> str:
    """Say of a row which pair it is and how near the result is."""
    kind = "held out" if row.held_out else "learnt from"
    one, untouched = row.scores[who], row.scores["identity"]
    return (
        f"{row.name} ({kind}): {one.psnr:.1f} dB, untouched {untouched.psnr:.1f} dB, "
        f"SSIM {one.ssim:.4f}, dE2000 {one.delta_e:.2f}"
    )


def _pictures(row: Row, who: Candidate) -> tuple[Shown, Shown, Shown, Shown]:
    return row.before, row.truth, row.results[who], row.errors[who]


def _cell(picture: Shown) -> Any:
    made = Pillow.fromarray(picture)
    scale = _WIDE / max(made.size)
    size = max(1, round(made.width * scale)), max(1, round(made.height * scale))
    return made.resize(size, Pillow.Resampling.LANCZOS)


def _font() -> Any:
    return ImageFont.load_default(14)


def curve(points: Sequence[Point]) -> str:
    """Draw how the network was trained, as an SVG: loss, and PSNR of the held-out pairs.

    Args:
        points: At least one.
    """
    steps = [point.step for point in points]
    losses = [(point.step, math.log10(max(point.loss, 1e-9))) for point in points]
    held = [(point.step, point.held_out) for point in points if point.held_out is not None]
    wide, high = _PLOT
    span = (min(steps), max(*steps, min(steps) + 1))
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" role="img" '
            'aria-label="Loss and held-out PSNR by step" font-family="sans-serif" font-size="11">'
        ),
        f'<rect width="{wide}" height="{high}" fill="#191b1e"/>',
        *_line(losses, span, "#e0a84b", "loss", left=True, power=True),
        *(_line(held, span, "#6fae7c", "held-out dB", left=False) if held else ()),
        _text(wide / 2, high - 10, f"step {span[0]} to {span[1]}", "middle", "#838a94"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _line(
    values: Sequence[tuple[int, float]],
    span: tuple[int, int],
    colour: str,
    name: str,
    *,
    left: bool,
    power: bool = False,
) -> list[str]:
    """Draw one curve and the two ends of its axis."""
    wide, high = _PLOT
    low, top = min(value for _, value in values), max(value for _, value in values)
    room = max(top - low, 1e-6)
    places = [
        (
            _EDGE + (step - span[0]) / (span[1] - span[0]) * (wide - 2 * _EDGE),
            30 + (top - value) / room * (high - 70),
        )
        for step, value in values
    ]
    # A line of one point would not be seen.
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (*places, (places[-1][0] + 1, places[-1][1])))
    side, anchor = (_EDGE - 6, "end") if left else (wide - _EDGE + 6, "start")
    ends = [(top, 34), (low, high - 36)]
    said = [f"{10**value:.4f}" if power else f"{value:.1f}" for value, _ in ends]
    return [
        f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{path}"/>',
        *(_text(side, y, text, anchor, colour) for text, (_, y) in zip(said, ends, strict=True)),
        _text(_EDGE if left else wide - _EDGE, 18, name, "start" if left else "end", colour),
    ]


def _text(x: float, y: float, text: str, anchor: str, colour: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{colour}">{text}</text>'
