"""A slow hand on the fader: brings quiet and loud passages of dialogue nearer to each other.

Every tenth of a second the loudness of the three seconds around it says how far the passage is from
the level to hold. Only what is heard counts: pauses, in which the fader rests, are gated out as
EBU R 128 gates a programme, only against the level to hold. The fader goes that way, never further
than its range and never faster than its slope, and all channels go together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from handlers.sound.layout import Layout
from handlers.sound.loudness import (
    SHORT_TERM,
    STEPS_A_SECOND,
    Samples,
    Steps,
    energy_of,
    level_of,
)

# Steps after the one whose gain is chosen.
_AHEAD = SHORT_TERM // 2
# Fewer heard steps in the window say nothing: half a second.
_FEWEST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """``most`` dB up or down, ``slope`` dB a second; quieter than ``gate`` LU below is a pause."""

    most: float = 6.0
    slope: float = 2.0
    gate: float = 20.0


class Leveller:
    """Levels one stream; use it once. Keeps three seconds of sound.

    Args:
        rate: Samples a second, 8,000 to 192,000.
        layout: What the channels are.
        level: The loudness to hold, in LUFS; best the programme's own, so that the whole
            keeps its loudness.
        hand: Range, slope and gate.
    """

    def __init__(self, rate: int, layout: Layout, level: float, hand: Hand | None = None) -> None:
        self._steps = Steps(rate, layout)
        self._level = level
        self._hand = hand or Hand()
        self._held: deque[Samples] = deque()
        self._heard: deque[float] = deque(maxlen=SHORT_TERM)
        self._gain = 0.0

    def __call__(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        """Yield the levelled sound: as many samples as came in, of the same kind, none late.

        Args:
            blocks: float32 or float64 [n, channels] of any length; no NaN, no infinity.
        """
        parts: list[Samples] = []
        for block in blocks:
            for piece, energy in self._steps(block):
                parts.append(piece)
                if energy is not None:
                    yield from self._take(np.concatenate(parts), energy)
                    parts = []
        for _ in range(len(self._held)):
            # The window moves on beyond the end, over nothing.
            self._heard.append(0.0)
            yield self._give()
        if parts:
            yield _ramp(np.concatenate(parts), self._gain, self._gain)

    def _take(self, piece: Samples, energy: float) -> Iterator[Samples]:
        self._held.append(piece)
        self._heard.append(energy)
        if len(self._held) > _AHEAD:
            yield self._give()

    def _give(self) -> Samples:
        """Move the fader over the oldest piece."""
        before = self._gain
        wanted = self._wanted()
        if wanted is not None:
            step = self._hand.slope / STEPS_A_SECOND
            self._gain += float(np.clip(wanted - before, -step, step))
        return _ramp(self._held.popleft(), before, self._gain)

    def _wanted(self) -> float | None:
        """Return the gain that this passage wants; None in a pause."""
        floor = energy_of(self._level - self._hand.gate)
        heard = [energy for energy in self._heard if energy > floor]
        passage = level_of(sum(heard) / len(heard)) if len(heard) >= _FEWEST else None
        if passage is None:
            return None
        return float(np.clip(self._level - passage, -self._hand.most, self._hand.most))


def _ramp(piece: Samples, before: float, after: float) -> Samples:
    """Let the gain go from one to the other, in dB, over a piece."""
    if before == after == 0:
        return piece
    course = before + (after - before) * np.arange(1, len(piece) + 1) / len(piece)
    made: Samples = piece * np.power(10, course / 20).astype(piece.dtype)[:, None]
    return made
