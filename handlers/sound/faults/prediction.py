"""Linear prediction: what a sample is foretold to be, and filling in samples that are lost.

Sound is taken for an autoregressive process over some milliseconds (Makhoul, Linear Prediction:
A Tutorial Review, 1975).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

Floats = NDArray[np.float64]

# Each stretch of sound has a predictor of its own; so many coefficients, more at higher rates.
FRAME_SECONDS = 0.02
_ORDER, _ORDER_HIGH, _HIGH_RATE = 16, 24, 32000
# What a predictor takes for noise that is always there: of the frame's power, and of full scale.
_NOISE_SHARE, _NOISE = 1e-7, 1e-11
# A predictor learns from what it filled in before.
_ROUNDS, _MOST_PUT = 2, 5


def order_at(rate: int) -> int:
    """Return how many samples a prediction is made from."""
    return _ORDER if rate < _HIGH_RATE else _ORDER_HIGH


def prediction_error(sound: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Return what each sample differs by from what the ones before it foretell, float32 [n]."""
    frame = max(64, round(FRAME_SECONDS * rate))
    order = order_at(rate)
    frames = -(-len(sound) // frame)
    length = frames * frame
    padded = np.pad(sound, (order, length - len(sound)))
    error = padded[order:].reshape(frames, frame).copy()
    taps = predictors(error, order).astype(np.float32)
    for lag in range(1, order + 1):
        before = padded[order - lag : order - lag + length].reshape(frames, frame)
        error += taps[:, lag, np.newaxis] * before
    return error.reshape(-1)[: len(sound)]


def predictors(frames: NDArray[np.floating[Any]], order: int) -> Floats:
    """Return the prediction error filters of frames [n, samples]: [n, order + 1], first tap 1."""
    size = frames.shape[1]
    shaped = frames * np.hanning(size).astype(frames.dtype)
    spectrum = np.fft.rfft(shaped, 1 << (size + order).bit_length())
    lags = np.fft.irfft(np.square(spectrum.real) + np.square(spectrum.imag))[:, : order + 1]
    lags[:, 0] = lags[:, 0] * (1 + _NOISE_SHARE) + _NOISE * size
    return levinson(lags)


def levinson(lags: Floats) -> Floats:
    """Return the prediction error filters of autocorrelations [n, order + 1] (Levinson, Durbin)."""
    taps = np.zeros_like(lags)
    taps[:, 0] = 1
    left = lags[:, 0].copy()
    for step in range(1, lags.shape[1]):
        missed = np.einsum("nk,nk->n", taps[:, :step], lags[:, step:0:-1])
        turn = -missed / left
        taps[:, 1 : step + 1] += turn[:, np.newaxis] * taps[:, step - 1 :: -1][:, :step]
        left *= np.maximum(1 - turn * turn, 1e-9)
    return taps


def filled(
    sound: Floats, lost: NDArray[np.bool_], order: int, least: Floats | None = None
) -> tuple[Floats, Floats]:
    """Fill in lost samples so that the prediction error is least (Janssen and others, 1986).

    Args:
        sound: Float [n], with more than ``order`` samples that are not lost at either end;
            what stands at the lost ones is the first guess.
        lost: Which samples are filled in, [n].
        order: How many samples a prediction is made from.
        least: What the lost samples are no smaller than, with the sign that they have, as is
            known of clipped ones; [lost samples].

    Returns:
        The sound, and the prediction error filter that it was filled in by, [order + 1].
    """
    made = sound.copy()
    places = np.flatnonzero(lost)
    apart = np.abs(places[:, np.newaxis] - places)
    for _ in range(_ROUNDS):
        taps = predictors(made[np.newaxis], order)[0]
        # What ties samples to each other: the filter's own autocorrelation.
        tie = np.correlate(taps, taps, "full")
        right = np.append(tie[order:], 0.0)
        known = np.where(lost, 0.0, made)
        wanted = -np.convolve(known, tie, "same")[places]
        ties = right[np.minimum(apart, order + 1)]
        made[places] = _solved(ties, wanted, order, least)
    return made, taps


def _solved(ties: Floats, wanted: Floats, reach: int, least: Floats | None) -> Floats:
    """Solve ``ties @ x = wanted``; where x comes out smaller than ``least`` it is put there.

    Those that were put somewhere are known to the others, a few times over; whatever is then
    still too small is put there too.
    """
    made = _banded(ties, wanted, reach)
    if least is None:
        return made
    fixed = np.zeros(len(made), bool)
    for _ in range(_MOST_PUT):
        small = ~fixed & (np.sign(least) * made < np.abs(least))
        if not small.any():
            break
        fixed |= small
        made[fixed] = least[fixed]
        free = ~fixed
        if free.any():
            rest = wanted[free] - ties[np.ix_(free, fixed)] @ made[fixed]
            made[free] = _banded(ties[np.ix_(free, free)], rest, reach)
    return np.asarray(np.where(np.sign(least) * made < np.abs(least), least, made), np.float64)


def _banded(ties: Floats, wanted: Floats, reach: int) -> Floats:
    """Solve ``ties @ x = wanted``, in which nothing is tied to more than ``reach`` neighbours.

    Faster than without that, and in one thread: others wait for each other over so small a task.
    """
    size = len(ties)
    band = np.zeros((min(reach, size - 1) + 1, size))
    for apart in range(len(band)):
        band[apart, : size - apart] = np.diagonal(ties, -apart)
    return np.asarray(solveh_banded(band, wanted, lower=True, check_finite=False), np.float64)
