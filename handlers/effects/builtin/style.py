"""Paints footage in published styles."""

from __future__ import annotations

from collections.abc import Sequence

import cv2

from handlers.effects.builtin.display import from_display, to_display
from handlers.effects.builtin.held import Held
from handlers.effects.effect import Effect, Footage, Image, Picture, Tools
from handlers.effects.options import StyleOptions
from models.styles.painter import LARGEST, Painter, blend_of


class Style(Effect):
    """One of 26 styles, or a blend of them.

    The network normalises by the mean and variance of what it finds in a picture. Each frame's own
    are best where the camera or much of the picture moves. Where it stands still and something
    enters, all the rest would change with them: for such shots they are measured twice a second
    while the footage is studied, and held between.
    """

    def __init__(self, options: StyleOptions, tools: Tools) -> None:
        self._painter = Painter(tools.models.load("styles26"), blend_of(options.styles))
        self._options = options
        self._notes = tools.notes
        self._linear = False
        self._held = Held()
        self.studies = options.locked_off

    def begin(self, footage: Footage) -> Footage:
        """Forget other footage."""
        self._linear = footage.scene_linear
        self._held = Held()
        if self._lines(footage.height, footage.width) < footage.height and not self._options.lines:
            self._notes.append(
                f"{footage.width}x{footage.height} is more than can be painted at once: it was "
                "painted smaller, and enlarged."
            )
        return footage

    def study(self, number: int, picture: Picture) -> None:
        """Measure every twelfth picture, or what comes in its place."""
        shown = self._shown(picture)
        if self._held.see(number, shown):
            self._held.keep(number, self._painter.paint(shown)[1])

    def apply(self, window: Sequence[Picture], number: int) -> Picture:
        """Paint it."""
        picture = window[0]
        painted, _ = self._painter.paint(self._shown(picture), self._held.at(number))
        height, width = picture.rgb.shape[:2]
        if painted.shape[:2] != (height, width):
            painted = cv2.resize(painted, (width, height), interpolation=cv2.INTER_CUBIC)
        return Picture(from_display(painted, scene_linear=self._linear), picture.alpha)

    def _lines(self, height: int, width: int) -> int:
        """Return how many lines a picture is painted at."""
        most = max(1, int((LARGEST * height / width) ** 0.5))
        return min(height, most, self._options.lines or height)

    def _shown(self, picture: Picture) -> Image:
        """Return the picture as it is to be painted."""
        shown = to_display(picture.rgb, scene_linear=self._linear)
        height, width = shown.shape[:2]
        lines = self._lines(height, width)
        if lines == height:
            return shown
        size = (max(1, round(width * lines / height)), lines)
        made: Image = cv2.resize(shown, size, interpolation=cv2.INTER_AREA)
        return made
