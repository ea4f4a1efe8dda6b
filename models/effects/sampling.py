"""Cuts crops out of pairs, more of them where there is something to learn.

Which crops a step gets depends on the seed and the step's number alone, so that a run that was
stopped goes on as if it had not been.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.effects.examples import Neighbours, Pair, channels
from models.effects.lut import Lut
from models.effects.network import LONG_SIDE
from models.effects.settings import Settings

Array = NDArray[Any]
Image = NDArray[np.float32]
Batch = Mapping[str, Image]

_CELL = 16
# Half of the crops are from anywhere: what shall stay as it is must be learnt, too.
_ANYWHERE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Crops:
    """How crops are cut: ``side`` pixels, of which ``margin`` on each side are not compared.

    ``batch`` crops make a step, out of at most ``pictures`` pairs. ``neighbours`` more are from
    unlabelled pictures.
    """

    side: int
    margin: int
    batch: int
    pictures: int
    neighbours: int


def small(picture: Array) -> Image:
    """Return a whole picture made small, as the network wants it: float32 [rows, columns, 3]."""
    height, width = picture.shape[:2]
    scale = LONG_SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if scale >= 1:
        size = (width, height)
    # Rows of large pictures are averaged first, so that no whole one is held as float.
    step = 1 if picture.dtype == np.float32 else max(1, height // (4 * size[1]))
    rows = picture if step == 1 else _averaged(picture, step)
    made: Image = cv2.resize(np.asarray(rows, np.float32), size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(made)


def _averaged(picture: Array, step: int) -> Image:
    """Average so many rows each."""
    starts = range(0, picture.shape[0], step)
    parts = (np.asarray(picture[at : at + step], np.float32) for at in starts)
    return np.stack([part.mean(axis=0, dtype=np.float32) for part in parts])


class Sampler:
    """Cuts crops for one run.

    Args:
        pairs: To learn from.
        unlabelled: Neighbouring pictures; may be empty.
        lut: The table, whose errors say where there is something left to learn.
        crops: How to cut.
        settings: The seed is theirs.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        unlabelled: Sequence[Neighbours],
        lut: Lut,
        crops: Crops,
        settings: Settings,
    ) -> None:
        self._pairs, self._unlabelled, self._crops = pairs, unlabelled, crops
        self._seed = settings.seed
        self._small = [small(pair.before) for pair in pairs]
        self._small_unlabelled = [small(each.first) for each in unlabelled]
        self._chances = [_chances(pair, lut) for pair in pairs]
        self._channels = channels(pairs)

    def batches(self, first: int) -> Iterator[Batch]:
        """Yield the batches of steps, from step ``first`` on, without end."""
        step = first
        while True:
            yield self.batch(step)
            step += 1

    def batch(self, step: int) -> Batch:
        """Return the crops of a step.

        Returns:
            ``picture`` [B, side, side, 3], ``after`` [B, side, side, channels], ``weight``
            [B, side, side, 1], ``place`` [B, 4], ``whole`` [W, rows, columns, 3]; and, where there
            are unlabelled pictures, ``first``, ``second`` [N, side, side, 3], ``place2`` [N, 4] and
            ``whole2`` [1, rows, columns, 3].
        """
        chance = np.random.default_rng([self._seed, step])
        chosen = self._chosen(chance)
        each = self._crops.batch // len(chosen)
        cut = [self._cut(number, chance) for number in chosen for _ in range(each)]
        made = {name: np.stack([one[name] for one in cut]) for name in cut[0]}
        made["whole"] = _alike([self._small[number] for number in chosen])
        return {**made, **self._neighbours(chance)}

    def _chosen(self, chance: np.random.Generator) -> list[int]:
        """Choose pairs, each by its number."""
        count, wanted = len(self._pairs), min(self._crops.pictures, len(self._pairs))
        if wanted == count:
            return list(range(count))
        return [int(n) for n in chance.permutation(count)[:wanted]]

    def _cut(self, number: int, chance: np.random.Generator) -> dict[str, Image]:
        pair, crops = self._pairs[number], self._crops
        sides = (crops.side, crops.side)
        top, left = self._corner(number, chance)
        before = cut(pair.before, top, left, sides)
        after = cut(pair.after, top, left, sides)
        weight = inside((top, left), crops, pair.size)
        if pair.weight is not None:
            weight = weight * cut(pair.weight[..., None], top, left, sides)
        place = placed((top, left), sides, pair.size)
        return {"picture": before, "after": after, "weight": weight, "place": place}

    def _corner(self, number: int, chance: np.random.Generator) -> tuple[int, int]:
        """Return where a crop begins, so that its middle is where it was drawn."""
        height, width = self._pairs[number].size
        side, inner = self._crops.side, self._crops.side - 2 * self._crops.margin
        likely = self._chances[number]
        cell = int(np.searchsorted(likely.ravel().cumsum(), chance.random() * likely.sum()))
        row, column = np.unravel_index(min(cell, likely.size - 1), likely.shape)
        middle = (np.array([row, column]) + chance.random(2)) * _CELL
        shift = chance.random(2) * inner
        low = -self._crops.margin
        corner = [
            int(np.clip(at - by - self._crops.margin, low, max(low, size - side - low)))
            for at, by, size in zip(middle, shift, (height, width), strict=True)
        ]
        return corner[0], corner[1]

    def _neighbours(self, chance: np.random.Generator) -> dict[str, Image]:
        if not self._unlabelled or not self._crops.neighbours:
            return {}
        number = int(chance.integers(len(self._unlabelled)))
        each, side = self._unlabelled[number], self._crops.side
        sides = (side, side)
        size = (each.first.shape[0], each.first.shape[1])
        spare = [max(1, length - side + 1) for length in size]
        corners = [
            (int(chance.integers(spare[0])), int(chance.integers(spare[1])))
            for _ in range(self._crops.neighbours)
        ]
        return {
            "first": np.stack([cut(each.first, *corner, sides) for corner in corners]),
            "second": np.stack([cut(each.second, *corner, sides) for corner in corners]),
            "place2": np.stack([placed(corner, sides, size) for corner in corners]),
            "whole2": self._small_unlabelled[number][None],
        }


