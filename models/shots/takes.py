"""Generated single takes: footage seen by a moving camera, with everything that is no cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.shots import camera, events
from models.shots.events import Event
from models.shots.material import Footage

Frames = NDArray[np.float32]

_SHAKEN = 0.05  # views, a frame: what a run with the camera does
_LAYERED = 0.45


@dataclass(frozen=True, slots=True, kw_only=True)
class Liveliness:
    """How often something happens in a take, and what of it."""

    chance: float = 0.45
    events: tuple[Event, ...] = tuple(Event)


def take(
    footage: Sequence[Footage],
    count: int,
    random: np.random.Generator,
    *,
    lively: Liveliness | None = None,
    other_than: str = "",
) -> tuple[Frames, str]:
    """Generate a take.

    Args:
        footage: What to choose from.
        count: Frames.
        random: Chooses everything.
        lively: What may happen in it.
        other_than: The footage that the take before came from.

    Returns:
        float32 [count, 27, 48, 3] in code values 0..255, and the name of its footage.
    """
    lively = lively or Liveliness()
    source = _choose(footage, random, other_than)
    happens = random.random() < lively.chance
    event = lively.events[int(random.integers(len(lively.events)))] if happens else None
    frames = _filmed(source, count, random, event)
    if random.random() < _LAYERED:
        _cross(frames, footage, random, fast=False)
    if event is Event.FAST_MOTION:
        _cross(frames, footage, random, fast=True)
    _grade(frames, random)
    if event in events.SIMPLE:
        events.SIMPLE[event](frames, random)
    return np.clip(frames, 0, 255, out=frames), source.name


def _choose(footage: Sequence[Footage], random: np.random.Generator, other_than: str) -> Footage:
    """Draw clips and photographs equally often, however many there are of each."""
    left = [item for item in footage if item.name != other_than] or list(footage)
    wanted = random.random() < 0.5
    kind = [item for item in left if item.still is wanted] or left
    return kind[int(random.integers(len(kind)))]


def _filmed(
    source: Footage, count: int, random: np.random.Generator, event: Event | None
) -> Frames:
    whip = None
    if event is Event.WHIP_PAN:
        length = int(random.integers(3, 13))
        start = int(random.integers(max(1, count - length)))
        whip = camera.Whip(start=start, end=start + length)
    places = camera.path(source.still, count, random, whip)
    if event is Event.SHAKE:
        places[:, :2] += places[:, 2:3] * random.normal(0, _SHAKEN, (count, 2)).astype(np.float32)
    if event is Event.LET_DOWN:
        places[:, :2] += places[:, 2:3] * events.let_down(count, random)
    first = int(random.integers(len(source.pictures)))
    frames = camera.render(source, first, _steps(count, random), places)
    return frames[:, :, ::-1].copy() if random.random() < 0.5 else frames


def _steps(count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Which of the footage's pictures each frame shows: also slow, fast, or 3:2 in 60 fps."""
    speed = random.choice([1.0, 1.0, 1.0, 0.5, 0.4, 2.0])
    steps: NDArray[np.int64] = (np.arange(count) * speed).astype(np.int64)
    return steps


def _cross(
    frames: Frames, footage: Sequence[Footage], random: np.random.Generator, *, fast: bool
) -> None:
    other = _choose(footage, random, "")
    texture = camera.render(
        other,
        0,
        np.zeros(1, np.int64),
        camera.path(True, 1, random),
    )
    events.crossing(frames, texture, random, fast=fast)


def _grade(frames: Frames, random: np.random.Generator) -> None:
    """Another camera, another look: gain, gamma, saturation, tint, log contrast, grain."""
    frames *= random.uniform(0.6, 1.25) * random.uniform(0.93, 1.07, 3).astype(np.float32)
    np.clip(frames, 0, 255, out=frames)
    frames[:] = 255 * (frames / 255) ** np.float32(random.uniform(0.7, 1.5))
    grey = frames.mean(axis=-1, keepdims=True)
    frames += (random.uniform(0.2, 1.3) - 1) * (frames - grey)
    if random.random() < 0.15:
        frames[:] = random.uniform(40, 90) + frames * random.uniform(0.3, 0.6)
    grain = random.choice([0.0, 0.5, 1.0, 2.5])
    if grain:
        frames += random.normal(0, grain, frames.shape).astype(np.float32)
