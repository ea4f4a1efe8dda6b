"""Which of what was learnt is worth having: measured on pairs that were held out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from handlers.effects.effect import Image
from handlers.effects.pairs import colour
from handlers.effects.pairs.prepare import Prepared
from handlers.effects.pairs.reading import spread
from handlers.effects.table import Table
from models.effects import metrics
from models.effects.examples import Pair
from models.effects.metrics import Scores
from models.effects.running import Runner, runner
from models.effects.training import Trained

Candidate = Literal["identity", "lut", "network"]
Shown = NDArray[np.uint8]

MARGIN = 0.1
"""So many dB of PSNR a candidate must gain over a simpler one to be taken in its place."""
LOSS = 0.005
"""And so much SSIM it may lose for each dB that it gains,"""
MOST_LOSS = 0.02
"""but no more than this, however much it gains."""
_SPOKEN = {"lut": "the table", "network": "the network"}
_JUDGED, _ALSO_SHOWN = 6, 2
# Pictures are compared in squares of so many pixels: one of 8K takes gigabytes at once, and its
# likeness to the eye is measured in some of them, spread evenly.
_TILE, _TILES = 1024, 8
_WIDEST = 960
_GAIN = 8.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Row:
    """One pair as people look at it: pictures for a screen, at most 960 pixels a side.

    ``results`` and ``errors`` (eight times the difference) have one picture for each candidate.
    ``scores`` are None where the pair was only looked at.
    """

    name: str
    held_out: bool
    before: Shown
    truth: Shown
    results: dict[Candidate, Shown]
    errors: dict[Candidate, Shown]
    scores: dict[Candidate, Scores]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """What came of it.

    ``winner`` is "identity" where nothing is worth having. ``said`` is the sentence about it.
    ``scores`` are means over the pairs that were held out, or over all where none was.
    """

    winner: Candidate
    said: str
    scores: dict[Candidate, Scores]
    rows: tuple[Row, ...]


def judge(
    prepared: Prepared,
    trained: Trained,
    tell: Callable[[float], None],
    note: Callable[[str], None],
) -> Judged:
    """Compare the candidates: nothing at all, the table, the network.

    Args:
        prepared: The pairs.
        trained: What was learnt.
        tell: Told the share done.
        note: Told sentences for people, as when memory was too small.
    """
    runners: dict[Candidate, Runner] = {"lut": Table(trained.lut)}
    if trained.network is not None:
        runners["network"] = runner(trained.network, note)
    deciding = spread(prepared.held_out or prepared.pairs, _JUDGED)
    also = spread(prepared.pairs, _ALSO_SHOWN) if prepared.held_out else []
    bench = _Bench(prepared, runners, tell, len(deciding) + len(also))
    rows = [bench.row(pair) for pair in (*deciding, *also)]
    decided = [row.scores for row in rows[: len(deciding)]]
    names: tuple[Candidate, ...] = ("identity", *runners)
    scores = {name: metrics.mean([each[name] for each in decided]) for name in names}
    winner = choose(scores)
    where = _where(len(prepared.held_out), len(prepared.pairs))
    return Judged(
        winner=winner, said=_sentence(winner, scores, where), scores=scores, rows=tuple(rows)
    )


def choose(scores: dict[Candidate, Scores]) -> Candidate:
    """Return the simplest candidate that nothing beats clearly."""
    best: Candidate = "identity"
    for name in ("lut", "network"):
        one = scores.get(name)
        if one is not None and _beats(one, scores[best]):
            best = name
    return best


def _beats(one: Scores, other: Scores) -> bool:
    gained = one.psnr - other.psnr
    return gained >= MARGIN and one.ssim >= other.ssim - min(MOST_LOSS, LOSS * gained)


def _where(held: int, learnt: int) -> str:
    if held:
        return f"{held} held-out pairs" if held > 1 else "the held-out pair"
    return f"the {learnt} pairs that it was learnt from" if learnt > 1 else "the only pair"


def _sentence(winner: Candidate, scores: dict[Candidate, Scores], where: str) -> str:
    figures = {name: f"{one.psnr:.1f} dB" for name, one in scores.items()}
    lut, untouched = figures["lut"], figures["identity"]
    network = figures.get("network")
    if winner == "network":
        return (
            f"The network won: {network} on {where}, the table alone {lut}, "
            f"pictures left as they are {untouched}."
        )
    rest = f", and the network ({network}) is not clearly better" if network else ""
    if winner == "lut":
        return f"The table won: {lut} on {where}, pictures left as they are {untouched}{rest}."
    tried = f"the table {lut}" + (f", the network {network}" if network else "")
    return (
        f"Nothing was published: on {where} nothing learnt is clearly better than pictures left "
        f"as they are ({untouched}; {tried}). Look at the contact sheet, and add pairs."
    )


class _Bench:
    """Runs every candidate on a pair and measures it."""

    def __init__(
        self,
        prepared: Prepared,
        runners: dict[Candidate, Runner],
        tell: Callable[[float], None],
        pairs: int,
    ) -> None:
        self._tell, self._done, self._steps = tell, 0, pairs * (len(runners) + 1)
        self._space = prepared.contract.space
        self._matte = prepared.contract.matte
        self._runners = runners
        self._held = {id(pair) for pair in prepared.held_out}
        self._even = _even_grey(prepared.pairs) if self._matte else 0.0

    def row(self, pair: Pair) -> Row:
        before, truth = np.array(pair.before, np.float32), np.array(pair.after, np.float32)
        results, errors, scores = {}, {}, {}
        for name in ("identity", *self._runners):
            # A large picture takes minutes: say after each part that work goes on.
            self._tell(self._done / self._steps)
            self._done += 1
            made = self._kept(self._made(name, before), truth, pair)
            scores[name] = scored(made, truth, self._space)
            results[name] = self._shown(made)
            errors[name] = self._shown(_GAIN * np.abs(made - truth), "display")
        return Row(
            name=pair.name,
            held_out=id(pair) in self._held,
            before=self._shown(before),
            truth=self._shown(truth),
            results=results,
            errors=errors,
            scores=scores,
        )

    def _made(self, name: Candidate, before: Image) -> Image:
        if name != "identity":
            made = self._runners[name].run(before)
            return np.clip(made, 0, 1) if self._matte else made
        if self._matte:
            return np.full((*before.shape[:2], 1), self._even, np.float32)
        return before

    def _kept(self, made: Image, truth: Image, pair: Pair) -> Image:
        """Leave out of the comparison what a mask leaves out of learning."""
        if pair.weight is None:
            return made
        weight = np.asarray(pair.weight, np.float32)[..., None]
        return truth + (made - truth) * weight

    def _shown(self, picture: Image, space: str | None = None) -> Shown:
        scale = min(1.0, _WIDEST / max(picture.shape[:2]))
        size = tuple(max(1, round(length * scale)) for length in picture.shape[1::-1])
        small = picture if scale == 1 else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        small = small.reshape(size[1], size[0], -1)
        lit: Shown = np.rint(255 * colour.shown(small, space or self._space)).astype(np.uint8)
        return lit


def _even_grey(pairs: Sequence[Pair]) -> float:
    """Return the best matte of one value: what knowing nothing of the picture reaches."""
    return float(np.mean([np.mean(pair.after, dtype=np.float64) for pair in pairs]))


def scored(result: Image, truth: Image, space: str) -> Scores:
    """Measure a result: PSNR in the space that is worked in, all else as a screen shows it.

    Args:
        result: float32 [height, width, 3 or 1].
        truth: The same.
        space: "display" or "ACEScct".
    """
    tiles = _tiles(truth.shape)
    parts, areas = [], []
    for part in spread(tiles, _TILES):
        one, other = (colour.shown(each[part], space) for each in (result, truth))
        parts.append(metrics.scores(one, other))
        areas.append(other.shape[0] * other.shape[1])
    means: dict[str, Any] = {
        name: float(np.average([getattr(each, name) for each in parts], weights=areas))
        for name in ("ssim", "delta_e", "gmsd")
    }
    squares = sum(float(np.square(result[t] - truth[t]).sum(dtype=np.float64)) for t in tiles)
    psnr = min(120.0, -10 * float(np.log10(max(squares / truth.size, 1e-12))))
    return dataclasses.replace(parts[0], psnr=psnr, **means)


def _tiles(shape: tuple[int, ...]) -> list[tuple[slice, slice]]:
    rows, columns = (
        [slice(at, at + _TILE) for at in range(0, length, _TILE)] for length in shape[:2]
    )
    return [(row, column) for row in rows for column in columns]
