"""Learns a look-up table from pairs of pictures: conjugate gradients, coarse tables first.

What a table makes of a pixel is linear in the table's values, so the squared error over all
pixels is a quadratic form, which is set up once; descent along conjugate gradients
(Hestenes and Stiefel, 1952) then costs the same however many pixels there are. Curvature is
punished a little: colours that no picture holds go on as their neighbours do, instead of staying
as they were. Pixels that no table can explain, as those of a thing that was painted out, come to
count less (iteratively reweighted least squares, Huber's weights).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.effects.examples import Pair, channels
from models.effects.lut import NODES, Lut, grid, located

Image = NDArray[np.float32]
Doubles = NDArray[np.float64]

_COARSER = (5, 9, 17)
_CORNERS = tuple((r, g, b) for r in (0, 1) for g in (0, 1) for b in (0, 1))
# How much curvature counts: more where pixels of one colour became different ones, whose mean is
# less certain.
_LEAST_SMOOTH, _MOST_SMOOTH = 1e-7, 2e-5
_SMOOTH_BY_ERROR = 0.15
# What neither pixels nor curvature decide stays as it was: a single colour bends no table.
_STAY = 1e-12
_ROUNDS = 3
# Errors above this are taken for something else than colour.
_HUBER = 0.01
_MOST_PIXELS = 1_500_000
_MOST_STEPS = 100
_ENOUGH = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A learnt table and the error that was left: root mean square over weighted pixels."""

    lut: Lut
    error: float


def fit(
    pairs: Sequence[Pair],
    *,
    low: float = 0.0,
    high: float = 1.0,
    told: Callable[[float], None] = lambda _: None,
) -> Fit:
    """Learn the table that does best what pairs do.

    Args:
        pairs: At least one; the same number of channels after.
        low: Colour value of the first node.
        high: That of the last one.
        told: Called with the share of the work done.

    Returns:
        The table.
    """
    seen, wanted, counts = _pixels(pairs, low, high)
    made = channels(pairs)
    table = grid(NODES, low, high).reshape(-1, 3) if made == 3 else np.zeros((NODES**3, 1))
    table = table.astype(np.float64)
    corners = _mixing(seen, low, high)
    weight, error, smooth = counts, 0.0, 10 * _LEAST_SMOOTH
    for turn in range(_ROUNDS):
        # Which pixels no table can explain, coarse ones tell as well.
        levels = _COARSER if turn + 1 < _ROUNDS else (*_COARSER, NODES)
        table = _descend(corners, wanted, weight, table, smooth, levels)
        left = corners @ table - wanted
        size = np.abs(left).max(axis=1)
        error = float(np.sqrt(np.average(np.square(left).mean(axis=1), weights=counts)))
        smooth = float(np.clip(_SMOOTH_BY_ERROR * error**2, _LEAST_SMOOTH, _MOST_SMOOTH))
        weight = counts * np.minimum(1.0, _HUBER / np.maximum(size, 1e-9))
        told((turn + 1) / _ROUNDS)
    shape = (NODES, NODES, NODES, made)
    return Fit(lut=Lut(table.reshape(shape).astype(np.float32), low, high), error=error)


def _pixels(pairs: Sequence[Pair], low: float, high: float) -> tuple[Image, Doubles, Doubles]:
    """Return colours before [n, 3], after [n, channels] and how much each counts [n].

    Only those within the domain: the table cannot say anything else about others.
    """
    stride = max(1, round((sum(np.prod(p.size) for p in pairs) / _MOST_PIXELS) ** 0.5))
    parts = [part for pair in pairs for part in _rows(pair, stride)]
    before, after, weight = (np.concatenate(each) for each in zip(*parts, strict=True))
    good = ((before >= low) & (before <= high)).all(axis=1) & (weight > 0)
    good &= np.isfinite(after).all(axis=1)
    if not good.any():
        return np.full((1, 3), low, np.float32), np.full((1, after.shape[1]), low), np.ones(1)
    return before[good], after[good].astype(np.float64), weight[good].astype(np.float64)


def _rows(pair: Pair, stride: int) -> Iterator[tuple[Image, Image, Image]]:
    for row in range(0, pair.size[0], stride):
        before = np.asarray(pair.before[row, ::stride], np.float32)
        after = np.asarray(pair.after[row, ::stride], np.float32)
        ones = np.ones(len(before), np.float32)
        yield before, after, ones if pair.weight is None else pair.weight[row, ::stride] * ones


