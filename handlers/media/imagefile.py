"""One image of a sequence: what its header says, and its pixels as a picture (OpenImageIO)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import OpenImageIO
from numpy.typing import NDArray

from handlers.media import images, viewing
from handlers.media.source import shown_text

# A header may promise any size; no camera or render is larger, and memory is.
_LONGEST_SIDE, _MOST_PIXELS = 1 << 16, 1 << 28
_UNDEFINED = 0xFFFFFFFF
_FLOATS = frozenset({"half", "float", "double"})
# TIFF's orientations that cameras write, to degrees counter-clockwise.
_TURNS = {3: 180, 6: 270, 8: 90}
_FORMATS = {8: "rgb24", 10: "gbrp10le", 12: "gbrp12le", 16: "rgb48le", 32: "gbrpf32le"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What one image's header says.

    ``size`` is width and height of the display window in pixels; ``bits`` those of one
    sample as stored; ``rate`` is in frames a second; ``timecode`` the SMPTE ST 12 word
    as (hours, minutes, seconds, frames) with its drop-frame flag, None where not set;
    ``rotation`` what turns it upright, in degrees counter-clockwise.
    """

    format: str
    size: tuple[int, int]
    bits: int
    linear: bool
    space: str
    colour: str
    pixel_aspect: Fraction
    rotation: int
    rate: Fraction | None
    timecode: tuple[int, int, int, int] | None
    drop_frame: bool
    reel: str | None

    @property
    def pixel_format(self) -> str:
        """FFmpeg's name of how the samples are stored; half floats count as float."""
        return _FORMATS[min(bits for bits in _FORMATS if bits >= min(self.bits, 32))]


class Unreadable(Exception):
    """An image does not decode; the message says why, without its name."""


def facts_of(path: Path) -> ImageFacts:
    """Read an image's header.

    Raises:
        Unreadable: It is no image, or one that is too large or holds no colours.
        OSError: It cannot be read from the storage.
    """
    with path.open("rb"):
        pass
    opened = _open(path)
    try:
        return _facts(opened.format_name(), opened.spec())
    finally:
        opened.close()


def attributes(path: Path) -> dict[str, str]:
    """Return the texts and numbers in an image's header by name, as text.

    What the reader itself adds is left out.

    Raises:
        Unreadable: It is no image.
    """
    opened = _open(path)
    try:
        named = ((each.name, each.value) for each in opened.spec().extra_attribs)
        return {
            name: str(value)
            for name, value in named
            if isinstance(value, str | int | float) and not name.startswith("oiio:")
        }
    finally:
        opened.close()


def read_picture(path: Path, facts: ImageFacts) -> av.VideoFrame:
    """Decode an image: rgb24, or rgb48le where it is deeper; linear light as a screen shows it.

    Args:
        path: The image.
        facts: Those of the sequence: an image of another size is no part of it.

    Raises:
        Unreadable: It does not decode, or is unlike the others.
        OSError: It cannot be read from the storage.
    """
    require_whole(path)
    opened = _open(path)
    try:
        spec = opened.spec()
        own = _facts(opened.format_name(), spec)
        if own.size != facts.size:
            raise Unreadable(f"it is {_by(own.size)} and the sequence is {_by(facts.size)}")
        pixels = _pixels(opened, spec, own)
    finally:
        opened.close()
    return _frame(viewing.display(pixels, own.space) if own.linear else pixels)


def _frame(pixels: NDArray[Any]) -> av.VideoFrame:
    form = "rgb24" if pixels.dtype == np.uint8 else "rgb48le"
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), form)


def require_whole(path: Path) -> None:
    """Look whether an image ends before it should, which some readers do not mind.

    Raises:
        Unreadable: It does.
        OSError: It cannot be read from the storage.
    """
    with path.open("rb") as file:
        head = file.read(64)
    if lacking := images.missing(path, head) if head else "it is empty":
        raise Unreadable(lacking)


def _open(path: Path) -> Any:
    opened = OpenImageIO.ImageInput.open(str(path))
    if opened is None:
        raise Unreadable(said(OpenImageIO.geterror()))
    return opened


def said(error: str) -> str:
    """Return what is wrong by a sentence of the reader's, which names whole paths before."""
    text = shown_text(error.strip().splitlines()[-1]) if error.strip() else ""
    return text.rpartition(": ")[2] or "it is damaged"


