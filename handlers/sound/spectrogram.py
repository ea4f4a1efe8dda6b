"""What sound looked like before and after, one picture above the other on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Samples = NDArray[np.float32]
Powers = NDArray[np.float64]

COLUMNS, ROWS = 1600, 320
FLOOR_DB, TOP_DB = -110.0, -20.0
"""What is black and what is white, in dB of full scale (a sine of full scale: 0) in one bin."""

_WINDOW, _HOP = 2048, 1024
_LOWEST_HZ = 40.0
_LEFT, _TOP, _GAP, _BOTTOM, _RIGHT = 56, 26, 30, 26, 12
_GROUND, _INK, _DIM = (18, 19, 21), (213, 216, 220), (131, 138, 148)
# From black over violet and orange to nearly white, evenly lighter all the way.
_COLOURS = (
    (0, 0, 4), (27, 12, 65), (74, 12, 107), (120, 28, 109), (165, 44, 96),
    (207, 68, 70), (237, 105, 37), (251, 155, 6), (247, 209, 61), (252, 255, 164),
)  # fmt: skip
_TICKS_HZ = (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)


class Spectrogram:
    """The mean power of all channels over time and frequency, for a picture's columns.

    Memory is that of the picture, whatever the length.

    Args:
        rate: Samples a second.
        samples: How many samples will come.
    """

    def __init__(self, rate: int, samples: int) -> None:
        self.rate, self.samples = rate, samples
        self._window = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
        frames = max(1, -(-samples // _HOP))
        self.columns = min(COLUMNS, frames)
        self._frames = frames
        self._powers: Powers = np.zeros((self.columns, _WINDOW // 2 + 1))
        self._counts = np.zeros(self.columns)
        self._held: Samples | None = None
        self._next = 0

    def push(self, block: Samples) -> None:
        """Take float32 [n, channels]."""
        if self._held is None:
            # The first window is centred on the first sample.
            self._held = np.zeros((_WINDOW // 2, block.shape[1]), np.float32)
        self._held = np.concatenate([self._held, block])
        whole = (len(self._held) - _WINDOW) // _HOP + 1
        if whole >= 64:
            self._measure(whole)

    def finish(self) -> Powers:
        """Return the power in dB, [columns, bins]."""
        if self._held is not None:
            self._held = np.pad(self._held, ((0, _WINDOW), (0, 0)))
            self._measure(min(self._frames - self._next, (len(self._held) - _WINDOW) // _HOP + 1))
        mean = self._powers / np.maximum(self._counts, 1)[:, np.newaxis]
        decibels: Powers = 10 * np.log10(np.maximum(mean, 1e-15))
        return decibels

    def _measure(self, count: int) -> None:
        held = self._held
        if held is None or count <= 0:
            return
        views = np.lib.stride_tricks.sliding_window_view(held, _WINDOW, axis=0)[
            : count * _HOP : _HOP
        ]
        spectra = np.fft.rfft(views * self._window, axis=2)
        powers = np.square(np.abs(spectra)).mean(axis=1) / np.square(self._window.sum() / 2)
        frames = np.minimum(np.arange(self._next, self._next + count), self._frames - 1)
        columns = frames * self.columns // self._frames
        np.add.at(self._powers, columns, powers)
        np.add.at(self._counts, columns, 1)
        self._next += count
        self._held = held[count * _HOP :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One of the pictures: its title, and power in dB, [columns, bins]."""

    title: str
    powers: Powers


def draw(path: Path, panels: Sequence[Panel], rate: int, seconds: float) -> None:
    """Write the panels, one above the other, as a PNG with scales of time and frequency."""
    height = _TOP + len(panels) * (ROWS + _GAP) - _GAP + _BOTTOM
    image = Image.new("RGB", (_LEFT + COLUMNS + _RIGHT, height), _GROUND)
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=13)
    edges = _edges(rate)
    for number, panel in enumerate(panels):
        top = _TOP + number * (ROWS + _GAP)
        image.paste(_painted(panel.powers, edges, rate), (_LEFT, top))
        pen.text((_LEFT, top - 18), panel.title, _INK, font)
        for hertz in _TICKS_HZ:
            if hertz < edges[-1]:
                y = top + ROWS - ROWS * np.log(hertz / edges[0]) / np.log(edges[-1] / edges[0])
                pen.line((_LEFT - 5, y, _LEFT - 1, y), _DIM)
                text = f"{hertz // 1000}k" if hertz >= 1000 else str(hertz)
                pen.text((_LEFT - 9, y), text, _DIM, font, anchor="rm")
    for share, text in _times(seconds):
        x = _LEFT + share * COLUMNS
        pen.line((x, height - _BOTTOM, x, height - _BOTTOM + 4), _DIM)
        pen.text((x, height - _BOTTOM + 6), text, _DIM, font, anchor="mt" if share else "lt")
    image.save(path, optimize=False)


def _edges(rate: int) -> Powers:
    """Return the frequencies between the picture's rows, lowest first, evenly spaced in octaves."""
    edges: Powers = np.geomspace(_LOWEST_HZ, rate / 2, ROWS + 1)
    return edges


def _painted(powers: Powers, edges: Powers, rate: int) -> Image.Image:
    bins = powers.shape[1]
    places = edges * (2 * (bins - 1)) / rate
    rows = np.empty((ROWS, len(powers)))
    for row in range(ROWS):
        low, high = places[row], places[row + 1]
        first, last = int(np.ceil(low)), int(np.ceil(high))
        if last > first:
            rows[row] = powers[:, first : min(last, bins)].max(axis=1)
        else:
            # Between two bins: rows of the low octaves are finer than the transform.
            middle = min((low + high) / 2, bins - 1.001)
            below = int(middle)
            part = middle - below
            rows[row] = (1 - part) * powers[:, below] + part * powers[:, below + 1]
    shares = np.clip((rows[::-1] - FLOOR_DB) / (TOP_DB - FLOOR_DB), 0, 1)
    image = Image.fromarray(_coloured(shares))
    return image.resize((COLUMNS, ROWS), Image.Resampling.NEAREST)


def _coloured(shares: Powers) -> NDArray[np.uint8]:
    stops = np.linspace(0, 1, len(_COLOURS))
    channels = [np.interp(shares, stops, colours) for colours in zip(*_COLOURS, strict=True)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def _times(seconds: float) -> list[tuple[float, str]]:
    steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
    step = next((one for one in steps if seconds / one <= 12), 28800)
    return [
        (number * step / seconds, _time(number * step))
        for number in range(int(seconds / step) + 1)
        if seconds > 0
    ]


def _time(seconds: float) -> str:
    if seconds < 60 and seconds != int(seconds):
        return f"{seconds:.1f} s"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
