"""Labelled test sequences: real footage joined by transitions that are known exactly.

Everything is mixed linearly in code values, as an editing system's default
dissolve does, from shots that are
passed in; wipes have any shape and edge. The same seed gives the same frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from models.shots import wipes

Frames = NDArray[np.uint8]
Weights = NDArray[np.float32]
Blended = NDArray[np.float32]
Pictures = Frames | Blended

_BLACK, _WHITE = 0, 255


class Kind(StrEnum):
    """How one shot becomes the next."""

    CUT = "cut"
    DISSOLVE = "dissolve"
    FADE_OUT = "fade_out"
    FADE_IN = "fade_in"
    DIP_BLACK = "dip_black"
    DIP_WHITE = "dip_white"
    WIPE = "wipe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One transition: its mixed frames are ``start`` to ``end``, end exclusive.

    A cut has none: both are the first frame of the new shot. ``boundary`` is the
    frame at which the new shot is held to start.
    """

    start: int
    end: int
    kind: Kind

    @property
    def boundary(self) -> int:
        """The middle of the transition, or the new shot's first frame after a cut."""
        return (self.start + self.end) // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A sequence, uint8 [n, h, w, 3], and its transitions in order."""

    frames: Frames
    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What to make: kinds to draw from, transition length and shot length in frames."""

    kinds: tuple[Kind, ...] = (
        Kind.CUT,
        Kind.DISSOLVE,
        Kind.DIP_BLACK,
        Kind.DIP_WHITE,
        Kind.WIPE,
    )
    length: tuple[int, int] = (2, 60)
    shot: tuple[int, int] = (70, 130)
    shots: int = 4


def single_take(frames: Frames, count: int) -> Example:
    """Make a sequence without any transition, ``count`` frames long.

    A take that is too short is played to and fro, which keeps its motion natural.
    """
    return Example(frames=_extended(frames, 0, count), labels=())


def join(takes: Sequence[Frames], recipe: Recipe, seed: int) -> Example:
    """Join pieces of different takes by random transitions.

    Args:
        takes: At least two takes, each uint8 [n, h, w, 3] of one size.
        recipe: What to make.
        seed: Chooses the takes, the pieces and the transitions.

    Returns:
        The sequence; the pieces go on moving through the transitions.
    """
    random = np.random.default_rng(seed)
    last = int(random.integers(len(takes)))
    example = Example(frames=_piece(takes[last], recipe, random), labels=())
    for _ in range(recipe.shots - 1):
        last = _other(len(takes), last, random)
        kind = recipe.kinds[int(random.integers(len(recipe.kinds)))]
        length = int(random.integers(recipe.length[0], recipe.length[1] + 1))
        piece = _piece(takes[last], recipe, random)
        example = append(example, piece, kind, length, random)
    return example


def _other(count: int, last: int, random: np.random.Generator) -> int:
    """Draw any take but the last one used."""
    return (last + int(random.integers(1, count))) % count


def _piece(take: Frames, recipe: Recipe, random: np.random.Generator) -> Frames:
    # The transitions at both ends eat into the piece.
    count = int(random.integers(recipe.shot[0], recipe.shot[1] + 1)) + recipe.length[1]
    return _extended(take, int(random.integers(len(take))), count)


def _extended(take: Frames, first: int, count: int) -> Frames:
    """Play a take to and fro from ``first`` for ``count`` frames."""
    period = max(1, 2 * len(take) - 2)
    step = np.arange(first, first + count) % period
    there_and_back: Frames = take[np.minimum(step, period - step)]
    return there_and_back


def append(
    example: Example,
    piece: Frames,
    kind: Kind,
    length: int,
    random: np.random.Generator | None = None,
) -> Example:
    """Go on from the end of an example into another piece.

    Args:
        example: What there is so far; must be longer than ``length``.
        piece: The frames to go into; must be longer than ``length``.
        kind: The transition; a fade out ends on black and needs a fade in or cut next.
        length: How many frames of the result are mixed; a cut has none.
        random: Chooses the shape of a wipe; without one it is always the same.
    """
    if kind is Kind.CUT:
        length = 0
    if kind in (Kind.FADE_OUT, Kind.FADE_IN):
        return _append_fade(example, piece, kind, length)
    split = len(example.frames) - length
    random = random or np.random.default_rng(length)
    mixed = mix(example.frames[split:], piece[:length], kind, _ramp(length), random)
    mixed = np.rint(mixed).astype(np.uint8)
    frames = np.concatenate([example.frames[:split], mixed, piece[length:]])
    label = Label(start=split, end=split + length, kind=kind)
    return Example(frames=frames, labels=(*example.labels, label))


def _append_fade(example: Example, piece: Frames, kind: Kind, length: int) -> Example:
    """Fade one side only; the other side is cut to or from black."""
    old, new = example.frames, piece
    level = _ramp(length)
    if kind is Kind.FADE_OUT:
        start = len(old) - length
        old = np.concatenate([old[:start], _blend(old[start:], _BLACK, level)])
    else:
        start = len(old)
        new = np.concatenate([_blend(new[:length], _BLACK, 1 - level), new[length:]])
    label = Label(start=start, end=start + length, kind=kind)
    return Example(frames=np.concatenate([old, new]), labels=(*example.labels, label))


def mix(
    old: Pictures, new: Pictures, kind: Kind, level: Weights, random: np.random.Generator
) -> Blended:
    """Mix the two sides of a transition.

    Args:
        old: The old shot's frames, [n, h, w, 3] in code values.
        new: The new shot's.
        kind: Any but the fades, of which only one side is mixed.
        level: How far the transition has come in each frame, 0..1, float32 [n].
        random: Chooses the shape of a wipe.

    Returns:
        float32 [n, h, w, 3].
    """
    if kind is Kind.WIPE:
        height, width = old.shape[1:3]
        return _blended(old, new, wipes.weights(height, width, level, random)[..., None])
    weight = level[:, None, None, None]
    if kind in (Kind.CUT, Kind.DISSOLVE):
        return _blended(old, new, weight)
    through = np.float32(_BLACK if kind is Kind.DIP_BLACK else _WHITE)
    away = _blended(old, through, np.minimum(1, 2 * weight))
    back = _blended(new, through, np.minimum(1, 2 - 2 * weight))
    return np.where(weight < 0.5, away, back)


def _ramp(length: int) -> Weights:
    """Weights of the new picture in each mixed frame: never quite 0 or 1."""
    return (np.arange(1, length + 1) / (length + 1)).astype(np.float32)


def _blend(old: Frames, new: int, level: Weights) -> Frames:
    """Mix ``old`` [n, h, w, 3] and one value with the weight ``level`` [n] of the value."""
    mixed = _blended(old, np.float32(new), level[:, None, None, None])
    return np.rint(mixed).astype(np.uint8)


def _blended(old: Pictures, new: Pictures | np.float32, weight: Weights) -> Blended:
    blended: Blended = (old * (1 - weight) + new * weight).astype(np.float32)
    return blended
