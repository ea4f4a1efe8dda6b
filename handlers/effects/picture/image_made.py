"""What becomes of an image: the source's own samples, and what an effect changed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import OpenImageIO
from numpy.typing import NDArray

from handlers.effects.effect import Image, Picture
from handlers.effects.picture.image import (
    ImageNative,
    Samples,
    Window,
    display_of,
    overlap,
    peak_of,
    placed,
    values_of,
)
from handlers.effects.picture.target import Target

# What EXR stores: double is only what channels of float and of integers are held in together.
_FLOATS = {"float16": "half", "float32": "float", "float64": "float"}
_GREY = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Made:
    """An image to be written: ``samples`` [height, width, channels] as the file shall store them.

    ``names`` are those of the channels; ``window`` and ``display`` the data and the display
    window; ``straight`` says that colours are not multiplied by alpha. ``spec`` is the header of
    the image that it was made from, None where it was none. ``formats`` are the types of the
    channels where they differ. ``cut`` is how many pixels have values that end at black or white.
    """

    samples: Samples
    names: tuple[str, ...]
    window: Window
    display: Window
    straight: bool
    spec: Any = None
    formats: tuple[Any, ...] = ()
    cut: int = 0


def merged(native: ImageNative | None, before: Picture, after: Picture, target: Target) -> Made:
    """Return the image to write; see :func:`handlers.effects.picture.native.merged`."""
    if native is None or not _is_alike(native, after, target):
        return _fresh(native, after, target)
    grown = _grown(native, before, after)
    samples = grown.samples.copy()
    canvas, data = overlap(grown)
    _put(samples[data], grown, _cut(before, canvas), _cut(after, canvas))
    return Made(
        samples=samples,
        names=tuple(grown.spec.channelnames),
        window=grown.window,
        display=display_of(grown.spec),
        straight=not native.premultiplied,
        spec=native.spec,
        formats=tuple(native.spec.channelformats),
    )


def _is_alike(native: ImageNative, after: Picture, target: Target) -> bool:
    """Say whether the target stores the same channels of the same size as the image does."""
    same_size = after.rgb.shape[:2] == (native.canvas[3], native.canvas[2])
    same_channels = target.alpha == (native.alpha is not None) and target.grey == native.grey
    return (
        same_size
        and same_channels
        and not (native.further and target.kind.suffix == ".png")
        and native.samples.dtype == target.dtype
        and native.bits == target.bits
    )


def _multiplied(rgb: Image, alpha: Image) -> Image:
    return np.asarray(rgb * np.where(alpha == 0, np.float32(1), alpha)[..., None], np.float32)


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
    canvas, _ = overlap(native)
    changed[canvas] = False
    return bool(changed.any())


def _differs(before: Image, after: Image) -> NDArray[np.bool_]:
    """Say where values differ; two that are no numbers are the same."""
    return np.asarray((before != after) & ~(np.isnan(before) & np.isnan(after)))


def _put(samples: Samples, native: ImageNative, before: Picture, after: Picture) -> None:
    """Write what differs into samples [height, width, channels]."""
    if not native.floating and not native.premultiplied and not native.grey:
        _put_codes(samples, native, after)
        return
    rgb, changed = after.rgb, _differs(before.rgb, after.rgb)
    if native.alpha is not None and after.alpha is not None and before.alpha is not None:
        covered = _differs(before.alpha, after.alpha)
        _store(samples[..., native.alpha], after.alpha, covered, native.bits)
        if native.premultiplied:
            rgb, changed = _multiplied(rgb, after.alpha), changed | covered[..., None]
    if native.grey:
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
    peak = peak_of(bits)
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
    """Return an image of the new picture, and of what EXR can take over beside it."""
    rgb, alpha = after.rgb, after.alpha if target.alpha else None
    if alpha is not None and target.premultiplied:
        rgb = _multiplied(rgb, alpha)
    channels = [encoded(rgb, target.dtype, target.bits)]
    if target.alpha:
        opaque = np.ones(rgb.shape[:2], np.float32) if alpha is None else alpha
        channels.append(encoded(opaque, target.dtype, target.bits)[..., None])
    height, width = rgb.shape[:2]
    names = ("R", "G", "B", "A")[: 3 + target.alpha]
    made = Made(
        samples=np.concatenate(channels, axis=-1),
        names=names,
        window=(0, 0, width, height),
        display=(0, 0, width, height),
        straight=not target.premultiplied,
        spec=None if native is None else native.spec,
        cut=_cut_off(rgb, target),
    )
    if native is None or (width, height) != native.canvas[2:]:
        return made
    made = dataclasses.replace(made, window=native.canvas, display=display_of(native.spec))
    return _with_further(made, native) if target.kind.floating and native.further else made


def _with_further(made: Made, native: ImageNative) -> Made:
    """Add an image's further channels, each as exact as it was."""
    places = native.further_places
    own = placed(native.samples[..., places], native)
    if not native.floating:
        own = values_of(own, native)
    first = OpenImageIO.TypeDesc(_FLOATS[made.samples.dtype.name])
    others = native.spec.channelformats or [OpenImageIO.TypeDesc(_FLOATS[own.dtype.name])] * max(
        each + 1 for each in places
    )
    return dataclasses.replace(
        made,
        samples=np.concatenate([made.samples, own], axis=-1),
        names=(*made.names, *native.further),
        formats=(*[first] * len(made.names), *(others[place] for place in places)),
    )


def _cut_off(rgb: Image, target: Target) -> int:
    """Return how many pixels the integers of a target end, by half a code at least."""
    if target.kind.floating:
        return 0
    half = np.float32(0.5 / peak_of(target.bits))
    if rgb.min() >= -half and rgb.max() <= 1 + half:
        return 0
    return int(((rgb < -half) | (rgb > 1 + half)).any(axis=-1).sum())
