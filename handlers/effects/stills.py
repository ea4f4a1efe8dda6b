"""A few frames before and after, as a screen shows them: kept while rendering, then laid out."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from handlers.effects.effect import Footage, Image, Picture
from handlers.media import viewing
from handlers.media.look import Look, choose_look, still_look
from handlers.media.look_params import LookParams
from handlers.media.probe import VideoFacts

Shown = NDArray[np.uint8]

COUNT = 6
_WIDEST, _HIGHEST = 1280, 1280
_ROWS, _SHEET_WIDTH = 4, 640
_MARGIN, _LABEL = 8, 26
_INK, _PAPER = (230, 230, 230), (24, 24, 24)
# Where nobody knows how many frames there are: near the beginning, then further and further on.
_UNKNOWN = (0, 12, 60, 300, 1500, 7500)
_NAME = re.compile(r"(\d+)_(\d+)_after\.npy")
_SQUARE = 16


def chosen(frames: int | None, count: int = COUNT) -> list[int]:
    """Return numbers of frames that are spread evenly over so many."""
    if frames is None:
        return list(_UNKNOWN[:count])
    count = min(count, frames)
    return [(2 * place + 1) * frames // (2 * count) for place in range(count)]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """One frame before and after, each uint8 [height, width, 3]; an upscale makes them differ."""

    number: int
    before: Shown
    after: Shown


class View:
    """Shows pictures of one footage upright, in square pixels, on a Rec. 709 screen."""

    def __init__(self, video: VideoFacts, footage: Footage) -> None:
        # An effect may have made other colours than the clip's.
        video = dataclasses.replace(video, colour=footage.colour)
        self._video = video
        self._footage = footage
        self._look: Look | None = None
        if not footage.scene_linear:
            self._look = still_look(choose_look(LookParams(), video), video)

    def __call__(self, picture: Picture) -> Shown:
        """Return uint8 [height, width, 3], at most 1280 pixels a side."""
        rgb, alpha = self._small(picture.rgb), picture.alpha
        shown = self._shown(rgb)
        if alpha is not None:
            shown = _over_squares(shown, self._small(alpha))
        return np.ascontiguousarray(np.rot90(shown, self._video.rotation // 90))

    def _small(self, image: Image) -> Image:
        high, wide = image.shape[:2]
        square = max(1, round(wide * float(self._footage.pixel_aspect)))
        scale = min(1.0, _WIDEST / square, _HIGHEST / high)
        size = max(1, round(square * scale)), max(1, round(high * scale))
        made: Image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return made

    def _shown(self, rgb: Image) -> Shown:
        if self._footage.scene_linear:
            light = _within(rgb, -65504, 65504).astype(np.float16)
            lit: Shown = (viewing.display(light, self._footage.space) >> 8).astype(np.uint8)
            return lit
        unit = _within(rgb, 0, 1)
        if self._look is not None:
            return self._look(np.rint(unit * 65535).astype(np.uint16))
        shown: Shown = np.rint(unit * 255).astype(np.uint8)
        return shown


def _within(image: Image, low: float, high: float) -> Image:
    """Return an image clipped to a range; what is no number is 0."""
    made: Image = np.clip(image, low, high, dtype=np.float32)
    cv2.patchNaNs(made.reshape(made.shape[0], -1), 0)
    return made


def _over_squares(shown: Shown, alpha: Image) -> Shown:
    """Lay a picture over squares of two greys, so that one sees what is transparent."""
    high, wide = shown.shape[:2]
    down, right = np.arange(high)[:, np.newaxis], np.arange(wide)
    squares = np.where((down // _SQUARE + right // _SQUARE) % 2, 96, 144)[..., np.newaxis]
    share = _within(alpha, 0, 1)[..., np.newaxis]
    made: Shown = np.rint(shown * share + squares * (1 - share)).astype(np.uint8)
    return made


class Stills:
    """Keeps some frames of a render in a folder, where a render that goes on finds them."""

    def __init__(self, folder: Path, frames: int | None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._wanted = chosen(frames)
        self._have = {place for place, _ in self._names()}

    def wants(self, number: int) -> bool:
        """Say whether a frame is one of those to keep: the first one at or after a chosen one."""
        return self._place(number) is not None

    def _place(self, number: int) -> int | None:
        due = [at for at, wanted in enumerate(self._wanted) if wanted <= number]
        return due[-1] if due and due[-1] not in self._have else None

    def keep(self, number: int, before: Shown, after: Shown) -> None:
        """Write one frame; the name of the second picture says that both are whole."""
        place = self._place(number)
        if place is None:
            return
        for kind, shown in (("before", before), ("after", after)):
            path = self._folder / f"{place}_{number}_{kind}.npy"
            partial = path.with_suffix(".part")
            # Unpacked: packing costs more than all else about a page.
            with partial.open("wb") as file:
                np.save(file, shown)
            partial.replace(path)
        self._have.add(place)

    def pairs(self) -> list[Pair]:
        """Return what was kept, in order."""
        return [
            Pair(
                number=number,
                before=self._read(f"{place}_{number}_before.npy"),
                after=self._read(f"{place}_{number}_after.npy"),
            )
            for place, number in sorted(self._names())
        ]

    def _read(self, name: str) -> Shown:
        shown: Shown = np.load(self._folder / name)
        return shown

    def _names(self) -> list[tuple[int, int]]:
        matches = (_NAME.fullmatch(path.name) for path in self._folder.iterdir())
        return [(int(match[1]), int(match[2])) for match in matches if match is not None]


def jpeg(shown: Shown) -> bytes:
    """Return a picture as a page embeds it."""
    held = io.BytesIO()
    Pillow.fromarray(shown).save(held, "JPEG", quality=90, subsampling=0)
    return held.getvalue()


def changes(pairs: Sequence[Pair]) -> dict[str, float]:
    """Measure what was changed, over all pairs, in the pictures as a screen shows them.

    Returns:
        ``changed``: the share of pixels that differ by more than one 8-bit code in a colour;
        ``mean`` and ``most``: absolute difference in 8-bit codes. Empty where there is no pair.
    """
    found = [_differences(pair) for pair in pairs]
    if not found:
        return {}
    return {
        "changed": float(np.mean([np.mean((one > 1).any(axis=2)) for one in found])),
        "mean": float(np.mean([one.mean() for one in found])),
        "most": float(max(one.max() for one in found)),
    }


def _differences(pair: Pair) -> NDArray[np.int16]:
    high, wide = pair.after.shape[:2]
    before = pair.before
    if before.shape != pair.after.shape:
        before = cv2.resize(before, (wide, high), interpolation=cv2.INTER_LANCZOS4)
    found: NDArray[np.int16] = np.abs(pair.after.astype(np.int16) - before.astype(np.int16))
    return found


def write_sheet(path: Path, pairs: Sequence[Pair], labels: Sequence[str], what: str) -> None:
    """Write a few pairs side by side, each with its label, as one JPEG.

    Args:
        path: Where.
        pairs: The frames; at most four, spread evenly, are shown.
        labels: Of each pair.
        what: What was done, for the right column.
    """
    rows = [place * len(pairs) // min(len(pairs), _ROWS) for place in range(min(len(pairs), _ROWS))]
    cells = [_cell(pairs[row].before) for row in rows], [_cell(pairs[row].after) for row in rows]
    high = max((one.height for column in cells for one in column), default=_LABEL)
    size = (2 * _SHEET_WIDTH + 3 * _MARGIN, _LABEL + len(rows) * (high + _LABEL) + _MARGIN)
    sheet = Pillow.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    for side, (title, column) in enumerate(zip(("before", what), cells, strict=True)):
        left = _MARGIN + side * (_SHEET_WIDTH + _MARGIN)
        draw.text((left, 5), title, fill=_INK, font=_font())
        for line, one in enumerate(column):
            top = _LABEL + line * (high + _LABEL)
            sheet.paste(one, (left + (_SHEET_WIDTH - one.width) // 2, top))
            draw.text((left, top + high + 4), labels[rows[line]], fill=_INK, font=_font())
    sheet.save(path, quality=88)


def _cell(shown: Shown) -> Any:
    picture = Pillow.fromarray(shown)
    scale = min(_SHEET_WIDTH / picture.width, _SHEET_WIDTH / picture.height)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    # A sheet is small: what is four times as large is halved first.
    return picture.resize(size, Pillow.Resampling.LANCZOS, reducing_gap=2.0)


def _font() -> Any:
    return ImageFont.load_default(14)
