"""One image of a sequence: every channel as stored, its header, and float RGB of it and back.

OpenImageIO reads and writes at the file's own depth. Of 10 and 12 bits it makes 16 by repeating
the highest ones, and takes the highest ones back: here the codes themselves are counted with.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO
from numpy.typing import NDArray

from handlers.effects.effect import Image, Picture
from handlers.effects.picture import dpx
from handlers.effects.picture.target import Target
from handlers.media import images
from handlers.media.imagefile import Unreadable
from handlers.media.source import shown_text

Samples = NDArray[Any]
Window = tuple[int, int, int, int]
"""Left, top, width and height in pixels, as an image's header counts."""
_GREY = np.array([0.2126, 0.7152, 0.0722], np.float32)
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
    def premultiplied(self) -> bool:
        """Say whether colours are stored multiplied by alpha, as EXR's are."""
        straight = self.spec.get_int_attribute("oiio:UnassociatedAlpha")
        return self.alpha is not None and not straight and self.format != "dpx"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Made:
    """An image to be written: ``samples`` [height, width, channels] as the file shall store them.

    ``names`` are those of the channels; ``window`` and ``display`` the data and the display
    window; ``straight`` says that colours are not multiplied by alpha. ``spec`` is the header of
    the image that it was made from, None where it was none.
    """

    samples: Samples
    names: tuple[str, ...]
    window: Window
    display: Window
    straight: bool
    spec: Any = None


def read(path: Path, canvas: Window | None = None) -> ImageNative:
    """Read an image whole.

    Args:
        path: The image.
        canvas: What pictures of it show; its own display window where None.

    Raises:
        Unreadable: It does not decode.
        OSError: It cannot be read from the storage.
    """
    with path.open("rb") as file:
        head = file.read(64)
    if lacking := images.missing(path, head) if head else "it is empty":
        raise Unreadable(lacking)
    opened = _open(path)
    try:
        spec = opened.spec()
        samples = opened.read_image(0, 0, 0, spec.nchannels, _kind(spec))
        if samples is None or opened.has_error:
            raise Unreadable(_said(opened.geterror()))
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
        return (spec.x, spec.y, spec.width, spec.height), _display(spec)
    finally:
        opened.close()


def _open(path: Path) -> Any:
    hints = OpenImageIO.ImageSpec()
    for name, value in _HINTS.items():
        hints.attribute(name, value)
    opened = OpenImageIO.ImageInput.open(str(path), hints)
    if opened is None:
        raise Unreadable(_said(OpenImageIO.geterror()))
    return opened


def _said(error: str) -> str:
    text = shown_text(error.strip().splitlines()[-1]) if error.strip() else ""
    return text.rpartition(": ")[2] or "it is damaged"


def _kind(spec: Any) -> str:
    """Return the type that holds every channel exactly."""
    kinds = {str(each) for each in spec.channelformats} or {str(spec.format)}
    if len(kinds) == 1:
        return str(spec.format)
    return "float" if kinds <= {"half", "float"} else "double"


def _display(spec: Any) -> Window:
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
        colours=_colours(names),
        alpha=_alpha_of(spec, names),
        canvas=canvas or _display(spec),
    )


def _bits(spec: Any, samples: Samples, kind: str) -> int:
    stored = spec.get_int_attribute("oiio:BitsPerSample") if kind in {"dpx", "cineon"} else 0
    return stored or 8 * samples.dtype.itemsize


def _colours(names: tuple[str, ...]) -> tuple[int, int, int]:
    lower = [name.lower() for name in names]
    for wanted in (("r", "g", "b"), ("red", "green", "blue")):
        if set(wanted) <= set(lower):
            red, green, blue = (lower.index(name) for name in wanted)
            return red, green, blue
    grey = lower.index("y") if "y" in lower else 0
    return grey, grey, grey


def _alpha_of(spec: Any, names: tuple[str, ...]) -> int | None:
    if spec.alpha_channel >= 0:
        return int(spec.alpha_channel)
    return next((place for place, name in enumerate(names) if name.lower() in {"a", "alpha"}), None)


