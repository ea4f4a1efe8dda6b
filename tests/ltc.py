"""Linear timecode as a generator makes it, for tests: SMPTE ST 12-1, from its table of bits.

Nothing here is shared with the decoder that is tested by it.
"""

from fractions import Fraction

import numpy as np
from scipy.signal import resample_poly

from handlers.media.timecode import Timecode

_FINER = 8
_SYNC = [0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1]


def bits(code: Timecode, user: str = "00000000") -> list[int]:
    """Return the 80 bits of a frame; ``user`` is hexadecimal, the eighth group first."""
    text = str(code)
    hour, minute, second, frame = (int(text[at : at + 2]) for at in (0, 3, 6, 9))
    made = [0] * 64
    fields = [
        (0, 4, frame % 10), (8, 2, frame // 10), (10, 1, int(code.drop_frame)),
        (16, 4, second % 10), (24, 3, second // 10), (32, 4, minute % 10), (40, 3, minute // 10),
        (48, 4, hour % 10), (56, 2, hour // 10),
    ]  # fmt: skip
    fields += [(4 + 8 * group, 4, int(user[7 - group], 16)) for group in range(8)]
    for at, count, value in fields:
        for bit in range(count):
            made[at + bit] = value >> bit & 1
    return made + _SYNC


def ltc(code: Timecode, frames: int, rate: int, *, user="00000000", level=0.25, at=0.0):
    """Return timecode as sound, float32 [n], the first frame beginning at sample ``at``."""
    stream = np.array([bit for n in range(frames) for bit in bits(code + n, user)])
    changes = np.stack([np.ones_like(stream), stream], axis=1).reshape(-1)
    wave = 1 - 2.0 * (np.cumsum(changes) % 2)
    length = int(Fraction(frames, 1) * rate / code.rate) + int(at) + 1
    when = (np.arange(length * _FINER) / _FINER - at) * float(code.rate * 160) / rate
    places = np.floor(when + 1e-9).astype(int)
    inside = (places >= 0) & (places < len(wave))
    sound = np.where(inside, wave[np.clip(places, 0, len(wave) - 1)], 0.0)
    return (level * resample_poly(sound, 1, _FINER)).astype(np.float32)
