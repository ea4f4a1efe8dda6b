"""What happens within a shot and is no transition: flashes, strobes, jumps of exposure.

Each function changes frames, float32 [n, h, w, 3] in code values, in place, and leaves
the shot one shot. A detector that takes one of them for a cut is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.float32]

WHITE = 255.0


class Event(StrEnum):
    """Everything that looks like a transition to a difference of frames."""

    FLASH = "flash"
    STROBE = "strobe"
    WHIP_PAN = "whip_pan"
    FAST_MOTION = "fast_motion"
    EXPOSURE = "exposure"
    SHAKE = "shake"
    LIGHTS = "lights"
    SLATE = "slate"
    LET_DOWN = "let_down"


def flash(frames: Frames, random: np.random.Generator) -> None:
    """A photographer's flash or lightning: one to four frames go towards white."""
    for _ in range(int(random.integers(1, 4))):
        count = int(random.integers(1, 5))
        start = int(random.integers(max(1, len(frames) - count)))
        strength = random.uniform(0.35, 1.0) * random.uniform(0.3, 1.0, count).cumprod()
        light = _light(frames.shape[1:3], random)
        for number, part in zip(range(start, len(frames)), strength / strength[0], strict=False):
            mix = part * float(strength[0]) * light
            frames[number] += mix[..., None] * (WHITE - frames[number])


def _light(size: tuple[int, ...], random: np.random.Generator) -> NDArray[np.float32]:
    """The whole picture evenly, or strongest near a place: float32 [h, w], up to 1."""
    if random.random() < 0.5:
        return np.ones(size, np.float32)
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    away = np.hypot(
        (x / size[1] - random.random()) / random.uniform(0.3, 1.5),
        (y / size[0] - random.random()) / random.uniform(0.3, 1.5),
    )
    light: NDArray[np.float32] = np.exp(-2 * away**2).astype(np.float32)
    return light


def strobe(frames: Frames, random: np.random.Generator) -> None:
    """Club light: bright and dark in turn, for some frames or all along."""
    count = int(random.integers(8, max(9, len(frames) + 1)))
    start = int(random.integers(max(1, len(frames) - count + 1)))
    period = int(random.integers(2, 13))
    lit = max(1, round(period * random.uniform(0.2, 0.7)))
    dark, bright = random.uniform(0.02, 0.5), random.uniform(0.8, 1.8)
    tint = random.uniform(0.6, 1.2, 3)
    for number in range(start, min(len(frames), start + count)):
        on = (number - start) % period < lit
        frames[number] *= bright * tint if on else dark


def exposure(frames: Frames, random: np.random.Generator) -> None:
    """The iris is turned or automatic exposure acts, at once or over some frames."""
    at, length = int(random.integers(len(frames))), int(random.integers(1, 16))
    stops = random.uniform(0.5, 1.8) * random.choice([-1, 1])
    along = np.clip((np.arange(len(frames)) - at + 1) / length, 0, 1)
    frames *= (2.0 ** (stops * along)).astype(np.float32)[:, None, None, None]


def lights(frames: Frames, random: np.random.Generator) -> None:
    """The lamp goes out and on again: the picture comes back, so nothing was cut."""
    out, back = (int(random.integers(1, 20)) for _ in range(2))
    hold, left = int(random.integers(1, 12)), random.uniform(0.0, 0.35)
    start = int(random.integers(max(1, len(frames) - out - hold - back)))
    along = np.arange(len(frames)) - start
    level = np.clip(np.maximum(1 - along / out, (along - out - hold) / back), 0, 1)
    frames *= (left + (1 - left) * level).astype(np.float32)[:, None, None, None]


def crossing(frames: Frames, texture: Frames, random: np.random.Generator, *, fast: bool) -> None:
    """Something crosses the picture, near and fast or slowly.

    Args:
        frames: What is crossed.
        texture: What crosses wears this, float32 [n, h, w, 3].
        random: Chooses size, way and speed.
        fast: Whether it takes only a few frames and may cover everything.
    """
    height, width = frames.shape[1:3]
    size = random.uniform(0.4, 1.3) if fast else random.uniform(0.1, 0.6)
    count = int(random.integers(4, 16)) if fast else int(random.integers(20, 150))
    start = int(random.integers(max(1, len(frames) - count)))
    angle = random.uniform(0, 2 * np.pi)
    shape = random.uniform(0.5, 1.6)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = x / width - 0.5, y / height - 0.5
    aside = random.uniform(-0.3, 0.3)
    for number in range(start, min(len(frames), start + count)):
        way = (2 * (number - start) / count - 1) * (0.6 + size / 2)
        at = (
            way * np.cos(angle) - aside * np.sin(angle),
            way * np.sin(angle) + aside * np.cos(angle),
        )
        away = np.hypot((x - at[0]) / shape, (y - at[1]) * shape) / (size / 2)
        cover = np.clip((1 - away) * 8, 0, 1)[..., None]
        frames[number] += cover * (texture[number % len(texture)] - frames[number])


