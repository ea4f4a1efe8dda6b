"""Dual-system sound made from real speech: a performance, heard by a camera and by a recorder.

Each side has its own room, noise, level and clock. All truth is known to the sample.
"""

import wave
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from scipy.signal import oaconvolve, resample_poly

from tests.speech import RATE

_TAPS, _PHASES = 24, 512


@dataclass(frozen=True)
class Line:
    """One spoken prompt: when it begins (seconds), which it is, how fast, how loud."""

    start: float
    prompt: int
    speed: float
    gain: float


def performance(rng, prompts, seconds, order=None):
    """A run of prompts with pauses between them; `order` has the same words said anew."""
    lines, at, place = [], float(rng.uniform(0, 1)), 0
    while at < seconds:
        number = int(rng.integers(len(prompts))) if order is None else order[place % len(order)]
        speed = float(rng.uniform(0.92, 1.08))
        lines.append(Line(at, number, speed, float(rng.uniform(0.4, 1.0))))
        pause = rng.exponential(0.6) if rng.random() < 0.9 else rng.uniform(2, 6)
        at += len(prompts[number]) / RATE / speed + float(pause)
        place += 1
    return lines


def render(lines, prompts, start, seconds, drift=0.0):
    """What a clock that runs `drift` too fast hears of a performance, float32 at 16 kHz.

    Its sample n sounds at `start` + n / 16000 · (1 + drift) of the performance.
    """
    sound = np.zeros(round(seconds * RATE), np.float32)
    step = 1 + drift
    for line in lines:
        prompt = prompts[line.prompt]
        begin = (line.start - start) / step * RATE
        length = len(prompt) / line.speed / step
        first, last = max(0, int(np.ceil(begin))), min(len(sound), int(begin + length))
        if last > first:
            places = (np.arange(first, last) - begin) * step * line.speed
            sound[first:last] += line.gain * _at(prompt, places)
    return sound


def _table():
    offsets = np.arange(_TAPS) - _TAPS // 2 + 1
    phases = np.arange(_PHASES + 1)[:, None] / _PHASES
    window = np.cos(np.pi * (offsets - phases) / (_TAPS + 1)) ** 2
    return (np.sinc(offsets - phases) * window).astype(np.float32)


_SINC = _table()


def _at(samples, places):
    """Band-limited values between samples."""
    whole = np.floor(places).astype(np.int64)
    phase = np.rint((places - whole) * _PHASES).astype(np.int64)
    padded = np.pad(samples, _TAPS)
    start = whole + _TAPS - _TAPS // 2 + 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, _TAPS)
    return np.einsum("nt,nt->n", windows[start], _SINC[phase])


def room(rng, decay, direct):
    """A random room's response: `decay` is T60 in seconds, `direct` over reverberant in dB."""
    length = int(decay * RATE)
    tail = rng.normal(0, 1, length) * 10 ** (-3 * np.arange(length) / length)
    tail[: int(0.003 * RATE)] = 0
    tail *= 10 ** (-direct / 20) / np.sqrt((tail**2).sum())
    tail[0] = 1
    return tail.astype(np.float32)


