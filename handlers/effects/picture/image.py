"""One image of a sequence: every channel as stored, its header, and float RGB of it and back.

OpenImageIO reads and writes at the file's own depth. Of 10 and 12 bits it makes 16 by repeating
the highest ones, and takes the highest ones back: here the codes themselves are counted with.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO
from numpy.typing import NDArray

from handlers.effects.effect import Image, Picture
from handlers.effects.picture import dpx
from handlers.media.imagefile import Unreadable, channels_of, require_whole, said

Samples = NDArray[Any]
Window = tuple[int, int, int, int]
"""Left, top, width and height in pixels, as an image's header counts."""
_LOSSLESS = frozenset({"none", "rle", "zips", "zip", "piz"})
# So many headers are read at once: on shared storage each is a way there and back.
_HEADERS = 8
_HINTS = {"oiio:UnassociatedAlpha": 1, "oiio:RawColor": 1}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ImageNative:
    """One image: ``samples`` [height, width, channels] of its data window as stored.

    ``colours`` are the places of red, green and blue among the channels, ``alpha`` that of alpha.
    ``bits`` are those of one stored sample. ``canvas`` is the window that pictures for effects
    have. ``spec`` is OpenImageIO's header. ``time`` and ``held`` are as a clip's.
    """

    path: Path
    samples: Samples
    spec: Any
    format: str
    bits: int
    colours: tuple[int, int, int]
    alpha: int | None
    canvas: Window
    time: Fraction = Fraction(0)
    held: bool = False

    @property
    def window(self) -> Window:
        """The data window."""
        spec = self.spec
        return (spec.x, spec.y, spec.width, spec.height)

    @property
    def floating(self) -> bool:
        """Say whether samples are half, float or double."""
        return bool(self.samples.dtype.kind == "f")

    @property
    def grey(self) -> bool:
        """Say whether one channel stands for red, green and blue."""
        return len(set(self.colours)) == 1

    @property
    def luminance(self) -> bool:
        """Say whether that one is a picture's, and not depth or a layer's red."""
        return self.grey and str(self.spec.channelnames[self.colours[0]]).lower() == "y"

    @property
    def further(self) -> tuple[str, ...]:
        """The names of the channels besides colours and alpha."""
        return tuple(self.spec.channelnames[place] for place in self.further_places)

    @property
    def further_places(self) -> list[int]:
        """Where those are among the channels."""
        known = {*self.colours, self.alpha}
        return [place for place in range(self.spec.nchannels) if place not in known]

    @property
    def premultiplied(self) -> bool:
        """Say whether colours are stored multiplied by alpha, as EXR's are."""
        straight = self.spec.get_int_attribute("oiio:UnassociatedAlpha")
        return self.alpha is not None and not straight and self.format != "dpx"


def lossy_compression(spec: Any) -> str | None:
    """Return the name of an EXR's compression where it changes pixels, None where it does not."""
    said = str(spec.get_string_attribute("compression")).partition(":")[0]
    is_exr = spec.getattribute("openexr:lineOrder") is not None
    return said if is_exr and said and said not in _LOSSLESS else None


def read(path: Path, canvas: Window | None = None) -> ImageNative:
    """Read an image whole.

    Args:
        path: The image.
        canvas: What pictures of it show; its own display window where None.

    Raises:
        Unreadable: It does not decode.
        OSError: It cannot be read from the storage.
    """
    require_whole(path)
    opened = _open(path)
    try:
        spec = opened.spec()
        samples = opened.read_image(0, 0, 0, spec.nchannels, _kind(spec))
        if samples is None or opened.has_error:
            raise Unreadable(said(opened.geterror()))
        samples = samples.reshape(spec.height, spec.width, spec.nchannels)
        native = _native(path, samples, spec, opened.format_name(), canvas)
        if native.format == "dpx" and native.bits == 10:
            dpx.mend(path, spec, samples)
        return native
    finally:
        opened.close()


def windows(path: Path) -> tuple[Window, Window]:
    """Return an image's data window and its display window.

    Raises:
        Unreadable: It is no image.
    """
    opened = _open(path)
    try:
        spec = opened.spec()
        return (spec.x, spec.y, spec.width, spec.height), display_of(spec)
    finally:
        opened.close()


def around(example: ImageNative, files: Sequence[Path]) -> Window:
    """Return the window that holds what an image shows, and the data of all of its sequence.

    Args:
        example: An image of the sequence.
        files: All of them. In EXR each may have another data window, and all headers are read;
            of other formats those of the first and the last.
    """
    wanted = files if example.format == "openexr" else [example.path, files[-1]]
    canvas, size = example.canvas, display_of(example.spec)[2:]
    with ThreadPoolExecutor(_HEADERS, thread_name_prefix="headers") as pool:
        for found in pool.map(_windows_of, wanted):
            # An image of another size is no part of it.
            if found is not None and found[1][2:] == size:
                canvas = _joined(canvas, found[0])
    return canvas


