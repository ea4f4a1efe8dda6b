"""The cheap pass over every frame: where could a transition be at all?

A neural network that looks at every frame is slower than decoding. This pass
looks at all of them in numpy, and only where the picture changes in a way that a
transition could explain does the network look, too. It may propose too much, never
too little. Three signs count:

- *a jump*: the difference from the frame before stands out from its neighbours;
- *a ramp*: between a frame so far before and one so far after, the frame lies in
  the middle of the way. A dissolve or fade mixes pictures linearly, so it does. In a
  moving picture the three differ in three directions, so it does not;
- *a split*: some fields are as they were before, the others as they will be after, and
  the two differ much. A wipe does that.

All are taken from pictures of 16x9 fields, in which small motion leaves no trace.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import av
import numpy as np
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from handlers.media.scaling import Scaler

Tiny = NDArray[np.uint8]
Features = NDArray[np.float32]
Range = tuple[int, int]

WIDTH, HEIGHT = 48, 27
FIELD = 3  # tiny pixels along a field's side

# Half the longest way over which a ramp is looked for; dissolves twice as long still ramp.
RADIUS = 30
CHUNK = 32

# Differences are code values of 255 at ordinary contrast. Chosen with benchmarks/shots.py:
# what single takes do not reach, as long as labelled transitions do.
_RAMPS = ((1, 14.0), (2, 13.0), (4, 9.5), (8, 8.0), (16, 8.5), (30, 9.5))
# How far before and after a wipe is looked for, and how much it must change.
_SPLIT, _SPLIT_LEAST = 20, 26.0
_JUMP_RATIO = 1.65
_JUMP_LEAST = 1.5
_JUMP_REACH = 3
_JUMP_NEIGHBOURS = (-5, -4, -3, -2, 2, 3, 4, 5)

# Flat pictures (log, night) change less in code values; their differences are raised
# to what they would be at this contrast, but not below the noise.
_ORDINARY_CONTRAST, _LEAST_CONTRAST = 50.0, 15.0


class Shrinker:
    """Makes tiny frames, 48x27 RGB, from decoded frames of any size and format.

    Each tiny pixel is the mean of what it covers: cheap, and blind to noise and grain.
    """

    def __init__(self) -> None:
        # One for the whole clip: it keeps its scaling tables from frame to frame.
        self._scale = Scaler()

    def __call__(self, frame: av.VideoFrame) -> Tiny:
        """Return uint8 [27, 48, 3]."""
        small = self._scale(frame, WIDTH, HEIGHT, "rgb24", interpolation=Interpolation.AREA)
        tiny: Tiny = small.to_ndarray().astype(np.uint8, copy=False)
        return tiny


class Gate:
    """Proposes frame ranges from tiny frames as they come, in memory that stays small."""

    def __init__(self) -> None:
        self._frames: deque[Tiny] = deque()
        self._features: Features = np.empty((0, 0), np.float32)
        self._received = 0
        self.decided = 0

    def push(self, tiny: Tiny) -> list[Range]:
        """Take the next tiny frame.

        Args:
            tiny: uint8 [27, 48, 3].

        Returns:
            Ranges of frames, end exclusive, that are newly proposed. They may begin up to
            ``RADIUS`` frames before ``decided``, the first frame not yet decided upon.
        """
        self._frames.append(tiny)
        self._received += 1
        return self._decide() if len(self._frames) >= CHUNK else []

    def finish(self) -> list[Range]:
        """Decide upon the last frames; the clip ends after the last one pushed."""
        if self._received == 0:
            return []
        self._take()
        self._features = _mirrored(self._features, after=RADIUS)
        return self._propose()

    def _decide(self) -> list[Range]:
        self._take()
        return self._propose()

    def _take(self) -> None:
        """Turn the frames that have come into features."""
        if not self._frames:
            return
        new = fields(np.stack(self._frames))
        self._frames.clear()
        if self._features.size == 0:
            self._features = _mirrored(new, before=RADIUS)
        else:
            self._features = np.concatenate([self._features, new])

    def _propose(self) -> list[Range]:
        """Decide upon each frame that has its surroundings, then forget what is behind."""
        reach = reaches(self._features)
        first, self.decided = self.decided, self.decided + len(reach)
        self._features = self._features[len(reach) :]
        hits = np.flatnonzero(reach).tolist()
        ranges = [(first + n - reach[n], first + n + reach[n] + 1) for n in hits]
        return [(max(0, int(a)), min(self._received, int(b))) for a, b in ranges]


def _mirrored(features: Features, *, before: int = 0, after: int = 0) -> Features:
    """Play to and fro past the clip's ends: the motion there goes on as strong as it was."""
    mode = "reflect" if len(features) > 1 else "edge"
    padded: Features = np.pad(features, ((before, after), (0, 0)), mode=mode)  # type: ignore[call-overload]
    return padded


