"""Runs a learnt effect on whole pictures of any size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.effects.lut import Lut

Image = NDArray[np.float32]
Note = Callable[[str], None]


class Runner(Protocol):
    """Makes of pictures what an effect makes of them."""

    def run(self, picture: Image) -> Image:
        """Return float32 [height, width, channels] of a picture float32 [height, width, 3]."""
        ...


class LutRunner:
    """Runs a table."""

    def __init__(self, lut: Lut) -> None:
        self._lut = lut

    def run(self, picture: Image) -> Image:
        """See :class:`Runner`."""
        return self._lut.apply(picture)


def runner(what: Lut | Any, note: Note = lambda _: None) -> Runner:
    """Return what runs a table, or the Keras model that a bundle holds.

    Args:
        what: A :class:`models.effects.lut.Lut` or a model.
        note: Told a sentence for people, as when a GPU's memory was too small.
    """
    lut = what if isinstance(what, Lut) else lut_alone(what)
    if lut is not None:
        return LutRunner(lut)
    raise NotImplementedError


def lut_alone(model: Any) -> Lut | None:
    """Return the table of a model that is nothing else, or None."""
    table: Lut | None = model.get_layer("lut").lut() if len(model.inputs) == 1 else None
    return table
