"""Finds the shots of a clip while it is being decoded.

Every frame is shrunk and goes through the gate; only where the gate proposes does
the network judge. Memory holds a few hundred tiny frames of 4 KB, however long the
clip is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import av
import numpy as np
from numpy.typing import NDArray

from handlers.edit.gate import RADIUS, Gate, Range, Shrinker, Tiny
from handlers.edit.shots import THRESHOLD, Shot, boundaries, shots
from models.shots.windows import AROUND, CONTEXT, STEP, FrameScores, joined

# What the network judges at once, and how far around that it looks.
PIECE = STEP
SURROUNDINGS = CONTEXT + AROUND

Shrink = Callable[[av.VideoFrame], Tiny]


class Judge(Protocol):
    """Judges ranges of tiny frames; ``models.shots.windows.WindowJudge`` is one."""

    def __call__(self, frames: NDArray[np.uint8], ranges: Sequence[Range], /) -> FrameScores:
        """Return scores for all ``frames`` [n, 27, 48, 3], of which ``ranges`` count."""
        ...


class ShotDetector:
    """Takes a clip's frames one by one and says in the end what its shots are.

    Args:
        judge: Scores tiny frames, usually the network.
        threshold: The score from which on a frame counts as the end of a shot.
        shrink: Makes a tiny frame from a decoded one.
        watch: Is shown every tiny frame, too.
    """

    def __init__(
        self,
        judge: Judge,
        *,
        threshold: float = THRESHOLD,
        shrink: Shrink | None = None,
        watch: Callable[[Tiny], None] | None = None,
    ) -> None:
        self._judge = judge
        self._threshold = threshold
        self._shrink = shrink or Shrinker()
        self._watch = watch
        self._gate = Gate()
        self._tiny: list[Tiny] = []
        self._first = 0  # which frame the oldest tiny one is
        self._wanted: list[Range] = []
        self._judged = 0  # all before are judged, or need not be
        self._pieces: list[tuple[int, FrameScores]] = []
        self.judged_frames = 0

    @property
    def frames(self) -> int:
        """How many frames have come."""
        return self._first + len(self._tiny)

    def push(self, frame: av.VideoFrame) -> None:
        """Take the next frame in display order, of any size and pixel format."""
        self.push_tiny(self._shrink(frame))

    def push_tiny(self, tiny: Tiny) -> None:
        """Take the next frame, already shrunk to uint8 [27, 48, 3]."""
        self._tiny.append(tiny)
        if self._watch is not None:
            self._watch(tiny)
        decided = self._gate.decided
        self._wanted += self._gate.push(tiny)
        if self._gate.decided > decided:
            # Later proposals can reach back by the gate's radius; a piece needs what follows it.
            self._advance(min(self._gate.decided - RADIUS, self.frames - SURROUNDINGS))
            self._forget()

    def finish(self) -> list[Shot]:
        """Judge what is left and return the shots, in order, without gaps.

        Returns:
            At least one shot, unless there was no frame at all.
        """
        self._wanted += self._gate.finish()
        while self._wanted:
            self._advance(self.frames + PIECE)
        scores = joined(self._pieces, self.frames)
        return shots(boundaries(scores, self._threshold), self.frames)

    def _advance(self, settled: int) -> None:
        """Judge every piece whose proposals are all known: those of frames below ``settled``."""
        while (piece := self._next_piece()) is not None and piece[0] + PIECE <= settled:
            self._judge_piece(*piece)

    def _next_piece(self) -> Range | None:
        """The span of proposed frames within ``PIECE`` frames of the first one to be judged."""
        self._wanted = [wanted for wanted in self._wanted if wanted[1] > self._judged]
        if not self._wanted:
            return None
        start = max(self._judged, min(wanted[0] for wanted in self._wanted))
        near = [wanted[1] for wanted in self._wanted if wanted[0] < start + PIECE]
        return start, min(max(near), start + PIECE)

    def _judge_piece(self, start: int, end: int) -> None:
        first = max(0, start - SURROUNDINGS - self._first)
        last = end + SURROUNDINGS - self._first
        frames = np.stack(self._tiny[first:last])
        base = self._first + first
        scores = self._judge(frames, [(start - base, end - base)])
        self._pieces.append((start, scores.part(start - base, end - base)))
        self._judged = end
        self.judged_frames += end - start

    def _forget(self) -> None:
        """Drop the tiny frames that no later piece can need."""
        settled = self._gate.decided - RADIUS
        open_from = min([settled, *(max(wanted[0], self._judged) for wanted in self._wanted)])
        spare = max(0, open_from - SURROUNDINGS - self._first)
        del self._tiny[:spare]
        self._first += spare
