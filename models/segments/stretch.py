"""Decides of what kind each 20 ms of a recording is, one long stretch after another.

The method is that of Doukhan et al., ICASSP 2018, and of what its authors publish with the
weights: first what is loud enough, against the mean of the logarithms of all energies; then the
network on 0.7 s around every 20 ms of that; each smoothed by the most likely run of states. Their
program holds a file's features whole. Here a stretch of ten minutes is held, and the mean is that
of all sound up to its end: shorter files get the same answer, longer ones one that follows them.

Digital silence is another difference: the authors leave out whatever patch touches it, here it
gets the energies that rounding to 16 bits would have left. So short sounds between silences are
judged as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from models.segments.features import BANDS
from models.segments.smooth import Floats, Labels, most_likely

Array = NDArray[np.float32]
Judge = Callable[[Array], Array]

KINDS = ("speech", "music", "noise", "silence")
_HEARD = 3
_SILENCE = 3
PER_STEP = 2
"""Frames of 10 ms to a step."""

_PATCH = 68
_AROUND = _PATCH // 2
# Frames of a stretch, and those behind it that are looked at before it is decided.
STRETCH, BEYOND = 60_000, 400
# Patches that are judged at once.
_TOGETHER = 256

# Loud enough is what has this share of the (geometric) mean energy.
_SHARE = 0.03
_UNSURE = 1e-10
# A change has this weight, as a negative power of ten.
_ENERGY_CHANGE, _KIND_CHANGE = 150, 80
# Staying silent costs something too, so that weak sound inside a take counts as sound.
_STAY_SILENT = -5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Consecutive steps: index of each one's kind, and how probable it is, [steps] both."""

    labels: Labels
    probability: Array


class Decider:
    """Takes the features of one recording, gives decisions.

    Args:
        judge: Turns patches [n, 68, 21] into probabilities [n, 3].
    """

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._bands: list[Array] = [np.zeros((0, BANDS), np.float32)]
        self._energy: list[Array] = [np.zeros(0, np.float32)]
        self._undecided = 0
        # Frames that are decided, but lie in patches of those that are not.
        self._past = 0
        # Frames of those held that are in the mean already.
        self._counted = 0
        self._sum, self._count = 0.0, 0
        self._loud: int | None = None
        self._kind: int | None = None

    def push(self, bands: Array, energy: Array) -> list[Decided]:
        """Take the features of the next frames; return what is now decided."""
        self._bands.append(bands)
        self._energy.append(energy)
        self._undecided += len(energy)
        decided = []
        while self._undecided >= STRETCH + BEYOND:
            decided.append(self._decide(STRETCH, STRETCH + BEYOND))
        return decided

    def finish(self) -> list[Decided]:
        """Decide about the rest."""
        return [self._decide(self._undecided, self._undecided)] if self._undecided else []

    def _decide(self, frames: int, seen: int) -> Decided:
        """Decide about the next ``frames``, looking at ``seen`` of them."""
        bands, energy = self._joined()
        bands, energy = bands[: self._past + seen], energy[: self._past + seen]
        quiet = self._quiet(energy)[self._past :]
        loud = most_likely(_activity(quiet), _ENERGY_WAYS, self._loud)
        probability = self._judged(bands, np.flatnonzero(loud[::PER_STEP]))
        labels = self._labels(loud[::PER_STEP], probability)
        probability[:, _SILENCE] = quiet[::PER_STEP]
        steps = -(-frames // PER_STEP)
        self._loud, self._kind = int(loud[frames - 1]), int(labels[steps - 1])
        self._forget(frames)
        chosen = probability[np.arange(steps), labels[:steps]]
        return Decided(labels=labels[:steps], probability=chosen)

    def _joined(self) -> tuple[Array, Array]:
        self._bands, self._energy = [np.concatenate(self._bands)], [np.concatenate(self._energy)]
        return self._bands[0], self._energy[0]

    def _quiet(self, energy: Array) -> NDArray[np.bool_]:
        """Say which frames are below the threshold; digital silence always is."""
        fresh = energy[self._counted :]
        fresh = fresh[np.isfinite(fresh)]
        self._counted = len(energy)
        self._sum, self._count = self._sum + float(fresh.sum(dtype=float)), self._count + len(fresh)
        if not self._count:
            return np.ones(len(energy), bool)
        quiet: NDArray[np.bool_] = energy <= self._sum / self._count + np.log(_SHARE)
        return quiet

    def _judged(self, bands: Array, steps: Labels) -> Array:
        """Judge the undecided steps that are named, [all undecided steps, 4]."""
        total = -(-(len(bands) - self._past) // PER_STEP)
        probability = np.zeros((total, len(KINDS)), np.float32)
        short = max(0, _PATCH - len(bands))
        bands = np.pad(bands, ((0, short), (0, 0)), constant_values=bands.min())
        patches = sliding_window_view(bands, _PATCH, axis=0)[::PER_STEP].transpose(0, 2, 1)
        places = (self._past - _AROUND) // PER_STEP + steps
        places = np.clip(places, 0, len(patches) - 1)
        for start in range(0, len(steps), _TOGETHER):
            now = slice(start, start + _TOGETHER)
            probability[steps[now], :_HEARD] = self._judge(patches[places[now]])
        return probability

    def _labels(self, loud: Labels, probability: Array) -> Labels:
        """Return the kind of each step: silence, or what a run of loud steps most likely is."""
        labels = np.full(len(loud), _SILENCE, np.int64)
        edges = np.flatnonzero(np.diff(loud, prepend=0, append=0))
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            before = None if start or self._kind == _SILENCE else self._kind
            with np.errstate(divide="ignore"):
                heard = np.log(probability[start:end, :_HEARD].astype(float))
            labels[start:end] = most_likely(heard, _KIND_WAYS, before)
        return labels

    def _forget(self, frames: int) -> None:
        """Drop what no later patch looks at."""
        drop = max(0, self._past + frames - _AROUND)
        self._bands, self._energy = [self._bands[0][drop:]], [self._energy[0][drop:]]
        self._past += frames - drop
        self._counted -= drop
        self._undecided -= frames


def _activity(quiet: NDArray[np.bool_]) -> Floats:
    """Return how well each frame fits silence and sound, logarithms [frames, 2]."""
    fits = np.stack([quiet, ~quiet], axis=1)
    heard: Floats = np.log(np.where(fits, 1 - _UNSURE, _UNSURE))
    return heard


def _ways(states: int, change: float) -> Floats:
    return np.where(np.eye(states, dtype=bool), 0.0, -change * np.log(10))


_KIND_WAYS = _ways(_HEARD, _KIND_CHANGE)
_ENERGY_WAYS = _ways(2, _ENERGY_CHANGE)
_ENERGY_WAYS[0, 0] = _STAY_SILENT
