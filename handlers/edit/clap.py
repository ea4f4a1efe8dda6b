"""Claps in a sound, found while it is being decoded.

The sound goes through a few bands; the energy of each in blocks of a millisecond is all that is
looked at. A clap of a slate's sticks is a transient that

- rises from what was there before, by much and within two or three milliseconds,
- rises in every band at once, and not mainly in the lowest,
- is gone again after some hundredths of a second, but for the room,
- stands alone.

A cough rises slowly, a door is low, a shot or a glass goes on, steps come in rows. Each
property gives a figure of 0..1; their product is how much the transient sounds like a clap.
Memory holds about a second of sound, and the best transients up to a fixed count.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d
from scipy.signal import butter, sosfilt

Samples = NDArray[np.float32]
Energies = NDArray[np.float64]

# Edges of the bands in Hz; the lowest is for knowing doors and steps.
_BANDS = ((150, 600), (600, 2000), (2000, 6000), (6000, 16000))
_BEFORE, _AFTER = 60, 400  # blocks needed on either side of a transient
_PIECE = 500  # blocks looked at at once
_SILENCE = 1e-10
_LEAST_RISE = 10.0  # dB; less is no transient
_APART = 25  # blocks; of transients closer than this the strongest counts
_MOST = 512  # transients kept
_GAP = Fraction(1, 20)  # seconds; shorter breaks are rounding of the container's clock
_LISTENED_TO = 4  # streams of sound; cards have the camera's own among the first


@dataclass(frozen=True, slots=True, kw_only=True)
class Transient:
    """A sudden sound.

    ``seconds`` is its first sample's time by the stream's clock, ``likeness`` 0..1 how much it
    sounds like a clap. ``level`` is its loudest millisecond above 600 Hz in dBFS, ``rise`` in dB
    over what was before, ``attack`` and ``decay`` (to -20 dB) in ms, ``spread`` the share of
    bands that rise, ``low`` the share of its energy below 600 Hz.
    """

    seconds: float
    likeness: float
    level: float
    rise: float
    attack: float
    decay: float
    spread: float
    low: float


class ClapListener:
    """Finds transients in one stream of sound that comes in pieces.

    Args:
        rate: Samples a second.
        start: Time of the first sample in seconds.
    """

    def __init__(self, rate: int, start: float = 0.0) -> None:
        self._rate = rate
        self._start = start
        self._block = max(1, rate // 1000)
        self._filters = [
            butter(2, (low, min(high, 0.45 * rate)), "bandpass", fs=rate, output="sos")
            for low, high in _BANDS
            if low < 0.35 * rate
        ]
        self._states = [np.zeros((len(sos), 2)) for sos in self._filters]
        self._rest: Samples = np.zeros(0, np.float32)
        # Silence before the first sample: a clap at once after the start counts, too.
        self._sound: Samples = np.zeros(_BEFORE * self._block, np.float32)
        self._energy: Energies = np.full((_BEFORE, len(self._filters)), _SILENCE)
        self._first = -_BEFORE  # the block that the buffers begin with
        self._levels = np.zeros(128, np.int64)  # how often each level in dB below full scale was
        self._found: list[Transient] = []

    def push(self, samples: Samples) -> None:
        """Take the next sound, float32 [n] or [n, channels] with full scale at 1."""
        self._rest = np.concatenate([self._rest, _folded(samples)])
        count = len(self._rest) // self._block
        if count >= _PIECE:
            self._take(count)

    def finish(self) -> list[Transient]:
        """Return what was found, in order; nothing may be pushed any more."""
        tail = np.zeros((_AFTER + 1) * self._block, np.float32)
        self._rest = np.concatenate([self._rest, tail])
        self._take(len(self._rest) // self._block)
        return _judged(self._found, self._usual())

    def _take(self, count: int) -> None:
        """Turn ``count`` whole blocks into energies, and judge what has its surroundings."""
        sound = self._rest[: count * self._block]
        self._rest = self._rest[count * self._block :].copy()
        bands = [self._banded(number, sound) for number in range(len(self._filters))]
        energy = np.maximum(np.stack(bands, axis=1), _SILENCE)
        self._count(energy)
        self._sound = np.concatenate([self._sound, sound])
        self._energy = np.concatenate([self._energy, energy])
        self._judge()

    def _banded(self, number: int, sound: Samples) -> Energies:
        filtered, self._states[number] = sosfilt(
            self._filters[number], sound, zi=self._states[number]
        )
        means: Energies = (filtered.reshape(-1, self._block) ** 2).mean(axis=1)
        return means

    def _count(self, energy: Energies) -> None:
        levels = np.clip(-_decibels(energy[:, 1:].sum(axis=1)), 0, 127).astype(np.int64)
        self._levels += np.bincount(levels, minlength=128)

    def _usual(self) -> float:
        """The level above 600 Hz, in dBFS, that 19 of 20 blocks with sound do not exceed."""
        counts = np.cumsum(self._levels[:100])
        return -float(np.searchsorted(counts, 0.05 * counts[-1])) if counts[-1] else -99.0

    def _judge(self) -> None:
        last = len(self._energy) - _AFTER
        if last <= _BEFORE:
            return
        for place in _peaks(self._energy, last):
            self._found.append(self._transient(place))
        spare = last - _BEFORE
        self._energy, self._first = self._energy[spare:], self._first + spare
        self._sound = self._sound[spare * self._block :]
        if len(self._found) > 2 * _MOST:
            best = sorted(self._found, key=lambda found: -found.likeness)[:_MOST]
            self._found = sorted(best, key=lambda found: found.seconds)

    def _transient(self, place: int) -> Transient:
        """Measure the transient whose strongest block is at ``place`` of the buffers."""
        energy = self._energy[place - _BEFORE : place + _AFTER]
        high, here = energy[:, 1:].sum(axis=1), _BEFORE
        peak = float(high[here])
        before = float(high[here - 45 : here - 5].mean())
        rises = _decibels(energy[here - 1 : here + 3].max(axis=0) / energy[:55].mean(axis=0))
        loud = np.flatnonzero(high[here - 30 : here + 1] > 0.1 * peak)
        smooth = uniform_filter1d(high, 5, mode="nearest")[here:]
        quiet = np.flatnonzero(smooth[3:] < max(0.01 * smooth.max(), 2 * before))
        whole = energy[here - 3 : here + 30].sum(axis=0)
        measured = Transient(
            seconds=self._onset(place),
            likeness=0.0,
            level=float(_decibels(peak)),
            rise=float(_decibels(peak / before)),
            attack=float(31 - loud[0]),
            decay=float(quiet[0] + 3 if len(quiet) else _AFTER),
            spread=float((rises[1:] >= 9).mean()),
            low=float(whole[0] / whole.sum()),
        )
        return _with(measured, likeness=_likeness(measured))

    def _onset(self, place: int) -> float:
        """The time at which the sound first reaches a quarter of the transient's peak."""
        begin = (place - 4) * self._block
        near = np.abs(self._sound[begin : (place + 2) * self._block])
        first = begin + int(np.argmax(near >= 0.25 * near.max()))
        return self._start + (self._first * self._block + first) / self._rate


