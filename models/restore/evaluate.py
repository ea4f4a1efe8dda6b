"""How well restoration does on held-out pictures, beside what is known without a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.restore import degrade, noise, scenes
from models.restore.material import Footage

Image = NDArray[np.float32]

SIGMAS = (10, 25, 50)
# Of the strengths that were tried on other pictures the best for each noise, as times sigma.
_STRENGTHS = (0.5, 0.7, 0.9, 1.1, 1.4)
_SIDE, _SEED = 160, 1000


def psnr(wanted: Image, made: Image) -> float:
    """Return 10 log10(1 / mean square error) in dB, for values 0..1; 100 for equal pictures."""
    error = float(np.square(np.clip(made, 0, 1) - wanted, dtype=np.float64).mean())
    return -10 * float(np.log10(max(error, 1e-10)))


def windows(footage: Sequence[Footage], count: int) -> list[Image]:
    """Cut windows of five clean frames: takes as they are, photographs under a moving camera."""
    made = []
    for number in range(count):
        random = np.random.default_rng([_SEED, number])
        one = footage[number % len(footage)]
        made.append(scenes.window([one], _SIDE, random, plain=True))
    return made


def denoising(model: Any, footage: Sequence[Footage], count: int) -> dict[str, float]:
    """Measure a network beside OpenCV's non-local means, white noise, stored in 8 bits.

    Args:
        model: The network ``denoise``.
        footage: What was held out.
        count: How many windows.

    Returns:
        PSNR in dB of the middle frame, a mean over windows: ``psnr10`` for standard deviation 10
        and so on, ``nlm10`` that of non-local means at the strength that is best for it.
    """
    made: dict[str, float] = {}
    clean = windows(footage, count)
    for sigma in SIGMAS:
        noisy = [noisy_window(window, sigma, number) for number, window in enumerate(clean)]
        ours = [
            psnr(window[scenes.REACH], denoised(model, given, sigma / 255))
            for window, given in zip(clean, noisy, strict=True)
        ]
        middles = [
            (window[scenes.REACH], given[scenes.REACH])
            for window, given in zip(clean, noisy, strict=True)
        ]
        theirs = [
            np.mean([psnr(wanted, non_local(given, strength * sigma)) for wanted, given in middles])
            for strength in _STRENGTHS
        ]
        made[f"psnr{sigma}"] = float(np.mean(ours))
        made[f"nlm{sigma}"] = float(max(theirs))
    return made


def noisy_window(window: Image, sigma: float, number: int) -> Image:
    """Add white noise of a standard deviation in 8-bit codes, and store it in 8 bits."""
    random = np.random.default_rng([_SEED, number, int(sigma)])
    return noise.stored(noise.gaussian(window, sigma / 255, random))


def denoised(model: Any, window: Image, sigma: float) -> Image:
    """Clean the middle of five frames; height and width are multiples of 8."""
    level = np.full((1, *window.shape[1:3], 1), sigma, np.float32)
    frames = np.concatenate(list(window), axis=-1)[None]
    return np.asarray(model({"frames": frames, "sigma": level})[0], np.float32)


def non_local(picture: Image, strength: float) -> Image:
    """OpenCV's non-local means (Buades, Coll and Morel, 2005) of an 8-bit picture, 0..1."""
    codes = np.rint(picture * 255).astype(np.uint8)
    cleaned = cv2.fastNlMeansDenoisingColored(codes, None, strength, strength, 7, 21)
    return np.asarray(cleaned.astype(np.float32) / np.float32(255))


def upscaling(model: Any, footage: Sequence[Footage], count: int) -> dict[str, float]:
    """Measure a network beside interpolation, pictures halved by a bicubic kernel.

    Args:
        model: The network ``upscale2``.
        footage: What was held out.
        count: How many pictures.

    Returns:
        PSNR in dB, a mean over pictures: ``psnr``, ``lanczos`` and ``bicubic``.
    """
    rows = []
    for number in range(count):
        random = np.random.default_rng([_SEED, number])
        one = footage[number % len(footage)]
        size = degrade.fitting(one, _SIDE)
        small, large = degrade.pair([one], size, random, plain=True)
        made = np.asarray(model(small[None]))[0]
        rows.append([psnr(large, each) for each in (made, *enlarged(small))])
    means = np.mean(rows, axis=0)
    return {
        name: float(mean) for name, mean in zip(("psnr", "lanczos", "bicubic"), means, strict=True)
    }


def enlarged(small: Image) -> tuple[Image, Image]:
    """Return a picture twice as large by OpenCV's Lanczos and by its bicubic interpolation."""
    size = (2 * small.shape[1], 2 * small.shape[0])
    kinds = (cv2.INTER_LANCZOS4, cv2.INTER_CUBIC)
    lanczos, bicubic = (cv2.resize(small, size, interpolation=kind) for kind in kinds)
    return lanczos, bicubic
