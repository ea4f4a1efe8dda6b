"""Measures of sound, for each frame of the edit rate and each channel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from handlers.analysis.laid import Laid, Samples
from handlers.analysis.rows import Rows
from handlers.media.probe import AudioFacts

Column = NDArray[np.float32]
Ends = NDArray[np.int64]

FLOOR_DB = -120.0
"""What stands for silence without end."""
# Full scale, less what dithering and the rounding of 24 bits leave below it.
_FULL = 0.9995
# So many samples at full scale one after the other are no chance peak.
_FLAT_RUN = 3
# Digital zero, with what the arithmetic of lossy codecs leaves of it.
_ZERO = 1e-6
_ZERO_SECONDS = 0.001
# Transients: levels of blocks of 2 ms against the 50 ms before; what is quieter than this, in
# mean square, is no level to rise from.
_BLOCK_SECONDS, _BEFORE_BLOCKS, _QUIETEST = 0.002, 25, 1e-7
# Frames measured at once: numpy's own cost is shared by as many.
_TOGETHER = 32


class StreamMeter:
    """Measures one stream; memory is a second or two of samples.

    Args:
        facts: The stream.
        rate: The edit rate, in frames a second.
        hear: Each gets every piece of sound, float32 [n, channels], laid from frame 0 on.
        folder: Where a long clip's figures are kept meanwhile; see :class:`Rows`.
    """

    def __init__(
        self,
        facts: AudioFacts,
        rate: Fraction,
        hear: Sequence[Callable[[Samples], None]] = (),
        folder: Path | None = None,
    ) -> None:
        self.facts = facts
        self._frame = Fraction(facts.rate) / rate
        self._hear = hear
        self.laid = Laid(facts.rate, facts.channels)
        self._pieces: list[Samples] = []
        self._waiting = 0
        self._rows = 0
        # How many samples it takes until frames are measured again.
        self._wanted = self._sample(_TOGETHER)
        self._onset = Onset(facts.rate, facts.channels)
        self._made = Rows(_row(facts.channels), folder)

    @property
    def seconds(self) -> float:
        """How long the sound is, from frame 0 on."""
        return self.laid.end / self.facts.rate

    def push(self, frame: av.AudioFrame, since: Fraction | None) -> None:
        """Take some sound, ``since`` seconds after frame 0."""
        for piece in self.laid(frame, since):
            self._pieces.append(piece)
            self._waiting += len(piece)
            for hear in self._hear:
                hear(piece)
        while self._waiting >= self._wanted:
            self._measure(_TOGETHER)

    def finish(self, rows: int) -> dict[str, Column]:
        """Return level_db, peak_db, audio_clipped, digital_zero [rows, c], phase, onset [rows]."""
        left = self._waiting
        if left:
            frames = 1
            while self._sample(self._rows + frames) - self._sample(self._rows) < left:
                frames += 1
            short = self._sample(self._rows + frames) - self._sample(self._rows) - left
            # The last frame's sound may end within it: it is measured as far as it goes.
            self._measure(frames, short)
        measured = self._made.columns(rows)
        return {
            name: _filled(measured.pop(name), rows, empty)  # never all of them twice
            for name, empty in _EMPTY.items()
        }

    def _sample(self, row: int) -> int:
        return round(row * self._frame)

    def _measure(self, frames: int, short: int = 0) -> None:
        ends = np.array([self._sample(self._rows + n) for n in range(frames + 1)])
        ends -= ends[0]
        ends[-1] -= short
        together = np.concatenate(self._pieces)
        now, rest = together[: ends[-1]], together[ends[-1] :]
        self._pieces, self._waiting = [rest], len(rest)
        made = measure(now, ends, self.facts.rate) | {"onset": self._onset(now, ends)}
        together = np.empty(frames, self._made.row)
        for name, values in made.items():
            together[name] = values
        self._made.add(together.tobytes())
        self._rows += frames
        self._wanted = self._sample(self._rows + _TOGETHER) - self._sample(self._rows)


_EMPTY = {
    "level_db": FLOOR_DB, "peak_db": FLOOR_DB, "audio_clipped": 0.0, "digital_zero": 0.0,
    "phase": np.nan, "onset": 0.0,
}  # fmt: skip
_SINGLE = frozenset({"phase", "onset"})


def _row(channels: int) -> np.dtype[Any]:
    """Return the type of what is measured in one frame."""
    return np.dtype([(name, np.float32, () if name in _SINGLE else (channels,)) for name in _EMPTY])


def _filled(measured: Column, rows: int, empty: float) -> Column:
    """Return a column of so many rows; those after the end of the sound are empty."""
    whole = np.full((rows, *measured.shape[1:]), empty, np.float32)
    whole[: len(measured)] = measured
    return whole


def measure(now: Samples, ends: Ends, rate: int) -> dict[str, Column]:
    """Measure some frames' sound.

    Args:
        now: float32 [samples, channels].
        ends: Where each frame begins, and where the last one ends, int [frames + 1].
        rate: Samples a second.
    """
    first, counts = ends[:-1], np.diff(ends)[:, np.newaxis]
    power = np.add.reduceat(np.square(now), first, axis=0, dtype=np.float64) / counts
    size = np.abs(now)
    flat = _in_runs(size >= _FULL, _FLAT_RUN)
    zero = _in_runs(size <= _ZERO, max(2, round(_ZERO_SECONDS * rate)))
    return {
        "level_db": decibels(power, 10),
        "peak_db": decibels(np.maximum.reduceat(size, first, axis=0), 20),
        "audio_clipped": np.add.reduceat(flat, first, axis=0, dtype=np.float32),
        "digital_zero": (np.add.reduceat(zero, first, axis=0, dtype=np.float32) / counts).astype(
            np.float32
        ),
        "phase": _phase(now, first, power * counts),
    }


def decibels(values: NDArray[np.float64] | Samples, factor: int) -> Column:
    """Return levels in dB, not below the floor."""
    least = 10.0 ** (FLOOR_DB / factor)
    return np.asarray(factor * np.log10(np.maximum(values, least)), np.float32)


def _in_runs(marks: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    """Keep what stands in runs of at least so many, along the first axis."""
    kept = np.zeros_like(marks)
    if not marks.any():
        return kept
    for channel in range(marks.shape[1]):
        edges = np.flatnonzero(np.diff(marks[:, channel].astype(np.int8), prepend=0, append=0))
        for start, end in edges.reshape(-1, 2)[np.diff(edges)[::2] >= least].tolist():
            kept[start:end, channel] = True
    return kept


def _phase(now: Samples, first: Ends, energy: NDArray[np.float64]) -> Column:
    """Return the correlation of the first two channels, NaN where one of them is silent."""
    if now.shape[1] < 2:
        return np.full(len(first), np.nan, np.float32)
    product = np.add.reduceat(now[:, 0] * now[:, 1], first, dtype=np.float64)
    both = np.sqrt(energy[:, 0] * energy[:, 1])
    quiet = energy[:, :2].min(axis=1) < _QUIETEST
    return np.where(quiet, np.nan, product / np.maximum(both, 1e-12)).astype(np.float32)


class Onset:
    """How sharply sound sets in: dB of the loudest block of 2 ms over the 50 ms before it."""

    def __init__(self, rate: int, channels: int) -> None:
        self._size = max(1, round(rate * _BLOCK_SECONDS))
        self._power: NDArray[np.float64] | None = None
        self._rest = np.zeros((0, channels), np.float32)

    def __call__(self, now: Samples, ends: Ends) -> Column:
        """Return float32 [frames]: the strongest rise in each, of any channel, at least 0."""
        carried = len(self._rest)
        together = np.concatenate([self._rest, now])
        count = len(together) // self._size
        blocks = together[: count * self._size].reshape(count, self._size, together.shape[1])
        self._rest = together[count * self._size :].copy()
        if not count:
            return np.zeros(len(ends) - 1, np.float32)
        power = np.square(blocks).mean(axis=1, dtype=np.float64)
        if self._power is None:
            # Sound that is there from the beginning does not set in.
            self._power = np.repeat(power[:1], _BEFORE_BLOCKS, axis=0)
        whole = np.concatenate([self._power, power])
        self._power = whole[-_BEFORE_BLOCKS:]
        total = np.cumsum(np.pad(whole, ((1, 0), (0, 0))), axis=0)
        before = (total[_BEFORE_BLOCKS:-1] - total[: -_BEFORE_BLOCKS - 1]) / _BEFORE_BLOCKS
        rise = 10 * np.log10(np.maximum(power, _QUIETEST) / np.maximum(before, _QUIETEST))
        middle = (np.arange(count) + 0.5) * self._size - carried
        frame = np.clip(np.searchsorted(ends, middle, side="right") - 1, 0, len(ends) - 2)
        strongest = np.zeros(len(ends) - 1)
        np.maximum.at(strongest, frame, rise.max(axis=1))
        return strongest.astype(np.float32)


def joined(streams: Iterable[dict[str, Column]]) -> dict[str, Column]:
    """Put the columns of all streams side by side, the channels in order of the file.

    ``phase`` is that of the first stream with two channels; of mono streams, as cameras
    write them, no correlation is known.
    """
    every = [dict(one) for one in streams]
    paired = [one["phase"] for one in every if one["level_db"].shape[1] > 1]
    phase = (paired or [every[0]["phase"]])[0]
    made: dict[str, Column] = {}
    for name in _EMPTY:
        # Taken out of the streams one after the other, not to be in memory twice.
        parts = [columns.pop(name) for columns in every]
        made[name] = np.max(parts, axis=0) if name in _SINGLE else np.concatenate(parts, axis=1)
    return made | {"phase": phase}
