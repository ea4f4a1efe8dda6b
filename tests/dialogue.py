"""Speech at a known level in noise, and how much of it is left, for tests of what cleans it."""

import numpy as np
from scipy.signal import resample_poly

from tests.noisy_speech import clean_speech, noise


def dialogue(seconds: float, snr: float, rate: int = 16000) -> tuple[np.ndarray, np.ndarray]:
    """Return speech alone and speech in noise, float32 [n], at `snr` dB and `rate` Hz."""
    speech, around = clean_speech(seconds), noise(seconds, -36)
    around *= np.sqrt(np.mean(speech**2) / np.mean(around**2) / 10 ** (snr / 10))
    both = [resample_poly(each, 1, 48000 // rate) for each in (speech, speech + around)]
    return both[0].astype(np.float32), both[1].astype(np.float32)


def si_sdr(made: np.ndarray, wanted: np.ndarray) -> float:
    """Return the scale-invariant signal-to-distortion ratio, dB (Le Roux et al., 2019)."""
    made, wanted = made.astype(float), wanted.astype(float)
    target = (made @ wanted) / (wanted @ wanted) * wanted
    return float(10 * np.log10((target @ target) / ((made - target) @ (made - target))))
