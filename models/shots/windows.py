"""Runs the shot network over clips of any length, window by window.

The network sees 100 frames at a time and is sure of the middle 50 only, so each
window carries 25 frames of context on either side. Where the clip ends, its
first or last frame is repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]
Scores = NDArray[np.float32]
Range = tuple[int, int]

WINDOW = 100
CONTEXT = 25
STEP = WINDOW - 2 * CONTEXT


class FrameScores(NamedTuple):
    """What the network says of each frame, float32 [n], 0..1, zero where it was not asked."""

    cut: Scores
    transition: Scores


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
    """

    def __init__(self, model: Any) -> None:
        self._run = _compiled(model)

    def __call__(self, frames: Frames, ranges: Sequence[Range]) -> FrameScores:
        """Judge some ranges of a clip, or of a piece of one.

        Args:
            frames: Tiny frames, uint8 [n, 27, 48, 3], RGB.
            ranges: Which frames to judge, end exclusive, sorted by start.

        Returns:
            Scores for each of the n frames, zero outside ``ranges``.
        """
        count = len(frames)
        scores = FrameScores(np.zeros(count, np.float32), np.zeros(count, np.float32))
        for start, end in plan(ranges):
            # A piece shorter than 50 frames gets more context, which does no harm.
            first = (start + end - WINDOW) // 2
            cut, transition = self._run(window(frames, first))
            inside = slice(start - first, end - first)
            scores.cut[start:end] = cut[inside]
            scores.transition[start:end] = transition[inside]
        return scores


def window(frames: Frames, first: int) -> Frames:
    """Return the 100 frames from ``first`` on, which may lie outside the clip.

    Args:
        frames: uint8 [n, ...], n > 0.
        first: Index of the first; frames before 0 and past the end repeat the edge.
    """
    return frames[np.clip(np.arange(first, first + WINDOW), 0, len(frames) - 1)]


def _compiled(model: Any) -> Any:
    """Trace the network once for its one shape; eager Keras takes four times as long."""
    import tensorflow as tf  # noqa: PLC0415 - planning windows must not load TensorFlow

    shape = tf.TensorSpec((1, WINDOW, *model.input_shape[2:]), tf.uint8)

    def forward(frames: Any) -> Any:
        return model(frames, training=False)

    # XLA makes this network slower, not faster, and takes most of a minute to compile it.
    traced = tf.function(forward, input_signature=[shape], jit_compile=False)

    def run(frames: Frames) -> tuple[Scores, Scores]:
        outputs = traced(frames[np.newaxis])
        return outputs["cut"].numpy()[0], outputs["transition"].numpy()[0]

    return run
