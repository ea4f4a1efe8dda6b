"""Chroma at the size of luma and back, in float, sited as the format says.

Both ways are linear: between two chroma samples the halfway sample is their mean, and going back
weighs each luma place by how near it lies. Borders are repeated.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Site = Literal["cosited", "between"]
"""Where the first chroma sample lies on one axis: on the first luma sample, or between two."""
Siting = tuple[Site, Site]
"""Across and down; FFmpeg's "left" is cosited across and between down."""


def enlarge(
    plane: Samples, shrink: tuple[int, int], siting: Siting, size: tuple[int, int]
) -> Samples:
    """Return chroma at ``size``, (width, height), from planes 2**``shrink`` times smaller."""
    for _ in range(shrink[1]):
        plane = _enlarged_down(plane, siting[1])
    for _ in range(shrink[0]):
        plane = _enlarged_across(plane, siting[0])
    return plane[: size[1], : size[0]]


def reduce(plane: Samples, shrink: tuple[int, int], siting: Siting) -> Samples:
    """Return chroma 2**``shrink`` times smaller, rounded up where a side is odd."""
    for _ in range(shrink[0]):
        plane = _reduced_across(plane, siting[0])
    for _ in range(shrink[1]):
        plane = _reduced_down(plane, siting[1])
    return plane


def round_trip(
    plane: Samples, shrink: tuple[int, int], siting: Siting, size: tuple[int, int]
) -> Samples:
    """Return what ``reduce`` makes of what ``enlarge`` makes of a plane at ``size``."""
    height, width = plane.shape
    is_whole = size == (width << shrink[0], height << shrink[1])
    if is_whole and max(shrink) == 1:
        # There and back, either siting weighs a sample and its neighbours the same.
        across, down = (_WEIGHED if once else _ALONE for once in shrink)
        filtered = cv2.sepFilter2D(plane, -1, across, down, borderType=cv2.BORDER_REPLICATE)
        return np.asarray(filtered)
    return reduce(enlarge(plane, shrink, siting, size), shrink, siting)


_ALONE, _WEIGHED = np.array([1.0]), np.array([0.125, 0.75, 0.125])


def _blend(one: Samples, share: float, other: Samples, made: Samples) -> None:
    if one.size:
        cv2.addWeighted(one, share, other, 1 - share, 0, dst=made)


def _halved(plane: Samples) -> tuple[Samples, Samples]:
    """Return every even and every odd column of a plane; of an odd width the last one is both."""
    if plane.shape[1] % 2:
        plane = np.concatenate([plane, plane[:, -1:]], axis=1)
    pairs = plane.reshape(plane.shape[0], -1, 2)
    even, odd = np.empty((2, *pairs.shape[:2]), np.float32)
    # Without arrays to write to, it allocates outside numpy and copies: twenty times slower.
    cv2.split(pairs, (even, odd))
    return even, odd


def _enlarged_across(plane: Samples, site: Site) -> Samples:
    own = 0.5 if site == "cosited" else 0.75
    even, odd = plane, np.empty_like(plane)
    _blend(plane[:, :-1], own, plane[:, 1:], odd[:, :-1])
    odd[:, -1] = plane[:, -1]
    if site == "between":
        even = np.empty_like(plane)
        _blend(plane[:, 1:], own, plane[:, :-1], even[:, 1:])
        even[:, 0] = plane[:, 0]
    # The fastest way to write columns in turn.
    return np.asarray(cv2.merge((even, odd))).reshape(plane.shape[0], -1)


def _enlarged_down(plane: Samples, site: Site) -> Samples:
    above, below = _neighbours_down(plane)
    made = np.empty((2 * plane.shape[0], plane.shape[1]), np.float32)
    if site == "cosited":
        made[::2] = plane
        made[1::2] = cv2.addWeighted(plane, 0.5, below, 0.5, 0)
    else:
        made[::2] = cv2.addWeighted(plane, 0.75, above, 0.25, 0)
        made[1::2] = cv2.addWeighted(plane, 0.75, below, 0.25, 0)
    return made


def _reduced_across(plane: Samples, site: Site) -> Samples:
    even, odd = _halved(plane)
    if site == "between":
        return np.asarray(cv2.addWeighted(even, 0.5, odd, 0.5, 0))
    made = np.asarray(cv2.addWeighted(odd, 0.25, even, 0.5, 0))
    if even.shape[1] > 1:
        cv2.scaleAdd(odd[:, :-1], 0.25, made[:, 1:], dst=made[:, 1:])
    # Left of the first place there is what is on it.
    made[:, 0] += 0.25 * even[:, 0]
    return made


def _reduced_down(plane: Samples, site: Site) -> Samples:
    if plane.shape[0] % 2:
        plane = np.concatenate([plane, plane[-1:]])
    even, odd = plane[::2], plane[1::2]
    if site == "between":
        return np.asarray(cv2.addWeighted(even, 0.5, odd, 0.5, 0))
    before = np.concatenate([even[:1], odd[:-1]])
    return _weighed(even, odd, before)


def _weighed(even: Samples, odd: Samples, before: Samples) -> Samples:
    made: Samples = cv2.addWeighted(odd, 0.25, before, 0.25, 0)
    return np.asarray(cv2.scaleAdd(np.ascontiguousarray(even), 0.5, made))


def _neighbours_down(plane: Samples) -> tuple[Samples, Samples]:
    return np.concatenate([plane[:1], plane[:-1]]), np.concatenate([plane[1:], plane[-1:]])
