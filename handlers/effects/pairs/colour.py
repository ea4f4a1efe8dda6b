"""The space that effects are learnt in: ACEScct for scene-linear light, else as the file says."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import PyOpenColorIO as ocio  # noqa: N813 - as its own examples name it

from handlers.effects.effect import Image, Picture
from handlers.effects.pairs.material import DISPLAY, Seen
from handlers.media import viewing

WORKING = "ACEScct"
_CONFIG = "ocio://studio-config-latest"
_LINEAR = "Linear Rec.709 (sRGB)"
_HIGHEST = 65504.0  # of a half float


def working(rgb: Image, space: str) -> Image:
    """Bring a picture to the space that is worked in; nothing is clipped.

    Args:
        rgb: float32 [height, width, 3].
        space: "display", or OpenColorIO's name of a scene-linear space.

    Returns:
        The same, or in ACEScct (Academy S-2016-001), which is a logarithm of light.
    """
    if space == DISPLAY:
        return rgb
    made = np.array(rgb, np.float32, order="C")
    _processor(space, WORKING).applyRGB(made)
    return made


def shown(picture: Image, space: str) -> Image:
    """Return a picture as a screen shows it: float32 [height, width, 3], 0..1.

    Args:
        picture: In the space that is worked in; a matte [height, width, 1] is shown as grey.
        space: "display" or "ACEScct".
    """
    if picture.shape[2] == 1 or space == DISPLAY:
        return np.clip(np.broadcast_to(picture, (*picture.shape[:2], 3)), 0, 1)
    made = np.array(picture, np.float32, order="C")
    _processor(WORKING, _LINEAR).applyRGB(made)
    halves = np.clip(np.nan_to_num(made), -_HIGHEST, _HIGHEST).astype(np.float16)
    return viewing.display(halves).astype(np.float32) / 65535


def finite(seen: Seen) -> Seen:
    """Replace what is no number by 0, and infinities by what a half float ends at."""
    picture = seen.picture
    alpha = None if picture.alpha is None else _finite(picture.alpha)
    return Seen(picture=Picture(_finite(picture.rgb), alpha), coded=seen.coded)


def _finite(values: Image) -> Image:
    known: Image = np.nan_to_num(values, nan=0.0, posinf=_HIGHEST, neginf=-_HIGHEST)
    return known


@functools.cache
def _processor(source: str, target: str) -> Any:
    config = ocio.Config.CreateFromBuiltinConfig(_CONFIG)
    return config.getProcessor(source, target).getDefaultCPUProcessor()
