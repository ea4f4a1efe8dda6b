"""Which pairs are held out: looked at, never learnt from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SHARE = 6
# Of pairs that stand as far from their neighbours as the farthest, nearly, the most usual is taken.
_NEARLY = 0.75


def choose(looks: Sequence[NDArray[np.float32]]) -> tuple[int, ...]:
    """Choose the pairs to hold out: one of up to eleven, then one in six; none of a single one.

    A pair that is nearly the same as one that is learnt from proves nothing, so the one farthest
    from its nearest neighbour is held out. Of those about as far, it is the one nearest to all
    others: extremes stay with what is learnt from, as other frames lie between them.

    Args:
        looks: What each pair looks like: small pictures of one shape.

    Returns:
        Their places, rising; the same for the same pairs in the same order.
    """
    count = len(looks)
    if count < 2:
        return ()
    flat = np.stack([look.ravel() for look in looks]).astype(np.float64)
    apart = np.sqrt(np.square(flat[:, None] - flat[None]).mean(axis=2))
    chosen: list[int] = []
    for _ in range(max(1, count // _SHARE)):
        left = [place for place in range(count) if place not in chosen]
        chosen.append(_next(apart[np.ix_(left, left)], left))
    return tuple(sorted(chosen))


def _next(apart: NDArray[np.float64], places: list[int]) -> int:
    others = apart + np.diag(np.full(len(places), np.inf))
    nearest = others.min(axis=1)
    far = nearest >= _NEARLY * nearest.max()
    usual = np.where(far, apart.mean(axis=1), np.inf)
    return places[int(usual.argmin())]