def to_picture(native: ImageNative) -> Picture:
    """Return an image's canvas in float; what lies outside its data window is black."""
    grey = len(set(native.colours)) == 1
    places = native.colours[:1] if grey else native.colours
    values = [_values(native.samples[..., place], native) for place in places]
    rgb = np.stack(values * 3 if grey else values, axis=-1)
    alpha = None if native.alpha is None else _values(native.samples[..., native.alpha], native)
    if alpha is not None and native.premultiplied:
        rgb = _straight(rgb, alpha)
    return Picture(_placed(rgb, native), None if alpha is None else _placed(alpha, native))


def _values(samples: Samples, native: ImageNative) -> Image:
    if native.floating:
        return samples.astype(np.float32)
    return (_codes(samples, native.bits) * np.float32(1 / _peak(native.bits))).astype(np.float32)


def _codes(samples: Samples, bits: int) -> Samples:
    return samples >> (16 - bits) if 8 < bits < 16 else samples


def _peak(bits: int) -> int:
    return (1 << bits) - 1


def _straight(rgb: Image, alpha: Image) -> Image:
    """Divide colours by alpha; where it is zero they are light without cover, and stay."""
    divisor = np.where(alpha == 0, np.float32(1), alpha)[..., None]
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(rgb / divisor, np.float32)


def _multiplied(rgb: Image, alpha: Image) -> Image:
    return np.asarray(rgb * np.where(alpha == 0, np.float32(1), alpha)[..., None], np.float32)