def _mixing(colours: Image, low: float, high: float) -> Any:
    """Return the sparse matrix [n, nodes³] that reads a table at colours."""
    cell, share = located(colours, NODES, low, high)
    places, weights = [], []
    for corner in _CORNERS:
        node = cell + corner
        places.append((node[:, 0] * NODES + node[:, 1]) * NODES + node[:, 2])
        sides = [share[:, a] if up else 1 - share[:, a] for a, up in enumerate(corner)]
        weights.append(np.prod(sides, axis=0))
    ends = np.arange(0, 8 * len(colours) + 1, 8)
    flat = (np.stack(weights, axis=1).ravel(), np.stack(places, axis=1).ravel(), ends)
    return sparse.csr_matrix(flat, shape=(len(colours), NODES**3))


def _descend(
    corners: Any,
    wanted: Doubles,
    weight: Doubles,
    table: Doubles,
    smooth: float,
    levels: tuple[int, ...],
) -> Doubles:
    """Go down from a table to one that explains the pixels better, coarse levels first."""
    weighted = corners.multiply((weight / weight.sum())[:, None]).tocsr()
    square, aim = (corners.T @ weighted).tocsr(), weighted.T @ wanted + _STAY * table
    for nodes in levels:
        spread, (rough, stay) = _spreading(nodes), _punished(nodes)
        left = aim - square @ table - smooth * (_punished(NODES)[0] @ table) - _STAY * table
        small = (spread.T @ square @ spread + smooth * rough + _STAY * stay).tocsr()
        table = table + spread @ _conjugate(small, spread.T @ left)
    return table


def _conjugate(matrix: Any, wanted: Doubles) -> Doubles:
    """Solve for each column by conjugate gradients, scaled by the diagonal."""
    scale = 1 / np.maximum(matrix.diagonal(), 1e-30)[:, None]
    found, left = np.zeros_like(wanted), wanted.copy()
    ahead = scale * left
    way, size = ahead.copy(), (left * ahead).sum(axis=0)
    enough = _ENOUGH**2 * np.maximum(size, 1e-30)
    for _ in range(_MOST_STEPS):
        along = matrix @ way
        bend = (way * along).sum(axis=0)
        # A column that has arrived stays: what is left of it is rounding.
        going = (size > enough) & (bend > 0)
        step = np.where(going, size / np.where(going, bend, 1), 0)
        found += step * way
        left -= step * along
        ahead = scale * left
        before, size = size, (left * ahead).sum(axis=0)
        if not going.any():
            break
        way = ahead + np.where(going, size / np.where(going, before, 1), 0) * way
    return found


@cache
def _spreading(nodes: int) -> Any:
    """Return the sparse matrix [33³, nodes³] that reads a coarse table at the nodes of a fine."""
    if nodes == NODES:
        return sparse.identity(NODES**3, format="csr")
    place = np.linspace(0, nodes - 1, NODES)
    cell = np.minimum(np.floor(place), nodes - 2).astype(int)
    one = np.zeros((NODES, nodes))
    one[np.arange(NODES), cell] = 1 - (place - cell)
    one[np.arange(NODES), cell + 1] += place - cell
    axis = sparse.csr_matrix(one)
    return sparse.kron(sparse.kron(axis, axis), axis).tocsr()


@cache
def _punished(nodes: int) -> tuple[Any, Any]:
    """Return the matrices of a coarse table's squared curvature, and of its squared change."""
    if nodes == NODES:
        return _roughness(), sparse.identity(NODES**3, format="csr")
    spread = _spreading(nodes)
    return (spread.T @ _roughness() @ spread).tocsr(), (spread.T @ spread).tocsr()


@cache
def _roughness() -> Any:
    """Return the matrix of squared curvature along each axis and across each two of them."""
    second = sparse.diags([1.0, -2.0, 1.0], [0, 1, 2], shape=(NODES - 2, NODES))
    first = sparse.diags([-1.0, 1.0], [0, 1], shape=(NODES - 1, NODES))
    same = sparse.identity(NODES)
    along = [(second, same, same), (same, second, same), (same, same, second)]
    across = [(first, first, same), (first, same, first), (same, first, first)]
    parts = [(1.0, each) for each in along] + [(2.0, each) for each in across]
    made = sparse.csr_matrix((NODES**3, NODES**3))
    for factor, (r, g, b) in parts:
        change = sparse.kron(sparse.kron(r, g), b)
        made = made + factor * (change.T @ change)
    return made.tocsr()
