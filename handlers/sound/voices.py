"""Where there is speech, music or noise: what the networks hear of the mean of the channels."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handlers.sound.loudness import Region
from handlers.sound.reader import Sound
from handlers.sound.resample import resampled

Samples = NDArray[np.float32]

RATE = 16000
_WINDOW = 512
_LIKELY = 0.5
# Windows: shorter pauses belong to what is said, shorter sounds are no speech.
_PAUSE, _SHORTEST = 10, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A stretch of one kind, [start, end) in samples of the recording."""

    start: int
    end: int
    kind: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Voices:
    """What was heard: ``speech`` None where no network listened for it."""

    speech: tuple[Region, ...] | None = None
    stretches: tuple[Stretch, ...] = ()


def narrow(
    blocks: Iterator[Samples], rate: int, left_out: frozenset[int] = frozenset()
) -> Iterator[Samples]:
    """Yield the mean of the channels at 16 kHz, float32 [n, 1], without those ``left_out``."""

    def mixed() -> Iterator[Samples]:
        for block in blocks:
            kept = [channel for channel in range(block.shape[1]) if channel not in left_out]
            yield block[:, kept or [0]].mean(axis=1, keepdims=True)

    return resampled(mixed(), rate, RATE)


def listen(blocks_16k: Iterator[Samples], sound: Sound, voice: Any, segmenter: Any) -> Voices:
    """Hear speech, and stretches of speech, music and noise, in one pass.

    Args:
        blocks_16k: As :func:`narrow` yields them.
        sound: The recording, in whose samples places are counted.
        voice: Makes listeners (``models.voice.windows.VoiceJudge``), or None.
        segmenter: Finds segments (``models.segments.segmenter.Segmenter``), or None.
    """
    rate, samples = sound.rate, sound.samples
    listener = voice.listener(1) if voice is not None else None

    def heard() -> Iterator[Samples]:
        for block in blocks_16k:
            if listener is not None:
                listener.push(block)
            yield block

    found = segmenter.segments(heard()) if segmenter is not None else _drained(heard())
    stretches = tuple(
        Stretch(
            start=one.start_sample * rate // RATE,
            end=min(one.end_sample * rate // RATE, samples),
            kind=one.kind,
            probability=one.probability,
        )
        for one in found
    )
    speech = None if listener is None else spoken(listener.finish()[:, 0], rate, samples)
    return Voices(speech=speech, stretches=stretches)


def _drained(blocks: Iterator[Samples]) -> list[Any]:
    deque(blocks, maxlen=0)
    return []


def spoken(likely: NDArray[np.float32], rate: int, samples: int) -> tuple[Region, ...]:
    """Return where somebody speaks, [start, end) in samples, from a probability each 32 ms.

    The last 32 ms may reach beyond the end, ``samples``; what is returned does not.
    """
    marks = np.pad((likely >= _LIKELY).astype(np.int8), 1)
    edges = np.flatnonzero(np.diff(marks)).reshape(-1, 2)
    joined: list[list[int]] = []
    for start, end in edges.tolist():
        if joined and start - joined[-1][1] <= _PAUSE:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    return tuple(
        (start * _WINDOW * rate // RATE, min(end * _WINDOW * rate // RATE, samples))
        for start, end in joined
        if end - start >= _SHORTEST
    )
