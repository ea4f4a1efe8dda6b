"""How loud a recording is in each of eight bands, a hundred times a second.

This is what is kept of a file for the coarse search: an hour takes 3 MB a rail, so a day's
material is decoded once and compared as often as needed.
"""

from __future__ import annotations

import contextlib
import os
import zipfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xxhash
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

    def save(self, path: Path) -> None:
        """Write as ``.npz``."""
        length = np.array([self.duration.numerator, self.duration.denominator], np.int64)
        with path.open("wb") as file:
            np.savez_compressed(
                file, levels=self.levels, duration=length, channels=np.int64(self.channels)
            )

    @classmethod
    def load(cls, path: Path) -> Envelope:
        """Read what :meth:`save` wrote.

        Raises:
            OSError: It cannot be read.
            ValueError: It is no envelope.
        """
        with np.load(path, allow_pickle=False) as data:
            if not {"levels", "duration", "channels"} <= set(data.files):
                raise ValueError(f"{path.name} holds no envelope")
            levels, length = data["levels"], data["duration"]
            channels = int(data["channels"])
        if levels.dtype != np.uint8 or levels.ndim != 3 or levels.shape[1] != BANDS:
            raise ValueError(f"{path.name} holds an envelope of another version")
        return cls(
            levels=levels, duration=Fraction(int(length[0]), int(length[1])), channels=channels
        )


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


class EnvelopeStore:
    """Envelopes in a folder, so that a file is decoded once however often it is compared.

    One is taken for the file that it was made of while size and time of change are the same.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, source: Path | Source) -> Envelope:
        """Return the envelope of a clip or recording, from the folder where it is there.

        Raises:
            UnusableMedia: The file cannot be opened, or holds no sound.
        """
        kept = self._folder / f"{_identity(source)}.npz"
        with contextlib.suppress(OSError, ValueError, zipfile.BadZipFile):
            return Envelope.load(kept)
        made = envelope(source)
        self._folder.mkdir(parents=True, exist_ok=True)
        # Renamed into place: a run that is killed leaves no half of one behind.
        partial = kept.with_suffix(f".{os.getpid()}.part")
        made.save(partial)
        partial.replace(kept)
        return made


def _identity(source: Path | Source) -> str:
    files = source.files if isinstance(source, Source) else (source,)
    digest = xxhash.xxh3_128()
    for path in files:
        stat = path.stat()
        name = os.fsencode(path.absolute())
        digest.update(b"%s\0%d\0%d\0" % (name, stat.st_size, stat.st_mtime_ns))
    return digest.hexdigest()
