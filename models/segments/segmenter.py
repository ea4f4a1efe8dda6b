"""Parts a recording into speech, music, noise and silence; of any length, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.segments.features import BANDS, HOP, BandEnergies
from models.segments.stretch import KINDS, PER_STEP, Decided, Decider, Judge

Samples = NDArray[np.float32]
Array = NDArray[np.float32]

_PATCH = 68
_STEP = PER_STEP * HOP
# Sixty decibels above full scale; the power of garbage beyond that could overflow.
_LOUDEST = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of a recording that is of one kind.

    ``start_sample`` and ``end_sample`` are at 16 kHz, half-open; ``kind`` is "speech", "music",
    "noise" or "silence". ``probability`` is the network's, the mean over the part; of silence it
    is how much of the part is below the threshold.
    """

    start_sample: int
    end_sample: int
    kind: str
    probability: float


def segments(model: Any, blocks_16k: Iterable[Samples]) -> list[Segment]:
    """Part one recording; see :class:`Segmenter` for several.

    Args:
        model: The Keras model of the bundle ``speech-music-noise``.
        blocks_16k: Sound at 16 kHz, float32 [n, channels], full scale 1, in blocks of any size;
            channels are heard together, as their mean.

    Returns:
        Segments that cover all samples, in order; neighbours are of different kinds. None for no
        samples.
    """
    return Segmenter(model).segments(blocks_16k)


class Segmenter:
    """Compiles the network once, for any number of recordings.

    Args:
        model: The Keras model of the bundle ``speech-music-noise``.
    """

    def __init__(self, model: Any) -> None:
        self._judge = _compiled(model)

    def segments(self, blocks_16k: Iterable[Samples]) -> list[Segment]:
        """Part one recording, as :func:`segments` does."""
        features, decider, joined = BandEnergies(), Decider(self._judge), _Joined()
        samples = 0
        for block in blocks_16k:
            samples += len(block)
            joined.add(decider.push(*features.push(_mixed(block))))
        joined.add(decider.push(*features.finish()))
        joined.add(decider.finish())
        return joined.segments(samples)


def _mixed(block: Samples) -> Samples:
    """Return the mean of the channels; what is no number counts as silence."""
    numbers = np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)
    mixed: Samples = np.clip(numbers, -_LOUDEST, _LOUDEST).mean(axis=1, dtype=np.float32)
    return mixed


class _Joined:
    """Steps of one kind in a row become one segment."""

    def __init__(self) -> None:
        # Kind, first step, steps, sum of probabilities.
        self._runs: list[tuple[int, int, int, float]] = []
        self._steps = 0

    def add(self, decided: list[Decided]) -> None:
        """Take the next steps."""
        for part in decided:
            edges = np.flatnonzero(np.diff(part.labels)) + 1
            for start, end in zip([0, *edges], [*edges, len(part.labels)], strict=True):
                total = float(part.probability[start:end].sum(dtype=float))
                self._extend(int(part.labels[start]), int(end - start), total)

    def _extend(self, label: int, steps: int, total: float) -> None:
        first = self._steps
        self._steps += steps
        if self._runs and self._runs[-1][0] == label:
            _, first, before, sum_before = self._runs.pop()
            steps, total = steps + before, total + sum_before
        self._runs.append((label, first, steps, total))

    def segments(self, samples: int) -> list[Segment]:
        """Return all; the last one goes on to the end of the recording."""
        edges = [*(first * _STEP for _, first, _, _ in self._runs), samples]
        return [
            Segment(
                start_sample=start,
                end_sample=end,
                kind=KINDS[label],
                probability=total / steps,
            )
            for (start, end), (label, _, steps, total) in zip(
                pairwise(edges), self._runs, strict=True
            )
        ]


def _compiled(model: Any) -> Judge:
    import tensorflow as tf  # noqa: PLC0415 - handlers import this without TensorFlow

    shape = [tf.TensorSpec((None, _PATCH, BANDS), tf.float32)]
    traced = tf.function(
        lambda patches: model(patches, training=False), input_signature=shape, jit_compile=False
    )

    def judge(patches: Array) -> Array:
        probability: Array = traced(patches).numpy()
        return probability

    return judge
