"""What the segmentation network looks at: energies of mel bands, frame by frame.

The features of Doukhan et al., ICASSP 2018: frames of 25 ms every 10 ms at 16 kHz, pre-emphasis
inside each frame, the power spectrum under a Hann window, 24 triangles on the mel scale from
100 Hz to 8 kHz, natural logarithms.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Array = NDArray[np.float32]

RATE = 16000
WINDOW, HOP = 400, 160
BANDS = 21
"""Bands that the network looks at; three above them are left out."""

_FFT = 512
_ALL_BANDS = 24
_LOWEST, _HIGHEST = 100.0, 8000.0
_EMPHASIS = np.float32(0.97)
# Bands of the noise that rounding to 16 bits makes.
_ROUNDING = -21.0
# Samples at once: frames overlap, so they take several times the room of the sound.
_TOGETHER = 10 * RATE


class BandEnergies:
    """Turns sound that comes in pieces into features; keeps less than a frame of it."""

    def __init__(self) -> None:
        self._left = np.zeros(0, np.float32)
        self._made = 0

    def push(self, samples: Samples) -> tuple[Array, Array]:
        """Take the next samples, float32 [n], of one channel at 16 kHz.

        Returns:
            For each frame that is now whole: bands [frames, 21] and energy [frames], both natural
            logarithms. In digital silence the energy is minus infinity.
        """
        pieces = range(0, max(len(samples), 1), _TOGETHER)
        made = [self._push(samples[start : start + _TOGETHER]) for start in pieces]
        bands, energy = zip(*made, strict=True)
        return np.concatenate(bands), np.concatenate(energy)

    def finish(self) -> tuple[Array, Array]:
        """Return the one frame of a sound that was too short for any, else nothing."""
        short = not self._made and len(self._left) > 0
        return self._push(np.zeros(WINDOW - len(self._left) if short else 0, np.float32))

    def _push(self, samples: Samples) -> tuple[Array, Array]:
        heard = np.concatenate([self._left, samples])
        count = max((len(heard) - WINDOW) // HOP + 1, 0)
        self._left = heard[count * HOP :].copy()
        self._made += count
        if not count:
            return np.zeros((0, BANDS), np.float32), np.zeros(0, np.float32)
        return _features(sliding_window_view(heard, WINDOW)[: count * HOP : HOP])


def _features(frames: Samples) -> tuple[Array, Array]:
    """Return bands and energy of frames [n, 400]."""
    emphasised = frames.copy()
    emphasised[:, 1:] -= _EMPHASIS * frames[:, :-1]
    emphasised[:, 0] -= _EMPHASIS * frames[:, 0]
    spectrum = np.fft.rfft(emphasised * np.hanning(WINDOW), _FFT)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    with np.errstate(divide="ignore"):
        bands = np.log(power @ _triangles().T)
        energy = np.log(np.square(emphasised).sum(axis=1))
    bands[np.isneginf(bands)] = _ROUNDING
    return bands.astype(np.float32), energy.astype(np.float32)


@cache
def _triangles() -> NDArray[np.float64]:
    """Return the weight of each frequency in each band, [21, 257], each triangle of area one."""
    edges = _hertz(np.linspace(_mel(_LOWEST), _mel(_HIGHEST), _ALL_BANDS + 2))
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    hertz = np.arange(_FFT // 2 + 1) * (RATE / _FFT)
    last = np.floor(high * _FFT / RATE) * (RATE / _FFT)
    rising = (hertz - low) / (centre - low) * ((hertz > low) & (hertz <= centre))
    # The weights were trained without the last frequency below the upper edge.
    falling = (high - hertz) / (high - centre) * ((hertz > centre) & (hertz < last))
    triangles: NDArray[np.float64] = 2 / (high - low) * (rising + falling)
    return triangles[:BANDS]


def _mel(hertz: float) -> float:
    return float(2595 * np.log10(1 + hertz / 700))


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    hertz: NDArray[np.float64] = 700 * (10 ** (mel / 2595) - 1)
    return hertz