class SlateSound:
    """Listens for claps in decoded frames of sound, in the first few streams of a file.

    Times are by the file's own clock until :meth:`finish` is told when frame 0 is.
    """

    def __init__(self) -> None:
        self._streams: dict[int, _Stream] = {}

    def push(self, index: int, frame: av.AudioFrame) -> None:
        """Take the next frame of stream ``index``; sound without a time is laid end to end."""
        if index < _LISTENED_TO:
            self._streams.setdefault(index, _Stream()).push(frame)

    def finish(self, origin: Fraction | float = 0) -> list[Transient]:
        """Return all transients in order; their seconds count from ``origin``.

        One that several streams have is given once, as it sounds most like a clap.
        """
        found = [one for stream in self._streams.values() for one in stream.finish()]
        kept: list[Transient] = []
        for one in sorted(found, key=lambda each: -each.likeness):
            if all(abs(one.seconds - other.seconds) > 0.02 for other in kept):
                kept.append(one)
        kept.sort(key=lambda each: each.seconds)
        return [_with(one, seconds=one.seconds - float(origin)) for one in kept]


class _Stream:
    """One stream of sound: a new listener whenever its clock jumps or its form changes."""

    def __init__(self) -> None:
        self._listener: ClapListener | None = None
        self._form: tuple[int, int] | None = None
        self._next = Fraction(0)
        self._found: list[Transient] = []

    def push(self, frame: av.AudioFrame) -> None:
        form = frame.sample_rate, frame.layout.nb_channels
        at = self._next if frame.pts is None else frame.pts * Fraction(frame.time_base)
        if self._listener is None or form != self._form or abs(at - self._next) > _GAP:
            self._close()
            self._listener, self._form = ClapListener(form[0], float(at)), form
            self._next = at
        self._listener.push(_floats(frame))
        # Counted on, not taken from each frame: a container's clock can be as coarse as 1 ms.
        self._next += Fraction(frame.samples, frame.sample_rate)

    def finish(self) -> list[Transient]:
        self._close()
        return self._found

    def _close(self) -> None:
        if self._listener is not None:
            self._found += self._listener.finish()
        self._listener = None


