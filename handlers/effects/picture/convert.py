"""Between a frame's planes and float R'G'B', by the matrix and range that the stream says.

Going back, luma and full chroma are what the picture gives; where chroma is stored smaller, what
its way up and down would lose is added again. So each sample that no effect touched comes out as
the integer that it was: the error of float arithmetic is far below half a code even at 16 bits.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from handlers.effects.picture.chroma import Siting, enlarge, reduce, round_trip
from handlers.effects.picture.layout import Layout, Plane

Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]

# Weights of red and blue in luma (ITU-T H.273, table 4).
_WEIGHTS = {
    "bt709": (0.2126, 0.0722), "fcc": (0.30, 0.11), "bt470bg": (0.299, 0.114),
    "smpte170m": (0.299, 0.114), "smpte240m": (0.212, 0.087), "bt2020nc": (0.2627, 0.0593),
    "bt2020c": (0.2627, 0.0593),
}  # fmt: skip
MATRICES = frozenset(_WEIGHTS) | {"ycgco"}
"""The matrices by which YUV can be read; of bt2020c that of its non-constant kin is used."""
_BAND = 1 << 16
"""So many pixels are worked on at once."""
GREY = np.array([[0.2126, 0.7152, 0.0722]], np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """How planes code colours: ``matrix`` in FFmpeg's names, ``full`` range or limited."""

    layout: Layout
    matrix: str = "bt709"
    full: bool = True
    siting: Siting = ("cosited", "between")


def to_rgb(planes: list[Plane], coding: Coding) -> Floats:
    """Return float32 [height, width, 3], 0..1 nominal, from planes; nothing is clipped."""
    layout = coding.layout
    height, width = planes[0].shape
    made = np.empty((height, width, 3), np.float32)
    if layout.kind != "yuv":
        own = [planes[place] for place in _order(layout)]
        for rows in _bands(height, width):
            _join([_unit(plane[rows], layout) for plane in own], made[rows])
        return made
    # Lines first: what is left to do has no neighbours in other bands.
    lines = [
        enlarge(_float(plane), (0, layout.shrink[1]), coding.siting, (plane.shape[1], height))
        for plane in planes[1:3]
    ]
    wider = layout.shrink[0], 0
    for rows in _bands(height, width):
        luma = _float(planes[0][rows])
        size = width, luma.shape[0]
        chroma = [enlarge(plane[rows], wider, coding.siting, size) for plane in lines]
        cv2.transform(cv2.merge([luma, *chroma]), decoding(coding), made[rows])
    return made


