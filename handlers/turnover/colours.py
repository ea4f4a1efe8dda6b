"""The colours of markers, for formats that want numbers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from handlers.turnover.model import Colour

RGB: Mapping[Colour, tuple[int, int, int]] = MappingProxyType(
    {
        Colour.RED: (255, 0, 0),
        Colour.ORANGE: (240, 140, 30),
        Colour.YELLOW: (245, 220, 40),
        Colour.GREEN: (0, 255, 0),
        Colour.CYAN: (70, 210, 230),
        Colour.BLUE: (0, 0, 255),
        Colour.PURPLE: (140, 60, 200),
        Colour.MAGENTA: (220, 50, 200),
        Colour.PINK: (250, 150, 190),
        Colour.WHITE: (255, 255, 255),
        Colour.BLACK: (0, 0, 0),
    }
)
"""Red, green and blue, 0 to 255."""
