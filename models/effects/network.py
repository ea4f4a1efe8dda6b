"""The network of a learnt effect: a look-up table, a field of colour changes, and a residual U-Net.

What a pixel becomes is the sum of three: what the table says; what an affine change of colours
says that differs from place to place, slowly, and is worked out from the whole picture made small
(Gharbi et al., "Deep bilateral learning for real-time image enhancement", 2017, without its guide):
vignettes and wide glows; and what a U-Net (Ronneberger et al., 2015) sees around the pixel. The
last two are zero at first, so training begins at the table. Nothing is normalised over a tile, so
that tiles fit together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from models.effects.lut import Lut
from models.effects.settings import Size
from models.effects.table import PACKAGE, layer_of
from models.errors import ModelError

LONG_SIDE = 96
"""Pixels that the longer side of the whole picture made small has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How large a network is.

    ``widths`` are the channels of the U-Net's levels, each half as fine as the one before;
    ``fold`` pixels each way become one before the first (space to depth). ``field`` is how many
    channels the small whole picture is worked through in, by convolutions dilated by ``reaches``.
    """

    widths: tuple[int, ...]
    fold: int
    field: int
    reaches: tuple[int, ...] = (1, 2, 4, 1)

    @property
    def stride(self) -> int:
        """Tiles begin at multiples of so many pixels, and are as large."""
        return self.fold * sum(1 << level for level in range(len(self.widths) - 1)) + self.fold

    @property
    def radius(self) -> int:
        """How far from a pixel the U-Net looks, in pixels, at most."""
        *finer, coarsest = (1 << level for level in range(len(self.widths)))
        # Two convolutions on the way down and two on the way up, one last; and a pixel of the
        # coarsest level is as wide as it is.
        reach = 4 * sum(finer) + 2 * coarsest + 1 + coarsest - 1
        return self.fold * reach + self.fold - 1


SHAPES: dict[Size, Shape] = {
    "small": Shape(widths=(24, 32, 48, 64), fold=2, field=16),
    "medium": Shape(widths=(64, 96, 128, 192), fold=2, field=32),
    "large": Shape(widths=(96, 160, 256, 320), fold=2, field=48),
}


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
        batch, height, width, _ = ops.shape(tiles)
        pictures, rows, columns, _ = ops.shape(coarse)
        down = _weights(place[:, 0], place[:, 2], height, rows)
        across = _weights(place[:, 1], place[:, 3], width, columns)
        coarse = ops.repeat(coarse, batch // pictures, axis=0)
        lines = ops.einsum("bhr,brkc->bhkc", down, coarse)
        return ops.einsum("bwk,bhkc->bhwc", across, lines)

    def compute_output_spec(self, coarse: Any, tiles: Any, place: Any) -> Any:  # noqa: ARG002
        """As large as the tiles."""
        return keras.KerasTensor((*tiles.shape[:3], coarse.shape[3]), dtype="float32")


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


def shape_of(model: Any) -> Shape:
    """Return how large the network of a model is.

    Raises:
        ModelError: The model is none of these.
    """
    for shape in SHAPES.values():
        if model.name == _name(shape):
            return shape
    raise ModelError(f"{model.name} is no network of an effect.")


def _name(shape: Shape) -> str:
    widths = "_".join(str(width) for width in shape.widths)
    return f"effect_{shape.fold}_{widths}_{shape.field}"


def build(size: Size, lut: Lut, policy: str = "float32") -> Any:
    """Build a network that does what a table does, and can learn more.

    Args:
        size: "small", "medium" or "large".
        lut: The table.
        policy: Of Keras, for convolutions: "mixed_float16" is for training on a GPU.

    Returns:
        A ``keras.Model``. Inputs: ``picture`` float32 [B, h, w, 3], tiles whose sides are multiples
        of :attr:`Shape.stride`; ``place`` float32 [B, 4], where each is in its picture, see
        :class:`Sampled`; ``whole`` float32 [W, rows, columns, 3], the whole pictures made small.
        Outputs: ``result`` float32 [B, h, w, channels], and ``rest``, what was added to the table.
    """
    shape = SHAPES[size]
    picture = keras.Input((None, None, 3), name="picture")
    place = keras.Input((4,), name="place")
    whole = keras.Input((None, None, 3), name="whole")
    looked_up = layer_of(lut)(picture)
    change, seen = _field(whole, shape, lut.channels, policy)
    folded = Fold(shape.fold, name="fold", dtype=policy)(picture - 0.5)
    sampled = Sampled(name="seen_there")(seen, folded, place)
    local = _unet(folded, sampled, shape, lut.channels, policy)
    there = Sampled(name="change_there")(change, picture, place)
    rest = local + Affine(name="affine")(there, picture)
    outputs = {"result": looked_up + rest, "rest": rest}
    return keras.Model(
        {"picture": picture, "place": place, "whole": whole}, outputs, name=_name(shape)
    )


def _conv(width: int, name: str, policy: str, **options: Any) -> Any:
    given = {"activation": "relu", "kernel_initializer": "he_normal", **options}
    return keras.layers.Conv2D(width, 3, padding="same", name=name, dtype=policy, **given)


def _last(width: int, name: str, kernel: int) -> Any:
    return keras.layers.Conv2D(
        width, kernel, padding="same", name=name, dtype="float32",
        kernel_initializer="zeros",
    )  # fmt: skip


def _field(whole: Any, shape: Shape, channels: int, policy: str) -> tuple[Any, Any]:
    """Return the change of colours of each cell of small pictures, and what was seen there."""
    x = Where(name="where", dtype=policy)(whole - 0.5)
    for number, reach in enumerate(shape.reaches):
        x = _conv(shape.field, f"field{number + 1}", policy, dilation_rate=reach)(x)
    seen = keras.layers.Conv2D(shape.field // 2, 1, name="seen", dtype="float32")(x)
    return _last(channels * 4, "change", 1)(x), seen


def _unet(folded: Any, sampled: Any, shape: Shape, channels: int, policy: str) -> Any:
    x = keras.layers.Concatenate(name="enter", dtype=policy)([folded, sampled])
    kept = []
    for level, width in enumerate(shape.widths):
        if level:
            kept.append(x)
            x = keras.layers.AveragePooling2D(2, name=f"down{level}", dtype=policy)(x)
        x = _conv(width, f"in{level}a", policy)(x)
        x = _conv(width, f"in{level}b", policy)(x)
    for level in reversed(range(len(kept))):
        x = keras.layers.UpSampling2D(2, name=f"up{level}", dtype=policy)(x)
        x = keras.layers.Concatenate(name=f"join{level}", dtype=policy)([x, kept[level]])
        x = _conv(shape.widths[level], f"out{level}a", policy)(x)
        x = _conv(shape.widths[level], f"out{level}b", policy)(x)
    x = _last(channels * shape.fold**2, "leave", 3)(x)
    return Unfold(shape.fold, name="unfold")(x)
