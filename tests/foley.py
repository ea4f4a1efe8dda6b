"""Sounds of a set, made from numbers: claps, and what may be taken for them.

Every function returns float64 mono at ``RATE`` with a peak of 1, loudest near its first
sample. A slate's clap is two hard boards: within a fraction of a millisecond at its peak, modes
of wood from 0.8 to 6 kHz, gone after some milliseconds but for the room.
"""

import itertools
from functools import lru_cache

import numpy as np
from scipy.signal import butter, fftconvolve, resample_poly, sosfilt

from tests.speech import fetch_speech, prompts

RATE = 48_000


def clap(rng):
    """A slate's sticks; some bounce once."""
    modes = _modes(rng, 9, (800, 6000), (0.002, 0.008))
    made = 0.6 * modes + _burst(rng, 0.0015, (500, 16_000), 0.3)
    if rng.random() < 0.4:
        late, bounce = int(rng.uniform(0.012, 0.04) * RATE), rng.uniform(0.1, 0.3)
        made[late:] += bounce * made[:-late]
    return _normal(made)


def hand_clap(rng):
    """Two palms: softer at the start, less high, longer than wood."""
    return _normal(_burst(rng, rng.uniform(0.006, 0.012), (600, 3500), 0.3, rise=0.0015))


def door(rng):
    """A door slams: a latch, then a low thud that goes on."""
    thud = _modes(rng, 8, (50, 260), (0.06, 0.2), 0.6) + 0.5 * _burst(rng, 0.03, (80, 900), 0.6)
    return _normal(thud)


def cough(rng):
    """Two bursts of breath that take their time to begin and to end."""
    one = [_burst(rng, rng.uniform(0.07, 0.14), (300, 4000), 0.45, rise=0.02) for _ in range(2)]
    return _normal(np.concatenate([one[0], rng.uniform(0.5, 1) * one[1]]))


def footsteps(rng):
    """Somebody walks by: heels at a steady pace."""
    pace, steps = rng.uniform(0.42, 0.62), 7
    made = np.zeros(int((steps * pace + 1) * RATE))
    for number in range(steps):
        heel = _burst(rng, 0.018, (90, 1200), 0.3) + 0.25 * _burst(rng, 0.004, (1500, 5000), 0.3)
        at = int((number * pace + rng.normal(0, 0.012)) * RATE) if number else 0
        made[at : at + len(heel)] += heel * rng.uniform(0.7, 1)
    return _normal(made)


def shot(rng):
    """A gun: at its peak at once, every frequency, a long low roar behind it, often clipped."""
    roar = 0.7 * _burst(rng, rng.uniform(0.12, 0.3), (60, 2500), 1.6)
    made = roar + _padded(_burst(rng, 0.01, (200, 16_000), 0.3), len(roar))
    return np.clip(_normal(made) * rng.uniform(1, 3), -1, 1)


def clink(rng):
    """Glass or cutlery: a few high notes that ring."""
    return _normal(_modes(rng, 5, (2500, 9000), (0.06, 0.25), 1.0))


def drop(rng):
    """A case is put down: a dull knock and a rattle."""
    made = _burst(rng, 0.03, (100, 1500), 0.6)
    for _ in range(5):
        at = int(rng.uniform(0.03, 0.25) * RATE)
        made[at:] += rng.uniform(0.2, 0.5) * made[:-at] * rng.choice([-1, 1])
    return _normal(made)


NEGATIVES = {
    "door": door,
    "cough": cough,
    "footsteps": footsteps,
    "shot": shot,
    "clink": clink,
    "drop": drop,
}


def room(rng, length=None, direct=None):
    """The answer of a room: direct sound at once, then reflections that die away.

    Args:
        rng: Where chance comes from.
        length: RT60 in seconds; from 0.15 (dressed set) to 0.9 (stage) when None.
        direct: Level of the direct sound above the reflections, in dB.
    """
    length = rng.uniform(0.15, 0.9) if length is None else length
    direct = rng.uniform(3, 14) if direct is None else direct
    time = np.arange(int(length * RATE)) / RATE
    tail = rng.normal(0, 1, len(time)) * np.exp(-6.9 * time / length)
    tail[: int(rng.uniform(0.002, 0.006) * RATE)] = 0
    tail *= 10 ** (-direct / 20) / np.sqrt((tail**2).sum())
    tail[0] = 1
    return tail


def reverberant(sound, answer):
    """Sound in a room, as long as it was."""
    return fftconvolve(sound, answer)[: len(sound)]


def tone_of_room(rng, samples):
    """What is heard when nothing is: noise that falls off, and mains hum."""
    low = sosfilt(butter(1, 300, fs=RATE, output="sos"), rng.normal(0, 1, samples))
    hum = np.sin(2 * np.pi * 50 * np.arange(samples) / RATE + rng.uniform(0, 6))
    made = low + 0.15 * rng.normal(0, 1, samples) * low.std() + 0.3 * low.std() * hum
    return made / made.std()


@lru_cache(maxsize=4)
def voice(language="fr"):
    """Real speech of one voice, prompts of more than 1.5 s one after the other, RMS 0.1."""
    long = (sound for sound in _prompts(language) if len(sound) > 24_000 and _is_speech(sound))
    pieces = [np.concatenate([sound, np.zeros(4000)]) for sound in long]
    joined = resample_poly(np.concatenate(pieces), 3, 1)
    return 0.1 * joined / joined.std()


def _prompts(language):
    """Return prompts at 16 kHz; fetches them where they are not there yet."""
    return itertools.islice(prompts(language, fetch_speech()), 160)


def _is_speech(sound):
    # Beeps are one line of the spectrum; a voice is many.
    power = np.abs(np.fft.rfft(sound)) ** 2
    return np.sort(power)[-8:].sum() < 0.2 * power.sum()


def _modes(rng, count, band, decays, length=0.4):
    time = np.arange(int(length * RATE)) / RATE
    made = np.zeros(len(time))
    for _ in range(count):
        pitch = np.exp(rng.uniform(*np.log(band)))
        wave = np.sin(2 * np.pi * pitch * time + rng.uniform(0, 6.28))
        made += rng.uniform(0.3, 1) * wave * np.exp(-time / rng.uniform(*decays))
    return made / np.abs(made).max()


def _burst(rng, decay, band, length, rise=0.0002):
    time = np.arange(int(max(length, 0.4) * RATE)) / RATE
    shape = np.minimum(time / rise, 1) * np.exp(-np.maximum(time - rise, 0) / decay)
    sos = butter(2, band, "bandpass", fs=RATE, output="sos")
    made = sosfilt(sos, rng.normal(0, 1, len(time))) * shape
    return made / np.abs(made).max()


def _padded(sound, length):
    return np.pad(sound, (0, max(0, length - len(sound))))[:length]


def _normal(sound):
    return sound / np.abs(sound).max()
