"""Mixing what an effect made with what came in: by strength, and within a matte."""

from __future__ import annotations

import cv2
import numpy as np

from handlers.effects.effect import Image, Picture


def mixed(before: Picture, after: Picture, share: float | Image) -> Picture:
    """Return so much of ``after`` over ``before``; where they are equal, exactly that.

    Args:
        before: What came in; it is enlarged where the effect made pictures larger.
        after: What the effect made of it.
        share: 0..1 for all of the picture, or float32 [height, width] for each pixel.
    """
    if after is before or (isinstance(share, float) and share == 1):
        return after
    size = after.rgb.shape[1], after.rgb.shape[0]
    before = enlarged(before, size)
    if not isinstance(share, float):
        share = _sized(share, size, cv2.INTER_LINEAR)
    alpha = _alpha(before, after, share)
    return Picture(_between(before.rgb, after.rgb, _by_pixel(share)), alpha)


def _by_pixel(share: float | Image) -> float | Image:
    return share if isinstance(share, float) else share[..., np.newaxis]


def _alpha(before: Picture, after: Picture, share: float | Image) -> Image | None:
    """A picture without alpha covers all."""
    if after.alpha is None:
        return before.alpha
    whole = np.ones_like(after.alpha) if before.alpha is None else before.alpha
    return _between(whole, after.alpha, share)


def _between(before: Image, after: Image, share: float | Image) -> Image:
    # Infinite less infinite is no number: what is equal has no difference.
    change = np.zeros_like(after)
    np.subtract(after, before, out=change, where=after != before)
    change *= share
    change += before
    return change


def enlarged(picture: Picture, size: tuple[int, int]) -> Picture:
    """Return a picture of that width and height in pixels; itself where it has it."""
    alpha = picture.alpha
    if (picture.rgb.shape[1], picture.rgb.shape[0]) == size:
        return picture
    rgb = _sized(picture.rgb, size, cv2.INTER_LANCZOS4)
    return Picture(rgb, None if alpha is None else _sized(alpha, size, cv2.INTER_LINEAR))


def _sized(image: Image, size: tuple[int, int], how: int) -> Image:
    if (image.shape[1], image.shape[0]) == size:
        return image
    made: Image = cv2.resize(image, size, interpolation=how)
    return made
