"""A garbage matte of people: found coarsely by a published network, then fitted to edges."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from handlers.effects.builtin.display import to_display
from handlers.effects.builtin.guided import refined
from handlers.effects.effect import Effect, Footage, Image, Picture, Tools
from handlers.effects.options import Options
from models.people.finder import Finder, squeezed

_REACH = 2
# Of the filter that fits the matte to edges: at what size, how far, how clear an edge must be.
_SIDE, _RADIUS, _EPSILON = 640, 8, 1e-4
# By how much of a display's range a pixel may differ and still count as the same thing.
_ALIKE = 0.06
# Pixels are compared with what is about them: single ones can be alike by chance.
_ABOUT = 9
# Of two pictures that are less alike than this in the mean, one is of another shot.
_SAME_SHOT = 0.3


class PersonMatte(Effect):
    """Alpha is where people are; colours stay.

    It looks two frames back and ahead: where the picture is as it was, what was found there counts,
    too. Where it moved it does not, so that nothing trails behind.
    """

    reach = _REACH
    matte = True
    keeps_grey = True

    def __init__(self, _options: Options, tools: Tools) -> None:
        self._finder = Finder(tools.models.load("person-matte"))
        self._linear = False
        self._seen: list[tuple[Image, Image, Image]] = []

    def begin(self, footage: Footage) -> Footage:
        """Forget other footage."""
        self._linear = footage.scene_linear
        self._seen = []
        return footage

    def apply(self, window: Sequence[Picture], number: int) -> Picture:  # noqa: ARG002
        """Return the picture with the matte as its alpha, 0..1."""
        found = [self._coarse(picture) for picture in window]
        self._seen = self._seen[-2 * len(window) :]
        picture = window[len(window) // 2]
        shown = to_display(picture.rgb, scene_linear=self._linear)
        fine = refined(_steady(found), shown, side=_SIDE, radius=_RADIUS, epsilon=_EPSILON)
        return Picture(picture.rgb, np.clip(fine, 0, 1))

    def _coarse(self, picture: Picture) -> tuple[Image, Image]:
        """Return a picture at the network's size and what it finds there, each frame once."""
        for rgb, small, found in self._seen:
            if rgb is picture.rgb:
                return small, found
        small = squeezed(to_display(picture.rgb, scene_linear=self._linear))
        found = self._finder.find(small)
        self._seen.append((picture.rgb, small, found))
        return small, found


def _steady(found: Sequence[tuple[Image, Image]]) -> Image:
    """Return the mean over time of what was found, weighted by how alike pictures are."""
    middle = found[len(found) // 2][0]
    weights = [_likeness(small, middle) for small, _ in found]
    total = sum(weight * matte for weight, (_, matte) in zip(weights, found, strict=True))
    return np.asarray(total / sum(weights), np.float32)


def _likeness(one: Image, other: Image) -> Image:
    """Return how alike pictures are about each pixel, 0..1; nowhere where there is a cut."""
    distance = cv2.blur(np.square(one - other).mean(axis=-1), (_ABOUT, _ABOUT))
    alike = np.exp(-distance / _ALIKE**2)
    return np.asarray(alike if alike.mean() > _SAME_SHOT else 0 * alike, np.float32)