def propose(frames: Tiny) -> list[Range]:
    """Propose ranges of a whole clip of tiny frames, uint8 [n, 27, 48, 3]."""
    gate = Gate()
    ranges = [found for tiny in frames for found in gate.push(tiny)]
    return merged([*ranges, *gate.finish()])


def merged(ranges: Sequence[Range]) -> list[Range]:
    """Sort ranges and join those that touch or overlap."""
    joined: list[Range] = []
    for start, end in sorted(ranges):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def fields(frames: Tiny) -> Features:
    """Average tiny frames, uint8 [n, 27, 48, 3], over 16x9 fields: float32 [n, 432]."""
    # Whole slices added up: numpy's own mean over inner axes takes eight times as long.
    wide = frames.astype(np.uint16)
    rows = sum((wide[:, n::FIELD] for n in range(1, FIELD)), start=wide[:, ::FIELD])
    sums = sum((rows[:, :, n::FIELD] for n in range(1, FIELD)), start=rows[:, :, ::FIELD])
    means: Features = sums.reshape(len(frames), -1) / np.float32(FIELD**2)
    return means


def reaches(features: Features) -> NDArray[np.int64]:
    """How far around each frame the network shall look, 0 where it need not.

    Args:
        features: float32 [n, c], ``RADIUS`` frames of surroundings at either end.

    Returns:
        int64 [n - 2 * RADIUS], in frames.
    """
    count = max(0, len(features) - 2 * RADIUS)
    reach = np.zeros(count, np.int64)
    if count == 0:
        return reach
    gain = _gain(features, count)
    reach[_jumps(features, gain)] = _JUMP_REACH
    for distance, least in _RAMPS:
        found = gain * _ramp(features, count, distance) >= least
        reach[found] = np.maximum(reach[found], max(distance, _JUMP_REACH))
    found = gain * _split(features, count) >= _SPLIT_LEAST
    reach[found] = np.maximum(reach[found], _SPLIT)
    return reach


def _around(values: Features, count: int, offset: int) -> Features:
    """The values ``offset`` frames after each inner frame."""
    return values[RADIUS + offset : RADIUS + offset + count]


def _gain(features: Features, count: int) -> Features:
    """How much to raise differences, from the contrast of all frames around, at least 1."""
    total = np.cumsum(np.pad(features.std(axis=1), (1, 0)), dtype=np.float64)
    span = 2 * RADIUS + 1
    contrast = (total[span : span + count] - total[:count]) / span
    gain = _ORDINARY_CONTRAST / np.clip(contrast, _LEAST_CONTRAST, _ORDINARY_CONTRAST)
    return gain.astype(np.float32)


def _jumps(features: Features, gain: Features) -> NDArray[np.bool_]:
    step = np.abs(np.diff(features, axis=0, prepend=features[:1])).mean(axis=1)
    count = len(gain)
    usual = np.median([_around(step, count, n) for n in _JUMP_NEIGHBOURS], axis=0)
    own = gain * _around(step, count, 0)
    found: NDArray[np.bool_] = (own >= _JUMP_LEAST) & (own >= _JUMP_RATIO * (gain * usual + 1))
    return found


def _ramp(features: Features, count: int, distance: int) -> Features:
    """The way from before to after, less how far the frame lies off its middle."""
    before, after = _around(features, count, -distance), _around(features, count, distance)
    way = np.abs(after - before).mean(axis=1)
    off = np.abs(2 * _around(features, count, 0) - before - after).mean(axis=1)
    ramp: Features = way * np.clip(1 - off / (way + 1), 0, 1)
    return ramp


def _split(features: Features, count: int) -> Features:
    """The way from before to after, where part of the fields has gone it and part has not."""
    now = _around(features, count, 0)
    gone = np.abs(now - _around(features, count, -_SPLIT))
    left = np.abs(_around(features, count, _SPLIT) - now)
    # Where each field is one or the other, the way is the sum of both less what moves.
    way = np.abs(_around(features, count, _SPLIT) - _around(features, count, -_SPLIT)).mean(axis=1)
    off = np.minimum(gone, left).mean(axis=1)
    share = (gone > left).mean(axis=1)
    mixed = np.clip(4 * np.minimum(share, 1 - share), 0, 1)
    split: Features = way * np.clip(1 - off / (way + 1), 0, 1) * mixed
    return split