def noise(rng, length, kind):
    """Noise of RMS 1: white, pink, hum, traffic (slow swells), or steps (crackle)."""
    white = rng.standard_normal(length, np.float32)
    if kind == "white":
        return white
    smooth = oaconvolve(white, (np.arange(1, 400) ** -0.75).astype(np.float32), "full")[:length]
    if kind == "hum":
        time = np.arange(length) / RATE
        smooth /= smooth.std()
        for harmonic in (1, 2, 3, 5, 7, 9):
            smooth += np.sin(2 * np.pi * 50.02 * harmonic * time + rng.uniform(0, 6)) / harmonic
    if kind == "traffic":
        swells = rng.uniform(0.3, 1.5, length // RATE + 2)
        smooth *= np.interp(np.arange(length) / RATE, np.arange(len(swells)), swells)
    if kind == "steps":
        clicks = (rng.random(length) < 1 / RATE).astype(np.float32)
        smooth += oaconvolve(clicks, rng.normal(0, 30, 200), "full")[:length]
    return (smooth / smooth.std()).astype(np.float32)


KINDS = ("white", "pink", "hum", "traffic", "steps")


def surroundings(rng, sounds, seconds, voices=1):
    """Noise of RMS 1 made of real sounds, `voices` of them at once, never twice alike."""
    lines = [line for _ in range(voices) for line in performance(rng, sounds, seconds)]
    made = render(lines, sounds, 0, seconds)
    # Between the sounds it is quiet, not digitally silent.
    made += 0.05 * made.std() * noise(rng, len(made), "pink")
    return (made / made.std()).astype(np.float32)


def heard(rng, sound, snr, decay=None, direct=None, level=None, *, bed=None):
    """What a microphone makes of dry sound: its room, its noise at `snr` dB, its level.

    `bed` is the noise, as long as the sound and of RMS 1; generated when None.
    """
    decay = rng.uniform(0.15, 0.7) if decay is None else decay
    direct = rng.uniform(-2, 10) if direct is None else direct
    wet = oaconvolve(sound, room(rng, decay, direct), "full")[: len(sound)]
    # The level of speech is that of its loud parts, as a meter would show.
    spoken = np.sqrt((sound[np.abs(sound) > 1e-4] ** 2).mean()) if sound.any() else 0.1
    bed = noise(rng, len(wet), KINDS[rng.integers(len(KINDS))]) if bed is None else bed
    mixed = wet + bed * spoken * 10 ** (-snr / 20)
    level = rng.uniform(0.05, 0.7) if level is None else level
    return (mixed * (level / max(np.abs(mixed).max(), 1e-9))).astype(np.float32)


def write_wav(path: Path, channels, rate=48000, stamped=None):
    """Write 16 kHz channels as 16-bit WAV of `rate`; `stamped` is what the header claims."""
    up, down = Fraction(rate, RATE).as_integer_ratio()
    data = np.stack([resample_poly(each, up, down) for each in np.atleast_2d(channels)], axis=1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(data.shape[1])
        file.setsampwidth(2)
        file.setframerate(stamped or rate)
        file.writeframes((np.clip(data, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def write_clip(
    path: Path,
    channels,
    rate=Fraction(25),
    codec="pcm_s16le",
    *,
    tags=None,
    timecode=None,
    split=False,
):
    """Write a clip whose picture says nothing, with 16 kHz channels as its sound at 48 kHz.

    `channels` is a number of seconds for a clip without sound; `split` gives each its own stream.
    """
    silent = np.ndim(channels) == 0
    channels = np.zeros((1, int(channels * RATE))) if silent else np.atleast_2d(channels)
    data = (np.clip(resample_poly(channels, 3, 1, axis=1), -1, 1) * 32767).astype(np.int16)
    parts = [] if silent else [data[k : k + 1] for k in range(len(data))] if split else [data]
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata.update(tags or {})
        video = container.add_stream("mpeg4", rate=rate)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        if timecode:
            video.metadata["timecode"] = timecode
        streams = [container.add_stream(codec, rate=48000, layout=_layout(part)) for part in parts]
        gray = av.VideoFrame.from_ndarray(np.full((48, 32), 128, np.uint8), "yuv420p")
        for number in range(int(data.shape[1] * rate / 48000)):
            gray.pts, gray.time_base = number, 1 / rate
            container.mux(video.encode(gray))
        container.mux(video.encode())
        for stream, part in zip(streams, parts, strict=True):
            _add_sound(container, stream, part)
    return path


def _layout(part):
    return {1: "mono", 2: "stereo"}.get(len(part), f"{len(part)} channels")


def _add_sound(container, stream, samples):
    size = stream.codec_context.frame_size or 48000
    for start in range(0, samples.shape[1], size):
        piece = np.ascontiguousarray(samples[:, start : start + size].T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(piece, "s16", _layout(samples))
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())
