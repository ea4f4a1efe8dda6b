"""Layers of the networks of learnt effects."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from models.effects.table import PACKAGE


@keras.saving.register_keras_serializable(package=PACKAGE)
class Fold(keras.layers.Layer):  # type: ignore[misc]
    """Space to depth: [B, h, w, c] to [B, h / n, w / n, c * n * n].

    Args:
        n: Pixels each way that become one.
        **options: Of a layer.
    """

    def __init__(self, n: int, **options: Any) -> None:
        super().__init__(**options)
        self.n = n

    def call(self, picture: Any) -> Any:
        """Return what is folded."""
        b, h, w, c = ops.shape(picture)
        parts = ops.reshape(picture, (b, h // self.n, self.n, w // self.n, self.n, c))
        made = ops.transpose(parts, (0, 1, 3, 2, 4, 5))
        return ops.reshape(made, (b, h // self.n, w // self.n, self.n * self.n * c))

    def compute_output_spec(self, picture: Any) -> Any:
        """Smaller and deeper."""
        b, h, w, c = picture.shape
        sides = [None if side is None else side // self.n for side in (h, w)]
        return keras.KerasTensor((b, *sides, c * self.n**2), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Return what it is made from."""
        return {**super().get_config(), "n": self.n}


@keras.saving.register_keras_serializable(package=PACKAGE)
class Unfold(keras.layers.Layer):  # type: ignore[misc]
    """Depth to space: undoes :class:`Fold`, as float32.

    Args:
        n: Pixels each way that one becomes.
        **options: Of a layer.
    """

    def __init__(self, n: int, **options: Any) -> None:
        super().__init__(**{**options, "dtype": "float32"})
        self.n = n

    def call(self, folded: Any) -> Any:
        """Return what is unfolded."""
        b, h, w, c = ops.shape(folded)
        rest = c // self.n**2
        parts = ops.reshape(folded, (b, h, w, self.n, self.n, rest))
        made = ops.transpose(parts, (0, 1, 3, 2, 4, 5))
        return ops.reshape(made, (b, h * self.n, w * self.n, rest))

    def compute_output_spec(self, folded: Any) -> Any:
        """Larger and flatter."""
        b, h, w, c = folded.shape
        sides = [None if side is None else side * self.n for side in (h, w)]
        return keras.KerasTensor((b, *sides, c // self.n**2), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Return what it is made from."""
        return {**super().get_config(), "n": self.n}


@keras.saving.register_keras_serializable(package=PACKAGE)
class Where(keras.layers.Layer):  # type: ignore[misc]
    """Adds where in the whole picture each cell is: x and y, -1 to 1, and their square distance."""

    def call(self, small: Any) -> Any:
        """Return [B, h, w, c + 3]."""
        b, h, w, _ = ops.shape(small)
        y = (ops.arange(h, dtype="float32") + 0.5) * (2 / ops.cast(h, "float32")) - 1
        x = (ops.arange(w, dtype="float32") + 0.5) * (2 / ops.cast(w, "float32")) - 1
        rows, columns = ops.meshgrid(y, x, indexing="ij")
        place = ops.stack([columns, rows, columns**2 + rows**2 - 1], axis=-1)
        place = ops.broadcast_to(ops.cast(place, small.dtype)[None], (b, h, w, 3))
        return ops.concatenate([small, place], axis=-1)

    def compute_output_spec(self, small: Any) -> Any:
        """Three channels more."""
        return keras.KerasTensor((*small.shape[:3], small.shape[3] + 3), dtype=small.dtype)


@keras.saving.register_keras_serializable(package=PACKAGE)
class Sampled(keras.layers.Layer):  # type: ignore[misc]
    """Reads a coarse map of whole pictures where the pixels of tiles are, smoothly.

    By cubic B-splines, which have no kinks; values beyond the map's border are those at it.
    Takes the map [W, rows, columns, c], the tiles [B, h, w, _] and the place [B, 4] of each in its
    picture, (top, left, bottom, right), 0..1 from border to border; B is a multiple of W, and
    tiles of one picture follow each other. Returns float32 [B, h, w, c].
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "dtype": "float32"})

    def call(self, coarse: Any, tiles: Any, place: Any) -> Any:
        """Return what lies at each pixel."""
        return _sampled(coarse, tiles, place)

    def compute_output_spec(self, coarse: Any, tiles: Any, place: Any) -> Any:  # noqa: ARG002
        """As large as the tiles."""
        return keras.KerasTensor((*tiles.shape[:3], coarse.shape[3]), dtype="float32")


@keras.saving.register_keras_serializable(package=PACKAGE)
class Memory(keras.layers.Layer):  # type: ignore[misc]
    """What is learnt of places by heart, for shots whose camera stands still.

    A map of numbers that training sets; read as :class:`Sampled` reads one.

    Args:
        rows: Of the map.
        columns: Of the map.
        channels: Numbers of each place.
        **options: Of a layer.
    """

    def __init__(self, rows: int, columns: int, channels: int, **options: Any) -> None:
        super().__init__(**{**options, "dtype": "float32"})
        self.rows, self.columns, self.channels = rows, columns, channels

    def build(self, *_: Any) -> None:
        """Make room for the map."""
        shape = (1, self.rows, self.columns, self.channels)
        self.map = self.add_weight(shape=shape, initializer="zeros", name="map")

    def call(self, tiles: Any, place: Any) -> Any:
        """Return what lies at each pixel."""
        return _sampled(self.map, tiles, place)

    def compute_output_spec(self, tiles: Any, place: Any) -> Any:  # noqa: ARG002
        """As large as the tiles."""
        return keras.KerasTensor((*tiles.shape[:3], self.channels), dtype="float32")

    def get_config(self) -> dict[str, Any]:
        """Return what it is made from."""
        own = {name: getattr(self, name) for name in ("rows", "columns", "channels")}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package=PACKAGE)
class Affine(keras.layers.Layer):  # type: ignore[misc]
    """Applies to each pixel its own affine change of colours.

    Takes the change [B, h, w, n * (m + 1)] and colours [B, h, w, m]; returns [B, h, w, n].
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "dtype": "float32"})

    def call(self, change: Any, colours: Any) -> Any:
        """Return what is to be added."""
        m = colours.shape[-1]
        n = change.shape[-1] // (m + 1)
        made = change[..., :n]
        for channel in range(m):
            factor = change[..., n * (channel + 1) : n * (channel + 2)]
            made = made + factor * colours[..., channel : channel + 1]
        return made

    def compute_output_spec(self, change: Any, colours: Any) -> Any:
        """One for each row."""
        n = change.shape[-1] // (colours.shape[-1] + 1)
        return keras.KerasTensor((*colours.shape[:3], n), dtype="float32")