def _facts(kind: str, spec: Any) -> ImageFacts:
    size = int(spec.full_width or spec.width), int(spec.full_height or spec.height)
    if spec.deep:
        raise Unreadable("it is a deep image, which has no one picture")
    for width, height in (size, (int(spec.width), int(spec.height))):
        if not 0 < width * height <= _MOST_PIXELS or max(width, height) > _LONGEST_SIDE:
            raise Unreadable(f"its header says {width} x {height}, which nothing here can hold")
    floats = str(spec.format) in _FLOATS
    word = spec.getattribute("smpte:TimeCode")
    return ImageFacts(
        format=kind,
        size=size,
        bits=32 if floats else int(spec.get_int_attribute("oiio:BitsPerSample") or _bits(spec)),
        linear=floats,
        space=viewing.space_of(spec.getattribute("chromaticities")),
        colour=_colour(spec, linear=floats),
        pixel_aspect=_aspect(spec.get_float_attribute("PixelAspectRatio")),
        rotation=_TURNS.get(spec.get_int_attribute("Orientation"), 0),
        rate=_rate(spec),
        timecode=_timecode(word),
        drop_frame=word is not None and word[0] != _UNDEFINED and bool(word[0] >> 6 & 1),
        reel=_reel(spec),
    )


def _bits(spec: Any) -> int:
    return 8 * int(spec.format.size())


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def _colour(spec: Any, *, linear: bool) -> str:
    named = spec.get_string_attribute("dpx:Transfer") or spec.get_string_attribute(
        "oiio:ColorSpace"
    )
    return shown_text(named) or ("linear" if linear else "unknown")


def _aspect(value: float) -> Fraction:
    aspect = Fraction(value).limit_denominator(1000) if 0.1 < value < 10 else Fraction(1)
    return aspect or Fraction(1)


def _rate(spec: Any) -> Fraction | None:
    exact = spec.getattribute("FramesPerSecond")
    if isinstance(exact, tuple) and exact[0] > 0 and exact[1] > 0:
        return Fraction(int(exact[0]), int(exact[1]))
    for name in ("dpx:FrameRate", "dpx:TemporalSamplingRate"):
        value = spec.get_float_attribute(name)
        if 1 <= value <= 1000:
            return Fraction(value).limit_denominator(1001)
    return None


def _timecode(word: Any) -> tuple[int, int, int, int] | None:
    """Read binary-coded decimals as SMPTE ST 12-1 packs them: frames lowest, hours highest."""
    if word is None or word[0] == _UNDEFINED:
        return None
    packed = int(word[0]) & 0xFFFFFFFF
    frames, seconds, minutes, hours = (packed >> shift & 0xFF for shift in (0, 8, 16, 24))
    fields = (hours & 0x3F, minutes & 0x7F, seconds & 0x7F, frames & 0x3F)
    values = [10 * (field >> 4) + (field & 15) for field in fields]
    good = all(field & 15 <= 9 for field in fields) and values[0] < 24 and max(values[1:3]) < 60
    return (values[0], values[1], values[2], values[3]) if good else None


def _reel(spec: Any) -> str | None:
    reel = spec.get_string_attribute("reelName") or spec.get_string_attribute("dpx:InputDevice")
    return shown_text(reel.strip())[:64] or None


def _pixels(opened: Any, spec: Any, facts: ImageFacts) -> NDArray[Any]:
    """Return [height, width, 3] of the display window, what lies outside the data is black."""
    kind = "half" if facts.linear else "uint8" if facts.bits <= 8 else "uint16"
    channels = channels_of(tuple(spec.channelnames))
    read = opened.read_image(0, 0, 0, max(channels) + 1, kind)
    # Some readers give what they have of a file that was cut short, and only note the error.
    if read is None or opened.has_error:
        raise Unreadable(said(opened.geterror()))
    data = read.reshape(spec.height, spec.width, -1)
    picked = data if channels == (0, 1, 2) == tuple(range(data.shape[2])) else data[..., channels]
    return _windowed(picked, spec, facts.size)


def channels_of(names: tuple[str, ...]) -> tuple[int, int, int]:
    """Choose red, green and blue; a picture without them is shown in its first channel's grey."""
    lower = [name.lower() for name in names]
    for wanted in (("r", "g", "b"), ("red", "green", "blue")):
        if set(wanted) <= set(lower):
            red, green, blue = (lower.index(name) for name in wanted)
            return red, green, blue
    grey = lower.index("y") if "y" in lower else 0
    return grey, grey, grey


def _windowed(data: NDArray[Any], spec: Any, size: tuple[int, int]) -> NDArray[Any]:
    left, top = spec.x - spec.full_x, spec.y - spec.full_y
    if (left, top, spec.width, spec.height) == (0, 0, *size):
        return data
    canvas = np.zeros((size[1], size[0], 3), data.dtype)
    right, bottom = min(left + spec.width, size[0]), min(top + spec.height, size[1])
    x, y = max(left, 0), max(top, 0)
    if right > x and bottom > y:
        canvas[y:bottom, x:right] = data[y - top : bottom - top, x - left : right - left]
    return canvas
