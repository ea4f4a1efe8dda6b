"""What a browser plays of a recording: AAC, its channels mixed to one or two."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

RATE = 48000
_BITS_A_CHANNEL = 80_000


class Preview:
    """Writes an M4A while the sound goes by.

    Args:
        path: Where to.
        rate: Samples a second of what will come.
        channels: How many there will be; two stay two, more are mixed to one.
    """

    def __init__(self, path: Path, rate: int, channels: int) -> None:
        self._stereo = channels == 2
        self._layout = "stereo" if self._stereo else "mono"
        self._rate = rate
        self._container = av.open(str(path), "w", format="ipod", options={"movflags": "faststart"})
        # The fast coder: it is for listening while working, not for delivery.
        self._stream = self._container.add_stream(
            "aac", rate=RATE, layout=self._layout, options={"aac_coder": "fast"}
        )
        self._stream.bit_rate = _BITS_A_CHANNEL * (2 if self._stereo else 1)
        self._resampler = av.AudioResampler(format="fltp", layout=self._layout, rate=RATE)
        self._count = 0

    def push(self, block: Samples) -> None:
        """Take float32 [n, channels]."""
        mixed = block if self._stereo else block.mean(axis=1, keepdims=True)
        packed = np.ascontiguousarray(np.clip(mixed, -1, 1), np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, "flt", self._layout)
        frame.sample_rate = self._rate
        frame.pts = None
        self._encode(self._resampler.resample(frame))

    def close(self) -> None:
        """Finish the file."""
        # An empty file would be none at all: a browser says so, in a frame of silence it does not.
        if not self._count:
            self.push(np.zeros((1024, 2 if self._stereo else 1), np.float32))
        self._encode(self._resampler.resample(None))
        self._container.mux(self._stream.encode(None))
        self._container.close()

    def _encode(self, frames: list[av.AudioFrame]) -> None:
        for frame in frames:
            frame.pts = self._count
            self._count += frame.samples
            self._container.mux(self._stream.encode(frame))
