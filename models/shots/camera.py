"""A camera that moves over footage: where it looks in each frame, and what it sees.

A path is [n, 4]: the middle of the view (x, y), its width, and its roll in radians.
Lengths are fractions of the footage's own width and height.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.shots.material import Footage

Path = NDArray[np.float32]
Frames = NDArray[np.float32]

HEIGHT, WIDTH = 27, 48
# Rendered at twice the size, then averaged: small moves do not alias.
_TALL, _WIDE = 2 * HEIGHT, 2 * WIDTH
_BLUR_FROM = 0.04  # views a frame, from which on a move is blurred
_BLUR_STEPS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Whip:
    """A pan so fast that it blurs: frames ``start`` to ``end`` of the path."""

    start: int
    end: int


def path(
    still: bool,  # noqa: FBT001 - a fact of the footage
    count: int,
    random: np.random.Generator,
    whip: Whip | None = None,
) -> Path:
    """Draw how the camera moves for ``count`` frames.

    Args:
        still: Whether the footage itself does not move.
        count: Frames.
        random: Chooses view, move and shake.
        whip: Where the camera jerks over to another view of the same place.
    """
    width = random.uniform(0.25, 0.8) if still else random.uniform(0.55, 1.0)
    at = np.array([*random.uniform(width / 2, 1 - width / 2, 2), width, 0.0])
    places = np.tile(at, (count, 1))
    if random.random() < (0.7 if still else 0.25):
        places += _move(count, width, random)
    places[:, :2] += width * _shake(count, random)
    places[:, 3] += 0.3 * _shake(count, random)[:, 0]
    if whip is not None:
        places[:, :2] += _jerk(count, whip, at, random)
    return _inside(places)


def _move(count: int, width: float, random: np.random.Generator) -> NDArray[np.float64]:
    """A steady pan or zoom, now and then a fast one, starting and stopping softly."""
    speed = width * (random.uniform(0.03, 0.08) if random.random() < 0.12 else 0.012)
    speed *= random.uniform(0.05, 1.0)
    angle = random.uniform(0, 2 * np.pi)
    zoom = random.normal(0, 0.3 * speed)
    along = np.arange(count) - random.uniform(0, count)
    if random.random() < 0.3:
        along = np.clip(along, *sorted(random.uniform(-count / 2, count / 2, 2)))
    rates = np.array([speed * np.cos(angle), speed * np.sin(angle), zoom, 0.0])
    moved: NDArray[np.float64] = along[:, None] * rates
    return moved


def _shake(count: int, random: np.random.Generator) -> NDArray[np.float64]:
    """What a tripod (often nothing), a hand or a run does to the picture, in views."""
    amount = random.choice([0.0, 0.0, 0.004, 0.012, 0.03, 0.06])
    raw = random.normal(0, 1, (count + 16, 2))
    smooth = int(random.integers(2, 12))
    kernel = np.hanning(smooth + 2)[1:-1]
    kernel /= np.sqrt((kernel**2).sum())
    both = [np.convolve(raw[:, axis], kernel, "same")[8 : count + 8] for axis in (0, 1)]
    shaken: NDArray[np.float64] = amount * np.stack(both, axis=1)
    return shaken


def _jerk(
    count: int, whip: Whip, at: NDArray[np.float64], random: np.random.Generator
) -> NDArray[np.float64]:
    """Ease from the first view over to another one."""
    there: NDArray[np.float64] = random.uniform(at[2] / 2, 1 - at[2] / 2, 2)
    way = (np.arange(count) - whip.start) / max(1, whip.end - whip.start)
    along = np.clip(way, 0.0, 1.0)
    eased = along * along * (3 - 2 * along)
    moved: NDArray[np.float64] = np.multiply(eased[:, None], there - at[:2], dtype=np.float64)
    return moved


def _inside(places: NDArray[np.float64]) -> Path:
    """Keep the view within the footage; at its rim the camera stops."""
    places[:, 2] = np.clip(places[:, 2], 0.15, 1.0)
    half = places[:, 2:3] / 2
    places[:, :2] = np.clip(places[:, :2], half, 1 - half)
    inside: Path = places.astype(np.float32)
    return inside


def render(footage: Footage, first: int, steps: NDArray[np.int64], places: Path) -> Frames:
    """Return what the camera sees.

    Args:
        footage: Clip or photograph.
        first: The footage's picture at the first frame.
        steps: How many pictures later each frame lies, [n].
        places: The camera's path [n, 4].

    Returns:
        float32 [n, 27, 48, 3], code values.
    """
    made = np.empty((len(places), HEIGHT, WIDTH, 3), np.float32)
    before = np.concatenate([places[:1], places[:-1]])
    for number, (place, last) in enumerate(zip(places, before, strict=True)):
        picture = footage.at(first + int(steps[number]))
        made[number] = _exposed(picture, place, last)
    return made


def _exposed(
    picture: NDArray[np.uint8], place: NDArray[np.float32], last: NDArray[np.float32]
) -> Frames:
    """One frame, blurred along the way from where the camera was."""
    way = float(np.hypot(*(place[:2] - last[:2]))) / float(place[2])
    if way < _BLUR_FROM:
        return _seen(picture, place)
    # The shutter is open for half of the frame's time.
    steps = [place - part * (place - last) for part in np.linspace(0, 0.5, _BLUR_STEPS)]
    blurred: Frames = np.mean([_seen(picture, step) for step in steps], axis=0, dtype=np.float32)
    return blurred


def _seen(picture: NDArray[np.uint8], place: NDArray[np.float32]) -> Frames:
    height, width = picture.shape[:2]
    x, y, part, roll = (float(value) for value in place)
    # The view has the footage's own shape, whatever that is: pictures are squeezed whole.
    across, down = part * width / _WIDE, part * height / _TALL
    cos, sin = np.cos(roll), np.sin(roll)
    matrix = np.array(
        [
            [across * cos, -down * sin, x * width],
            [across * sin, down * cos, y * height],
        ]
    )
    matrix[:, 2] -= matrix[:, :2] @ [_WIDE / 2, _TALL / 2]
    seen = cv2.warpAffine(
        picture,
        matrix,
        (_WIDE, _TALL),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    small: Frames = cv2.resize(seen, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32)
