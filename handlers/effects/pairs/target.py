"""What a pair is to teach: colours, or a matte."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from handlers.effects.effect import Image
from handlers.effects.pairs.align import grey
from handlers.effects.pairs.material import Seen

Kind = Literal["picture", "matte"]

# Of a matte, so many pixels are nearly black or nearly white.
_HARD, _NEAR = 0.9, 0.03
# Where colours are judged beneath alpha, and by how many codes they may differ from rounding.
_COVERED, _ROUNDED = 0.1, 2.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Target:
    """What shall be learnt of a picture: ``values`` [height, width, 3], or 1 of a matte.

    ``left`` says that the picture also has an alpha that differs, which is left alone.
    """

    kind: Kind
    values: Image
    left: bool = False


def target_of(before: Seen, after: Seen, makes: Literal["auto", "picture", "matte"]) -> Target:
    """Decide what a pair of one size teaches.

    A matte is: an alpha channel where the colours are those before; a picture of one channel where
    that before has three; a grey picture of nearly nothing but black and white.
    """
    alpha = after.picture.alpha
    varies = alpha is not None and float(alpha.min()) < 1 - after.coded.code
    if makes == "picture":
        return Target(kind="picture", values=after.picture.rgb, left=varies)
    if alpha is not None and varies and (makes == "matte" or _same_below(before, after, alpha)):
        return Target(kind="matte", values=alpha[..., None])
    if makes == "matte" or _is_drawn(before, after):
        return Target(kind="matte", values=grey(after.picture.rgb)[..., None])
    return Target(kind="picture", values=after.picture.rgb, left=varies)


def _same_below(before: Seen, after: Seen, alpha: Image) -> bool:
    covered = alpha > _COVERED
    if not covered.any():
        return True
    apart = np.abs(after.picture.rgb[covered] - before.picture.rgb[covered])
    return float(apart.mean()) <= _ROUNDED * max(before.coded.code, after.coded.code)


def _is_drawn(before: Seen, after: Seen) -> bool:
    if before.coded.grey or _is_grey(before):
        return False
    if after.coded.grey:
        return True
    values = after.picture.rgb[..., 0]
    hard = (values < _NEAR) | (values > 1 - _NEAR)
    return _is_grey(after) and float(hard.mean()) >= _HARD


def _is_grey(seen: Seen) -> bool:
    rgb = seen.picture.rgb
    return float(np.ptp(rgb, axis=2).max()) <= _ROUNDED * seen.coded.code
