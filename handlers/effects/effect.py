"""What an effect is: a function of pictures, told beforehand what footage they are from.

Whoever renders decodes, converts to float RGB, calls effects one after another, and encodes.
An effect neither reads nor writes files, and never clips: values above 1 and below 0 are the
highlights and shadows of a film.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handlers.contract import ModelLoader
from handlers.media.probe import ColourFacts

Image = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Footage:
    """What pictures that an effect is given are.

    ``width`` and ``height`` are in pixels; ``bits`` those of one sample, 16 for half and 32 for
    float where ``floating``. ``space`` is OpenColorIO's name of the linear space where
    ``scene_linear``, else "display": values as the file encodes them, full range. ``frames``
    is None where nobody knows before the end.
    """

    width: int
    height: int
    rate: Fraction
    frames: int | None
    bits: int
    floating: bool
    scene_linear: bool
    space: str
    colour: ColourFacts
    has_alpha: bool = False
    pixel_aspect: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture: ``rgb`` float32 [height, width, 3], 0..1 nominal and unclipped.

    ``alpha`` is float32 [height, width], straight (colours are not multiplied by it), or None.
    """

    rgb: Image
    alpha: Image | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What an effect may use besides pictures.

    ``storage`` is the root that files named by options are below. ``any_colour`` says that an
    effect shall be applied whatever colour space it was learnt in. ``notes`` takes sentences for
    the person who reads the report.
    """

    models: ModelLoader
    seed: int
    storage: Path | None = None
    any_colour: bool = False
    notes: list[str] = field(default_factory=list)


class Effect(ABC):
    """One effect of a chain, made from its options and :class:`Tools` for one render.

    It is used from one thread.

    ``reach`` is how many frames before and after a picture it needs. ``scale`` is how many pixels
    wide and high a pixel becomes. ``studies`` says that it wants to see every picture once, in
    order, before the first one is made. ``matte`` says that what it makes is the alpha.
    ``keeps_grey`` says, once it has begun, that of a grey picture it makes a grey one.
    """

    reach: int = 0
    scale: int = 1
    studies: bool = False
    matte: bool = False
    keeps_grey: bool = False

    def begin(self, footage: Footage) -> Footage:
        """Take note of what is to come; return what its own results are.

        Raises:
            UnusableMedia: It cannot work on such footage; the sentence says why.
        """
        return footage

    def files(self) -> Mapping[str, str]:
        """Return the files that decide what it makes, after ``begin``: names, SHA-256 in hex.

        A render that was begun with others does not go on, and the manifest names them.
        """
        return {}

    def study(self, number: int, picture: Picture) -> None:
        """See a picture before anything is made; only where ``studies``."""
        raise NotImplementedError

    @abstractmethod
    def apply(self, window: Sequence[Picture], number: int) -> Picture:
        """Make the picture of a frame.

        Args:
            window: 2 * ``reach`` + 1 pictures, that of the frame in the middle; at the ends of the
                footage the first or last one is repeated. They must not be written to.
            number: The frame's number, from 0.

        Returns:
            A new picture, or the middle one itself where nothing changes.
        """

    def processor(self) -> Any | None:
        """Return an OpenColorIO processor that does the same, after ``begin``.

        Only an effect that looks at each pixel by itself and leaves alpha alone has one; where all
        of a chain do, footage of few bits goes a faster way. None otherwise.
        """
        return None
