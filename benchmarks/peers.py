"""PySceneDetect's detectors on sequences of frames, with their default settings.

Run by the environment that the benchmark ``edit`` makes: ``python peers.py SEQUENCES.npz``.
Prints, as JSON, where each detector finds new shots in each sequence.
"""

import json
import sys
from typing import Any

import cv2
import numpy as np
import scenedetect
from scenedetect import (
    AdaptiveDetector,
    ContentDetector,
    FrameTimecode,
    HashDetector,
    HistogramDetector,
)

DETECTORS = {
    "content": ContentDetector,
    "adaptive": AdaptiveDetector,
    "hash": HashDetector,
    "histogram": HistogramDetector,
}
RATE = 25.0
# Large enough for every detector's own shrinking and blurring.
SIZE = (384, 216)


def starts(detector: Any, frames: np.ndarray) -> list[int]:
    """First frames of new shots, by one detector on RGB frames."""
    found = []
    for number, frame in enumerate(frames):
        large = cv2.resize(frame[:, :, ::-1], SIZE, interpolation=cv2.INTER_CUBIC)
        found += detector.process_frame(FrameTimecode(number, RATE), large)
    found += detector.post_process(FrameTimecode(len(frames), RATE))
    return sorted({cut.frame_num for cut in found})


if __name__ == "__main__":
    with np.load(sys.argv[1]) as file:
        sequences = {name: file[name] for name in file.files}
    made = {
        name: {key: starts(kind(), frames) for key, frames in sequences.items()}
        for name, kind in DETECTORS.items()
    }
    print(json.dumps({"version": scenedetect.__version__, "found": made}))
