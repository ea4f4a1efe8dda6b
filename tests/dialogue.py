"""Dialogue in real noise, for tests of what cleans it; French, as English is for measuring."""

import numpy as np
from scipy.signal import resample_poly

from tests.real_noise import fetch_noise, sounds
from tests.speech import RATE, fetch_speech, prompts


def dialogue(seconds: float, snr: float, rate: int = RATE) -> tuple[np.ndarray, np.ndarray]:
    """Return speech alone and speech in noise, float32 [n], at `snr` dB and `rate` Hz."""
    fetch_speech()
    fetch_noise()
    count = int(seconds * RATE)
    speech = np.concatenate(prompts("fr"))[:count]
    noise = np.resize(np.concatenate(sounds(held_out=False)), count)
    noise *= np.sqrt(np.mean(speech**2) / np.mean(noise**2) / 10 ** (snr / 10))
    both = [resample_poly(each, rate // RATE, 1) for each in (speech, speech + noise)]
    return both[0].astype(np.float32), both[1].astype(np.float32)


def si_sdr(made: np.ndarray, wanted: np.ndarray) -> float:
    """Return the scale-invariant signal-to-distortion ratio, dB (Le Roux et al., 2019)."""
    made, wanted = made.astype(float), wanted.astype(float)
    target = (made @ wanted) / (wanted @ wanted) * wanted
    return float(10 * np.log10((target @ target) / ((made - target) @ (made - target))))
