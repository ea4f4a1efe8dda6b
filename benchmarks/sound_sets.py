"""Speech in noise for the benchmark of sound: English prompts, real sounds, 0 to 15 dB.

No network here was trained on either, and no threshold was chosen on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from tests import real_noise, speech

Samples = NDArray[np.float32]

RATE, WIDE = 16000, 48000
# PESQ wants some speech, and its own code ends before half a minute.
_SHORTEST, _LONGEST = 2.5, 12.0
_LEVELS_DB = (-32.0, -18.0)
_SNR_DB = (0.0, 15.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A prompt without and with noise, float32 [n] at 16 kHz."""

    clean: Samples
    noisy: Samples
    snr: float

    @property
    def wide(self) -> Samples:
        """The noisy one at 48 kHz, [3 n]."""
        made: Samples = signal.resample_poly(self.noisy, WIDE // RATE, 1).astype(np.float32)
        return made


def pieces(count: int, seed: int) -> list[Piece]:
    """Make so many pieces."""
    rng = np.random.default_rng(seed)
    spoken = [
        one
        for one in speech.prompts("en")
        if _SHORTEST * RATE <= len(one) <= _LONGEST * RATE and np.abs(one).max() > 0.05
    ]
    chosen = rng.choice(len(spoken), count, replace=False)
    sounds = real_noise.sounds(held_out=True)
    return [_piece(rng, spoken[number], sounds) for number in chosen]


def narrow(made: Samples) -> Samples:
    """Bring what was made at 48 kHz to 16 kHz."""
    narrowed: Samples = signal.resample_poly(made, 1, WIDE // RATE).astype(np.float32)
    return narrowed


def _piece(rng: np.random.Generator, spoken: Samples, sounds: Sequence[Samples]) -> Piece:
    noise = _around(rng, len(spoken), sounds)
    snr = float(rng.uniform(*_SNR_DB))
    clean = spoken * 10 ** ((rng.uniform(*_LEVELS_DB) - _level(spoken)) / 20)
    noise = noise * 10 ** ((_level(clean) - snr - _level(noise)) / 20)
    # What would be clipped is turned down as a whole: the comparison is about noise.
    loudest = max(1.0, float(np.abs(clean + noise).max()) / 0.98)
    clean, noise = clean / loudest, noise / loudest
    return Piece(clean=clean.astype(np.float32), noisy=(clean + noise).astype(np.float32), snr=snr)


def _around(rng: np.random.Generator, length: int, sounds: Sequence[Samples]) -> Samples:
    """Two of the sounds at once, each again and again for as long as the speech lasts."""
    made = np.zeros(length, np.float32)
    for weight in (1.0, rng.uniform(0.2, 0.8)):
        one = sounds[rng.integers(len(sounds))]
        one = one / max(1e-6, float(np.sqrt(np.square(one).mean())))
        repeated = np.resize(one, length + len(one))
        begin = rng.integers(len(one))
        made += weight * repeated[begin : begin + length]
    return made


def _level(samples: Samples) -> float:
    return float(10 * np.log10(np.square(samples, dtype=np.float64).mean() + 1e-12))
