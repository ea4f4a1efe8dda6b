"""How the camera moved: from one picture to the next, and its way through a shot.

Corners are tracked there and back (Shi and Tomasi 1994; Lucas and Kanade's tracker on a pyramid,
Bouguet 2000), and a similarity that most of them agree on is found by RANSAC: shift, turn and zoom.
What moves by itself is outvoted while it covers less than the rest.
"""

from __future__ import annotations

import itertools
from array import array

import cv2
import numpy as np
from numpy.typing import NDArray

from handlers.effects.builtin.light import luminance, seen, shrunk
from handlers.effects.effect import Footage, Image

Way = NDArray[np.float64]
"""One row a frame: shift across and down in pixels of the picture's height (so that pixels are
square), turn in radians, logarithm of zoom; about the picture's middle."""

_LONGEST = 960
_CORNERS, _QUALITY, _FEWEST = 25, 0.02, 12
# Distances in pixels of the picture that is looked at: between corners, of a track that goes
# there and back, and of one that follows the camera.
_APART, _BACK, _AGREES = 8, 0.3, 0.6
_WINDOW, _LEVELS = 21, 4
# The share of tracks that must agree, below which nobody knows how the camera moved.
_SHARE = 0.25
_ROUNDS = 2000


class Camera:
    """Told one picture after another, keeps how the camera moved between them."""

    def __init__(self, footage: Footage) -> None:
        self._footage = footage
        self._before: NDArray[np.uint8] | None = None
        self._moves = array("d")
        self.lost: list[int] = []
        """Frames before which nobody could tell how the camera moved."""

    @property
    def scale(self) -> float:
        """How many pixels of the picture are one of that which is tracked."""
        return max(1.0, max(self._footage.width, self._footage.height) / _LONGEST)

    def see(self, rgb: Image) -> Image:
        """Look at the next picture; return its brightness, 0..1, on a smaller scale."""
        brightness = seen(luminance(shrunk(rgb, _LONGEST), self._footage), self._footage)
        now = np.asarray(np.rint(brightness * 255), np.uint8)
        move = None if self._before is None else self._moved(self._before, now)
        if self._before is not None and move is None:
            self.lost.append(len(self._moves) // 4)
        self._moves.extend(move or (0.0, 0.0, 0.0, 0.0))
        self._before = now
        return brightness

    def moves(self) -> Way:
        """Return what each frame differs by from the one before; the first one's are 0."""
        return np.array(self._moves).reshape(-1, 4)

    def _moved(
        self, before: NDArray[np.uint8], now: NDArray[np.uint8]
    ) -> tuple[float, float, float, float] | None:
        was, came_to = _tracks(before, now)
        if len(was) < _FEWEST:
            return None
        height, width = before.shape
        middle = np.array([width - 1, height - 1]) / 2
        down = self._footage.height / height
        scale = np.array([self._footage.width / width * float(self._footage.pixel_aspect), down])
        one, other = ((each - middle) * scale for each in (was, came_to))
        found, agree = cv2.estimateAffinePartial2D(
            one, other, ransacReprojThreshold=_AGREES * down, maxIters=_ROUNDS
        )
        if found is None or agree.mean() < _SHARE:
            return None
        (a, _, x), (b, _, y) = found.tolist()
        return x, y, float(np.arctan2(b, a)), float(np.log(np.hypot(a, b)))


def _tracks(before: NDArray[np.uint8], now: NDArray[np.uint8]) -> tuple[Way, Way]:
    """Return where corners were and where they are, float64 [n, 2]."""
    corners = _corners(before)
    if not len(corners):
        return np.empty((0, 2)), np.empty((0, 2))
    size = (_WINDOW, _WINDOW)
    there, found, _ = cv2.calcOpticalFlowPyrLK(
        before, now, corners, None, winSize=size, maxLevel=_LEVELS
    )
    back, again, _ = cv2.calcOpticalFlowPyrLK(
        now, before, there, None, winSize=size, maxLevel=_LEVELS
    )
    strays = np.linalg.norm((back - corners).reshape(-1, 2), axis=1)
    good = (found.ravel() == 1) & (again.ravel() == 1) & (strays < _BACK)
    was, came_to = (each.reshape(-1, 2)[good].astype(np.float64) for each in (corners, there))
    return was, came_to


def _corners(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return corners from all over a picture, float32 [n, 1, 2], not from its sharpest thing."""
    height, width = image.shape
    across, down = np.linspace(0, width, 7, dtype=int), np.linspace(0, height, 5, dtype=int)
    found = [np.empty((0, 1, 2), np.float32)]
    for left, right in itertools.pairwise(across):
        for top, bottom in itertools.pairwise(down):
            cell = np.ascontiguousarray(image[top:bottom, left:right])
            some = cv2.goodFeaturesToTrack(cell, _CORNERS, _QUALITY, _APART) if cell.size else None
            if some is not None:
                found.append(some + np.array([left, top], np.float32))
    return np.concatenate(found)


def way(moves: Way) -> Way:
    """Put the moves of a shot together to where the camera is, as of its first frame.

    Args:
        moves: float64 [frames, 4]; the first row does not count.
    """
    made = np.zeros_like(moves)
    for at in range(1, len(moves)):
        x, y, turn, zoom = moves[at]
        cos, sin = np.exp(zoom) * np.cos(turn), np.exp(zoom) * np.sin(turn)
        was_x, was_y = made[at - 1, :2]
        made[at] = (
            cos * was_x - sin * was_y + x,
            sin * was_x + cos * was_y + y,
            made[at - 1, 2] + turn,
            made[at - 1, 3] + zoom,
        )
    return made


def between(come_from: Way, go_to: Way) -> Way:
    """Return the 2 x 3 matrices that take pictures from where they are to where they shall be.

    Args:
        come_from: The camera's way, float64 [frames, 4].
        go_to: The way that it shall seem to go.

    Returns:
        float64 [frames, 2, 3], about the middle, in square pixels.
    """
    turn = go_to[:, 2] - come_from[:, 2]
    zoom = np.exp(go_to[:, 3] - come_from[:, 3])
    cos, sin = zoom * np.cos(turn), zoom * np.sin(turn)
    x, y = come_from[:, 0], come_from[:, 1]
    made = np.empty((len(come_from), 2, 3))
    made[:, 0] = np.stack([cos, -sin, go_to[:, 0] - (cos * x - sin * y)], axis=1)
    made[:, 1] = np.stack([sin, cos, go_to[:, 1] - (sin * x + cos * y)], axis=1)
    return made
