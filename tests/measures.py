"""A plain analysis of a take, for tests and benchmarks of what is made from the table.

It has the columns of ``analysis.npz`` that selects look at, measured as simply as can be, with the
same meaning.
"""

import itertools
from fractions import Fraction

import av
import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d, uniform_filter1d

from handlers.edit.clap import SlateSound
from handlers.edit.gate import Shrinker
from handlers.edit.watch import TakeWatcher


def measure(path, *, speech=()):
    """Decode a clip once.

    Args:
        path: The clip.
        speech: Ranges of frames in which somebody speaks, for there is no voice model here.

    Returns:
        Columns by name, what the watcher saw, and the transients in the sound.
    """
    watcher, listener, shrink = TakeWatcher(), SlateSound(), Shrinker()
    luma, small, sound = [], [], []
    with av.open(str(path)) as clip:
        rate = Fraction(clip.streams.video[0].average_rate)
        for packet in clip.demux():
            for frame in packet.decode() if packet.stream.type in {"audio", "video"} else ():
                if isinstance(frame, av.AudioFrame):
                    listener.push(0, frame)
                    sound.append(frame.to_ndarray().reshape(-1).astype(np.float32) / 32768)
                else:
                    watcher.push(shrink(frame))
                    gray = frame.to_ndarray(format="gray")
                    luma.append(_luma(gray))
                    small.append(cv2.resize(gray, (128, 72), interpolation=cv2.INTER_AREA))
    columns = {name: np.array(values, np.float32) for name, values in _columns(luma).items()}
    columns |= _motion(small, float(rate))
    columns["decoded"] = np.ones(len(luma), bool)
    columns["level_db"] = _levels(np.concatenate(sound or [np.zeros(1)]), len(luma), rate)
    if speech:
        columns["speech"] = np.zeros(len(luma), np.float32)
        for start, end in speech:
            columns["speech"][start:end] = 1
    return rate, columns, watcher.finish(), listener.finish()


def _luma(gray):
    marks = np.percentile(gray[::4, ::4], (1, 10, 50, 90, 99)) / 255
    detail = cv2.absdiff(gray[:, 2:], gray[:, :-2])
    tiles = cv2.resize(detail, (16, 9), interpolation=cv2.INTER_AREA)
    sharp = np.percentile(tiles, 90) / 255
    return (*marks, gray.mean() / 255, (gray >= 250).mean(), (gray <= 5).mean(), sharp)


def _columns(rows):
    marks = [f"luma_{name}" for name in ("p01", "p10", "p50", "p90", "p99", "mean")]
    names = [*marks, "clipped", "crushed", "focus"]
    return dict(zip(names, zip(*rows, strict=True), strict=True)) | {
        "black": [row[4] < 0.08 for row in rows]
    }


def _motion(small, rate):
    """Return shifts that explain the difference between two pictures, and what is left of it."""
    rows = [(0.0, 0.0, 0.0, 0.0)]
    for before, after in itertools.pairwise([picture.astype(np.float32) for picture in small]):
        difference = np.abs(after - before).mean() / 255
        x, y = _shift(before, after)
        moved = cv2.warpAffine(before, np.float64([[1, 0, x], [0, 1, y]]), (128, 72))
        left = np.abs(after - moved)[8:-8, 8:-8].mean() / 255
        explained = left < 0.7 * difference
        rows.append(
            (x / 128, y / 128, difference, left) if explained else (0, 0, *[difference] * 2)
        )
    shift_x, shift_y, difference, motion = np.array(rows, np.float32).T
    return {
        "shift_x": shift_x,
        "shift_y": shift_y,
        "difference": difference,
        "motion": motion,
        "shake": _shake(np.stack([shift_x, shift_y]), rate),
        "freeze": np.zeros(len(small), bool),
    }


def _shift(before, after):
    """Return by how much both halves of a picture have moved: one alone is a large subject."""
    window = cv2.createHanningWindow((64, 72), cv2.CV_32F)
    halves = [
        cv2.phaseCorrelate(
            *(np.ascontiguousarray(each[:, half]) for each in (before, after)), window
        )[0]
        for half in (slice(64), slice(64, 128))
    ]
    return [
        min(pair, key=abs) if pair[0] * pair[1] > 0 else 0.0 for pair in zip(*halves, strict=True)
    ]


def _shake(shifts, rate):
    path = np.cumsum(shifts, axis=1, dtype=np.float64)
    trembling = path - gaussian_filter1d(path, 0.2 * rate, axis=1, mode="nearest")
    power = uniform_filter1d((trembling**2).sum(axis=0), round(rate / 2), mode="nearest")
    return np.sqrt(np.maximum(power, 0)).astype(np.float32)


def _levels(sound, frames, rate):
    window = int(48_000 / rate)
    padded = np.pad(sound, (0, max(0, frames * window - len(sound))))[: frames * window]
    power = (padded.reshape(frames, window) ** 2).mean(axis=1)
    return (10 * np.log10(power + 1e-10)).astype(np.float32)[:, None]
