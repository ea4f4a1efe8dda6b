"""What a sensor adds to a picture, after the camera's display curve.

Photons arrive by chance, so that a pixel's variance in linear light grows with it (shot noise);
the electronics add a constant (read noise): Foi et al., "Practical Poissonian-Gaussian noise
modeling and fitting for single-image raw-data", 2008. White balance amplifies red and blue,
the display curve stretches the shadows, debayering and scaling make neighbours alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Random = np.random.Generator

GAMMA = 2.2
LEAST, MOST = 2.0, 60.0
"""Standard deviations that are learnt, in 8-bit codes."""
_FAINT, _SENSOR, _CORRELATED, _STORED, _REPEATED = 0.3, 0.45, 0.5, 0.6, 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Noisy:
    """A window with noise.

    ``frames`` are float32 [5, h, w, 3]; ``sigma`` float32 [h, w, 1] is the noise's standard
    deviation in the middle frame as far as it is known, in the frames' unit.
    """

    frames: Image
    sigma: Image


def add(clean: Image, random: Random) -> Noisy:
    """Add noise of a random kind and strength to each frame of a window, 0..1."""
    level = float(random.uniform(LEAST, MOST)) / 255
    if random.random() < _FAINT:
        level = float(np.exp(random.uniform(np.log(LEAST), np.log(MOST)))) / 255
    if random.random() < _SENSOR:
        frames, sigma = _sensor(clean, level, random)
    else:
        frames, sigma = gaussian(clean, level, random), _level_map(clean, level)
    if random.random() < _STORED:
        frames = stored(frames)
    sigma = sigma * np.float32(np.exp(random.normal(0, 0.07)))
    return Noisy(frames=_repeated(frames, random), sigma=sigma)


def gaussian(clean: Image, level: float, random: Random) -> Image:
    """Add white noise of one standard deviation."""
    added: Image = clean + level * random.standard_normal(clean.shape, np.float32)
    return added.astype(np.float32, copy=False)


def stored(frames: Image) -> Image:
    """Round to 8 bits, clipping, as a file would."""
    rounded: Image = np.rint(np.clip(frames, 0, 1) * 255, dtype=np.float32) / np.float32(255)
    return rounded


def _level_map(clean: Image, level: float) -> Image:
    return np.full((*clean.shape[1:3], 1), level, np.float32)


def _sensor(clean: Image, level: float, random: Random) -> tuple[Image, Image]:
    """Shot and read noise in linear light, so strong that its mean is ``level``."""
    balance = np.array([random.uniform(1, 2.2), 1, random.uniform(1, 2.2)], np.float32)
    linear = np.power(np.maximum(clean, 0), np.float32(GAMMA))
    read = random.uniform(0.0, 0.05)
    deviation = np.sqrt(balance * linear + balance**2 * np.float32(read**2))
    # The slope of the display curve, which a camera limits near black.
    slope = np.maximum(clean, 0.15) ** np.float32(1 - GAMMA) / np.float32(GAMMA)
    shape = deviation * slope
    shape *= np.float32(level / float(np.sqrt(np.square(shape).mean())))
    grain = random.standard_normal(clean.shape, np.float32)
    if random.random() < _CORRELATED:
        grain = _spread(grain, random.uniform(0.35, 0.8))
    middle = shape[len(shape) // 2]
    known = np.sqrt(np.square(middle).mean(axis=-1, keepdims=True))
    if random.random() < 0.4:
        known = _level_map(clean, level)
    return clean + shape * grain, cv2.blur(known, (5, 5))[..., None] if known.ndim == 3 else known


def _spread(grain: Image, radius: float) -> Image:
    """Make neighbours alike, the standard deviation kept."""
    spread = np.stack([cv2.GaussianBlur(frame, (0, 0), radius) for frame in grain])
    same: Image = spread / spread.std()
    return same


def _repeated(frames: Image, random: Random) -> Image:
    """At times what a clip's ends and cuts give: a frame in the place of missing ones."""
    if random.random() >= _REPEATED:
        return frames
    last = len(frames) - 1
    begin, end = sorted(
        (int(random.integers(0, last // 2 + 1)), int(random.integers(last // 2, last + 1)))
    )
    return frames[np.clip(np.arange(last + 1), begin, end)]