def ramp(value: float, none: float, full: float) -> float:
    """Return 0 at ``none`` and beyond, 1 at ``full`` and beyond, linear between."""
    return min(1.0, max(0.0, (value - none) / (full - none)))


def _likeness(found: Transient) -> float:
    return (
        ramp(found.rise, 10, 22)
        * ramp(found.attack, 9, 3)
        * ramp(found.spread, 0.3, 1)
        * ramp(found.decay, 180, 70)
        * ramp(found.low, 0.5, 0.2)
    )


def _judged(found: list[Transient], usual: float) -> list[Transient]:
    """Lower the likeness of what is not louder than the rest, and of what comes in rows."""
    judged = []
    for one in found:
        row = sum(
            0.1 < abs(other.seconds - one.seconds) < 0.9
            and other.level > one.level - 9
            and other.likeness > 0.3 * one.likeness
            for other in found
        )
        alone = 0.55 ** min(row, 6)
        likeness = one.likeness * alone * ramp(one.level - usual, -3, 9)
        judged.append(_with(one, likeness=likeness))
    return judged


def _peaks(energy: Energies, last: int) -> list[int]:
    """Where, from ``_BEFORE`` to ``last``, a block rises most over what was before it."""
    high = energy[:, 1:].sum(axis=1)
    total = np.cumsum(np.concatenate([[0.0], high]))
    places = np.arange(_BEFORE, last)
    before = (total[places - 5] - total[places - 45]) / 40
    strongest = maximum_filter1d(high, 2 * _APART + 1)[places]
    rising = _decibels(high[places] / before) >= _LEAST_RISE
    found: list[int] = places[rising & (high[places] >= strongest)].tolist()
    return found


def _folded(samples: Samples) -> Samples:
    """Mix channels with gains that differ, so that inverted ones do not cancel out."""
    if samples.ndim == 1:
        return samples.astype(np.float32, copy=False)
    gains = 1 / (1 + 0.5 * np.arange(samples.shape[1], dtype=np.float32))
    mixed: Samples = samples.astype(np.float32, copy=False) @ (gains / gains.sum())
    return mixed


def _floats(frame: av.AudioFrame) -> Samples:
    """Return a frame as float32 [n, channels], full scale at 1."""
    found = frame.to_ndarray()
    values = found.T if frame.format.is_planar else found.reshape(-1, frame.layout.nb_channels)
    if values.dtype.kind == "f":
        floats: Samples = values.astype(np.float32, copy=False)
        return floats
    full = float(np.iinfo(values.dtype).max) + 1
    offset = full / 2 if values.dtype.kind == "u" else 0.0
    scaled: Samples = (values.astype(np.float32) - offset) / (offset or full)
    return scaled


def _decibels(ratio: Any) -> Any:
    return 10 * np.log10(np.maximum(ratio, _SILENCE))


def _with(found: Transient, **changes: float) -> Transient:
    values: dict[str, Any] = {name: getattr(found, name) for name in Transient.__slots__}
    return Transient(**(values | changes))
