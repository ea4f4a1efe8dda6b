"""Measures of each picture, taken while a clip is decoded.

One frame costs about a millisecond and a half at 1080p, nearly all of it inside cv2, which
lets other threads run. Exposure is counted at native bit depth in every n-th row; focus is
judged in a picture of about 960 pixels' width, motion in a much smaller one. What needs
the frames around (shake, flicker) is worked out at the end, in ``series``.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from handlers.analysis.luma import LumaReader, Plane
from handlers.analysis.rows import Rows
from handlers.media.probe import VideoFacts

Image = NDArray[np.float32]

# What one picture is measured by, in this order; the names are the table's.
MEASURES = (
    "luma_mean", "luma_p01", "luma_p10", "luma_p50", "luma_p90", "luma_p99",
    "crushed", "focus", "difference", "shift_x", "shift_y", "motion", "luma_change",
)  # fmt: skip
SINCE_BEFORE = MEASURES[-5:]
"""Those of them that compare with the picture before; 0 where that one stands again."""
TAIL = 32
"""The top of the code values, in this many steps of 1/128 of all: where clipping shows."""
_TAIL_STEPS = 128
# Half precision: three digits of a share are enough, and a day of rushes has many frames.
_TAIL_TYPE = np.dtype(np.float16)
_FIGURES = np.dtype([(name, np.float32) for name in MEASURES])
_PACKED = struct.Struct(f"{len(MEASURES)}f").pack
_STANDS = (0.0,) * len(SINCE_BEFORE)
_TAILS = np.dtype([("tail", _TAIL_TYPE, TAIL)])
_PERCENTILES = (0.01, 0.10, 0.50, 0.90, 0.99)

# Pixels counted for exposure; of 1080p one row in 15, far more than 1 in 1000 needs.
_COUNTED = 1 << 17
_FOCUS_WIDTH = 960
_SMALL = (240, 135)
# Half of that, but for a row: exact halves cost a tenth of other sizes.
_MOTION = (120, 67)
_HALVES = np.array([120, 67.5])
_TILES = (16, 9)
# Which of the tiles, by rising sharpness.
_SHARPEST = round(0.9 * 16 * 9)
# Tiles of a picture that can tell how its light changes, and how many of them it takes.
_DARK, _BRIGHT, _FEWEST_TILES = 0.03, 0.98, 24
# A shift counts when it explains the difference: it must take this much of it away.
_EXPLAINS = 0.9
# Further than this, in widths, is no camera movement between two frames but a cut.
_FARTHEST = 0.25
_MARGIN = 12
# Refining a shift: at most so many steps, until they are finer than this in pixels of 120.
_STEPS, _FINE = 4, 0.02
_FLAT = 1e-3


class PictureMeter:
    """Measures pictures one after the other; memory is a few small pictures.

    Args:
        video: What the picture is.
        gamma: The camera's own name of its transfer curve, if known.
        folder: Where a long clip's figures are kept meanwhile; see :class:`Rows`.
    """

    def __init__(
        self, video: VideoFacts, gamma: str | None = None, folder: Path | None = None
    ) -> None:
        # Pictures are small here: cv2's own threads would cost more than they save.
        cv2.setNumThreads(1)
        self.reader = LumaReader(video, gamma)
        self._exposure = Exposure(self.reader)
        self._motion = Motion(_aspect(video), video.rotation)
        self._light = Light()
        self._figures, self._tails = Rows(_FIGURES, folder), Rows(_TAILS, folder)
        self._last: tuple[float, ...] = ()
        self._tail = b""
        self._owed = 0

    def push(self, frame: av.VideoFrame) -> None:
        """Take the next picture, in order of presentation."""
        plane = self.reader(frame)
        counted, tail = self._exposure(plane)
        middle = halved(plane)
        small = shrunk(middle, _SMALL)
        lit = self._lit(small)
        sharp = focus(middle, small, self._lit)
        self._last = (*counted, sharp, *self._motion(lit), self._light(lit))
        self._tail = tail
        # Lost frames before the first good one are stood in for by it.
        for _ in range(self._owed + 1):
            self._keep(self._last)
        self._owed = 0

    def repeat(self) -> None:
        """Let the last picture stand for one more frame; before the first, that one will."""
        if not self._tail:
            self._owed += 1
            return
        self._keep((*self._last[: -len(SINCE_BEFORE)], *_STANDS))

    def columns(self) -> dict[str, NDArray[np.float32]]:
        """Return float32 [n] of each of ``MEASURES``."""
        return self._figures.columns()

    def tails(self) -> Iterator[NDArray[np.float16]]:
        """Yield the top of the code values, float16 [some, 32], of one picture after the other."""
        for block in self._tails.blocks():
            yield block["tail"]

    def _keep(self, figures: Sequence[float]) -> None:
        self._figures.add(_PACKED(*figures))
        self._tails.add(self._tail)

    def _lit(self, plane: Plane) -> Image:
        """Return display-like luma of code values, float32 of the same shape."""
        lut = self.reader.scale.lut
        if plane.dtype == np.uint8:
            # Twice as fast as numpy, but for bytes alone.
            quick: Image = cv2.LUT(plane, lut)
            return quick
        lit: Image = np.take(lut, plane >> self.reader.shift, mode="clip")
        return lit


def _aspect(video: VideoFacts) -> float:
    """Return height over width of the picture as stored, in square pixels."""
    return float(video.height / (video.width * video.pixel_aspect))


def halved(plane: Plane) -> Plane:
    """Halve a picture until it is about 960 pixels wide; exact means of whole pixels."""
    while plane.shape[1] >= 1.5 * _FOCUS_WIDTH:
        size = plane.shape[1] // 2, max(1, plane.shape[0] // 2)
        plane = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    return plane


def shrunk(plane: Plane, size: tuple[int, int]) -> Plane:
    """Shrink to (width, height) by area; exact halves are many times faster than other steps."""
    width, height = size
    while plane.shape[1] % (2 * width) == 0 and plane.shape[0] % (2 * height) == 0:
        half = plane.shape[1] // 2, plane.shape[0] // 2
        plane = cv2.resize(plane, half, interpolation=cv2.INTER_AREA)
    if plane.shape != (height, width):
        plane = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    return plane


class Exposure:
    """Counts code values at native depth in every n-th row."""

    def __init__(self, reader: LumaReader) -> None:
        scale = reader.scale
        self._bins = len(scale.lut)
        self._range = [0, self._bins << reader.shift]
        self._lut = scale.lut.astype(np.float64)
        # One code value of eight bits is what codecs add to black.
        self._low = round((scale.black + 1 / 255) * (self._bins - 1))
        edges = np.arange(_TAIL_STEPS - TAIL, _TAIL_STEPS) * self._bins // _TAIL_STEPS
        self._edges = edges

    def __call__(self, plane: Plane) -> tuple[Sequence[float], bytes]:
        """Return mean and percentiles of luma and the share crushed; and the tail's bytes."""
        step = max(1, plane.size // _COUNTED)
        rows = plane[step // 2 :: step]
        counts = cv2.calcHist([rows], [0], None, [self._bins], self._range)[:, 0]
        share = counts / counts.sum(dtype=np.float64)
        below = np.cumsum(share)
        places = np.searchsorted(below, _PERCENTILES).clip(max=self._bins - 1)
        figures = (share @ self._lut, *self._lut[places])
        tail = np.add.reduceat(share, self._edges).astype(_TAIL_TYPE)
        return (*figures, below[self._low]), tail.tobytes()


def focus(middle: Plane, small: Plane, lit: Any) -> float:
    """Return how sharp the sharpest tenth of a picture is.

    The mean absolute difference of pixels two apart (Brenner et al., 1976, with the
    absolute value for the square), across and down, less that of neighbours: grain differs
    as much at either distance and so cancels out. It is taken in 16 x 9 tiles and scaled by
    the slope of the transfer curve in each. Shallow focus leaves most of a picture soft by
    intention, so the tile nine in ten are softer than speaks for all.

    Args:
        middle: Code values [h, w], w about 960.
        small: The same picture, [135, 240].
        lit: Turns code values into display-like luma.
    """
    if middle.shape[1] <= _TILES[0] + 2 or middle.shape[0] <= _TILES[1] + 2:
        return 0.0
    detail = np.maximum(_rise(middle, 2) - _rise(middle, 1), 0)
    level = cv2.resize(small, _TILES, interpolation=cv2.INTER_AREA)
    tiles = detail * _slope(level, lit)
    return float(np.partition(tiles.ravel(), _SHARPEST)[_SHARPEST])


def _rise(image: Plane, step: int) -> NDArray[np.float64]:
    """Return the mean difference of pixels so far apart, across and down, of each tile."""
    height, width = image.shape[0] - 2, image.shape[1]
    # One row after the other as one run of numbers: cv2 starts anew for each row of a part.
    run = np.ascontiguousarray(image).reshape(1, -1)
    size = height * width - 2
    here = run[:, :size]
    made = np.empty((1, size + 2), image.dtype)
    rise = cv2.absdiff(run[:, step : step + size], here, made[:, :size])
    cv2.add(rise, cv2.absdiff(run[:, step * width : step * width + size], here), rise)
    # The last two of each row were compared with the next row's first.
    return _tile_means(made.reshape(height, width), width - 2)


def _tile_means(image: Plane, width: int) -> NDArray[np.float64]:
    """Return the mean of each tile, [9, 16], of the columns up to ``width``."""
    rows = np.linspace(0, len(image), _TILES[1] + 1).astype(int)
    columns = np.linspace(0, width, _TILES[0] + 1).astype(int)
    # Every second row is enough: a tile of 1080p is 60 rows high.
    means = [
        cv2.reduce(image[first:last:2], 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F)[0]
        for first, last in itertools.pairwise(rows)
    ]
    strips = np.stack(means)[:, :width]
    sums: NDArray[np.float64] = np.add.reduceat(strips, columns[:-1], axis=1, dtype=np.float64)
    sums /= np.diff(columns)
    return sums


def _slope(level: Plane, lit: Any) -> Image:
    """Return display-like luma a code value, around the given code values."""
    reach = 1 << (3 if level.dtype == np.uint8 else 5)
    most = np.iinfo(level.dtype).max
    below = np.where(level > reach, level - reach, 0).astype(level.dtype)
    above = np.where(level < most - reach, level + reach, most).astype(level.dtype)
    slope: Image = (lit(above) - lit(below)) / np.maximum(above.astype(np.float32) - below, 1)
    return slope


class Light:
    """Follows how bright the picture is as a whole: what moves through it does not count."""

    def __init__(self) -> None:
        self._before: Image | None = None

    def __call__(self, lit: Image) -> float:
        """Return the natural logarithm of how much brighter a small picture is than the last.

        A lamp or a shutter changes all of a picture by one factor, what moves changes parts of
        it by many. So it is the median over 16 x 9 tiles, drawn towards 0 by a quarter of the
        range that the middle half of them takes up. Tiles that are black or white cannot tell.
        """
        level = cv2.resize(lit, _TILES, interpolation=cv2.INTER_AREA)
        before, self._before = self._before, level
        if before is None:
            return 0.0
        tells = (np.minimum(level, before) > _DARK) & (np.maximum(level, before) < _BRIGHT)
        ratios = np.sort(np.log(level[tells] / before[tells]))
        if len(ratios) < _FEWEST_TILES:
            return 0.0
        low, middle, high = ratios[[len(ratios) // 4, len(ratios) // 2, 3 * len(ratios) // 4]]
        sure = max(0.0, abs(float(middle)) - float(high - low) / 4)
        return float(np.copysign(sure, middle))


class Motion:
    """Follows the picture from frame to frame: what moves as a whole, what moves in it.

    The global shift is found by phase correlation (Kuglin and Hines, 1975) in a picture of
    120 x 67, refined by its gradients, and counts only when it explains the difference
    between the two frames.
    """

    def __init__(self, aspect: float, rotation: int) -> None:
        self._window = cv2.createHanningWindow(_MOTION, cv2.CV_32F)
        self._aspect = aspect
        self._rotation = rotation
        self._before: tuple[Image, Image] | None = None
        self._usual = np.zeros(2)

    def __call__(self, lit: Image) -> tuple[float, float, float, float]:
        """Return difference, shift_x, shift_y and motion of a small picture, float32 [135, 240]."""
        coarse = cv2.resize(lit[:-1], _MOTION, interpolation=cv2.INTER_AREA)
        before, self._before = self._before, (lit, coarse)
        if before is None:
            return 0.0, 0.0, 0.0, 0.0
        difference = _mean_difference(lit, before[0])
        shift = self._shift(before[1], coarse) if difference else (0.0, 0.0)
        if shift == (0.0, 0.0):
            return difference, 0.0, 0.0, difference
        inner = slice(_MARGIN, -_MARGIN)
        moved = _moved(before[0], np.multiply(shift, _SMALL), _MARGIN)
        left = _mean_difference(lit[inner, inner], moved)
        if left > _EXPLAINS * _mean_difference(lit[inner, inner], before[0][inner, inner]):
            return difference, 0.0, 0.0, difference
        return difference, *self._upright(shift), left

    def _shift(self, before: Image, now: Image) -> tuple[float, float]:
        """Return how far the picture moved right and down, in its own width and height."""
        whole, _ = cv2.phaseCorrelate(before - before.mean(), now - now.mean(), self._window)
        found = np.round(whole) if np.isfinite(whole).all() else np.zeros(2)
        if np.abs(found - self._usual).max() < 1:
            # Movement goes on: what it was before is nearer than whole pixels.
            found = self._usual
        for _ in range(_STEPS):
            step = _step(_moved(before, found), now, self._window)
            found = found + step
            if np.abs(step).max() < _FINE:
                break
        self._usual = found
        across, down = (found / _HALVES).tolist()
        if max(abs(across), abs(down)) > _FARTHEST:
            return 0.0, 0.0
        return across, down

    def _upright(self, shift: tuple[float, float]) -> tuple[float, float]:
        """Return the shift as the picture is shown, both in fractions of the shown width."""
        across, down = shift[0], shift[1] * self._aspect
        if self._rotation in {90, 270}:
            # The shown width is the stored height.
            across, down = across / self._aspect, down / self._aspect
        turned = {0: (across, down), 90: (down, -across), 180: (-across, -down)}
        return turned.get(self._rotation, (-down, across))


def _mean_difference(first: Image, second: Image) -> float:
    return float(cv2.norm(first, second, cv2.NORM_L1)) / first.size


def _step(before: Image, now: Image, window: Image) -> NDArray[np.float64]:
    """Return by how many pixels right and down ``before`` must still move, by its gradients.

    Least squares over the picture (Lucas and Kanade, 1981); what does not move along with
    most of it counts little.
    """
    inner = slice(1, -1)
    across = before[inner, 2:] - before[inner, :-2]
    down = before[2:, inner] - before[:-2, inner]
    error = before[inner, inner] - now[inner, inner]
    usual = 2 * cv2.norm(error, cv2.NORM_L1) / error.size + 1e-6
    weight = window[inner, inner] / (1 + np.square(error / np.float32(usual)))
    along, aside = weight * across, weight * down
    # Differences are over two pixels. A little is added, so that a flat picture does not move.
    xx, yy = np.vdot(along, across) / 4 + _FLAT, np.vdot(aside, down) / 4 + _FLAT
    xy, x, y = np.vdot(along, down) / 4, np.vdot(along, error) / 2, np.vdot(aside, error) / 2
    step = np.array([yy * x - xy * y, xx * y - xy * x], np.float64) / (xx * yy - xy * xy)
    return np.asarray(step.clip(-1, 1))


def _moved(image: Image, pixels: NDArray[np.float64], margin: int = 0) -> Image:
    """Return the picture moved right and down, less a margin on each side."""
    matrix = np.array([[1, 0, pixels[0] - margin], [0, 1, pixels[1] - margin]], np.float64)
    size = image.shape[1] - 2 * margin, image.shape[0] - 2 * margin
    moved: Image = cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    return moved
