"""The edit pass against plain decoding, and with a proxy against plain decoding and encoding.

Four generated 1080p clips of one take, moving, with grain: H.264 at 50 Mb/s as cameras record
it, H.264 at 8 Mb/s as phones and proxies have it, MPEG-2 4:2:2 as XDCAM does, and ProRes 422
Proxy as cameras and laboratories write it for editing. The more a decoder has to do, the less it
matters what is done with its pictures.

Peers are loops that do nothing else: decode every frame with PyAV; decode, scale and encode
every frame with the proxy's settings, sound left out in both. One peer finds shots too:
PySceneDetect's AdaptiveDetector, in an environment of its own that is made when it is missing.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from benchmarks.bench import REPOSITORY, scratch
from benchmarks.row import Row, at_least, figure
from daemon.worker import SWITCH_SECONDS
from handlers.edit.detect import ShotDetector
from handlers.edit.onepass import decode_once
from handlers.media.picture import display_size
from handlers.media.probe import probe
from handlers.media.proxy import ProxySettings, ProxyWriter
from handlers.media.timecode import Timecode
from models.shots.windows import FrameScores

RATE = Fraction(25)
FRAMES, RUNS = 500, 3
PEER_VENV = REPOSITORY / ".venv-bench"
PEER = "scenedetect-headless==0.7.2"
SETTINGS = ProxySettings()


class NoCuts:
    """A judge for a clip of one take: it is asked nothing, or answers that nothing ends."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, frames: np.ndarray, ranges: Sequence[tuple[int, int]]) -> FrameScores:
        """Return zeros for each frame."""
        self.asked += sum(end - start for start, end in ranges)
        nothing = np.zeros(len(frames), np.float32)
        return FrameScores(cut=nothing, transition=nothing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """How one of the clips is recorded; ``bits`` a second."""

    name: str
    file: str
    codec: str
    pixels: str
    bits: int
    options: dict[str, str]


LONG_GOP = {"preset": "veryfast", "bf": "2", "g": "50"}
CLIPS = [
    Clip(
        name="H.264, 50 Mb/s", file="take.mp4", codec="libx264", pixels="yuv420p",
        bits=50_000_000, options=LONG_GOP,
    ),
    Clip(
        name="H.264, 8 Mb/s", file="take.mp4", codec="libx264", pixels="yuv420p",
        bits=8_000_000, options=LONG_GOP,
    ),
    Clip(
        name="MPEG-2 4:2:2", file="take.mxf", codec="mpeg2video", pixels="yuv422p",
        bits=50_000_000, options={"bf": "2", "g": "12"},
    ),
    Clip(
        name="ProRes 422 Proxy", file="take.mov", codec="prores_ks", pixels="yuv422p10le",
        bits=45_000_000, options={"profile": "0"},
    ),
]  # fmt: skip


def make_clip(path: Path, frames: int, clip: Clip) -> None:
    """Encode a slow pan over a large still with new grain on every frame."""
    rng = np.random.default_rng(7)
    small = rng.integers(30, 220, (40, 60, 3)).astype(np.uint8)
    still = av.VideoFrame.from_ndarray(small, "rgb24").reformat(2400, 1400, "gray").to_ndarray()
    grain = rng.normal(0, 3, (8, 1080, 1920)).astype(np.int16)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(clip.codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, clip.pixels
        stream.bit_rate = clip.bits
        stream.codec_context.options = dict(clip.options)
        for number in range(frames):
            shift = number * 400 // frames
            view = still[shift // 2 : shift // 2 + 1080, shift : shift + 1920].astype(np.int16)
            noisy = np.clip(view + np.roll(grain[number % 8], number * 37, 1), 16, 235)
            frame = av.VideoFrame.from_ndarray(noisy.astype(np.uint8), "gray")
            frame = frame.reformat(format=clip.pixels)
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
    found = decode_once(path, probe(path), ShotDetector(NoCuts()), None, lambda _: None)
    return found.frames


def edit_pass_with_proxy(path: Path, scratch: Path) -> int:
    """Find shots and write the proxy."""
    source = probe(path)
    start = Timecode(frames=0, rate=RATE)
    proxy = ProxyWriter(scratch / "ours.mov", source, source.video, start, SETTINGS)
    found = decode_once(path, source, ShotDetector(NoCuts()), proxy, lambda _: None)
    return found.frames


def peer_python() -> Path:
    """Return the Python that has PySceneDetect; make its environment if it is not there."""
    python, done = PEER_VENV / "bin" / "python", PEER_VENV / f".{PEER}"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", PEER_VENV], check=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", PEER], check=True, stdout=sys.stderr
        )
        done.touch()
    return python


def adaptive_speed(path: Path, frames: int) -> float:
    """Return PySceneDetect's frames a second, as it measures itself in its own process."""
    script = Path(__file__).with_name("adaptive.py")
    done = subprocess.run(
        [peer_python(), script, path], check=True, stdout=subprocess.PIPE, text=True
    )
    read, seconds = done.stdout.split()
    assert int(read) == frames, f"PySceneDetect read {read} of {frames} frames"
    return frames / float(seconds)


def speed(way: Callable[[Path, Path], int], path: Path, folder: Path, frames: int) -> float:
    """Return the frames a second of one run of one way."""
    began = time.perf_counter()
    assert way(path, folder) == frames
    return frames / (time.perf_counter() - began)


def measure(path: Path, folder: Path, frames: int, runs: int) -> dict[str, float]:
    """Run all ways in turn, several times; return the median frames a second of each."""
    ways = (decode_only, edit_pass, decode_encode, edit_pass_with_proxy)
    peer_python()
    speeds: dict[str, list[float]] = {way.__name__: [] for way in ways} | {"adaptive": []}
    for _ in range(runs):
        for way in ways:
            speeds[way.__name__].append(speed(way, path, folder, frames))
        speeds["adaptive"].append(adaptive_speed(path, frames))
    return {name: statistics.median(each) for name, each in speeds.items()}


def rows(name: str, found: dict[str, float]) -> list[Row]:
    """Hold what was measured on one clip against the aims."""
    edit, proxy = found["edit_pass"], found["edit_pass_with_proxy"]
    return [
        figure(f"{name}: decode only", found["decode_only"], "frames/s"),
        figure("edit pass", edit, "frames/s"),
        figure("decode and encode", found["decode_encode"], "frames/s"),
        figure("edit pass with proxy", proxy, "frames/s"),
        figure("PySceneDetect, AdaptiveDetector", found["adaptive"], "frames/s"),
        at_least("edit pass / decode only", edit / found["decode_only"], "times", 0.8),
        at_least("with proxy / decode and encode", proxy / found["decode_encode"], "times", 0.85),
        at_least("edit pass / AdaptiveDetector", edit / found["adaptive"], "times", 1.5),
    ]


def run(quick: bool) -> list[Row]:  # noqa: FBT001 - called by its place
    """Measure on 500 frames of each clip three times, or on 150 of the first twice."""
    frames, runs = (150, 2) if quick else (FRAMES, RUNS)
    # As in the child that does it in the daemon.
    sys.setswitchinterval(SWITCH_SECONDS)
    made = [figure("frames of 1080p", frames, "")]
    for clip in CLIPS[: 1 if quick else None]:
        with scratch() as folder:
            path = folder / clip.file
            make_clip(path, frames, clip)
            made += rows(clip.name, measure(path, folder, frames, runs))
    return made
