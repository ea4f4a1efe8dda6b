"""The edit pass against plain decoding, and with a proxy against plain decoding and encoding.

All runs use the same generated 1080p H.264 clip: one take, moving, with grain.
Peers are loops that do nothing else: decode every frame with PyAV; decode, scale
and encode every frame with the proxy's settings, sound left out in both.

    python -m benchmarks.edit [frames]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from handlers.edit.detect import ShotDetector
from handlers.edit.onepass import decode_once
from handlers.media.picture import display_size
from handlers.media.probe import probe
from handlers.media.proxy import ProxySettings, ProxyWriter
from handlers.media.timecode import Timecode

RATE = Fraction(25)
RUNS = 3
SETTINGS = ProxySettings()


class NoCuts:
    """A judge for a clip of one take: it is asked nothing, or answers that nothing ends."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, frames: np.ndarray, ranges: Sequence[tuple[int, int]]) -> NoCuts:
        """Return zeros for each frame."""
        self.asked += sum(end - start for start, end in ranges)
        self.cut = self.transition = np.zeros(len(frames), np.float32)
        return self


def make_clip(path: Path, frames: int) -> None:
    """Encode a slow pan over a large still with new grain on every frame."""
    rng = np.random.default_rng(7)
    small = rng.integers(30, 220, (40, 60, 3)).astype(np.uint8)
    still = av.VideoFrame.from_ndarray(small, "rgb24").reformat(2400, 1400, "gray").to_ndarray()
    grain = rng.normal(0, 5, (8, 1080, 1920)).astype(np.int16)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        stream.codec_context.options = {"preset": "veryfast", "crf": "20", "bf": "2", "g": "50"}
        for number in range(frames):
            shift = number * 400 // frames
            view = still[shift // 2 : shift // 2 + 1080, shift : shift + 1920].astype(np.int16)
            noisy = np.clip(view + np.roll(grain[number % 8], number * 37, 1), 16, 235)
            frame = av.VideoFrame.from_ndarray(noisy.astype(np.uint8), "gray")
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = number, 1 / RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def decode_only(path: Path, _scratch: Path) -> int:
    """Decode every frame and drop it."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        return sum(1 for _ in container.decode(stream))


def decode_encode(path: Path, scratch: Path) -> int:
    """Decode, scale and encode every frame, as simply as PyAV can."""
    video = probe(path).video
    width, height = display_size(video, SETTINGS.height)
    options = {"preset": SETTINGS.preset, "crf": str(SETTINGS.crf)}
    count = 0
    with av.open(str(path)) as reader, av.open(str(scratch / "peer.mov"), "w") as writer:
        source = reader.streams.video[0]
        source.thread_type = "AUTO"
        stream = writer.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = round(RATE)
        for frame in reader.decode(source):
            small = frame.reformat(width, height, "yuv420p")
            small.pict_type = 0
            writer.mux(stream.encode(small))
            count += 1
        writer.mux(stream.encode())
    return count


def edit_pass(path: Path, _scratch: Path) -> int:
    """Find shots, without a proxy."""
    found = decode_once(path, probe(path).video, ShotDetector(NoCuts()), None, lambda _: None)
    return found.frames


def edit_pass_with_proxy(path: Path, scratch: Path) -> int:
    """Find shots and write the proxy."""
    source = probe(path)
    start = Timecode(frames=0, rate=RATE)
    proxy = ProxyWriter(scratch / "ours.mov", source, source.video, start, SETTINGS)
    found = decode_once(path, source.video, ShotDetector(NoCuts()), proxy, lambda _: None)
    return found.frames


def measure(path: Path, scratch: Path, frames: int) -> dict[str, float]:
    """Run all four in turn, several times; return the median frames a second of each."""
    ways = (decode_only, edit_pass, decode_encode, edit_pass_with_proxy)
    speeds: dict[str, list[float]] = {way.__name__: [] for way in ways}
    for _ in range(RUNS):
        for way in ways:
            began = time.perf_counter()
            assert way(path, scratch) == frames
            speeds[way.__name__].append(frames / (time.perf_counter() - began))
    return {name: statistics.median(each) for name, each in speeds.items()}


def main(frames: int = 1500) -> None:
    """Print speeds and the two ratios."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        path = scratch / "take.mp4"
        make_clip(path, frames)
        speeds = measure(path, scratch, frames)
    for name, speed in speeds.items():
        print(f"{name:<22}{speed:8.1f} frames/s")
    print(f"edit pass / decode only           {speeds['edit_pass'] / speeds['decode_only']:.2f}")
    ratio = speeds["edit_pass_with_proxy"] / speeds["decode_encode"]
    print(f"edit pass + proxy / decode+encode {ratio:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1500)
