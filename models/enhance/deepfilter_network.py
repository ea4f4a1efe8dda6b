"""DeepFilterNet3 (Schroeter et al., 2023, arXiv:2305.08227), in Keras 3: samples to samples.

The network goes on where it stopped: all that it remembers is an input and an output. It gives
each sample 1440 samples late, a hop for the overlap of frames and two that it looks ahead.
"""

from __future__ import annotations

from math import prod
from typing import Any

import keras
import numpy as np
from keras import ops

from models.enhance import deepfilter_signal as signal
from models.enhance.deepfilter_layers import CHANNELS, PACKAGE, UNITS
from models.enhance.deepfilter_parts import DeepDecoder, Encoder, GainDecoder, Part
from models.enhance.deepfilter_signal import BANDS, DEEP, HOP, ORDER

RATE = signal.RATE
DELAY = 3 * HOP
"""Samples that the output is late."""

# What is remembered of the sound that is judged, for each of a batch, in this order.
_JUDGED: dict[str, tuple[int, ...]] = {
    "hop": (HOP,),
    "levels": (BANDS,),
    "sizes": (DEEP,),
    "bands": (2, BANDS, 1),
    "bins": (2, DEEP, 2),
    "encoder": (UNITS,),
    "gains1": (UNITS,),
    "gains2": (UNITS,),
    "deep1": (UNITS,),
    "deep2": (UNITS,),
    "convolved": (ORDER - 1, DEEP, CHANNELS),
}
JUDGED = sum(prod(shape) for shape in _JUDGED.values())
# And of each channel that is filtered: five hops, and half a frame that is still to be added to.
FILTERED = (ORDER + 1) * HOP


def nothing_judged(batch: int) -> Any:
    """Return what is remembered before the first sample, float32 [batch, JUDGED]."""
    levels, sizes = signal.first_levels()
    known = {"levels": levels, "sizes": sizes}
    parts = [known.get(name, np.zeros(prod(shape))) for name, shape in _JUDGED.items()]
    return np.tile(np.concatenate(parts, dtype=np.float32, casting="same_kind"), (batch, 1))


def _unpacked(memory: Any) -> dict[str, Any]:
    parts, at = {}, 0
    for name, shape in _JUDGED.items():
        parts[name] = ops.reshape(memory[:, at : at + prod(shape)], (-1, *shape))
        at += prod(shape)
    return parts


def _packed(parts: dict[str, Any]) -> Any:
    flat = [ops.reshape(parts[name], (-1, prod(shape))) for name, shape in _JUDGED.items()]
    return ops.concatenate(flat, axis=-1)


@keras.saving.register_keras_serializable(package=PACKAGE)
class Judge(Part):
    """Hears sound and says how to filter it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.encoder = Encoder(name="encoder")
        self.gains = GainDecoder(name="gains")
        self.deep = DeepDecoder(name="deep")

    def call(self, heard: Any, memory: Any) -> dict[str, Any]:
        """Judge samples.

        Args:
            heard: Samples, [B, T * 480].
            memory: What is remembered, [B, JUDGED].

        Returns:
            ``gains`` [B, T, 32]; ``deep`` [B, T, 96, 5, 2]; ``snr`` [B, T], the local
            signal-to-noise ratio in dB; ``memory`` [B, JUDGED].
        """
        known = _unpacked(memory)
        bands, bins = self._features(heard, known)
        coded = self.encoder(bands, bins, known["encoder"])
        gains = self.gains(coded, (known["gains1"], known["gains2"]))
        convolved = ops.concatenate([known["convolved"], coded["convolved"]], axis=1)
        deep = self.deep(coded["embedding"], convolved, (known["deep1"], known["deep2"]))
        known["encoder"], known["convolved"] = coded["state"], convolved[:, 1 - ORDER :]
        known["gains1"], known["gains2"] = gains["states"]
        known["deep1"], known["deep2"] = deep["states"]
        said = {"gains": gains["gains"], "deep": deep["deep"], "snr": coded["snr"]}
        return {**said, "memory": _packed(known)}

    def _features(self, heard: Any, known: dict[str, Any]) -> tuple[Any, Any]:
        """Return bands [B, 2 + T, 32, 1] and bins [B, 2 + T, 96, 2]."""
        real, imaginary = signal.spectra(heard, known["hop"])
        known["hop"] = heard[:, -HOP:]
        bands, known["levels"] = signal.band_features(real, imaginary, known["levels"])
        bins, known["sizes"] = signal.bin_features(real, imaginary, known["sizes"])
        bands = ops.concatenate([known["bands"], bands[..., None]], axis=1)
        bins = ops.concatenate([known["bins"], bins], axis=1)
        known["bands"], known["bins"] = bands[:, -2:], bins[:, -2:]
        return bands, bins


@keras.saving.register_keras_serializable(package=PACKAGE)
class Applied(keras.layers.Layer):  # type: ignore[misc]
    """Filters sound as the judge says."""

    def call(self, sound: Any, memory: Any, said: dict[str, Any]) -> tuple[Any, Any]:
        """Filter samples.

        Args:
            sound: Samples, [B, C, T * 480].
            memory: What is remembered of each channel, [B, C, FILTERED].
            said: What :class:`Judge` said.

        Returns:
            Samples of the same shape, 1440 late; and [B, C, FILTERED].
        """
        hops, half = memory[..., :-HOP], memory[..., -HOP:]
        together = ops.concatenate([hops, sound], axis=-1)
        real, imaginary = signal.spectra(together[..., HOP:], together[..., :HOP])
        real, imaginary = signal.filtered(real, imaginary, said["gains"], said["deep"])
        made, half = signal.sound(real, imaginary, half)
        return made, ops.concatenate([together[..., -ORDER * HOP :], half], axis=-1)


def build() -> Any:
    """Build the network with random weights.

    Returns:
        A ``keras.Model``. Inputs: ``heard``, the sound to judge, float32 [B, n], n a multiple of
        480; ``sound``, what to filter accordingly, [B, C, n]; ``judged`` [B, JUDGED] and
        ``filtered`` [B, C, FILTERED], what is remembered, at first that of
        :func:`nothing_judged` and zeros. Outputs: ``sound``, 1440 samples late; ``snr`` [B, T],
        the local signal-to-noise ratio in dB; ``judged``; ``filtered``.
    """
    heard = keras.Input((None,), name="heard")
    sound = keras.Input((None, None), name="sound")
    judged = keras.Input((JUDGED,), name="judged")
    before = keras.Input((None, FILTERED), name="filtered")
    said = Judge(name="judge")(heard, judged)
    made, after = Applied(name="applied")(sound, before, said)
    inputs = {"heard": heard, "sound": sound, "judged": judged, "filtered": before}
    outputs = {"sound": made, "snr": said["snr"], "judged": said["memory"], "filtered": after}
    return keras.Model(inputs, outputs, name="deepfilternet3")
