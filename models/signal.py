"""Resampling, spectra and masks inside ``tf.data``: tensorflow-io where it loads, or plain ops.

tensorflow-io's last release pins an ageing TensorFlow. It is used here and nowhere else, and
behind each function stands another that does the same without it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf
from scipy import signal

# Finer ratios than this give silence there.
_FINEST = 1000


@cache
def tensorflow_io() -> Any:
    """Return the module, or None where it does not load beside this TensorFlow."""
    try:
        import tensorflow_io as tfio  # noqa: PLC0415 - it may be missing
    except (ImportError, OSError, RuntimeError, NotImplementedError):
        return None
    try:
        # The module loads where its operations do not.
        tfio.audio.resample(tf.zeros((8, 1)), 8, 4)
    except (NotImplementedError, tf.errors.OpError, AttributeError):
        return None
    return tfio


def resample(samples: Any, source: int, target: int, *, io: bool | None = None) -> Any:
    """Change the rate of sound.

    Args:
        samples: float32 [n].
        source: Its rate, in hertz.
        target: The rate wanted.
        io: Whether to use tensorflow-io; left out, where there is one.

    Returns:
        float32 [n * target / source, rounded up]; nothing is delayed.
    """
    if source == target:
        return samples
    common = int(np.gcd(source, target))
    up, down = target // common, source // common
    if _uses(io) and max(up, down) <= _FINEST:
        return _resampled(samples, up, down)
    made = tf.numpy_function(
        lambda x: signal.resample_poly(x, up, down).astype(np.float32), [samples], tf.float32
    )
    made.set_shape([None])
    return made


def _resampled(samples: Any, up: int, down: int) -> Any:
    """Resample by tensorflow-io, and take out its delay: half of Speex's filter, quality 10."""
    late = _filter_length(up, down) // 2
    # In front so much that what is cut off is a whole number of samples at both rates.
    before = -late % down
    count = -(-tf.shape(samples)[0] * up // down)
    padded = tf.pad(samples, [[before, late + down]])
    made = tensorflow_io().audio.resample(padded[:, tf.newaxis], down, up)[:, 0]
    first = (late + before) * up // down
    return made[first : first + count]


def _filter_length(up: int, down: int) -> int:
    """Return how many samples of the source Speex's filter spans: 64 at the lower rate."""
    length = 64 * max(up, down) // up
    return (length - 1) // 8 * 8 + 8


def magnitudes(samples: Any, window: int, stride: int, *, io: bool | None = None) -> Any:
    """Return the magnitudes of a short Fourier transform under a Hann window.

    Args:
        samples: float32 [n].
        window: Samples of a frame.
        stride: Samples from frame to frame.
        io: As for :func:`resample`.

    Returns:
        float32 [frames, window / 2 + 1].
    """
    if _uses(io):
        return tensorflow_io().audio.spectrogram(samples, window, window, stride)
    # Frames reach half a window beyond both ends, as tensorflow-io's do.
    frames = tf.signal.stft(samples, window, stride, window, pad_end=True)
    return tf.abs(frames)


def kept(count: int, place: Any, width: Any) -> Any:
    """Return a SpecAugment mask: ones, and zeros over a run of bands or frames.

    Park et al., "SpecAugment", 2019, section 2. tensorflow-io's own masks draw from a generator
    whose state a training that goes on cannot bring back, so chance comes from outside.

    Args:
        count: How many bands or frames there are.
        place: Where the run begins, as a share of what is free, 0..1.
        width: How many are masked, rounded down.

    Returns:
        float32 [count].
    """
    width = tf.floor(width)
    free = tf.cast(count, tf.float32) - width
    begin = tf.minimum(tf.floor(place * (free + 1)), free)
    places = tf.range(tf.cast(count, tf.float32))
    return tf.cast((places < begin) | (places >= begin + width), tf.float32)


def _uses(io: bool | None) -> bool:  # noqa: FBT001 - passed on as it came
    return tensorflow_io() is not None if io is None else io
