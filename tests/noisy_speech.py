"""Real speech in real noise, at 48 kHz: what tests of the networks that clean speech hear."""

from functools import cache

import numpy as np
from scipy.signal import resample_poly

from tests.real_noise import fetch_noise, sounds
from tests.speech import RATE, fetch_speech, prompts


def clean_speech(seconds: float, language: str = "fr", seed: int = 0) -> np.ndarray:
    """Prompts one after the other with pauses, float32 [n] at 48 kHz."""
    rng = np.random.default_rng(seed)
    found = _prompts(language)
    parts, wanted = [], int(seconds * RATE)
    while sum(len(part) for part in parts) < wanted:
        pause = np.zeros(int(rng.uniform(0.1, 1.2) * RATE), np.float32)
        parts += [found[rng.integers(len(found))], pause]
    return _at_48k(np.concatenate(parts)[:wanted])


def noise(seconds: float, decibels: float, seed: int = 0) -> np.ndarray:
    """Engines, tools, rain and crowds, each about so loud (dB of full scale, RMS); as above."""
    rng = np.random.default_rng(seed)
    found = _noises()
    parts, wanted = [], int(seconds * RATE)
    while sum(len(part) for part in parts) < wanted:
        part = found[rng.integers(len(found))]
        level = 10 ** ((decibels + rng.uniform(-8, 8)) / 20)
        parts.append(part * level / max(np.sqrt(np.mean(part**2)), 1e-4))
    return _at_48k(np.concatenate(parts)[:wanted])


def noisy_speech(seconds: float, seed: int = 0) -> np.ndarray:
    """Return speech in noise, float32 [n] at 48 kHz, within full scale."""
    mixed = clean_speech(seconds, seed=seed) + noise(seconds, -36, seed=seed)
    return np.clip(mixed, -1, 1).astype(np.float32)


@cache
def _prompts(language: str) -> list[np.ndarray]:
    return prompts(language, fetch_speech())


@cache
def _noises() -> list[np.ndarray]:
    return sounds(held_out=False, folder=fetch_noise())


def _at_48k(samples: np.ndarray) -> np.ndarray:
    return resample_poly(samples, 48000 // RATE, 1).astype(np.float32)
