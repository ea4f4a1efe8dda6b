"""The fast guided filter: makes a coarse matte follow the edges of a picture.

He, Sun and Tang, "Guided image filtering", ECCV 2010, with a colour guide; coefficients at a
smaller size as in He and Sun, "Fast guided filter", 2015, arXiv:1505.00996.
"""

from __future__ import annotations

import cv2
import numpy as np

from handlers.effects.effect import Image


def refined(coarse: Image, guide: Image, *, side: int, radius: int, epsilon: float) -> Image:
    """Return a matte at the guide's size, with its edges.

    Args:
        coarse: The matte, float32 [any, any], of the same field of view.
        guide: The picture, float32 [h, w, 3], as on a display.
        side: How long the longer side is where coefficients are found.
        radius: Of the filter, in pixels there.
        epsilon: Variances of the guide that are much smaller count as no edge.

    Returns:
        float32 [h, w]; it can go a little beyond what ``coarse`` holds.
    """
    height, width = guide.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(guide, size, interpolation=cv2.INTER_AREA)
    matte = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    slopes, offset = _coefficients(small, matte, radius, epsilon)
    slopes, offset = (_large(each, width, height) for each in (slopes, offset))
    return np.asarray(np.einsum("hwc,hwc->hw", slopes, guide) + offset, np.float32)


def _coefficients(guide: Image, matte: Image, radius: int, epsilon: float) -> tuple[Image, Image]:
    """Return the plane through colours that is nearest to the matte around each pixel."""
    mean, mean_matte = _mean(guide, radius), _mean(matte, radius)
    pairs = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
    products = np.stack([guide[..., a] * guide[..., b] for a, b in pairs], axis=-1)
    spread = _mean(products, radius)
    spread -= np.stack([mean[..., a] * mean[..., b] for a, b in pairs], axis=-1)
    spread[..., :3] += epsilon
    together = _mean(guide * matte[..., None], radius) - mean * mean_matte[..., None]
    slopes = _solved(spread, together)
    offset = mean_matte - np.einsum("hwc,hwc->hw", slopes, mean)
    return _mean(slopes, radius), _mean(offset, radius)


def _solved(spread: Image, together: Image) -> Image:
    """Solve for each pixel, by cofactors, with a symmetric matrix: xx, yy, zz, yz, xz, xy."""
    xx, yy, zz, yz, xz, xy = np.moveaxis(spread.astype(np.float64), -1, 0)
    rows = (
        (yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy),
        (xz * yz - xy * zz, xx * zz - xz * xz, xy * xz - xx * yz),
        (xy * yz - xz * yy, xy * xz - xx * yz, xx * yy - xy * xy),
    )
    determinant = xx * rows[0][0] + xy * rows[0][1] + xz * rows[0][2]
    found = [sum(row[n] * together[..., n] for n in range(3)) / determinant for row in rows]
    return np.asarray(np.stack(found, axis=-1), np.float32)


def _mean(values: Image, radius: int) -> Image:
    # OpenCV's own filters take four channels at most.
    size = (2 * radius + 1, 2 * radius + 1)
    planes = values.reshape(*values.shape[:2], -1)
    made = [cv2.blur(np.ascontiguousarray(planes[..., n]), size) for n in range(planes.shape[-1])]
    return np.asarray(np.stack(made, axis=-1).reshape(values.shape), np.float32)


def _large(values: Image, width: int, height: int) -> Image:
    made: Image = cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
    return made
