"""Smooths the way that a camera took: unsteady hands, a rough road.

Each shot's way is measured in a first pass and smoothed, and each picture is moved, turned
and scaled from where it is to where it shall be, once, in floating point. A shot from a tripod is
left alone, bit for bit.
"""

from __future__ import annotations

import itertools
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from handlers.contract import UnusableMedia
from handlers.effects.builtin.borders import share_for, zoom_for
from handlers.effects.builtin.camera import Camera, Way, between, way
from handlers.effects.builtin.cuts import Cuts
from handlers.effects.builtin.smoothing import smoothed
from handlers.effects.effect import Effect, Footage, Image, Picture, Tools
from handlers.effects.options import StabiliseOptions

# Corrections that move corners by no more than this on average over a shot, in pixels of the
# picture that is tracked, are those of a tripod: tracking is no more exact.
_STILL = 0.15
_DEVIATIONS = 4
# OpenCV keeps coordinates of larger pictures in too few bits.
_LARGEST = 32_766
_FILTERS = {
    "lanczos": cv2.INTER_LANCZOS4,
    "cubic": cv2.INTER_CUBIC,
    "linear": cv2.INTER_LINEAR,
}
_THIN = np.float32(1e-4)


class Stabilise(Effect):
    """Moves pictures so that the camera seems to have gone smoothly."""

    studies = True
    keeps_grey = True

    def __init__(self, options: StabiliseOptions, tools: Tools) -> None:
        self._options, self._tools = options, tools
        self._cuts = Cuts()
        self._numbers = array("q")
        self._plan: Way | None = None
        self._filter = _FILTERS[options.filter]
        mirror = options.borders == "mirror"
        self._border = cv2.BORDER_REFLECT_101 if mirror else cv2.BORDER_REPLICATE

    def begin(self, footage: Footage) -> Footage:
        """Take note of the footage; with transparent borders, what comes out has alpha.

        Raises:
            UnusableMedia: The pictures are too large.
        """
        if max(footage.width, footage.height) > _LARGEST:
            raise UnusableMedia(
                f"Pictures of {footage.width} x {footage.height} are too large for stabilise, "
                f"which takes {_LARGEST} pixels a side; scale them down or leave it out."
            )
        self._footage = footage
        self._camera = Camera(footage)
        if self._options.borders != "transparent":
            return footage
        return replace(footage, has_alpha=True)

    def study(self, number: int, picture: Picture) -> None:
        """Measure how the camera moved."""
        self._numbers.append(number)
        self._cuts.see(self._camera.see(picture.rgb))

    def apply(self, window: Sequence[Picture], number: int) -> Picture:
        """Move a picture to where it shall be; itself where that is where it is."""
        (picture,) = window
        matrix = self.matrix(number)
        if self._options.borders == "transparent" and picture.alpha is None:
            picture = Picture(picture.rgb, np.ones(picture.rgb.shape[:2], np.float32))
        return picture if matrix is None else self._moved(picture, matrix)

    def matrix(self, number: int) -> Way | None:
        """Return what takes a frame's pixels to their places, float64 [2, 3]; None: they stay."""
        if self._plan is None:
            self._plan = self._planned()
        at = bisect_left(self._numbers, number)
        known = at < len(self._numbers) and self._numbers[at] == number
        return self._plan[at] if known and np.isfinite(self._plan[at, 0, 0]) else None

    def _planned(self) -> Way:
        """Return each frame's matrix in pixels, float64 [frames, 2, 3]; none is no number."""
        moves = self._camera.moves()
        plan = np.full((len(moves), 2, 3), np.nan)
        # A cut is where pictures are unlike and nothing can be followed: a jolt is only the former.
        lost = set(self._camera.lost)
        begins = [at for at in self._cuts.begins() if at == 0 or at in lost]
        for first, end in itertools.pairwise([*begins, len(moves)]):
            found = self._correction(way(moves[first:end]), self._numbers[first])
            if found is not None:
                plan[first:end] = self._in_pixels(found)
        self._tell_lost([self._numbers[at] for at in self._camera.lost if at not in begins])
        return plan

    def _tell_lost(self, lost: Sequence[int]) -> None:
        if lost:
            self._tools.notes.append(
                f"stabilise: nothing could be followed into {len(lost)} frames, the first of them "
                f"{lost[0]}; the camera was taken to be still there."
            )

    def _correction(self, taken: Way, first: int) -> Way | None:
        """Return the matrices of a shot about its middle, None for a tripod's."""
        target = self._target(taken)
        matrices = between(taken, target)
        if self._reach(matrices) < _STILL * self._camera.scale:
            return None
        if self._options.borders != "zoom":
            return matrices
        size = self._size()
        zoom = zoom_for(matrices, *size, self._options.zoom)
        if zoom is None:
            share = share_for(taken, target, *size, self._options.zoom)
            self._tools.notes.append(
                f"stabilise: the shot from frame {first} on is steadied by {share:.0%} only, so "
                f"that a zoom of {self._options.zoom:g} hides its borders."
            )
            matrices, zoom = between(taken, taken + share * (target - taken)), self._options.zoom
        return matrices * zoom

    def _target(self, taken: Way) -> Way:
        if self._options.mode == "lock":
            return np.broadcast_to(np.median(taken, axis=0), taken.shape)
        return smoothed(taken, self._options.smooth * float(self._footage.rate) / _DEVIATIONS)

    def _size(self) -> tuple[float, float]:
        across = (self._footage.width - 1) * float(self._footage.pixel_aspect)
        return across, float(self._footage.height - 1)

    def _reach(self, matrices: Way) -> float:
        """Return by how far corners are moved, root of the mean square over a shot, in pixels."""
        across, down = self._size()
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (across / 2, down / 2)
        moved = corners @ matrices[:, :, :2].transpose(0, 2, 1) + matrices[:, None, :, 2] - corners
        return float(np.sqrt((moved**2).sum(axis=-1).mean()))

    def _in_pixels(self, matrices: Way) -> Way:
        """Take matrices about the middle, in square pixels, to those of stored pixels."""
        square = np.array([float(self._footage.pixel_aspect), 1.0])
        middle = np.array([self._footage.width - 1, self._footage.height - 1]) / 2
        linear = matrices[:, :, :2] * square / square[:, None]
        shift = matrices[:, :, 2] / square + middle - linear @ middle
        return np.concatenate([linear, shift[..., None]], axis=2)

    def _moved(self, picture: Picture, matrix: NDArray[np.float64]) -> Picture:
        if picture.alpha is None:
            return Picture(self._warped(picture.rgb, matrix, self._border))
        # Colours where nothing is to be seen must not come in from beside.
        seen = self._warped(picture.rgb * picture.alpha[..., None], matrix, self._border)
        transparent = self._options.borders == "transparent"
        border = cv2.BORDER_CONSTANT if transparent else self._border
        alpha = np.clip(self._warped(picture.alpha, matrix, border), 0, 1)
        under = self._warped(picture.alpha, matrix, self._border)[..., None]
        plain = self._warped(picture.rgb, matrix, self._border)
        return Picture(np.where(under > _THIN, seen / np.maximum(under, _THIN), plain), alpha)

    def _warped(self, image: Image, matrix: NDArray[np.float64], border: int) -> Image:
        size = (image.shape[1], image.shape[0])
        made = cv2.warpAffine(image, matrix, size, flags=self._filter, borderMode=border)
        return np.asarray(made, np.float32)
