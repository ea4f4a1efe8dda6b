"""Makes pictures twice or four times as large."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from handlers.effects import working_space
from handlers.effects.effect import Effect, Footage, Image, Picture, Tools
from handlers.effects.options import UpscaleOptions

BUNDLES = {2: "upscale2", 4: "esrgan4"}


class Upscale(Effect):
    """Makes pictures larger; alpha by bicubic interpolation.

    Args:
        options: How many times.
        tools: What it may use.
    """

    keeps_grey = True

    def __init__(self, options: UpscaleOptions, tools: Tools) -> None:
        # It loads TensorFlow.
        from models.restore.upscaler import upscaler  # noqa: PLC0415

        self.scale = options.factor
        model = tools.models.load(BUNDLES[options.factor])
        self._enlarge = upscaler(model, options.factor, tools.notes.append)
        self._linear = False

    def begin(self, footage: Footage) -> Footage:
        """Take note of what is to come; see :meth:`Effect.begin`."""
        self._linear = footage.scene_linear
        width, height = self.scale * footage.width, self.scale * footage.height
        return dataclasses.replace(footage, width=width, height=height)

    def apply(self, window: Sequence[Picture], number: int) -> Picture:  # noqa: ARG002 - by place
        """Make the picture of a frame; see :meth:`Effect.apply`."""
        picture = window[0]
        rgb = picture.rgb
        usable = np.isfinite(rgb)
        if not usable.all():
            rgb = np.where(usable, rgb, np.float32(0))
        code = working_space.curve_encoded(rgb) if self._linear else rgb
        made = self._enlarge(code) if self.scale == 2 else self._within(code)
        made = working_space.curve_decoded(made) if self._linear else made
        if not usable.all():
            made = np.where(self._repeated(usable), made, self._repeated(picture.rgb))
        alpha = None if picture.alpha is None else np.clip(self._bicubic(picture.alpha), 0, 1)
        return Picture(made, alpha)

    def _within(self, code: Image) -> Image:
        """Let the published network, which knows 0 to 1 alone, change what is within.

        What lies beyond is added as interpolation makes it.
        """
        within = np.clip(code, 0, 1)
        made = self._enlarge(within)
        beyond = code - within
        return made + self._bicubic(beyond) if beyond.any() else made

    def _bicubic(self, picture: Image) -> Image:
        size = (self.scale * picture.shape[1], self.scale * picture.shape[0])
        larger: Image = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
        return larger

    def _repeated(self, picture: NDArray[Any]) -> NDArray[Any]:
        return picture.repeat(self.scale, axis=0).repeat(self.scale, axis=1)
