"""Noisy speech from clean speech and noise, as many different ones as are asked for.

Example k of a seed is always the same. What is drawn by chance is drawn with numpy; rates, spectra
and masks are changed inside ``tf.data``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models import signal
from models.enhance.material import RATE, Material

Samples = NDArray[np.float32]

# What plays at 48 kHz after it was brought to one of these is slower or faster, up to a tenth.
SPEEDS = (43_200, 45_600, 48_000, 50_400, 52_800)
# Frames and bands of the masks that thin out noise.
_FFT, _STEP = 1024, 512
_SOUNDS = frozenset({"speech", "noise", "room"})
_EARLY = 0.02  # seconds of a room's answer that belong to the voice


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How examples are made; chances are shares of all examples, ranges are drawn evenly.

    ``snr`` and ``level`` (of the speech) are in dB, ``seconds`` is an example's length, ``room`` a
    reverberation time in seconds.
    """

    seconds: float = 3.0
    snr: tuple[float, float] = (-5.0, 25.0)
    level: tuple[float, float] = (-40.0, -14.0)
    room: tuple[float, float] = (0.12, 0.7)
    in_room: float = 0.35
    coloured: float = 0.25
    babble: float = 0.15
    hum: float = 0.15
    masked: float = 0.3
    clean: float = 0.05
    unspoken: float = 0.05

    @property
    def count(self) -> int:
        """Samples of an example."""
        return round(self.seconds * RATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What chance decided for one example, before rates and spectra are changed.

    ``speech``, ``noise`` and ``room`` (its answer to a click, whose first sample is the direct
    sound) are float32 [n]. ``speed`` is an index into ``SPEEDS``, ``snr`` in dB, ``level`` that of
    the speech in dB of full scale. ``unspoken``: there is noise alone; ``masked``: bands and
    moments are taken out of it.
    """

    speech: Samples
    noise: Samples
    room: Samples
    speed: np.int64
    snr: np.float32
    level: np.float32
    unspoken: np.bool_
    masked: np.bool_


_KINDS = {
    "speech": tf.float32, "noise": tf.float32, "room": tf.float32, "speed": tf.int64,
    "snr": tf.float32, "level": tf.float32, "unspoken": tf.bool, "masked": tf.bool,
}  # fmt: skip


class Mixer:
    """Makes examples of two materials.

    Args:
        speech: Clean speech.
        noise: What may lie behind it.
        recipe: How to mix.
        seed: Chooses all.
        held_back: Whether of the pieces that are for measuring.
    """

    def __init__(
        self, speech: Material, noise: Material, recipe: Recipe, seed: int, *, held_back: bool
    ) -> None:
        self._speech, self._noise = speech, noise
        self._spoken = speech.pieces(held_back=held_back)
        self._sounds = noise.pieces(held_back=held_back)
        self._recipe, self._seed = recipe, seed

    def dataset(self, first: int, batch: int) -> Any:
        """Return a ``tf.data`` set of (noisy, clean), float32 [batch, n], without end.

        Args:
            first: The number of the first example: a run that goes on begins where it stopped.
            batch: Examples at once.
        """
        numbers = tf.data.Dataset.counter(first)
        made = numbers.map(self._example, num_parallel_calls=2, deterministic=True)
        return made.batch(batch, drop_remainder=True).prefetch(2)

    def _example(self, number: Any) -> Any:
        parts = tf.numpy_function(self._drawn, [number], list(_KINDS.values()))
        drawn = dict(zip(_KINDS, parts, strict=True))
        for name, part in drawn.items():
            part.set_shape([None] if name in _SOUNDS else [])
        return mixed(drawn, tf.stack([self._seed, number]), self._recipe.count)

    def _drawn(self, number: int) -> tuple[Any, ...]:
        one = self.draw(int(number))
        return tuple(getattr(one, name) for name in _KINDS)

    def draw(self, number: int) -> Drawn:
        """Decide what example ``number`` is made of."""
        rng = np.random.default_rng([self._seed, number])
        recipe = self._recipe
        # Long enough for what is sped up.
        count = -(-recipe.count * RATE // min(SPEEDS))
        snr = rng.uniform(*recipe.snr)
        spoken, band = _filled(rng, self._speech, self._spoken, count)
        return Drawn(
            speech=_tilted(rng, spoken, band),
            # Noise above the speech's band would teach that there is never speech up there.
            noise=_tilted(rng, self._behind(rng, recipe.count), band),
            room=_room(rng, rng.uniform(*recipe.room) if rng.random() < recipe.in_room else 0.0),
            speed=np.int64(rng.integers(len(SPEEDS))),
            snr=np.float32(100.0 if rng.random() < recipe.clean else snr),
            level=np.float32(rng.uniform(*recipe.level)),
            unspoken=np.bool_(rng.random() < recipe.unspoken),
            masked=np.bool_(rng.random() < recipe.masked),
        )

    def _behind(self, rng: np.random.Generator, count: int) -> Samples:
        """Return noise: a recorded one, voices, a colour, and mains hum on some of it."""
        kind = rng.random()
        if kind < self._recipe.babble:
            noise = _babble(rng, self._speech, self._spoken, count)
        elif kind < self._recipe.babble + self._recipe.coloured:
            noise = _coloured(rng, count)
        else:
            noise, _ = _filled(rng, self._noise, self._sounds, count)
        if rng.random() < self._recipe.hum:
            noise = noise + _hum(rng, count) * (_rms(noise) * rng.uniform(0.3, 2.0) + 1e-4)
        return noise.astype(np.float32)


def mixed(drawn: Mapping[str, Any], seed: Any, count: int) -> tuple[Any, Any]:
    """Mix one example.

    Args:
        drawn: The fields of :class:`Drawn`, as tensors.
        seed: Of the masks, int64 [2].
        count: Samples of the result.

    Returns:
        Noisy and clean, float32 [count]. What is clean has the first 20 ms of the room.
    """
    speech, room, noise = drawn["speech"], drawn["room"], drawn["noise"]
    faster = [lambda rate=rate: signal.resample(speech, RATE, rate) for rate in SPEEDS]
    speech = tf.switch_case(tf.cast(drawn["speed"], tf.int32), faster)[:count]
    speech = tf.pad(speech, [[0, count - tf.shape(speech)[0]]])
    noise = tf.cond(drawn["masked"], lambda: _thinned(noise, seed), lambda: noise)
    early = room[: round(_EARLY * RATE)]
    clean, heard = _convolved(speech, early, count), _convolved(speech, room, count)
    gain = _gain(drawn["level"]) / (_deviation(clean) + 1e-6)
    clean, heard = clean * gain, heard * gain
    noise = noise * (_gain(drawn["level"] - drawn["snr"]) / (_deviation(noise) + 1e-6))
    spoken = tf.cast(~drawn["unspoken"], tf.float32)
    clean, heard = clean * spoken, heard * spoken
    noisy = heard + noise
    # A recorder's headroom: what would not fit is turned down together.
    loudest = tf.maximum(1.0, tf.reduce_max(tf.abs(noisy)) / 0.98)
    return noisy / loudest, clean / loudest


def _thinned(noise: Any, seed: Any) -> Any:
    """Take a run of bands and one of frames out of noise: SpecAugment, on what must not matter."""
    spectra = tf.signal.stft(noise, _FFT, _STEP)
    frames, bands = tf.shape(spectra)[0], _FFT // 2 + 1
    widest, longest = bands // 3, tf.maximum(2, frames // 4)
    draw = tf.random.stateless_uniform([4], tf.cast(seed, tf.int64))
    kept = signal.kept(bands, draw[0], draw[1] * tf.cast(widest, tf.float32))[tf.newaxis]
    kept *= signal.kept(frames, draw[2], draw[3] * tf.cast(longest, tf.float32))[:, tf.newaxis]
    window = tf.signal.inverse_stft_window_fn(_STEP)
    made = tf.signal.inverse_stft(
        spectra * tf.cast(kept, tf.complex64), _FFT, _STEP, window_fn=window
    )
    made = made[: tf.shape(noise)[0]]
    return tf.pad(made, [[0, tf.shape(noise)[0] - tf.shape(made)[0]]])


def _convolved(sound: Any, answer: Any, count: int) -> Any:
    length = 1 << (2 * count - 1).bit_length()
    spectra = [tf.signal.rfft(one, [length]) for one in (sound, answer)]
    return tf.signal.irfft(spectra[0] * spectra[1], [length])[:count]


def _gain(decibels: Any) -> Any:
    return tf.pow(10.0, decibels / 20)


def _deviation(samples: Any) -> Any:
    return tf.sqrt(tf.reduce_mean(tf.square(samples)))


def _filled(
    rng: np.random.Generator, material: Material, pieces: NDArray[np.int64], count: int
) -> tuple[Samples, int]:
    """Lay pieces one behind the other until the time is full; return the narrowest's band, too."""
    made = np.zeros(count, np.float32)
    at, band = 0, RATE // 2
    while at < count:
        number = int(rng.choice(pieces))
        length = material.length(number)
        band = min(band, int(material.bands[number]))
        begin = int(rng.integers(max(1, length - count)))
        some = material.part(number, begin, min(length - begin, count - at))
        made[at : at + len(some)] = some
        at += len(some) + int(rng.uniform(0, 0.2) * RATE)
    return made, band


def _babble(
    rng: np.random.Generator, material: Material, pieces: NDArray[np.int64], count: int
) -> Samples:
    """Return several voices at once, some of them backwards, so that nobody can be followed."""
    made = np.zeros(count, np.float32)
    for _ in range(int(rng.integers(3, 8))):
        voice, _ = _filled(rng, material, pieces, count)
        voice = voice[::-1] if rng.random() < 0.5 else voice
        made += voice * rng.uniform(0.3, 1.0) / (_rms(voice) + 1e-5)
    return made


def _coloured(rng: np.random.Generator, count: int) -> Samples:
    """Return noise whose spectrum falls by -3 to 9 dB an octave, and that swells, or does not."""
    spectrum = np.fft.rfft(rng.normal(0, 1, count))
    octaves = np.log2(np.maximum(np.arange(len(spectrum)), 1))
    spectrum *= 10 ** (-rng.uniform(-3, 9) * octaves / 20)
    made = np.fft.irfft(spectrum, count)
    if rng.random() < 0.5:
        knots = rng.uniform(-12, 0, max(2, round(count / RATE * rng.uniform(0.5, 4))))
        swell = np.interp(np.linspace(0, 1, count), np.linspace(0, 1, len(knots)), knots)
        made *= 10 ** (swell / 20)
    return (made / (_rms(made) + 1e-9)).astype(np.float32)


def _hum(rng: np.random.Generator, count: int) -> Samples:
    """Return mains hum, 50 or 60 Hz with harmonics, of level 1."""
    time = np.arange(count) / RATE
    fundamental = rng.choice([50.0, 60.0]) * rng.uniform(0.998, 1.002)
    made = np.zeros(count)
    for harmonic in range(1, int(rng.integers(3, 20))):
        phase = rng.uniform(0, 2 * np.pi)
        made += (
            rng.uniform(0, 1) / harmonic * np.sin(2 * np.pi * harmonic * fundamental * time + phase)
        )
    return (made / (_rms(made) + 1e-9)).astype(np.float32)


def _tilted(rng: np.random.Generator, samples: Samples, band: int) -> Samples:
    """Colour sound as microphones do, broad bands by up to 6 dB; leave none above ``band``."""
    spectrum = np.fft.rfft(samples)
    hertz = np.linspace(0, RATE / 2, len(spectrum))
    knots = np.geomspace(60, RATE / 2, 6)
    gains = np.interp(np.log(np.maximum(hertz, 60)), np.log(knots), rng.uniform(-6, 6, 6))
    spectrum[hertz > 0.97 * band] = 0
    return np.fft.irfft(spectrum * 10 ** (gains / 20), len(samples)).astype(np.float32)


def _room(rng: np.random.Generator, seconds: float) -> Samples:
    """Return a room's answer: the direct sound, then noise that dies away by 60 dB in that time."""
    if not seconds:
        return np.ones(1, np.float32)
    time = np.arange(1, round(seconds * RATE)) / RATE
    tail = rng.normal(0, 1, len(time)) * 10 ** (-3 * time / seconds)
    # From the direct sound 12 dB above all of the rest to 3 dB below it.
    tail *= 10 ** (-rng.uniform(-3, 12) / 20) / np.sqrt(np.square(tail).sum())
    return np.concatenate([[1.0], tail]).astype(np.float32)


def _rms(samples: Any) -> float:
    return float(np.sqrt(np.square(samples, dtype=np.float64).mean()))