def _windows_of(path: Path) -> tuple[Window, Window] | None:
    try:
        return windows(path)
    except Unreadable:
        return None


def _joined(one: Window, other: Window) -> Window:
    left, top = min(one[0], other[0]), min(one[1], other[1])
    right = max(one[0] + one[2], other[0] + other[2])
    bottom = max(one[1] + one[3], other[1] + other[3])
    return (left, top, right - left, bottom - top)


def _open(path: Path) -> Any:
    hints = OpenImageIO.ImageSpec()
    for name, value in _HINTS.items():
        hints.attribute(name, value)
    opened = OpenImageIO.ImageInput.open(str(path), hints)
    if opened is None:
        raise Unreadable(said(OpenImageIO.geterror()))
    return opened


def _kind(spec: Any) -> str:
    """Return the type that holds every channel exactly."""
    kinds = {str(each) for each in spec.channelformats} or {str(spec.format)}
    if len(kinds) == 1:
        return str(spec.format)
    return "float" if kinds <= {"half", "float"} else "double"


def display_of(spec: Any) -> Window:
    """Return the display window, the data window where there is none."""
    if not spec.full_width or not spec.full_height:
        return (spec.x, spec.y, spec.width, spec.height)
    return (spec.full_x, spec.full_y, spec.full_width, spec.full_height)


def _native(
    path: Path, samples: Samples, spec: Any, kind: str, canvas: Window | None
) -> ImageNative:
    names = tuple(spec.channelnames)
    return ImageNative(
        path=path,
        samples=samples,
        spec=spec,
        format=kind,
        bits=_bits(spec, samples, kind),
        colours=channels_of(names),
        alpha=_alpha_of(spec, names),
        canvas=canvas or display_of(spec),
    )


def _bits(spec: Any, samples: Samples, kind: str) -> int:
    stored = spec.get_int_attribute("oiio:BitsPerSample") if kind in {"dpx", "cineon"} else 0
    return stored or 8 * samples.dtype.itemsize


def _alpha_of(spec: Any, names: tuple[str, ...]) -> int | None:
    if spec.alpha_channel >= 0:
        return int(spec.alpha_channel)
    return next((place for place, name in enumerate(names) if name.lower() in {"a", "alpha"}), None)


def to_picture(native: ImageNative) -> Picture:
    """Return an image's canvas in float; what lies outside its data window is black."""
    places = native.colours[:1] if native.grey else native.colours
    values = [values_of(native.samples[..., place], native) for place in places]
    rgb = np.stack(values * 3 if native.grey else values, axis=-1)
    alpha = None if native.alpha is None else values_of(native.samples[..., native.alpha], native)
    if alpha is not None and native.premultiplied:
        rgb = _straight(rgb, alpha)
    return Picture(placed(rgb, native), None if alpha is None else placed(alpha, native))


def values_of(samples: Samples, native: ImageNative) -> Image:
    """Return an image's samples in float, integers as 0..1."""
    if native.floating:
        return samples.astype(np.float32)
    return (_codes(samples, native.bits) * np.float32(1 / peak_of(native.bits))).astype(np.float32)


def _codes(samples: Samples, bits: int) -> Samples:
    return samples >> (16 - bits) if 8 < bits < 16 else samples


def peak_of(bits: int) -> int:
    """Return the highest code."""
    return (1 << bits) - 1


def _straight(rgb: Image, alpha: Image) -> Image:
    """Divide colours by alpha; where it is zero they are light without cover, and stay."""
    divisor = np.where(alpha == 0, np.float32(1), alpha)[..., None]
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(rgb / divisor, np.float32)


def overlap(native: ImageNative) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return where data and canvas share pixels: the slices of the canvas and of the data."""
    (x, y, width, height), (left, top, wide, high) = native.window, native.canvas
    x0, y0 = max(x, left), max(y, top)
    x1, y1 = max(x0, min(x + width, left + wide)), max(y0, min(y + height, top + high))
    canvas = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
    return canvas, (slice(y0 - y, y1 - y), slice(x0 - x, x1 - x))


def placed(values: Samples, native: ImageNative) -> Samples:
    """Return values of a data window on its canvas, 0 around them."""
    if native.window == native.canvas:
        return values
    canvas, data = overlap(native)
    made = np.zeros((native.canvas[3], native.canvas[2], *values.shape[2:]), values.dtype)
    made[canvas] = values[data]
    return made
