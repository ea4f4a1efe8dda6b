"""Windows of clean frames: cut from takes, or a camera that moves over a photograph."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from models.restore.material import Footage

Frames = NDArray[np.float32]
Random = np.random.Generator

REACH = 2
COUNT = 2 * REACH + 1
_WHOLE_STEPS, _CROSSED, _FROM_TAKES, _REGRADED = 0.4, 0.3, 0.35, 0.6


def window(footage: Sequence[Footage], size: int, random: Random, *, plain: bool = False) -> Frames:
    """Make a window of five frames.

    Args:
        footage: What to choose from.
        size: Width and height.
        random: Chooses everything.
        plain: Leave the footage's colours as they are, and nothing crosses it.

    Returns:
        float32 [5, size, size, 3], 0..1.
    """
    takes = [one for one in footage if not one.still]
    stills = [one for one in footage if one.still]
    if takes and (not stills or random.random() < _FROM_TAKES):
        frames = _filmed(takes[int(random.integers(len(takes)))], size, random)
    else:
        frames = _panned(stills[int(random.integers(len(stills)))], size, random)
        if not plain and random.random() < _CROSSED:
            frames = _cross(frames, stills[int(random.integers(len(stills)))], random)
    return frames if plain else _graded(_turned(frames, random), random)


def _filmed(take: Footage, size: int, random: Random) -> Frames:
    """Cut a window out of a take, forwards or backwards."""
    step = int(random.choice([1, 1, 1, 2])) if len(take.pictures) >= 2 * COUNT else 1
    first = int(random.integers(len(take.pictures) - step * (COUNT - 1)))
    numbers = first + step * np.arange(COUNT)
    if random.random() < 0.5:
        numbers = numbers[::-1]
    drift = _whole_drift(random) if random.random() < 0.3 else np.zeros((COUNT, 2), np.int64)
    return _cropped([take.pictures[number] for number in numbers], drift, size, random)


def _panned(still: Footage, size: int, random: Random) -> Frames:
    """Move a camera over a photograph."""
    small = random.random() < 0.4 and min(still.halved.shape[1:3]) >= size
    picture = (still.halved if small else still.pictures)[0]
    if random.random() < _WHOLE_STEPS:
        return _cropped([picture] * COUNT, _whole_drift(random), size, random)
    return _warped(picture, size, random)


def _cropped(
    pictures: Sequence[NDArray[np.uint8]], drift: NDArray[np.int64], size: int, random: Random
) -> Frames:
    """Cut whole pixels, so that nothing is blurred by interpolation."""
    height, width = pictures[0].shape[:2]
    room = np.array([height - size, width - size])
    at = random.integers(0, room + 1)
    places = np.clip(at + drift, 0, room)
    cut = [
        picture[y : y + size, x : x + size]
        for picture, (y, x) in zip(pictures, places, strict=True)
    ]
    return np.asarray(np.stack(cut).astype(np.float32) / np.float32(255))


def _whole_drift(random: Random) -> NDArray[np.int64]:
    """Whole pixels a frame, y and x, [5, 2]: a tripod, a hand, a pan."""
    speed = random.choice([0.0, 1.0, 3.0, 8.0], p=[0.2, 0.3, 0.3, 0.2])
    steady = random.normal(0, speed, 2) * (np.arange(COUNT)[:, None] - REACH)
    shake = random.normal(0, 0.4 * speed, (COUNT, 2))
    return np.asarray(np.rint(steady + shake), np.int64)


def _warped(picture: NDArray[np.uint8], size: int, random: Random) -> Frames:
    """Pan, shake, zoom and roll by parts of pixels."""
    height, width = picture.shape[:2]
    limit = min(height, width) / size
    base = random.uniform(0.9, min(1.4, limit)) if limit > 0.9 else limit
    speed = random.choice([0.3, 1.0, 3.0, 8.0], p=[0.3, 0.3, 0.25, 0.15])
    moves = random.normal(0, speed, 2), random.normal(0, 0.004), random.normal(0, 0.004)
    half = base * size / 2
    middle = [
        random.uniform(min(half, side / 2), max(side - half, side / 2)) for side in (width, height)
    ]
    frames = np.empty((COUNT, size, size, 3), np.float32)
    for number in range(COUNT):
        along = number - REACH
        scale, angle = base * (1 + moves[1] * along), moves[2] * along
        at = middle + moves[0] * along + random.normal(0, 0.2 * speed, 2)
        frames[number] = _view(picture, at, scale, angle, size)
    return frames


def _view(
    picture: NDArray[np.uint8], at: NDArray[np.float64], scale: float, angle: float, size: int
) -> Frames:
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    matrix = np.array([[cos, -sin, at[0]], [sin, cos, at[1]]])
    matrix[:, 2] -= matrix[:, :2] @ [(size - 1) / 2, (size - 1) / 2]
    seen = cv2.warpAffine(
        picture,
        matrix,
        (size, size),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(seen.astype(np.float32) / np.float32(255))


def _cross(frames: Frames, other: Footage, random: Random) -> Frames:
    """Let something out of another photograph cross the picture."""
    size = frames.shape[1]
    front = _panned(other, size, random)
    radius = random.uniform(0.1, 0.4, 2) * size
    middle = random.uniform(0, size, 2)
    speed = random.normal(0, 3.0, 2)
    grid = np.mgrid[:size, :size].astype(np.float32)
    for number in range(COUNT):
        centre = middle + speed * (number - REACH)
        away = [(grid[axis] - centre[axis]) / radius[axis] for axis in (0, 1)]
        inside = np.clip((1 - np.hypot(*away)) * radius.min() + 0.5, 0, 1)[..., None]
        frames[number] += inside * (front[number] - frames[number])
    return frames


def _turned(frames: Frames, random: Random) -> Frames:
    if random.random() < 0.5:
        frames = frames[:, :, ::-1]
    if random.random() < 0.5:
        frames = frames[:, ::-1]
    return frames.swapaxes(1, 2) if random.random() < 0.5 else frames


def _graded(frames: Frames, random: Random) -> Frames:
    """Another exposure, contrast and colour, so that darkness and casts are known too."""
    frames = frames[..., random.permutation(3)] if random.random() < 0.3 else frames
    gain = np.ones(3)
    if random.random() < _REGRADED:
        gain = random.uniform(0.4, 1.05) * random.uniform(0.85, 1.0, 3)
    graded: Frames = np.power(np.clip(frames, 0, 1), random.uniform(0.8, 1.3)) * gain
    return np.ascontiguousarray(graded, np.float32)
