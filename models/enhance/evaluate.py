"""How well a network cleans speech that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from models import signal
from models.enhance.mixing import Mixer
from models.enhance.training import si_sdr

_FFT, _STEP = 512, 256
_FLOOR = 1e-3


def measure(
    forward: Callable[[Any], Any], mixer: Mixer, count: int, batch: int
) -> dict[str, float]:
    """Measure a network on ``count`` held-back examples.

    Args:
        forward: Cleans noisy speech, float32 [batch, n].
        mixer: Makes the examples.
        count: How many, a multiple of ``batch``.
        batch: How many at once.

    Returns:
        ``si_sdr`` in dB and ``distance`` in dB (the log-spectral distance), and the same of the
        noisy speech itself with ``noisy_`` before it; each the mean over the examples.
    """
    run = tf.function(forward, reduce_retracing=True)
    rows: list[list[float]] = []
    for noisy, clean in mixer.dataset(0, batch).take(count // batch):
        rows += _rows(clean, run(noisy), noisy)
    names = ("si_sdr", "distance", "noisy_si_sdr", "noisy_distance")
    return dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True))


def refused(new: Mapping[str, float], now: Mapping[str, float]) -> str | None:
    """Say why a network must not be used, None when it may: the held-out gate.

    Args:
        new: As :func:`measure` measured the new one.
        now: The same of the one that it began as.
    """
    # Asked the other way round a network whose sound is no numbers would pass.
    if not new["si_sdr"] > now["si_sdr"]:
        return (
            f"its signal over distortion is {new['si_sdr']:.2f} dB, "
            f"that of the network it began as {now['si_sdr']:.2f} dB."
        )
    if not new["distance"] <= now["distance"]:
        return (
            f"its spectra are {new['distance']:.2f} dB from clean speech, "
            f"those of the network it began as {now['distance']:.2f} dB."
        )
    return None


def _rows(clean: Any, made: Any, noisy: Any) -> list[list[float]]:
    columns = [si_sdr(clean, made), _distances(clean, made)]
    columns += [si_sdr(clean, noisy), _distances(clean, noisy)]
    table = np.stack([np.asarray(column) for column in columns], axis=1)
    # Of noise alone there is no speech to compare.
    spoken = np.asarray(tf.reduce_max(tf.abs(clean), axis=-1)) > 0
    kept: list[list[float]] = table[spoken].tolist()
    return kept


def _distances(clean: Any, made: Any) -> Any:
    return [
        _distance(signal.magnitudes(one, _FFT, _STEP), signal.magnitudes(other, _FFT, _STEP))
        for one, other in zip(tf.unstack(clean), tf.unstack(made), strict=True)
    ]


def _distance(one: Any, other: Any) -> float:
    """Return how far two spectra are apart, the root of the mean square of dB, over all frames."""
    apart = 20 * (np.log10(np.maximum(one, _FLOOR)) - np.log10(np.maximum(other, _FLOOR)))
    return float(np.sqrt(np.square(apart).mean(axis=-1)).mean())
