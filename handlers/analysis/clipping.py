"""Where a clip's highlights end: its own clip point, seen in the top of its code values.

A sensor that is full gives one and the same code value, wherever the format ends: video
legal white, the last code, or somewhere below in a log curve. Such pixels stand as a pile
with almost nothing above them. Bright pictures that merely come near the top make none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handlers.analysis.curve import Curve, Scale
from handlers.analysis.picture import TAIL

Column = NDArray[np.float32]
Tail = NDArray[np.float16]

_STEPS = 128
# The pile in two steps against the two below it, what may lie above it (codecs ring), and how
# much of a picture it takes at least.
_PILE, _ABOVE, _LEAST = 3.0, 0.1, 2e-4
# In so many frames it must stand, or in half of a shorter clip.
_FRAMES = 12
# No camera's log curve ends below this signal.
_LOG_LOWEST = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Clipping:
    """The clip point and what lies there.

    ``clipped`` float32 [n] are shares of each picture; ``point`` is the code value 0..1
    from which on a pixel counts, None where nothing piles up.
    """

    clipped: Column
    point: float | None


def clipping(tails: Callable[[], Iterable[Tail]], curve: Curve, scale: Scale) -> Clipping:
    """Find the clip point of a whole clip and count what lies there in each picture.

    Args:
        tails: Gives shares of the top code values, float16 [some, 32] of one picture after
            the other, as ``PictureMeter`` does; they are gone through twice.
        curve: How the clip was recorded.
        scale: How its code values are read.
    """
    lowest = _LOG_LOWEST if curve.is_log else scale.white
    first = max(3, int(lowest * _STEPS) - (_STEPS - TAIL))
    step = _pile(tails(), first)
    if step is None:
        none = [np.zeros(len(tail), np.float32) for tail in tails()]
        return Clipping(clipped=np.concatenate(none), point=None)
    # The step below belongs to it: codecs spread a pile.
    shares = [tail[:, step - 1 :].sum(axis=1, dtype=np.float32) for tail in tails()]
    return Clipping(clipped=np.concatenate(shares), point=(step - 1 + _STEPS - TAIL) / _STEPS)


def _pile(tails: Iterable[Tail], first: int) -> int | None:
    """Return the highest step from ``first`` on at which enough pictures have a pile."""
    pictures, found = 0, np.zeros(TAIL, np.int64)
    for tail in tails:
        pictures += len(tail)
        for step in range(first, TAIL):
            found[step] += _piles(tail, step).sum()
    needed = max(1, min(_FRAMES, pictures // 2))
    enough = np.flatnonzero(found >= needed)
    return int(enough[-1]) if len(enough) else None


def _piles(tail: Tail, step: int) -> NDArray[np.bool_]:
    pile, below, above = (
        tail[:, part].sum(axis=1, dtype=np.float32)
        for part in (slice(step - 1, step + 1), slice(step - 3, step - 1), slice(step + 1, None))
    )
    found: NDArray[np.bool_] = (pile >= _LEAST) & (pile >= _PILE * below) & (above <= _ABOVE * pile)
    return found
