"""The space that effects are learnt in: ACEScct for scene-linear light, else as the file says."""

from __future__ import annotations

import numpy as np

from handlers.effects import working_space
from handlers.effects.effect import Image, Picture
from handlers.effects.pairs.material import DISPLAY, Seen
from handlers.effects.working_space import HIGHEST, WorkingSpace
from handlers.media import viewing

_LINEAR = "Linear Rec.709 (sRGB)"


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
    return WorkingSpace(space).encoded(rgb)


def shown(picture: Image, space: str) -> Image:
    """Return a picture as a screen shows it: float32 [height, width, 3], 0..1.

    Args:
        picture: In the space that is worked in; a matte [height, width, 1] is shown as grey.
        space: "display" or "ACEScct".
    """
    if picture.shape[2] == 1 or space == DISPLAY:
        return np.clip(np.broadcast_to(picture, (*picture.shape[:2], 3)), 0, 1)
    made = WorkingSpace(_LINEAR).decoded(np.array(picture, np.float32, order="C"))
    halves = np.clip(np.nan_to_num(made), -HIGHEST, HIGHEST).astype(np.float16)
    return viewing.display(halves).astype(np.float32) / 65535


def finite(seen: Seen) -> Seen:
    """Replace what is no number by 0, and infinities by what a half float ends at."""
    picture = seen.picture
    alpha = None if picture.alpha is None else working_space.finite(picture.alpha)
    return Seen(picture=Picture(working_space.finite(picture.rgb), alpha), coded=seen.coded)