def _overlap(native: ImageNative) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return where data and canvas share pixels: the slices of the canvas and of the data."""
    (x, y, width, height), (left, top, wide, high) = native.window, native.canvas
    x0, y0 = max(x, left), max(y, top)
    x1, y1 = max(x0, min(x + width, left + wide)), max(y0, min(y + height, top + high))
    canvas = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
    return canvas, (slice(y0 - y, y1 - y), slice(x0 - x, x1 - x))


def _placed(values: Image, native: ImageNative) -> Image:
    if native.window == native.canvas:
        return values
    canvas, data = _overlap(native)
    made = np.zeros((native.canvas[3], native.canvas[2], *values.shape[2:]), np.float32)
    made[canvas] = values[data]
    return made


def merged(native: ImageNative | None, before: Picture, after: Picture, target: Target) -> Made:
    """Return the image to write; see :func:`handlers.effects.picture.native.merged`."""
    if native is None or not _is_alike(native, after, target):
        return _fresh(native, after, target)
    grown = _grown(native, before, after)
    samples = grown.samples.copy()
    canvas, data = _overlap(grown)
    _put(samples[data], grown, _cut(before, canvas), _cut(after, canvas))
    return Made(
        samples=samples,
        names=tuple(grown.spec.channelnames),
        window=grown.window,
        display=_display(grown.spec),
        straight=not native.premultiplied,
        spec=native.spec,
    )


def _is_alike(native: ImageNative, after: Picture, target: Target) -> bool:
    """Say whether the target stores the same channels of the same size as the image does."""
    same_size = after.rgb.shape[:2] == (native.canvas[3], native.canvas[2])
    same_alpha = target.alpha == (native.alpha is not None)
    return (
        same_size
        and same_alpha
        and native.samples.dtype == target.dtype
        and native.bits == target.bits
    )


def _cut(picture: Picture, area: tuple[slice, slice]) -> Picture:
    alpha = None if picture.alpha is None else picture.alpha[area]
    return Picture(picture.rgb[area], alpha)


def _grown(native: ImageNative, before: Picture, after: Picture) -> ImageNative:
    """Return an image with a data window that holds all that was changed."""
    if native.window == native.canvas or not _changed_outside(native, before, after):
        return native
    (x, y, width, height), (left, top, wide, high) = native.window, native.canvas
    x0, y0 = min(x, left), min(y, top)
    x1, y1 = max(x + width, left + wide), max(y + height, top + high)
    shape = (y1 - y0, x1 - x0, native.samples.shape[2])
    samples = np.zeros(shape, native.samples.dtype)
    samples[y - y0 : y - y0 + height, x - x0 : x - x0 + width] = native.samples
    spec = native.spec.copy()
    spec.x, spec.y, spec.width, spec.height = x0, y0, shape[1], shape[0]
    return dataclasses.replace(native, samples=samples, spec=spec)


def _changed_outside(native: ImageNative, before: Picture, after: Picture) -> bool:
    changed = _differs(before.rgb, after.rgb).any(axis=-1)
    if before.alpha is not None and after.alpha is not None:
        changed |= _differs(before.alpha, after.alpha)
    canvas, _ = _overlap(native)
    changed[canvas] = False
    return bool(changed.any())


def _differs(before: Image, after: Image) -> NDArray[np.bool_]:
    """Say where values differ; two that are no numbers are the same."""
    return np.asarray((before != after) & ~(np.isnan(before) & np.isnan(after)))


def _put(samples: Samples, native: ImageNative, before: Picture, after: Picture) -> None:
    """Write what differs into samples [height, width, channels]."""
    if not native.floating and not native.premultiplied and len(set(native.colours)) == 3:
        _put_codes(samples, native, after)
        return
    rgb, changed = after.rgb, _differs(before.rgb, after.rgb)
    if native.alpha is not None and after.alpha is not None and before.alpha is not None:
        covered = _differs(before.alpha, after.alpha)
        _store(samples[..., native.alpha], after.alpha, covered, native.bits)
        if native.premultiplied:
            rgb, changed = _multiplied(rgb, after.alpha), changed | covered[..., None]
    if len(set(native.colours)) == 1:
        grey = _grey(rgb)
        _store(samples[..., native.colours[0]], grey, changed.any(axis=-1), native.bits)
        return
    for place, channel in enumerate(native.colours):
        _store(samples[..., channel], rgb[..., place], changed[..., place], native.bits)


def _put_codes(samples: Samples, native: ImageNative, after: Picture) -> None:
    """Write codes: those of values that nobody changed are the codes that they came from."""
    values = [after.rgb[..., place] for place in range(3)]
    places = list(native.colours)
    if native.alpha is not None and after.alpha is not None:
        values.append(after.alpha)
        places.append(native.alpha)
    for place, value in zip(places, values, strict=True):
        samples[..., place] = encoded(value, samples.dtype, native.bits)


def _store(samples: Samples, values: Image, changed: NDArray[np.bool_], bits: int) -> None:
    if changed.any():
        np.copyto(samples, encoded(values, samples.dtype, bits), where=changed)


def encoded(values: Image, dtype: np.dtype[Any], bits: int) -> Samples:
    """Return values as samples: rounded once to a code of ``bits``, or floating."""
    if dtype.kind == "f":
        # A half ends at 65504; what is above it is infinite there, as in every other program.
        with np.errstate(over="ignore"):
            return values.astype(dtype)
    peak = _peak(bits)
    scaled = np.multiply(values, np.float32(peak))
    np.clip(scaled, 0, peak, out=scaled)
    np.rint(scaled, out=scaled)
    with np.errstate(invalid="ignore"):
        codes = np.nan_to_num(scaled, copy=False).astype(dtype)
    if not 8 < bits < 16:
        return np.asarray(codes)
    return np.asarray(codes << (16 - bits) | codes >> (2 * bits - 16))


def _grey(rgb: Image) -> Image:
    return np.asarray(rgb @ _GREY)


def _fresh(native: ImageNative | None, after: Picture, target: Target) -> Made:
    """Return an image of colours and alpha alone, all of it from the new picture."""
    rgb, alpha = after.rgb, after.alpha if target.alpha else None
    if alpha is not None and target.premultiplied:
        rgb = _multiplied(rgb, alpha)
    channels = [encoded(rgb, target.dtype, target.bits)]
    if target.alpha:
        opaque = np.ones(rgb.shape[:2], np.float32) if alpha is None else alpha
        channels.append(encoded(opaque, target.dtype, target.bits)[..., None])
    samples = np.concatenate(channels, axis=-1)
    height, width = rgb.shape[:2]
    window = (0, 0, width, height)
    display = window
    if native is not None and (width, height) == native.canvas[2:]:
        window, display = native.canvas, _display(native.spec)
    return Made(
        samples=samples,
        names=("R", "G", "B", "A")[: samples.shape[2]],
        window=window,
        display=display,
        straight=not target.premultiplied,
        spec=None if native is None else native.spec,
    )
