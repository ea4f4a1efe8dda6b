"""Writing timecode, name and watermark into a proxy's pictures.

Text is drawn once: each digit of the timecode is a small mask, and of every picture only
the pixels under the text are blended, on the planes as they are encoded.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from handlers.media.look_params import BurnInParams
from handlers.media.timecode import Timecode

# Fractions of the picture's height.
_TEXT, _WATERMARK, _EDGE = 1 / 18, 1 / 9, 1 / 40
_SMALLEST = 8
_FACES = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf")
# How dark the box behind the text is, of 256.
_BOX = 150
_BLACK, _WHITE, _GREY = 16, 235, 128


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnInSettings:
    """What is written: the timecode or not, a name, a watermark and its opacity (0..1)."""

    timecode: bool = False
    name: str = ""
    watermark: str = ""
    opacity: float = 0.25


def burn_in_settings(params: BurnInParams, name: str) -> BurnInSettings | None:
    """Return what is to be written into the proxy of the clip ``name``, None for nothing."""
    if not (params.timecode or params.name or params.watermark):
        return None
    return BurnInSettings(
        timecode=params.timecode,
        name=name if params.name else "",
        watermark=params.watermark,
        opacity=params.opacity,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stamp:
    """What is left of the picture under some text, and what the text adds, both of 256.

    ``keep`` and ``add`` are uint16 [height, width] with even sides, for luma; the ``chroma``
    ones are for 4:2:0, half of that.
    """

    keep: NDArray[np.uint16]
    add: NDArray[np.uint16]
    chroma_keep: NDArray[np.uint16]
    chroma_add: NDArray[np.uint16]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.keep.shape[1], self.keep.shape[0]


class BurnIn:
    """Writes into one picture after the other; all are yuv420p in limited range.

    Args:
        settings: What is written.
        size: Width and height of the pictures in pixels, even.
        start: Timecode of frame 0.
    """

    def __init__(self, settings: BurnInSettings, size: tuple[int, int], start: Timecode) -> None:
        self._size = size
        self._start = start if settings.timecode else None
        self._fixed: list[tuple[_Stamp, int, int]] = []
        edge = _even(size[1] * _EDGE)
        if settings.name:
            stamp = _text(settings.name, size, _TEXT, box=_BOX)
            self._fixed.append((stamp, edge, edge))
        if settings.watermark:
            stamp = _text(settings.watermark, size, _WATERMARK, strength=settings.opacity)
            self._fixed.append((stamp, *_centred(stamp, size)))
        self._digits = _digits(str(start), size) if settings.timecode else {}

    def draw(self, frame: av.VideoFrame, number: int) -> av.VideoFrame:
        """Write into the picture of frame ``number``, which nobody else uses, and return it."""
        frame.make_writable()
        planes = [_plane(plane) for plane in frame.planes]
        for stamp, left, top in self._fixed:
            _blend(planes, stamp, left, top)
        if self._start is not None:
            self._draw_timecode(planes, str(self._start + number))
        return frame

    def _draw_timecode(self, planes: list[NDArray[np.uint8]], text: str) -> None:
        stamps = [self._digits[character] for character in text]
        width, height = sum(stamp.size[0] for stamp in stamps), stamps[0].size[1]
        left = max(0, _even((self._size[0] - width) / 2))
        top = max(0, self._size[1] - height - _even(self._size[1] * _EDGE))
        for stamp in stamps:
            _blend(planes, stamp, left, top)
            left += stamp.size[0]


def _digits(sample: str, size: tuple[int, int]) -> dict[str, _Stamp]:
    """Draw each character of a timecode in a cell of its own, digits in cells of one width."""
    font = _font(sample, size, _TEXT)
    wide = max(font.getlength(digit) for digit in "0123456789")
    return {
        character: _stamp(
            _mask(character, font, wide if character.isdecimal() else wide * 0.6), box=_BOX
        )
        for character in "0123456789:;"
    }


def _text(
    text: str, size: tuple[int, int], height: float, *, box: int = 0, strength: float = 1.0
) -> _Stamp:
    font = _font(text, size, height)
    return _stamp(_mask(text, font, font.getlength(text) + font.size / 2), box, strength)


def _font(text: str, size: tuple[int, int], height: float) -> Any:
    """Choose the size at which the text is as high as wanted and no wider than the picture."""
    wanted = max(_SMALLEST, size[1] * height)
    font = _face(wanted)
    # A timecode's cells are wider than its letters.
    room = 0.94 * size[0] / (1.15 * max(1.0, font.getlength(text)))
    return font if room >= 1 else _face(max(_SMALLEST, wanted * room))


def _face(size: float) -> Any:
    """Return a font of the machine that knows most letters, else Pillow's own, which knows few."""
    for name in _FACES:
        with contextlib.suppress(OSError):
            return ImageFont.truetype(name, size)
    return ImageFont.load_default(size)


def _mask(text: str, font: Any, width: float) -> NDArray[np.uint8]:
    image = Image.new("L", (_even(width), _even(font.size * 1.4)), 0)
    ImageDraw.Draw(image).text(
        (image.width / 2, image.height / 2), text, fill=255, font=font, anchor="mm"
    )
    return np.asarray(image)


def _stamp(mask: NDArray[np.uint8], box: int = 0, strength: float = 1.0) -> _Stamp:
    """White letters over a black box that lets the picture through."""
    letter = mask.astype(np.float32) / 255 * strength
    behind = (1 - letter) * (box / 256)
    seen = (1 - letter) * (1 - box / 256)
    rows, columns = seen.shape[0] // 2, seen.shape[1] // 2
    seen_chroma = seen.reshape(rows, 2, columns, 2).mean(axis=(1, 3))
    return _Stamp(
        keep=np.round(seen * 256).astype(np.uint16),
        add=np.round((behind * _BLACK + letter * _WHITE) * 256).astype(np.uint16),
        chroma_keep=np.round(seen_chroma * 256).astype(np.uint16),
        chroma_add=np.round((1 - seen_chroma) * _GREY * 256).astype(np.uint16),
    )


def _centred(stamp: _Stamp, size: tuple[int, int]) -> tuple[int, int]:
    left, top = ((whole - part) / 2 for whole, part in zip(size, stamp.size, strict=True))
    return max(0, _even(left)), max(0, _even(top))


def _plane(plane: Any) -> NDArray[np.uint8]:
    """Return a plane's own memory as [height, width], without what pads its lines."""
    lines = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    return lines[:, : plane.width]


def _blend(planes: list[NDArray[np.uint8]], stamp: _Stamp, left: int, top: int) -> None:
    _mix(planes[0], stamp.keep, stamp.add, left, top)
    for plane in planes[1:3]:
        _mix(plane, stamp.chroma_keep, stamp.chroma_add, left // 2, top // 2)


def _mix(
    plane: NDArray[np.uint8],
    keep: NDArray[np.uint16],
    add: NDArray[np.uint16],
    left: int,
    top: int,
) -> None:
    """Blend in place; text that is larger than a tiny picture is cut off at its sides."""
    under = plane[top : top + keep.shape[0], left : left + keep.shape[1]]
    high, wide = under.shape
    under[:] = (under * keep[:high, :wide] + add[:high, :wide] + 128) >> 8


def _even(length: float) -> int:
    return max(2, 2 * round(length / 2))