def _sampled(coarse: Any, tiles: Any, place: Any) -> Any:
    batch, height, width, _ = ops.shape(tiles)
    pictures, rows, columns, _ = ops.shape(coarse)
    down = _weights(place[:, 0], place[:, 2], height, rows)
    across = _weights(place[:, 1], place[:, 3], width, columns)
    # The map of one picture serves all tiles of it.
    coarse = ops.repeat(ops.cast(coarse, "float32"), batch // pictures, axis=0)
    lines = ops.einsum("bhr,brkc->bhkc", down, coarse)
    return ops.einsum("bwk,bhkc->bhwc", across, lines)


def _weights(start: Any, end: Any, pixels: Any, cells: Any) -> Any:
    """Return how much each cell counts at each pixel: [B, pixels, cells]."""
    share = (ops.arange(pixels, dtype="float32") + 0.5) / ops.cast(pixels, "float32")
    at = start[:, None] + (end - start)[:, None] * share[None]
    at = ops.clip(at, 0.0, 1.0) * ops.cast(cells, "float32") - 0.5
    away = ops.abs(at[..., None] - ops.arange(cells, dtype="float32"))
    near = 2 / 3 - away**2 + away**3 / 2
    far = ops.maximum(2 - away, 0.0) ** 3 / 6
    weight = ops.where(away < 1, near, far)
    return weight / ops.sum(weight, axis=-1, keepdims=True)
