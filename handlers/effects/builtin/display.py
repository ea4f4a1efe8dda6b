"""Pictures as networks want them that have only seen photographs on a display."""

from __future__ import annotations

import numpy as np

from handlers.effects.effect import Image

# Where highlights begin to be bent, as linear light; from there to infinity they stay below 1.
_KNEE = 0.5
_BRIGHTEST = 65504.0


def to_display(rgb: Image, *, scene_linear: bool) -> Image:
    """Return a picture as a display would have it, finite.

    Scene-linear light is encoded as IEC 61966-2-1 (sRGB) has it, highlights bent so that all
    of them lie below 1, darkness below 0 mirrored. Other pictures already are as a display has
    them.

    Args:
        rgb: float32 [h, w, 3].
        scene_linear: Whether that is linear light.
    """
    finite = np.nan_to_num(rgb, nan=0.0, posinf=_BRIGHTEST, neginf=-_BRIGHTEST)
    return _encoded(_bent(finite)) if scene_linear else finite


def from_display(shown: Image, *, scene_linear: bool) -> Image:
    """Return a picture that was made for a display as it was asked for: white becomes 1.

    What was bent stays so: a painting is no brighter than its canvas.
    """
    if not scene_linear:
        return shown
    dark, light = shown / 12.92, ((np.maximum(shown, 0) + 0.055) / 1.055) ** 2.4
    return np.where(shown <= 0.04045, dark, light).astype(np.float32)


def _bent(linear: Image) -> Image:
    over = np.maximum(linear - _KNEE, 0) / (1 - _KNEE)
    return np.where(linear <= _KNEE, linear, _KNEE + (1 - _KNEE) * over / (1 + over))


def _encoded(linear: Image) -> Image:
    size = np.abs(linear)
    curve = np.where(size <= 0.0031308, 12.92 * size, 1.055 * size ** (1 / 2.4) - 0.055)
    return np.copysign(curve, linear).astype(np.float32)
