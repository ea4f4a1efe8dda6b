"""A plain analysis of a take, for tests and benchmarks of what is made from the table.

It has the columns of ``analysis.npz`` that selects look at, measured as simply as can be, with the
same meaning.
"""

from fractions import Fraction

import av
import cv2
import numpy as np

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
    columns |= _motion(small)
    columns["decoded"] = np.ones(len(luma), bool)
    columns["level_db"] = _levels(np.concatenate(sound or [np.zeros(1)]), len(luma), rate)
    if speech:
        columns["speech"] = np.zeros(len(luma), np.float32)
        for start, end in speech:
            columns["speech"][start:end] = 1
    return rate, columns, watcher.finish(), listener.finish()


def _luma(gray):
    marks = np.percentile(gray[::4, ::4], (1, 10, 50, 90, 99)) / 255
    sharp = cv2.Laplacian(gray, cv2.CV_16S).var()
    return (*marks, gray.mean() / 255, (gray >= 250).mean(), (gray <= 5).mean(), np.log10(sharp))


def _columns(rows):
    names = "luma_p01 luma_p10 luma_p50 luma_p90 luma_p99 luma_mean clipped crushed focus".split()
    return dict(zip(names, zip(*rows, strict=True), strict=True)) | {
        "black": [row[4] < 0.08 for row in rows]
    }


def _motion(small):
    window = cv2.createHanningWindow((128, 72), cv2.CV_32F)
    floats = [picture.astype(np.float32) for picture in small]
    shifts, difference = [(0.0, 0.0)], [0.0]
    for before, after in zip(floats, floats[1:], strict=False):
        shifts.append(cv2.phaseCorrelate(before, after, window)[0])
        difference.append(np.abs(after - before).mean() / 255)
    path = np.cumsum(np.array(shifts) / 128, axis=0)
    smooth = cv2.GaussianBlur(path, (1, 0), 0.1, sigmaY=4, borderType=cv2.BORDER_REPLICATE)
    moved = np.array(shifts, np.float32) / 128
    return {
        "shift_x": moved[:, 0],
        "shift_y": moved[:, 1],
        "difference": np.array(difference, np.float32),
        "motion": np.array(difference, np.float32),
        "shake": np.linalg.norm(path - smooth, axis=1).astype(np.float32),
        "freeze": np.zeros(len(small), bool),
    }


def _levels(sound, frames, rate):
    window = int(48_000 / rate)
    padded = np.pad(sound, (0, max(0, frames * window - len(sound))))[: frames * window]
    power = (padded.reshape(frames, window) ** 2).mean(axis=1)
    return (10 * np.log10(power + 1e-10)).astype(np.float32)[:, None]
