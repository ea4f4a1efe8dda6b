"""One picture as its file holds it, as float RGB for effects, and back."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import av
import numpy as np
from numpy.typing import NDArray

from handlers.effects.effect import Image, Picture
from handlers.effects.picture import image, image_made
from handlers.effects.picture.convert import Coding, from_alpha, from_rgb, to_alpha, to_rgb
from handlers.effects.picture.image import ImageNative
from handlers.effects.picture.layout import Layout, Plane, new_frame, planes_of
from handlers.effects.picture.target import Target


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ClipNative:
    """One decoded picture of a clip: its samples as they are, and how they code colours.

    ``time`` is in seconds after frame 0, exact; ``held`` says that nothing of its own number
    decodes, and that it is the one before it (the one after it at the very beginning).
    """

    frame: av.VideoFrame
    coding: Coding
    time: Fraction
    held: bool = False

    @property
    def planes(self) -> list[Plane]:
        """The planes, [height, width] each; not to be written to."""
        return planes_of(self.frame, self.coding.layout)


Native = ClipNative | ImageNative
Encodable: TypeAlias = Any
"""What a writer takes: a frame for a clip, an image as ``image_made.Made`` for a sequence."""


def to_picture(native: Native) -> Picture:
    """Return a picture in float; nothing is clipped, alpha is straight."""
    if isinstance(native, ImageNative):
        return image.to_picture(native)
    planes, layout = native.planes, native.coding.layout
    rgb = to_rgb(planes, native.coding)
    return Picture(rgb, to_alpha(planes[-1], layout) if layout.alpha else None)


def merged(native: Native, before: Picture, after: Picture, target: Target) -> Encodable:
    """Return what is to be written: the source's own samples, and what an effect changed.

    A sample that is not changed, and that the target stores as the source does, stays the same
    bit for bit; a changed one is rounded once.

    Args:
        native: The source's picture.
        before: What :func:`to_picture` made of it.
        after: What effects made of that; of another size, nothing of the source is kept.
        target: What is written.
    """
    if target.is_sequence:
        return image_made.merged(
            native if isinstance(native, ImageNative) else None, before, after, target
        )
    coding = target.require_coding()
    if isinstance(native, ClipNative):
        return _merged_clip(native, before, after, coding)
    return _encoded(after, None, None, coding)


def _merged_clip(
    native: ClipNative, before: Picture, after: Picture, coding: Coding
) -> av.VideoFrame:
    own = native.coding
    if after is before and coding == own:
        return native.frame
    same_size = after.rgb.shape[:2] == native.planes[0].shape
    return _encoded(after, native.planes if same_size else None, own, coding)


def _encoded(
    after: Picture, source: list[Plane] | None, own: Coding | None, coding: Coding
) -> av.VideoFrame:
    planes = from_rgb(after.rgb, coding, source, own)
    layout = coding.layout
    if layout.alpha:
        planes.append(_alpha(after.alpha, layout, after.rgb))
    return new_frame(planes, layout)


def _alpha(alpha: Image | None, layout: Layout, rgb: NDArray[np.float32]) -> Plane:
    if alpha is None:
        return np.full(rgb.shape[:2], layout.peak, layout.dtype)
    return from_alpha(alpha, layout)
