"""Paints footage in published styles, all of a shot with statistics that change smoothly."""

from __future__ import annotations

from collections.abc import Sequence

import cv2

from handlers.effects.builtin.display import from_display, to_display
from handlers.effects.builtin.held import Held
from handlers.effects.effect import Effect, Footage, Image, Picture, Tools
from handlers.effects.options import StyleOptions
from models.styles.painter import Painter, blend_of


class Style(Effect):
    """One of 26 styles, or a blend of them.

    The network normalises by the mean and variance of what it finds in a picture. Taken anew from
    each frame they would make a whole picture breathe when something enters it; so they are
    measured twice a second while the footage is studied, and held between.
    """

    studies = True

    def __init__(self, options: StyleOptions, tools: Tools) -> None:
        self._painter = Painter(tools.models.load("styles26"), blend_of(options.styles))
        self._lines = options.lines
        self._linear = False
        self._held = Held()

    def begin(self, footage: Footage) -> Footage:
        """Forget other footage."""
        self._linear = footage.scene_linear
        self._held = Held()
        return footage

    def study(self, number: int, picture: Picture) -> None:
        """Measure the picture where a shot begins, and now and then in it."""
        shown = self._shown(picture)
        if self._held.wants(number, shown):
            self._held.keep(self._painter.measure(shown))

    def apply(self, window: Sequence[Picture], number: int) -> Picture:
        """Paint it; footage that was not studied is measured frame by frame."""
        picture = window[0]
        shown = self._shown(picture)
        statistics = self._held.at(number)
        if statistics is None:
            statistics = self._painter.measure(shown)
        painted = self._painter.paint(shown, statistics)
        height, width = picture.rgb.shape[:2]
        if painted.shape[:2] != (height, width):
            painted = cv2.resize(painted, (width, height), interpolation=cv2.INTER_CUBIC)
        return Picture(from_display(painted, scene_linear=self._linear), picture.alpha)

    def _shown(self, picture: Picture) -> Image:
        """Return the picture as it is to be painted, no higher than the lines that were asked."""
        shown = to_display(picture.rgb, scene_linear=self._linear)
        height, width = shown.shape[:2]
        if self._lines is None or height <= self._lines:
            return shown
        size = (max(1, round(width * self._lines / height)), self._lines)
        made: Image = cv2.resize(shown, size, interpolation=cv2.INTER_AREA)
        return made
