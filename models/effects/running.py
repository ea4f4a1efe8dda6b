"""Runs a learnt effect on whole pictures of any size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.effects.lut import Lut

Image = NDArray[np.float32]
Note = Callable[[str], None]

# Pixels of a tile: HD in one; a network of the smallest size then takes less than 2 GB.
_CPU_AREA = 2_500_000
_GPU_AREA = 9_500_000
# Tiles that were cut out are mirrored already.
_WHOLE = ((0, 0), (0, 0))


class Runner(Protocol):
    """Makes of pictures what an effect makes of them."""

    def run(self, picture: Image) -> Image:
        """Return float32 [height, width, channels] of a picture float32 [height, width, 3]."""
        ...


class NetworkRunner:
    """Runs a network tile by tile; where memory is too small, smaller tiles, then the CPU.

    Args:
        model: As :func:`models.effects.network.build` makes it.
        note: Told a sentence for people.
        area: Pixels of a tile at most; left out, what suits the machine.
    """

    def __init__(self, model: Any, note: Note = lambda _: None, area: int | None = None) -> None:
        import tensorflow as tf  # noqa: PLC0415 - a table needs none

        from models.effects import network, sampling, tiling  # noqa: PLC0415
        from models.memory import Retreat  # noqa: PLC0415

        self._tf, self._tiling, self._small = tf, tiling, sampling.small
        self._placed = sampling.placed
        self._retreat = Retreat(self._smaller, self._anew, note)
        self._shape = network.shape_of(model)
        self._channels = int(model.outputs[0].shape[-1])
        self._area = area or (_GPU_AREA if self._retreat.gpu else _CPU_AREA)
        self._plan: Any = None
        shapes = [(1, None, None, 3), (1, 4), (1, None, None, 3)]
        signature = [tf.TensorSpec(each, tf.float32) for each in shapes]

        signature.append(tf.TensorSpec((2, 2), tf.int32))

        # A function of its own: TensorFlow counts traces by function, and takes many for a fault.
        def result(picture: Any, place: Any, whole: Any, edges: Any) -> Any:
            none = tf.zeros((1, 2), tf.int32)
            mirrored = tf.pad(picture, tf.concat([none, edges, none], 0), "REFLECT")
            mirrored = tf.ensure_shape(mirrored, (1, None, None, 3))
            inputs = {"picture": mirrored, "place": place, "whole": whole}
            made = model(inputs, training=False)["result"]
            top, left = tf.unstack(edges[:, 0])
            height, width = tf.unstack(tf.shape(picture)[1:3])
            return made[:, top : top + height, left : left + width]

        self._network = tf.function(result, input_signature=signature)

    def run(self, picture: Image) -> Image:
        """See :class:`Runner`."""
        whole = self._small(picture)[None]
        return self._retreat.run(lambda: self._run(picture, whole))

    def _run(self, picture: Image, whole: Image) -> Image:
        size = (picture.shape[0], picture.shape[1])
        if self._plan is None or self._plan.size != size:
            self._plan = self._tiling.plan(size, self._shape, self._area)
        if self._plan.edges is not None:
            # Mirrored by the network's own device: a copy less, there and back.
            return self._made(picture, self._plan.tiles[0], self._plan.edges, whole)
        result = np.zeros((*size, self._channels), np.float32)
        for tile, pixels in zip(self._plan.tiles, self._plan.cut(picture), strict=True):
            self._plan.paste(result, self._made(pixels, tile, _WHOLE, whole), tile)
        return result

    def _made(self, pixels: Image, tile: Any, edges: Any, whole: Image) -> Image:
        """Return what the network makes of pixels, once they are mirrored by ``edges``."""
        corner = tile.rows.start, tile.columns.start
        place = self._placed(corner, self._plan.sides, self._plan.size)[None]
        given = [pixels[None], place, whole, np.array(edges, np.int32)]
        made: Image = self._network(*map(self._tf.constant, given)).numpy()[0]
        return made

    def _smaller(self) -> str | None:
        least = self._tiling.smallest(self._shape)
        if self._area <= least:
            return None
        self._area, self._plan = max(self._area // 2, least), None
        return f"{self._area / 1e6:.2g} million pixels"

    def _anew(self) -> None:
        self._area, self._plan = _CPU_AREA, None


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
    return NetworkRunner(what, note)


def lut_alone(model: Any) -> Lut | None:
    """Return the table of a model that is nothing else, or None."""
    table: Lut | None = model.get_layer("lut").lut() if len(model.inputs) == 1 else None
    return table