def slate(frames: Frames, random: np.random.Generator) -> None:
    """A board comes into the picture from one side, is held there and goes again.

    At times it is held from the take's first frame on, or until its last one.
    """
    count = len(frames)
    size = random.uniform(0.25, 0.85) * np.array([1.0, random.uniform(0.6, 1.3)])
    place = random.uniform(0.2, 0.8, 2)
    come, stay, leave = (int(random.integers(*some)) for some in ((4, 15), (6, 60), (4, 15)))
    first = int(random.integers(-come - 3, max(1, count - come - stay)))
    ways = [_outside(place, size, random) for _ in range(2)]
    if random.random() < 0.7:
        ways[1] = ways[0]
    board, tremble = _board(random), random.uniform(0, 0.012)
    for number in range(max(0, first), min(count, first + come + stay + leave)):
        in_, out = (number - first + 1) / come, (number - first - come - stay + 1) / leave
        away = ways[0] * _eased(1 - in_) + ways[1] * _eased(out)
        _lay(frames[number], board, place + away + random.normal(0, tremble, 2), size)


def _outside(
    place: NDArray[np.float64], size: NDArray[np.float64], random: np.random.Generator
) -> NDArray[np.float64]:
    """A way that leads a board from its place just out of the picture; mostly down."""
    side = random.choice(4, p=[0.55, 0.15, 0.15, 0.15])
    edge = (size / 2 + np.array([1 - place, place]))[(0, 1, 0, 1)[side]]
    way = np.zeros(2)
    axis, sign = ((1, 1), (1, -1), (0, 1), (0, -1))[side]
    way[axis] = sign * (edge[axis] + 0.05)
    return way


def _eased(part: float) -> float:
    part = min(1.0, max(0.0, part))
    return part * part * (3 - 2 * part)


def _board(random: np.random.Generator) -> Frames:
    """Fields of writing on a ground, sticks in stripes above: float32 [20, 24, 3]."""
    ground, ink = random.uniform(0, 255, 3), random.uniform(0, 255, 3)
    light = random.random() < 0.6
    ground, ink = (0.3 * ground + 165, 0.3 * ink) if light else (0.25 * ground, 0.3 * ink + 165)
    board = np.broadcast_to(ground, (20, 24, 3)).astype(np.float32)
    board[:4] = np.where((np.arange(24) // 3 % 2)[:, None], 235.0, 20.0)
    for row in range(6, 20, int(random.integers(3, 6))):
        board[row : row + 2] += (random.random((24, 1)) < 0.6) * (ink - ground) * 0.8
    return np.clip(board, 0, 255)


def _lay(
    frame: Frames, board: Frames, place: NDArray[np.float64], size: NDArray[np.float64]
) -> None:
    """Draw a board around a place of a frame, both in parts of the picture."""
    height, width = frame.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    u = ((x + 0.5) / width - place[0]) / size[0] + 0.5
    v = ((y + 0.5) / height - place[1]) / size[1] + 0.5
    inside = np.minimum(
        np.minimum(u, 1 - u) * size[0] * width, np.minimum(v, 1 - v) * size[1] * height
    )
    cover = np.clip(inside + 0.5, 0, 1)[..., None]
    rows = np.clip(v * len(board), 0, len(board) - 1).astype(int)
    columns = np.clip(u * board.shape[1], 0, board.shape[1] - 1).astype(int)
    frame += cover * (board[rows, columns] - frame)


def let_down(count: int, random: np.random.Generator) -> NDArray[np.float32]:
    """The take is over and the camera is let down, or it begins with the camera lifted.

    Returns:
        How far the view has moved in each frame, in views, float32 [count, 2]; mostly down.
    """
    length = int(random.integers(8, 40))
    begin = int(random.integers(count))
    along = np.clip((np.arange(count) - begin + 1) / length, 0, 1)
    angle = random.normal(np.pi / 2, 0.5) * random.choice([-1, 1], p=[0.2, 0.8])
    way = random.uniform(0.4, 2.5) * along**2
    moved: NDArray[np.float32] = (way[:, None] * [np.cos(angle), np.sin(angle)]).astype(np.float32)
    return moved if random.random() < 0.75 else moved[::-1]


SIMPLE: dict[Event, Callable[[Frames, np.random.Generator], None]] = {
    Event.FLASH: flash,
    Event.STROBE: strobe,
    Event.EXPOSURE: exposure,
    Event.LIGHTS: lights,
    Event.SLATE: slate,
}
