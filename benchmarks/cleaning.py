"""How fast DeepFilterNet3 cleans speech here, and in its authors' own library.

Real speech in real noise, 48 kHz mono. Both are measured in turn in one process, and the best of
each counts: what else the machine does must not decide.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.bench import scratch
from benchmarks.row import Row, at_least, at_most, figure
from models import bundle
from models.enhance.deepfilter import DeepFilter
from tests.deepfilter_library import Library
from tests.noisy_speech import noisy_speech
from tests.prepare import install_models

SECONDS, TURNS = 60, 5
LONG, LONG_QUICK = 60, 5  # minutes
BLOCK = 65_536


def run(quick: bool) -> list[Row]:  # noqa: FBT001 - called by its place
    """Measure speed and memory."""
    model = bundle.BundleLoader(install_models()).load("deepfilternet3")
    import tensorflow as tf

    tf.constant(0.0) + 1.0
    before = resident()
    cleaner, sound = DeepFilter(model), noisy_speech(SECONDS)[:, None]
    with scratch() as folder:
        library = Library(Path(folder))
        # The first of each prepares it.
        made = denoised(cleaner, sound)
        published, _ = library.denoise(sound[:, 0])
        ours, theirs = [], []
        for _ in range(TURNS):
            ours.append(seconds(lambda: denoised(cleaner, sound)))
            theirs.append(seconds(lambda: library.denoise(sound[:, 0])))
    deviation = 20 * np.log10(np.abs(made[:, 0] - published).max())
    minutes = LONG_QUICK if quick else LONG
    cost = seconds(lambda: drained(cleaner, sound, minutes)) / minutes
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before) / 2**20
    return [
        figure("DeepFilterNet's library, time of real time", min(theirs) / SECONDS, ""),
        at_most("DeepFilterNet3 here, time of real time", min(ours) / SECONDS, "", 0.06),
        at_least("times as fast as the library", min(theirs) / min(ours), "", 2),
        at_most("largest difference from the library", float(deviation), "dBFS", -60),
        at_most(f"{minutes} minutes on end, time of real time", cost / 60, "", 0.06),
        at_most("memory above TensorFlow's own, with the library's", grown, "MiB", 600),
    ]


def resident() -> int:
    """Return the memory of this process now, bytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def seconds(work: Callable[[], object]) -> float:
    """Return how long something takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def blocks(sound: np.ndarray, times: int = 1) -> Iterator[np.ndarray]:
    """Cut sound into blocks, over and over."""
    for _ in range(times):
        for at in range(0, len(sound), BLOCK):
            yield sound[at : at + BLOCK]


def denoised(cleaner: DeepFilter, sound: np.ndarray) -> np.ndarray:
    """Return what comes out."""
    return np.concatenate(list(cleaner.denoise(blocks(sound), linked=False)))


def drained(cleaner: DeepFilter, sound: np.ndarray, times: int) -> None:
    """Clean the sound over and over as one stream; keep nothing."""
    for _ in cleaner.denoise(blocks(sound, times), linked=False):
        pass