def cut(picture: Array, top: int, left: int, sides: tuple[int, int]) -> Image:
    """Return a part of a picture, mirrored at its borders where it reaches over them."""
    rows = mirrored(top, sides[0], picture.shape[0])
    columns = mirrored(left, sides[1], picture.shape[1])
    first, last = rows.min(), rows.max() + 1
    start, end = columns.min(), columns.max() + 1
    made: Image = np.asarray(picture[first:last, start:end], np.float32)
    # Whole rows first: they are copied as they lie.
    if len(rows) != last - first or top < 0:
        made = made[rows - first]
    if len(columns) != end - start or left < 0:
        made = np.take(made, columns - start, axis=1)
    return made


def mirrored(start: int, count: int, length: int) -> NDArray[np.intp]:
    """Return indices from ``start`` on, mirrored at both ends of ``length`` as often as needed."""
    if length == 1:
        return np.zeros(count, np.intp)
    turn = 2 * (length - 1)
    at = np.abs(np.arange(start, start + count)) % turn
    folded: NDArray[np.intp] = np.minimum(at, turn - at)
    return folded


def placed(corner: tuple[int, ...], sides: tuple[int, int], size: tuple[int, int]) -> Image:
    """Return where a tile is in its picture: (top, left, bottom, right), 0..1."""
    (top, left), (height, width) = corner, size
    ends = (top / height, left / width, (top + sides[0]) / height, (left + sides[1]) / width)
    return np.array(ends, np.float32)


def inside(corner: tuple[int, int], crops: Crops, size: tuple[int, int]) -> Image:
    """Return 1 where a crop is compared, else 0: float32 [side, side, 1].

    Not at its borders, where the network sees less than it would in the whole picture, nor
    outside the picture.
    """
    masks = []
    for start, length in zip(corner, size, strict=True):
        at = np.arange(crops.side)
        good = (at >= crops.margin) & (at < crops.side - crops.margin)
        masks.append(good & (start + at >= 0) & (start + at < length))
    return (masks[0][:, None] & masks[1][None]).astype(np.float32)[..., None]


def _alike(pictures: list[Image]) -> Image:
    """Stack small pictures; others than the first one's size are brought to it."""
    height, width = pictures[0].shape[:2]
    same = [
        each if each.shape[:2] == (height, width) else cv2.resize(each, (width, height))
        for each in pictures
    ]
    return np.stack(same)


def _chances(pair: Pair, lut: Lut) -> Image:
    """Return how likely a crop's middle is in each cell of 16 x 16 pixels."""
    rows = []
    for top in range(0, pair.size[0], _CELL):
        before = np.asarray(pair.before[top : top + _CELL], np.float32)
        # Infinite values are told by the loss; here they are only nowhere to look at.
        with np.errstate(invalid="ignore"):
            left = np.abs(lut.apply(before) - pair.after[top : top + _CELL]).mean(axis=2)
        if pair.weight is not None:
            left = left * pair.weight[top : top + _CELL]
        ends = range(0, pair.size[1], _CELL)
        rows.append([float(left[:, at : at + _CELL].mean(dtype=np.float64)) for at in ends])
    likely = np.nan_to_num(np.array(rows, np.float32))
    even = np.full_like(likely, 1 / likely.size)
    total = float(likely.sum())
    return even if total <= 0 else _ANYWHERE * even + (1 - _ANYWHERE) * likely / total
