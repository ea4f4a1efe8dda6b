"""Programmes to measure: EBU's signals, mixes of real speech; and FFmpeg as another reader."""

from fractions import Fraction

import av
import numpy as np
from scipy.signal import resample_poly

from tests.speech import RATE, prompts


def tone(level, seconds, rate=48000, frequency=1000.0, phase=0.0):
    """A sine whose peak is ``level`` dBFS, float64 [n]; phase in degrees."""
    turns = frequency * np.arange(round(seconds * rate)) / rate
    return 10 ** (level / 20) * np.sin(2 * np.pi * turns + np.deg2rad(phase))


def levels(parts, channels=2, rate=48000):
    """A 1 kHz sine that goes on through parts of (dBFS, seconds), float32 [n, channels]."""
    counts = [round(seconds * rate) for _, seconds in parts]
    course = np.repeat([10 ** (level / 20) for level, _ in parts], counts)
    line = course * tone(0, sum(counts) / rate, rate)[: sum(counts)]
    return np.repeat(line[:, None], channels, axis=1).astype(np.float32)


def speech(rate=48000, language="fr", seconds=60):
    """Studio prompts one after the other with pauses as they are, peak 0.5, float32 [n]."""
    line = np.concatenate(prompts(language))[: seconds * RATE]
    divisor = np.gcd(rate, RATE)
    line = resample_poly(line, rate // divisor, RATE // divisor)
    return (0.5 * line / np.abs(line).max()).astype(np.float32)


def mix(rate=48000, seconds=60, seed=3):
    """A stereo mix: speech in the middle, air to the sides, a door that slams every 5 s."""
    rng = np.random.default_rng(seed)
    line = speech(rate, seconds=seconds)
    made = np.stack([line, line], axis=1)
    made += 0.002 * rng.standard_normal(made.shape).astype(np.float32)
    length = rate // 10
    slam = rng.standard_normal((length, 2)) * np.exp(-np.arange(length) / (0.01 * rate))[:, None]
    for start in range(2 * rate, len(made) - length, 5 * rate):
        made[start : start + length] += (0.4 * slam).astype(np.float32)
    return made


def read_by_ffmpeg(samples, rate, layout):
    """What FFmpeg's ebur128 filter reads: integrated, range, and the highest true peak in dBTP."""
    graph = av.filter.Graph()
    base = Fraction(1, rate)
    source = graph.add_abuffer(sample_rate=rate, format="flt", layout=layout, time_base=base)
    meter = graph.add("ebur128", "peak=true:metadata=1:framelog=quiet")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    found, peak = {}, 0.0
    for start in range(0, len(samples), 4096):
        packed = np.ascontiguousarray(samples[start : start + 4096]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, "flt", layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, start, base
        graph.push(frame)
        for made in _pulled(graph):
            found = dict(made.metadata) or found
            peak = max(peak, float(found.get("lavfi.r128.true_peak", 0)))
    integrated, spread = (float(found[f"lavfi.r128.{name}"]) for name in ("I", "LRA"))
    return integrated, spread, 20 * np.log10(max(peak, 1e-9))


def _pulled(graph):
    while True:
        try:
            yield graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
