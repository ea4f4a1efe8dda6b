"""From samples to spectra and features, and back: what DeepFilterNet3 has around its layers.

A frame is 960 samples under a Vorbis window, one every 480 samples (10 ms at 48 kHz). Frame t is
complete with hop t of the samples. All functions are pure and take what came before as an
argument, so that sound can come in pieces.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

RATE = 48000
HOP, FRAME = 480, 960
BINS = FRAME // 2 + 1
BANDS = 32
DEEP = 96
"""Bins that are deep-filtered, the lowest 4.8 kHz; gains serve the rest."""
ORDER, AHEAD = 5, 2
"""Frames that a deep filter sums over, and how many of them lie ahead."""

_FEWEST_BINS = 2
# The published library rounds exp(-hop / 1 s) to three digits.
_KEPT = 0.99
# 0.99 ** 4096 is below what a float32 can hold of a sum.
_DOUBLINGS = 12


def window() -> Any:
    """Return the Vorbis power-complementary window, float32 [960]."""
    sine = np.sin(np.pi / FRAME * (np.arange(FRAME) + 0.5))
    return np.sin(np.pi / 2 * sine**2).astype(np.float32)


def band_widths() -> list[int]:
    """Return how many bins each of the 32 bands has.

    Bands are equally wide on the ERB scale of Glasberg and Moore (1990), but no narrower than two
    bins; what a band got too much, the next ones lack.
    """
    top = 9.265 * np.log1p(RATE / 2 / (24.7 * 9.265))
    hertz = 24.7 * 9.265 * np.expm1(np.arange(1, BANDS + 1) * top / BANDS / 9.265)
    edges = np.round(hertz / (RATE / FRAME)).astype(int)
    widths, below, owed = [], 0, 0
    for edge in edges:
        free = int(edge) - below - owed
        widths.append(max(free, _FEWEST_BINS))
        owed = max(_FEWEST_BINS - free, 0)
        below = int(edge)
    widths[-1] += BINS - sum(widths)
    return widths


def band_of_bin() -> Any:
    """Return the matrix that spreads bands over bins, float32 [32, 481], zeros and ones."""
    return np.repeat(np.eye(BANDS, dtype=np.float32), band_widths(), axis=1)


def first_levels() -> tuple[Any, Any]:
    """Return the running means before the first frame: bands [32] in dB, bins [96]."""
    levels = np.linspace(-60, -90, BANDS, dtype=np.float32)
    return levels, np.linspace(0.001, 0.0001, DEEP, dtype=np.float32)


def spectra(samples: Any, before: Any) -> tuple[Any, Any]:
    """Transform samples [..., T * 480] behind the hop ``before`` [..., 480].

    Returns:
        Real and imaginary parts, each [..., T, 481], in units of full scale.
    """
    hops = _in_hops(ops.concatenate([before, samples], axis=-1))
    frames = ops.concatenate([hops[..., :-1, :], hops[..., 1:, :]], axis=-1)
    real, imaginary = ops.rfft(frames * (window() / FRAME))
    return real, imaginary


def sound(real: Any, imaginary: Any, before: Any) -> tuple[Any, Any]:
    """Transform spectra [..., T, 481] back and overlap them.

    Args:
        real: Real parts.
        imaginary: Imaginary parts.
        before: The second half of the frame before the first, [..., 480].

    Returns:
        Samples [..., T * 480], a hop behind those that the spectra were made of, and the second
        half of the last frame, [..., 480].
    """
    frames = ops.irfft((real, imaginary), fft_length=FRAME) * (window() * FRAME)
    halves = ops.concatenate([before[..., None, :], frames[..., HOP:]], axis=-2)
    hops = frames[..., :HOP] + halves[..., :-1, :]
    return ops.reshape(hops, (*ops.shape(hops)[:-2], -1)), halves[..., -1, :]


def _in_hops(samples: Any) -> Any:
    return ops.reshape(samples, (*ops.shape(samples)[:-1], -1, HOP))


def band_features(real: Any, imaginary: Any, before: Any) -> tuple[Any, Any]:
    """Return how far each band's level is from its running mean, and that mean at the end.

    Args:
        real: Real parts, [B, T, 481].
        imaginary: Imaginary parts.
        before: The running mean before the first frame, dB, [B, 32].

    Returns:
        [B, T, 32], 40 dB being one; and [B, 32].
    """
    mean = band_of_bin().T / np.array(band_widths(), np.float32)
    power = ops.square(real) + ops.square(imaginary)
    level = ops.log(ops.matmul(power, mean) + 1e-10) * (10 / np.log(10))
    running = _running_mean(level, before)
    return (level - running) / 40, running[:, -1]


def bin_features(real: Any, imaginary: Any, before: Any) -> tuple[Any, Any]:
    """Return the low bins over the root of their running magnitude, and that at the end.

    Args:
        real: Real parts, [B, T, 481].
        imaginary: Imaginary parts.
        before: The running magnitude before the first frame, [B, 96].

    Returns:
        [B, T, 96, 2], real and imaginary parts; and [B, 96].
    """
    low = ops.stack([real[..., :DEEP], imaginary[..., :DEEP]], axis=-1)
    running = _running_mean(ops.sqrt(ops.sum(ops.square(low), axis=-1)), before)
    return low / ops.sqrt(running)[..., None], running[:, -1]


def _running_mean(x: Any, before: Any) -> Any:
    """Average exponentially over time, [B, T, K] from ``before`` [B, K] on.

    y[t] = 0.01 x[t] + 0.99 y[t - 1], for all t at once: each turn doubles how far back y sees.
    """
    first = (1 - _KEPT) * x[:, :1] + _KEPT * before[:, None]
    y = ops.concatenate([first, (1 - _KEPT) * x[:, 1:]], axis=1)
    length = ops.shape(x)[1]
    for turn in range(_DOUBLINGS):
        step = 2**turn
        late = ops.pad(y, ((0, 0), (step, 0), (0, 0)))[:, :length]
        y = y + _KEPT**step * late
    return y


def filtered(real: Any, imaginary: Any, gains: Any, deep: Any) -> tuple[Any, Any]:
    """Filter spectra: gains above, deep filters below.

    Args:
        real: Real parts, [B, C, 4 + T, 481]; frame t + 2 is filtered as frame t of the rest says.
        imaginary: Imaginary parts.
        gains: [B, T, 32].
        deep: [B, T, 96, 5, 2], complex weights of frames t ... t + 4.

    Returns:
        Real and imaginary parts, each [B, C, T, 481].
    """
    time = ops.shape(gains)[1]
    spread = ops.matmul(gains, band_of_bin()[:, DEEP:])[:, None]
    low = _deep_filtered(real[..., :DEEP], imaginary[..., :DEEP], deep, time)
    high = [part[:, :, AHEAD : AHEAD + time, DEEP:] * spread for part in (real, imaginary)]
    made = [ops.concatenate(both, axis=-1) for both in zip(low, high, strict=True)]
    return made[0], made[1]


def _deep_filtered(real: Any, imaginary: Any, deep: Any, time: Any) -> tuple[Any, Any]:
    total_real = total_imaginary = 0.0
    for tap in range(ORDER):
        a, b = (part[:, :, tap : tap + time] for part in (real, imaginary))
        c, d = deep[:, None, :, :, tap, 0], deep[:, None, :, :, tap, 1]
        total_real += a * c - b * d
        total_imaginary += a * d + b * c
    return total_real, total_imaginary
