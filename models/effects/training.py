"""Learns an effect: a look-up table first, and a network after it where one is asked for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.effects import lut_fit
from models.effects.checkpoint import Point
from models.effects.examples import Neighbours, Pair
from models.effects.lut import Lut
from models.effects.settings import Check, Progress, Report, Settings


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """What was learnt.

    ``locked`` says that the network remembers places of a locked-off shot.
    ``network`` is the Keras model of the whole effect, table and network, as it was at its best on
    the held-out pairs; None where only a table was asked for. ``ended`` is "done", "early" (it got
    no better) or "time".
    """

    lut: Lut
    network: Any | None = None
    history: tuple[Point, ...] = ()
    ended: str = "done"
    seconds: float = 0.0
    locked: bool = False


def train(
    pairs: Sequence[Pair],
    held_out: Sequence[Pair],
    unlabelled: Sequence[Neighbours],
    settings: Settings,
    folder: Path,
    *,
    initial: Any | None = None,
    report: Report = lambda _: None,
    check: Check = lambda: None,
) -> Trained:
    """Learn what pairs show.

    Args:
        pairs: At least one, after all with as many channels.
        held_out: Pairs that are only looked at, to end in time; may be empty.
        unlabelled: Neighbouring pictures, whose results shall not flicker; may be empty.
        settings: How.
        folder: The run's folder, made when missing; checkpoints in it are gone on from.
        initial: The Keras model of an earlier bundle to begin from, or None.
        report: Told how far it is, every few seconds.
        check: Called often; see :data:`models.effects.settings.Check`.

    Returns:
        What was learnt.

    Raises:
        OtherNetworkError: ``initial`` has a network of another size or kind.
        ModelError: Training came apart.
    """
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)

    def told(share: float) -> None:
        check()
        report(Progress(stage="lut", fraction=share, step=0, steps=0))

    lut = lut_fit.fit(pairs, low=settings.low, high=settings.high, told=told).lut
    if settings.size == "lut":
        return Trained(lut=lut, seconds=time.monotonic() - began)
    from models.effects import network_training  # noqa: PLC0415 - a table needs no TensorFlow

    material = network_training.Material(pairs=pairs, held_out=held_out, unlabelled=unlabelled)
    trainer = network_training.NetworkTrainer(material, lut, settings, folder, initial)
    left = settings.minutes * 60 - (time.monotonic() - began)
    model, ended = trainer.train(left, report, check)
    return Trained(
        lut=lut,
        network=model,
        history=trainer.points,
        ended=ended,
        seconds=time.monotonic() - began,
        locked=trainer.locked,
    )
