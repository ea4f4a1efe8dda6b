"""The look-up table as a layer of Keras."""

from __future__ import annotations

from itertools import product
from typing import Any

import keras
from keras import ops

from models.effects.lut import Lut

PACKAGE = "fxd"
_CORNERS = tuple(product((0, 1), repeat=3))


@keras.saving.register_keras_serializable(package=PACKAGE)
class ColourTable(keras.layers.Layer):  # type: ignore[misc]
    """Does what :meth:`models.effects.lut.Lut.apply` does: [B, h, w, 3] to [B, h, w, channels].

    Args:
        nodes: On each axis.
        channels: 3, or 1 for a matte.
        low: Colour value of the first node.
        high: That of the last one.
        **options: Of a layer.
    """

    def __init__(self, nodes: int, channels: int, low: float, high: float, **options: Any) -> None:
        # Codes of ten bits are lost in half precision.
        super().__init__(**{**options, "dtype": "float32"})
        self.nodes, self.channels, self.low, self.high = nodes, channels, low, high

    def build(self, _: tuple[int | None, ...]) -> None:
        """Make room for the table."""
        shape = (self.nodes**3, self.channels)
        self.table = self.add_weight(shape=shape, initializer="zeros", name="table")

    def call(self, picture: Any) -> Any:
        """Return what becomes of colours."""
        shape = ops.shape(picture)
        colours = ops.reshape(ops.cast(picture, "float32"), (-1, 3))
        scale = (self.nodes - 1) / (self.high - self.low)
        place = (colours - self.low) * scale
        inside = ops.clip(place, 0.0, self.nodes - 1.0)
        cell = ops.clip(ops.floor(inside), 0.0, self.nodes - 2.0)
        share, beyond = inside - cell, place - inside
        first = self._node(ops.cast(cell, "int32"))
        corners = {c: ops.take(self.table, first + self._step(c), axis=0) for c in _CORNERS}
        made = _read(corners, share) + _onward(corners, share, beyond)
        return ops.reshape(made, (*shape[:-1], self.channels))

    def _node(self, cell: Any) -> Any:
        return (cell[:, 0] * self.nodes + cell[:, 1]) * self.nodes + cell[:, 2]

    def _step(self, corner: tuple[int, ...]) -> int:
        return (corner[0] * self.nodes + corner[1]) * self.nodes + corner[2]

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """As large as what comes in."""
        return (*shape[:-1], self.channels)

    def get_config(self) -> dict[str, Any]:
        """Return what it is made from."""
        own = {name: getattr(self, name) for name in ("nodes", "channels", "low", "high")}
        return {**super().get_config(), **own}

    def lut(self) -> Lut:
        """Return the table as it is now."""
        shape = (self.nodes, self.nodes, self.nodes, self.channels)
        return Lut(ops.convert_to_numpy(self.table).reshape(shape), self.low, self.high)

    def fill(self, lut: Lut) -> None:
        """Take a table of the same shape."""
        self.table.assign(lut.table.reshape(-1, self.channels))


def _read(corners: dict[tuple[int, ...], Any], share: Any) -> Any:
    """Interpolate along red, green, then blue."""
    for axis in range(3):
        part = share[:, axis : axis + 1]
        rest = {corner[1:] for corner in corners}
        corners = {
            c: corners[0, *c] + part * (corners[1, *c] - corners[0, *c]) for c in sorted(rest)
        }
    return corners[()]


def _onward(corners: dict[tuple[int, ...], Any], share: Any, beyond: Any) -> Any:
    """Return what the slopes at the border add, ``beyond`` cells away from it."""
    made = 0.0
    for axis in range(3):
        others = [other for other in range(3) if other != axis]
        slopes = {
            c: corners[_with(c, axis, 1)] - corners[_with(c, axis, 0)]
            for c in product((0, 1), repeat=2)
        }
        for other in others:
            part = share[:, other : other + 1]
            rest = sorted({c[1:] for c in slopes})
            slopes = {c: slopes[0, *c] + part * (slopes[1, *c] - slopes[0, *c]) for c in rest}
        made = made + slopes[()] * beyond[:, axis : axis + 1]
    return made


def _with(corner: tuple[int, ...], axis: int, end: int) -> tuple[int, ...]:
    return (*corner[:axis], end, *corner[axis:])


def layer_of(lut: Lut) -> ColourTable:
    """Return a layer that holds a table."""
    layer = ColourTable(lut.nodes, lut.channels, lut.low, lut.high, name="lut")
    layer.build((None, None, None, 3))
    layer.fill(lut)
    return layer


def build(lut: Lut) -> Any:
    """Build the network of an effect that is a table alone.

    Returns:
        A ``keras.Model``: ``picture`` float32 [B, h, w, 3] to ``result`` [B, h, w, channels].
    """
    picture = keras.Input((None, None, 3), name="picture")
    return keras.Model({"picture": picture}, {"result": layer_of(lut)(picture)}, name="effect")