def _bands(height: int, width: int) -> Iterator[slice]:
    """Divide a picture into rows whose floats stay in a processor's cache."""
    rows = max(8, _BAND // width)
    return (slice(top, min(top + rows, height)) for top in range(0, height, rows))


def _float(plane: Plane) -> Floats:
    return np.asarray(plane, np.float32)


def _unit(plane: Plane, layout: Layout) -> Floats:
    if layout.floating:
        return _float(plane)
    return np.multiply(plane, np.float32(1 / layout.peak), dtype=np.float32)


def _join(planes: list[Floats], made: Floats) -> None:
    cv2.merge(planes, made)


def _order(layout: Layout) -> tuple[int, int, int]:
    """Where red, green and blue are among the planes."""
    return (0, 0, 0) if layout.kind == "grey" else (2, 0, 1)


def to_alpha(plane: Plane, layout: Layout) -> Floats:
    """Return alpha as float32, 0..1."""
    return np.multiply(plane, np.float32(1 / layout.peak), dtype=np.float32)


def from_alpha(alpha: Floats, layout: Layout) -> Plane:
    """Return alpha as samples of a layout, rounded once."""
    if layout.floating:
        return alpha.astype(layout.dtype)
    return coded(alpha * np.float32(layout.peak), layout)


def from_rgb(
    rgb: Floats, coding: Coding, source: list[Plane] | None = None, was: Coding | None = None
) -> list[Plane]:
    """Return the colour planes that code a picture, each sample rounded once.

    Args:
        rgb: The picture, float32 [height, width, 3].
        coding: What is to be written.
        source: Planes of the picture before it was changed, of the same size.
        was: How those code it.

    Returns:
        Planes of ``coding``'s layout, without alpha.
    """
    layout = coding.layout
    if layout.kind != "yuv":
        return _from_rgb(rgb, layout)
    height, width = rgb.shape[:2]
    luma = np.empty((height, width), layout.dtype)
    narrow = -(-width >> layout.shrink[0])
    chroma = [np.empty((height, narrow), np.float32) for _ in range(2)]
    for rows in _bands(height, width):
        # A row of the matrix at a time: taking planes apart again would cost more.
        new, *others = (cv2.transform(rgb[rows], row[None]) for row in encoding(coding))
        luma[rows] = coded(new, layout)
        for plane, other in zip(chroma, others, strict=True):
            plane[rows] = reduce(other, (layout.shrink[0], 0), coding.siting)
    chroma = [reduce(plane, (0, layout.shrink[1]), coding.siting) for plane in chroma]
    if source is not None and was is not None and was.layout.kind == "yuv":
        for plane, own in zip(chroma, source[1:3], strict=True):
            _restore(plane, own, (coding, was), (width, height))
    return [luma, *(coded(plane, layout) for plane in chroma)]


def _from_rgb(rgb: Floats, layout: Layout) -> list[Plane]:
    height, width = rgb.shape[:2]
    is_grey = layout.kind == "grey"
    made = [np.empty((height, width), layout.dtype) for _ in range(1 if is_grey else 3)]
    for rows in _bands(height, width):
        red, green, blue = (rgb[rows][..., place] for place in range(3))
        parts = [_grey(rgb[rows], red, green, blue)] if is_grey else [green, blue, red]
        for plane, part in zip(made, parts, strict=True):
            plane[rows] = _scaled(part, layout)
    return made


def _restore(
    plane: Floats, own: Plane, codings: tuple[Coding, Coding], size: tuple[int, int]
) -> None:
    """Add to new chroma what the source's would lose on its way up and down again."""
    coding, was = codings
    (across, down), (new_across, new_down) = was.layout.shrink, coding.layout.shrink
    common = min(across, new_across), min(down, new_down)
    if not any(common) or was.matrix != coding.matrix:
        return
    finer = across - common[0], down - common[1]
    height, width = plane.shape
    scale = np.float32(_chroma_unit(coding) / _chroma_unit(was))
    small = np.multiply(own, scale, dtype=np.float32)
    direct = enlarge(small, finer, was.siting, (width, height))
    large = size[0] if common[0] else width, size[1] if common[1] else height
    plane += direct
    plane -= round_trip(direct, common, was.siting, large)


def _grey(rgb: Floats, red: Floats, green: Floats, blue: Floats) -> Floats:
    luma: Floats = cv2.transform(rgb, GREY)
    # Weights that add to one in theory only would change a grey that nobody touched.
    np.copyto(luma, red, where=(red == green) & (green == blue))
    return luma


def _scaled(plane: Floats, layout: Layout) -> Plane:
    if layout.floating:
        return plane.astype(layout.dtype)
    return coded(plane * np.float32(layout.peak), layout)


def coded(values: Floats, layout: Layout) -> Plane:
    """Round values on the scale of codes to the nearest code that there is.

    Args:
        values: float32 [height, width].
        layout: Says how many codes there are.
    """
    if layout.bits <= 8:
        return np.asarray(cv2.add(values, 0, dtype=cv2.CV_8U))
    codes: Plane = cv2.add(values, 0, dtype=cv2.CV_16U)
    return codes if layout.bits == 16 else np.minimum(codes, np.uint16(layout.peak), out=codes)


def _chroma_unit(coding: Coding) -> float:
    """How many codes a chroma of 1 (from -0.5 to 0.5) takes."""
    bits = coding.layout.bits
    return float((1 << bits) - 1) if coding.full else float(224 << (bits - 8))


@functools.lru_cache(maxsize=64)
def decoding(coding: Coding) -> Matrix:
    """Return float64 [3, 4] from codes of Y, Cb, Cr and 1 to R', G', B'."""
    linear = _from_codes(coding)
    return np.concatenate([linear, -linear @ _zero(coding)[:, None]], axis=1)


@functools.lru_cache(maxsize=64)
def encoding(coding: Coding) -> Matrix:
    """Return float64 [3, 4] from R', G', B' and 1 to codes of Y, Cb, Cr."""
    return np.concatenate([np.linalg.inv(_from_codes(coding)), _zero(coding)[:, None]], axis=1)


def _from_codes(coding: Coding) -> Matrix:
    bits = coding.layout.bits
    luma = float((1 << bits) - 1) if coding.full else float(219 << (bits - 8))
    unit = _chroma_unit(coding)
    return np.asarray(_colours(coding.matrix) / np.array([luma, unit, unit]))


def _zero(coding: Coding) -> Matrix:
    """Return the codes of black."""
    bits = coding.layout.bits
    black = 0 if coding.full else 16 << (bits - 8)
    return np.array([black, 1 << (bits - 1), 1 << (bits - 1)], np.float64)


def _colours(matrix: str) -> Matrix:
    """Return the matrix from Y', Cb and Cr to R', G' and B' (ITU-T H.273, 8.3)."""
    if matrix == "ycgco":
        return np.array([[1.0, -1, 1], [1, 1, 0], [1, -1, -1]])
    red, blue = _WEIGHTS[matrix]
    green = 1 - red - blue
    to_yuv = np.array([[red, green, blue]] * 3)
    to_yuv[1] = (np.array([0, 0, 1.0]) - to_yuv[0]) / (2 * (1 - blue))
    to_yuv[2] = (np.array([1.0, 0, 0]) - to_yuv[0]) / (2 * (1 - red))
    return np.asarray(np.linalg.inv(to_yuv))
