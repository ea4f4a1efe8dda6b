"""Adds grain like that of film, another one in each frame and always the same in the same frame.

Grain is a field of noise with the size of grains, strongest where half of them are developed. That
is what the Boolean model of film says (Newson, Delon and Galerne, "A stochastic film grain model
for resolution-independent rendering", Computer Graphics Forum 36, 2017): a place whose share of
developed grains is u varies as u (1 - u). Drawing the grains themselves takes seconds a picture; a
Gaussian field of the same spread and size takes the place of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from handlers.effects.builtin.banded import banded, pool
from handlers.effects.effect import Effect, Footage, Image, Picture, Tools
from handlers.effects.options import GrainOptions

# The standard deviation where grain is strongest, in display values, for an amount of 1.
_STRONGEST = 0.04
# What a step of display value is in natural logarithms of light at grey of 18 %, for a display of
# gamma 2.4: so the same amount looks alike on light and on display values.
_LIGHT = 2.4 / 0.18 ** (1 / 2.4)
_GREY = np.float32(0.18)
# A Gaussian's width at half its height, in standard deviations.
_WIDTH = 2.355
_RADIUS = 3.0


class Grain(Effect):
    """Adds grain; brightness stays what it was on average, and alpha as it is."""

    def __init__(self, options: GrainOptions, tools: Tools) -> None:
        self._options, self._tools = options, tools
        self.keeps_grey = not options.colour or not options.amount
        self._kernel = _kernel(options.size)
        self._mixing = _mixing(options.colour)

    def begin(self, footage: Footage) -> Footage:
        """Take note of the footage; what comes out is of the same kind."""
        self._linear = footage.scene_linear
        return footage

    def apply(self, window: Sequence[Picture], number: int) -> Picture:
        """Add the grain of one frame."""
        (picture,) = window
        if not self._options.amount:
            return picture
        height, width = picture.rgb.shape[:2]
        field = self.field(height, width, number)
        grain = on_light if self._linear else on_display
        amount = self._options.amount
        made = banded(lambda rgb, noise: grain(rgb, noise, amount), picture.rgb, field)
        return Picture(made, picture.alpha)

    def field(self, height: int, width: int, number: int) -> Image:
        """Return a frame's grain, float32 [height, width, 3], of mean 0 and deviation 1.

        It depends on seeds and number alone, not on what was made before.
        """
        source = np.random.SeedSequence([self._tools.seed, self._options.seed, number])
        layers = source.spawn(3 if self._options.colour else 1)
        grown = list(pool().map(lambda layer: self._layer(height, width, layer), layers))
        if len(layers) == 1:
            return np.repeat(grown[0][..., None], 3, axis=2)
        return np.asarray(cv2.transform(cv2.merge(grown), self._mixing), np.float32)

    def _layer(self, height: int, width: int, source: np.random.SeedSequence) -> Image:
        """Draw noise, let grains have their size, and cut what lies beyond the picture."""
        edge = len(self._kernel) // 2
        noise = np.random.Generator(np.random.SFC64(source)).standard_normal(
            (height + 2 * edge, width + 2 * edge), np.float32
        )
        if not edge:
            return noise
        made = cv2.sepFilter2D(noise, cv2.CV_32F, self._kernel, self._kernel)
        return np.ascontiguousarray(made[edge:-edge, edge:-edge])


def on_display(rgb: Image, field: Image, amount: float) -> Image:
    """Add grain to display values; black, white and what is beyond them have none."""
    developed = np.clip(rgb, 0, 1)
    spread = np.sqrt(developed * (1 - developed)) * np.float32(2 * _STRONGEST * amount)
    made: Image = rgb + spread * field
    return made


def on_light(rgb: Image, field: Image, amount: float) -> Image:
    """Let grain scale light, as it does in density; the average of a flat field stays.

    The share of developed grains rises with the logarithm of light, half of them at 18 %.
    """
    light = np.abs(rgb)
    developed = 1 - _GREY / (light + _GREY)
    spread = np.sqrt(developed * (1 - developed)) * np.float32(2 * _STRONGEST * _LIGHT * amount)
    # The mean of a log-normal value is above that of its logarithm.
    made: Image = rgb * np.exp(spread * field - 0.5 * spread * spread)
    return made


def _kernel(size: float) -> NDArray[np.float32]:
    """Return a Gaussian as wide as a grain at half its height, which keeps the deviation at 1."""
    sigma = size / _WIDTH
    reach = int(np.ceil(_RADIUS * sigma)) if size > 1 else 0
    offset = np.arange(-reach, reach + 1, dtype=np.float64)
    weight = np.exp(-0.5 * (offset / sigma) ** 2)
    return np.asarray(weight / np.sqrt((weight**2).sum()), np.float32)


def _mixing(colour: float) -> NDArray[np.float32]:
    """Return the matrix that makes three fields alike, but for a share of ``colour``."""
    alike = np.full((3, 3), 1 - colour) + np.eye(3) * colour
    values, vectors = np.linalg.eigh(alike)
    root = vectors @ np.diag(np.sqrt(np.maximum(values, 0))) @ vectors.T
    return np.asarray(root, np.float32)
