"""A small network that paints pictures in one of 26 styles, or in a blend of them.

Built after Dumoulin, Shlens and Kudlur, "A learned representation for artistic style", ICLR 2017,
arXiv:1610.07629: all styles share the convolutions; each has its own scales and shifts after the
instance normalisation that follows each convolution.

Such a norm looks at the whole picture. So that a picture can be painted in parts, and all of a
shot with the same statistics, those that each norm measures are an output, and can be an input.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

PACKAGE = "fxd"
STYLES = 26
WIDTH = 32
RESIDUAL = 6
STRIDE = 4
# Convolutions, each with a norm: kernel, filters, stride, how much the picture grows before it.
CONTRACT = ((9, WIDTH, 1, 1), (3, WIDTH, 2, 1), (3, WIDTH, 2, 1))
PAIR = ((3, WIDTH, 1, 1),) * 2
EXPAND = ((3, 8, 1, 2), (3, 4, 1, 2), (9, 3, 1, 1))
NORMED = sum(each[1] for each in (*CONTRACT, *PAIR * RESIDUAL, *EXPAND))
"""How many channels are normalised in all: the length of the statistics."""

_EPSILON = 1e-5


@keras.saving.register_keras_serializable(package=PACKAGE)
class Mirrored(keras.layers.Layer):  # type: ignore[misc]
    """Pads a picture with its own mirror image, the border itself not repeated."""

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size

    def call(self, x: Any) -> Any:
        """Pad float [n, h, w, c]; height and width must be larger than the padding."""
        around = (self.size, self.size)
        return ops.pad(x, ((0, 0), around, around, (0, 0)), mode="reflect")

    def get_config(self) -> dict[str, Any]:
        """Return what it is made from."""
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable(package=PACKAGE)
class StyledNorm(keras.layers.Layer):  # type: ignore[misc]
    """Gives each channel the mean and deviation that a blend of styles has there."""

    def __init__(self, first: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.first = first

    def build(self, shape: tuple[int | None, ...], *_: Any) -> None:
        """Make the weights: a row for each style."""
        size = (STYLES, shape[-1])
        self.gamma = self.add_weight(shape=size, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=size, initializer="zeros", name="beta")

    def call(self, x: Any, blend: Any, held: Any, hold: Any) -> Any:
        """Normalise float [n, h, w, c]; return that, and mean and variance [2, c] as measured.

        Of ``held`` [2, NORMED], from ``first`` on, as much is used as ``hold`` says.
        """
        measured = ops.stack(ops.moments(x, axes=(0, 1, 2)))
        given = held[:, self.first : self.first + x.shape[-1]]
        mean, variance = ops.unstack(measured + hold * (given - measured), axis=0)
        scale = ops.matmul(blend, self.gamma) / ops.sqrt(variance + _EPSILON)
        return (x - mean) * scale + ops.matmul(blend, self.beta), measured

    def get_config(self) -> dict[str, Any]:
        """Return what it is made from."""
        return {**super().get_config(), "first": self.first}


class _Painter:
    """Lays convolutions one after another and gathers what their norms measure."""

    def __init__(self, blend: Any, held: Any, hold: Any) -> None:
        self._given = (blend, held, hold)
        self._channels = 0
        self.measured: list[Any] = []

    def normed(self, name: str, x: Any, kind: tuple[int, int, int, int]) -> Any:
        """Return ``x`` after a convolution and its norm."""
        kernel, filters, stride, growth = kind
        if growth > 1:
            x = keras.layers.UpSampling2D(growth)(x)
        x = Mirrored(kernel // 2)(x)
        x = keras.layers.Conv2D(filters, kernel, stride, use_bias=False, name=name)(x)
        x, measured = StyledNorm(self._channels, name=f"{name}_norm")(x, *self._given)
        self._channels += filters
        self.measured.append(measured)
        return x


def build() -> Any:
    """Build the network with random weights.

    Returns:
        A ``keras.Model``. Inputs: ``picture`` float32 [n, h, w, 3], display values 0..1, which is
        one picture or parts of one, height and width multiples of 4 and at least 16;
        ``blend`` [26], the weight of each style, in all 1; ``statistics`` [2, NORMED], means and
        variances; ``hold`` [], 1 to normalise with those, 0 with what is measured over all parts.
        Outputs: ``painted`` [n, h, w, 3], 0..1; ``statistics`` [2, NORMED] as measured.
    """
    picture = keras.Input((None, None, 3), name="picture")
    blend = keras.Input(batch_shape=(STYLES,), name="blend")
    held = keras.Input(batch_shape=(2, NORMED), name="statistics")
    hold = keras.Input(batch_shape=(), name="hold")
    painter = _Painter(blend, held, hold)
    outputs = {"painted": _paint(painter, picture)}
    outputs["statistics"] = ops.concatenate(painter.measured, axis=1)
    inputs = {"picture": picture, "blend": blend, "statistics": held, "hold": hold}
    return keras.Model(inputs, outputs, name="styles26")


def _paint(painter: _Painter, x: Any) -> Any:
    for number, kind in enumerate(CONTRACT):
        x = keras.layers.ReLU()(painter.normed(f"contract{number}", x, kind))
    for number in range(RESIDUAL):
        before = x
        x = keras.layers.ReLU()(painter.normed(f"residual{number}_0", x, PAIR[0]))
        x = keras.layers.Add()([before, painter.normed(f"residual{number}_1", x, PAIR[1])])
    for number, kind in enumerate(EXPAND[:-1]):
        x = keras.layers.ReLU()(painter.normed(f"expand{number}", x, kind))
    last = painter.normed(f"expand{len(EXPAND) - 1}", x, EXPAND[-1])
    return keras.layers.Activation("sigmoid")(last)
