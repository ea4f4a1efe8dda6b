"""Trains a network that cleans speech on: ``tf.data`` in, a plain loop, seed fixed, resumable.

What a run's folder holds, :mod:`models.stepping` says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from models.enhance import deepfilter_network
from models.enhance.mixing import Mixer
from models.stepping import Loop, Say

_FFT, _STEP = 960, 480
_COMPRESSED = 0.3
_EPSILON = 1e-8
_TOLD_EVERY, _SAVED_EVERY = 10, 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to train; ``rate`` is the highest learning rate, ``fresh`` how many steps lead up to it.

    ``complex_share`` is how much complex spectra count beside their magnitudes, ``sisdr_share``
    what 10 dB of signal over distortion are worth.
    """

    seed: int = 7
    steps: int = 600
    batch: int = 8
    rate: float = 1e-4
    fresh: int = 30
    complex_share: float = 0.5
    sisdr_share: float = 0.02


def loss(clean: Any, made: Any, noisy: Any, settings: Settings) -> Any:
    """Compare cleaned speech with clean.

    The magnitudes and the complex values of compressed spectra (Ephrat et al. 2018; Braun and
    Tashev 2020: the power 0.3), and the scale-invariant ratio of signal to distortion.

    Args:
        clean: float32 [batch, n].
        made: The same.
        noisy: What it was made of: where there is no speech at all, the noise sets the scale.
        settings: How much each counts.

    Returns:
        One number.
    """
    levels = [tf.math.reduce_std(one, axis=-1, keepdims=True) for one in (clean, noisy)]
    scale = 1 / (levels[0] + 0.1 * levels[1] + _EPSILON)
    true, said = _spectra(clean * scale), _spectra(made * scale)
    magnitudes = tf.reduce_mean(tf.square(true[0] - said[0]))
    whole = 2 * tf.reduce_mean(tf.square(true[1] - said[1]))
    share = settings.complex_share
    spectral = (1 - share) * magnitudes + share * whole
    return spectral - settings.sisdr_share * tf.reduce_mean(si_sdr(clean, made)) / 10


def si_sdr(clean: Any, made: Any) -> Any:
    """Return the scale-invariant ratio of signal to distortion in dB, [batch]; at most 35 dB.

    Le Roux et al., "SDR - half-baked or well done?", 2019.
    """
    energy = tf.reduce_sum(tf.square(clean), axis=-1, keepdims=True) + _EPSILON
    target = clean * tf.reduce_sum(clean * made, axis=-1, keepdims=True) / energy
    signal = tf.reduce_sum(tf.square(target), axis=-1) + _EPSILON
    rest = tf.reduce_sum(tf.square(made - target), axis=-1) + _EPSILON
    return tf.minimum(10 * tf.math.log(signal / rest) / tf.math.log(10.0), 35.0)


def _spectra(sound: Any) -> tuple[Any, Any]:
    """Return compressed magnitudes, and compressed real and imaginary parts, [2, ...]."""
    spectra = tf.signal.stft(sound, _FFT, _STEP)
    parts = tf.stack([tf.math.real(spectra), tf.math.imag(spectra)])
    # The square root of the power, not the absolute value: that has no gradient at zero.
    size = tf.sqrt(tf.reduce_sum(tf.square(parts), axis=0) + _EPSILON)
    compressed = tf.pow(size, _COMPRESSED)
    return compressed, parts * (compressed / size)


def forward(model: Any) -> Callable[[Any], Any]:
    """Return a function that cleans noisy speech by DeepFilterNet3, not delayed.

    It maps float32 [batch, n] to the same shape, n a multiple of 480.
    """
    first = deepfilter_network.nothing_judged(1)

    def run(noisy: Any) -> Any:
        batch = tf.shape(noisy)[0]
        heard = tf.pad(noisy, [[0, 0], [0, deepfilter_network.DELAY]])
        inputs = {
            "heard": heard,
            "sound": heard[:, tf.newaxis],
            "judged": tf.tile(first, [batch, 1]),
            "filtered": tf.zeros([batch, 1, deepfilter_network.FILTERED]),
        }
        return model(inputs, training=True)["sound"][:, 0, deepfilter_network.DELAY :]

    return run


class Learner:
    """Trains one network.

    Args:
        model: The Keras model whose weights are changed.
        forward: Calls it: noisy float32 [batch, n] to cleaned, of the same shape, not delayed.
        settings: How.
        folder: The run's folder; a checkpoint in it is gone on from.
    """

    def __init__(self, model: Any, forward: Any, settings: Settings, folder: Path) -> None:
        self._loop = Loop(folder, settings, told_every=_TOLD_EVERY, saved_every=_SAVED_EVERY)
        keras.utils.set_random_seed(settings.seed)
        self._model, self._forward, self._settings = model, forward, settings
        rate = keras.optimizers.schedules.CosineDecay(
            0.05 * settings.rate,
            max(1, settings.steps - settings.fresh),
            warmup_target=settings.rate,
            warmup_steps=min(settings.fresh, settings.steps // 2),
        )
        self._optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-5, clipnorm=1.0)
        # What the network says of the noise has no part in its sound.
        self._trained = [one for one in model.trainable_variables if "/snr/" not in one.path]
        self._optimizer.build(self._trained)
        self._step = tf.function(self._one_step, reduce_retracing=True)

    def train(self, mixer: Mixer, say: Say) -> None:
        """Train to the last step, from the last checkpoint on; see :meth:`Loop.train`."""
        batch = self._settings.batch
        state = [*self._model.weights, *self._optimizer.variables]
        self._loop.train(
            state, lambda done: mixer.dataset(done * batch, batch), self._step, _worded, say
        )

    def _one_step(self, noisy: Any, clean: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(clean, self._forward(noisy), noisy, self._settings)
        gradients = tape.gradient(value, [variable.value for variable in self._trained])
        self._optimizer.apply(gradients, self._trained)
        return value


def _worded(value: float) -> str:
    return f"loss {value:.4f}"
