"""Runs the shot network over clips of any length, window by window.

The network sees 100 frames at a time and is sure of the middle 50 only, so each
window carries 25 frames of context on either side. Where the clip ends, its
first or last frame is repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]
Scores = NDArray[np.float32]
Range = tuple[int, int]

WINDOW = 100
CONTEXT = 25
STEP = WINDOW - 2 * CONTEXT
# The extension compares frames up to so far beyond the window that the network sees.
AROUND = 50
WIDE = WINDOW + 2 * AROUND
# The order of the extension's classes.
CLASSES = ("none", "cut", "dissolve", "dip", "wipe")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameScores:
    """What the networks say of each of n frames; zero where they were not asked.

    ``cut`` is high, 0..1, at the last frame before a transition's middle; ``transition`` at
    every frame of one. With the extension, ``kinds`` holds the probabilities of none, cut,
    dissolve, dip and wipe, float32 [n, 5], and ``span`` how many frames ago the transition
    began and how many it still lasts, float32 [n, 2].
    """

    cut: Scores
    transition: Scores
    kinds: Scores | None = None
    span: Scores | None = None

    def part(self, start: int, end: int) -> FrameScores:
        """Return a copy of what is said of some frames."""
        return FrameScores(**{name: value[start:end].copy() for name, value in self.columns()})

    def columns(self) -> list[tuple[str, Scores]]:
        """Return name and values of all that is said."""
        named = [(name, getattr(self, name)) for name in self.__slots__]
        return [(name, value) for name, value in named if value is not None]


def joined(pieces: Sequence[tuple[int, FrameScores]], count: int) -> FrameScores:
    """Lay pieces, each from its first frame on, over ``count`` frames of which nothing is said."""
    width = {"kinds": (len(CLASSES),), "span": (2,)}
    names = [name for name, _ in pieces[0][1].columns()] if pieces else ["cut", "transition"]
    whole = FrameScores(
        **{name: np.zeros((count, *width.get(name, ())), np.float32) for name in names}
    )
    for start, piece in pieces:
        for name, value in piece.columns():
            getattr(whole, name)[start : start + len(value)] = value
    return whole


def plan(ranges: Iterable[Range]) -> Iterator[Range]:
    """Yield the pieces of at most 50 frames that cover ``ranges``, in order, without overlap.

    Args:
        ranges: Frame ranges, end exclusive, sorted by start; they may touch and overlap.
    """
    reached = 0
    for start, end in ranges:
        reached = max(reached, start)
        while reached < end:
            piece = (reached, min(reached + STEP, end))
            yield piece
            reached = piece[1]


class WindowJudge:
    """Judges frames with the shot network, one window of fixed shape at a time.

    Args:
        model: The Keras model of the bundle ``transnetv2``.
        extension: That of the bundle ``shots``; without it no kinds are told.
    """

    def __init__(self, model: Any, extension: Any = None) -> None:
        self._run = _compiled(model, extension)

    def __call__(self, frames: Frames, ranges: Sequence[Range]) -> FrameScores:
        """Judge some ranges of a clip, or of a piece of one.

        Args:
            frames: Tiny frames, uint8 [n, 27, 48, 3], RGB.
            ranges: Which frames to judge, end exclusive, sorted by start.

        Returns:
            Scores for each of the n frames, zero outside ``ranges``.
        """
        pieces = []
        for start, end in plan(ranges):
            # A piece shorter than 50 frames gets more context, which does no harm.
            first = (start + end - WINDOW) // 2
            said = self._run(window(frames, first - AROUND, WIDE))
            pieces.append((start, said.part(start - first, end - first)))
        return joined(pieces, len(frames))


def window(frames: Frames, first: int, count: int = WINDOW) -> Frames:
    """Return the ``count`` frames from ``first`` on, which may lie outside the clip.

    Args:
        frames: uint8 [n, ...], n > 0.
        first: Index of the first; frames before 0 and past the end repeat the edge.
        count: How many.
    """
    return frames[np.clip(np.arange(first, first + count), 0, len(frames) - 1)]


def _compiled(model: Any, extension: Any) -> Any:
    """Trace the networks once for their one shape; eager Keras takes four times as long."""
    import tensorflow as tf  # noqa: PLC0415 - planning windows must not load TensorFlow

    shape = tf.TensorSpec((1, WIDE, *model.input_shape[2:]), tf.uint8)
    if extension is not None:
        from models.shots.extension import joint  # noqa: PLC0415 - loads Keras

        model = joint(model, extension)

    def forward(frames: Any) -> Any:
        middle = frames[:, AROUND : AROUND + WINDOW]
        return model(middle if extension is None else frames, training=False)

    # XLA makes this network slower, not faster, and takes most of a minute to compile it.
    traced = tf.function(forward, input_signature=[shape], jit_compile=False)

    def run(frames: Frames) -> FrameScores:
        outputs = traced(frames[np.newaxis])
        return FrameScores(**{name: value.numpy()[0] for name, value in outputs.items()})

    return run
