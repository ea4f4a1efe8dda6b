"""How an effect is learnt, and what is told meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Size = Literal["lut", "small", "medium", "large"]
Stage = Literal["lut", "network"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to train.

    ``minutes`` is what all of it may take at most. ``steps`` of the network are as many as its
    size wants where None, fewer where the minutes do not allow them. ``low`` and ``high`` bound
    the colours that the LUT's nodes lie in; beyond them it goes on as it does at its border.
    ``locked`` says whether the network remembers places; None looks whether the camera stands
    still.
    """

    size: Size = "small"
    minutes: float = 3.0
    seed: int = 7
    steps: int | None = None
    low: float = 0.0
    high: float = 1.0
    locked: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far training is.

    ``loss`` is the mean absolute error of late, ``held_out`` the PSNR in dB of the held-out pairs
    when they were last looked at (None where there are none, or not yet), ``left`` the seconds
    that the rest will take (None while nobody knows).
    """

    stage: Stage
    fraction: float
    step: int
    steps: int
    loss: float | None = None
    held_out: float | None = None
    left: float | None = None


Report = Callable[[Progress], None]
Check = Callable[[], None]
"""Called often; what it raises ends training, which goes on from its last checkpoint when
called again."""
