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

from models.effects.layers import Affine, Fold, Memory, Sampled, Unfold, Where
from models.effects.lut import Lut
from models.effects.settings import Size
from models.effects.table import layer_of
from models.errors import ModelError

LONG_SIDE = 96
"""Pixels that the longer side of the whole picture made small has."""

MEMORY_SIDE = 240
"""The same of a memory of places."""


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


def shape_of(model: Any) -> Shape:
    """Return how large the network of a model is.

    Raises:
        ModelError: The model is none of these.
    """
    for shape in SHAPES.values():
        if model.name.startswith(_name(shape)):
            return shape
    raise ModelError(f"{model.name} is no network of an effect.")


def memory_of(model: Any) -> tuple[int, int] | None:
    """Return how large a model's memory of places is, None where it has none."""
    if not model.name.endswith("_memory"):
        return None
    layer = model.get_layer("memory")
    return layer.rows, layer.columns


def memory_for(size: tuple[int, int]) -> tuple[int, int]:
    """Return how large a memory suits pictures of a height and width."""
    scale = min(0.5, MEMORY_SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _name(shape: Shape) -> str:
    widths = "_".join(str(width) for width in shape.widths)
    return f"effect_{shape.fold}_{widths}_{shape.field}"


def build(
    size: Size, lut: Lut, policy: str = "float32", memory: tuple[int, int] | None = None
) -> Any:
    """Build a network that does what a table does, and can learn more.

    Args:
        size: "small", "medium" or "large".
        lut: The table.
        policy: Of Keras, for convolutions: "mixed_bfloat16" is for training on a GPU.
        memory: Rows and columns of a :class:`models.effects.layers.Memory`; None for none.

    Returns:
        A ``keras.Model``. Inputs: ``picture`` float32 [B, h, w, 3], tiles whose sides are multiples
        of :attr:`Shape.stride`; ``place`` float32 [B, 4], where each is in its picture, see
        :class:`models.effects.layers.Sampled`; ``whole`` float32 [W, rows, columns, 3], the whole
        pictures made small.
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
    known = [folded, sampled]
    if memory is not None:
        known.append(Memory(*memory, shape.field // 2, name="memory")(folded, place))
    local = _unet(known, shape, lut.channels, policy)
    there = Sampled(name="change_there")(change, picture, place)
    rest = local + Affine(name="affine")(there, picture)
    outputs = {"result": looked_up + rest, "rest": rest}
    name = _name(shape) + ("" if memory is None else "_memory")
    return keras.Model({"picture": picture, "place": place, "whole": whole}, outputs, name=name)


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


def _unet(known: list[Any], shape: Shape, channels: int, policy: str) -> Any:
    x = keras.layers.Concatenate(name="enter", dtype=policy)(known)
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
