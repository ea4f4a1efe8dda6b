"""How loud a recording is in each of eight bands, a hundred times a second.

This is what is kept of a file for the coarse search: an hour takes 3 MB a rail, so a day's
material is decoded once and compared as often as needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.fft import rfft

from handlers.sync.sound import RATE, Reader, Samples, Source

STEP = RATE // 100
"""Samples from one value to the next."""
VALUES_A_SECOND = RATE // STEP
_WINDOW = 256
# Hertz. From the lowest voice to the edge of the low rate; hum and rumble lie below.
_EDGES = (150, 300, 450, 650, 950, 1400, 2000, 2800, 3700)
BANDS = len(_EDGES) - 1
# Channels are folded onto so many rails, so that memory does not grow with them.
_RAILS = 8
# A level is kept as one byte: halves of a decibel above -127.5 dB.
_LOWEST, _STEPS = -127.5, 2

Levels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Band levels of one file.

    ``levels`` is uint8 [rails, bands, values]: half decibels above -127.5 dB. ``duration`` is
    the length of the sound in seconds, from frame 0 or sample 0. ``channels`` were folded
    onto the rails in turn.
    """

    levels: Levels
    duration: Fraction
    channels: int


def envelope(source: Path | Source) -> Envelope:
    """Read a clip's or recording's sound once, streamed.

    Raises:
        UnusableMedia: It cannot be opened, or holds no sound.
    """
    with Reader(source) as reader:
        rails = min(_RAILS, reader.channels)
        kept = np.zeros((reader.channels, 0), np.float32)
        parts: list[Levels] = []
        samples = 0
        for block in reader.blocks():
            samples += block.shape[1]
            joined = np.concatenate([kept, block], axis=1)
            values = max(0, (joined.shape[1] - _WINDOW) // STEP + 1)
            parts.append(_levels(joined, values, rails))
            kept = joined[:, values * STEP :]
        channels = reader.channels
    empty = np.zeros((rails, BANDS, 0), np.uint8)
    return Envelope(
        levels=np.concatenate([empty, *parts], axis=2),
        duration=Fraction(samples, RATE),
        channels=channels,
    )


def _levels(samples: Samples, values: int, rails: int) -> Levels:
    power = np.zeros((rails, BANDS, values), np.float32)
    if values:
        for channel, each in enumerate(samples):
            power[channel % rails] += _band_power(each, values)
    level = 10 * np.log10(power + np.float32(1e-13))
    return np.asarray(np.clip(np.rint((level - _LOWEST) * _STEPS), 0, 255), np.uint8)


def _band_power(samples: Samples, values: int) -> Samples:
    """Return the power in each band, [bands, values], as mean squares."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::STEP][:values]
    window = np.hanning(_WINDOW).astype(np.float32)
    spectrum = rfft(frames * window, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    edges = np.rint(np.array(_EDGES) * _WINDOW / RATE).astype(int)
    bands = np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1)
    scale = np.float32(2 / (_WINDOW * (window**2).sum()))
    return np.asarray(bands.T * scale, np.float32)
