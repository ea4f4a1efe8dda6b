"""The edit pass with full analysis against plain decoding, and its memory at two lengths.

The generated 1080p clips of ``benchmarks.edit``, with two channels of sound. Peers are loops
that do nothing else than decode picture and sound; with a proxy, decode both and encode the
picture as the proxy is encoded. Speech is not judged here: it costs the same whatever the
picture is, and is a figure of its own. All ways run in turn, so that ratios hold although the
machine may do other work.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from benchmarks import edit
from benchmarks.bench import REPOSITORY, resident_mib, scratch
from benchmarks.row import Row, at_least, at_most, figure
from daemon.worker import SWITCH_SECONDS
from handlers.analysis.meter import Meter
from handlers.analysis.params import QcParams
from handlers.edit.detect import ShotDetector
from handlers.edit.onepass import decode_once
from handlers.media.probe import probe
from handlers.media.proxy import ProxyWriter
from handlers.media.timecode import Timecode

SOUND_RATE, SPEECH_SECONDS = 48000, 600
FRAMES, RUNS = 500, 3
# A second run of a clip six times as long must not need more.
SHORT, LONG = 250, 1500
MEMORY = """
import sys; from pathlib import Path; from benchmarks import analysis
print(analysis.peak_mib(Path(sys.argv[1])))
"""


def add_sound(path: Path, seconds: float) -> Path:
    """Write the clip again with two channels of noise beside the picture."""
    made = path.with_name(f"sound-{path.name}")
    noise = np.random.default_rng(3).normal(0, 0.05, (2, int(seconds * SOUND_RATE)))
    with av.open(str(path)) as reader, av.open(str(made), "w") as writer:
        source = reader.streams.video[0]
        picture = writer.add_stream_from_template(source)
        codec = "aac" if made.suffix == ".mp4" else "pcm_s16le"
        sound = writer.add_stream(codec, rate=SOUND_RATE, layout="stereo")
        for start in range(0, noise.shape[1], 1024):
            piece = np.ascontiguousarray(noise[:, start : start + 1024], np.float32)
            frame = av.AudioFrame.from_ndarray(piece, "fltp", "stereo")
            frame.sample_rate, frame.pts = SOUND_RATE, start
            frame.time_base = Fraction(1, SOUND_RATE)
            writer.mux(sound.encode(frame))
        writer.mux(sound.encode())
        for packet in reader.demux(source):
            if packet.dts is not None:
                packet.stream = picture
                writer.mux(packet)
    return made


def decode_only(path: Path, _scratch: Path) -> int:
    """Decode every picture and all sound and drop them."""
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        frames = (frame for packet in container.demux() for frame in packet.decode())
        return sum(isinstance(frame, av.VideoFrame) for frame in frames)


def analyse(path: Path, _scratch: Path) -> int:
    """Find shots and measure everything, without a proxy."""
    source = probe(path)
    meter = Meter(source, source.video, QcParams())
    detector = ShotDetector(edit.NoCuts())
    found = decode_once(path, source.video, detector, None, lambda _: None, meter)
    return len(meter.finish(found.frames))


def analyse_with_proxy(path: Path, folder: Path) -> int:
    """Find shots, measure everything, and write the proxy."""
    source = probe(path)
    meter = Meter(source, source.video, QcParams())
    start = Timecode(frames=0, rate=edit.RATE)
    proxy = ProxyWriter(folder / "ours.mov", source, source.video, start, edit.SETTINGS)
    detector = ShotDetector(edit.NoCuts())
    found = decode_once(path, source.video, detector, proxy, lambda _: None, meter)
    return len(meter.finish(found.frames))


def decode_encode(path: Path, folder: Path) -> int:
    """Decode, scale and encode every picture; decode and encode the sound, as a proxy has it."""
    video = probe(path).video
    width, height = edit.display_size(video, edit.SETTINGS.height)
    options = {"preset": edit.SETTINGS.preset, "crf": str(edit.SETTINGS.crf)}
    count = 0
    with av.open(str(path)) as reader, av.open(str(folder / "peer.mov"), "w") as writer:
        reader.streams.video[0].thread_type = "AUTO"
        stream = writer.add_stream("libx264", rate=edit.RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = round(edit.RATE)
        sound = writer.add_stream("aac", rate=SOUND_RATE, layout="stereo")
        for packet in reader.demux():
            for frame in packet.decode():
                if isinstance(frame, av.AudioFrame):
                    writer.mux(sound.encode(frame))
                    continue
                small = frame.reformat(width, height, "yuv420p")
                small.pict_type = 0
                writer.mux(stream.encode(small))
                count += 1
        writer.mux(stream.encode())
        writer.mux(sound.encode())
    return count


def measure(path: Path, folder: Path, frames: int, runs: int) -> dict[str, float]:
    """Run all ways in turn, several times; return the median frames a second of each."""
    ways = (decode_only, analyse, decode_encode, analyse_with_proxy)
    speeds: dict[str, list[float]] = {way.__name__: [] for way in ways}
    for _ in range(runs):
        for way in ways:
            speeds[way.__name__].append(edit.speed(way, path, folder, frames))
    return {name: statistics.median(each) for name, each in speeds.items()}


def peak_mib(path: Path) -> float:
    """Return by how much TensorFlow's own memory is exceeded while a clip is analysed.

    TensorFlow and the shot network are loaded, and the network has judged once, before.
    """
    from models.bundle import BundleLoader
    from models.shots.windows import WindowJudge
    from tests.prepare import install_models

    judge = WindowJudge(BundleLoader(install_models()).load("transnetv2"))
    judge(np.zeros((100, 27, 48, 3), np.uint8), [(0, 50)])
    before = resident_mib(os.getpid())
    analyse(path, path.parent)
    lines = Path("/proc/self/status").read_text().splitlines()
    most = next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    return most - before


def peak(path: Path) -> float:
    """Measure the peak in a process of its own."""
    command = [sys.executable, "-c", MEMORY, str(path)]
    done = subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout.splitlines()[-1])


def speech_speed() -> float:
    """Return how many times faster than it lasts one channel of sound is judged."""
    from models import catalog
    from models.bundle import BundleLoader
    from models.voice.windows import RATE, VoiceJudge

    folder = REPOSITORY / ".cache" / "models"
    catalog.install("silero-vad", folder)
    judge = VoiceJudge(BundleLoader(folder).load("silero-vad"))
    noise = np.random.default_rng(0).normal(0, 0.1, (RATE, 1)).astype(np.float32)
    for seconds in (10, SPEECH_SECONDS):
        listener, began = judge.listener(1), time.perf_counter()
        for _ in range(seconds):
            listener.push(noise)
        listener.finish()
    return SPEECH_SECONDS / (time.perf_counter() - began)


def rows(name: str, found: dict[str, float]) -> list[Row]:
    """Hold what was measured on one clip against the aims, which are set for H.264."""
    plain = found["analyse"] / found["decode_only"]
    proxy = found["analyse_with_proxy"] / found["decode_encode"]
    aimed = at_least if name.startswith("H.264") else lambda what, value, unit, _: figure(
        what, value, unit
    )  # fmt: skip
    return [
        figure(f"{name}: decode only", found["decode_only"], "frames/s"),
        figure("analysis", found["analyse"], "frames/s"),
        figure("decode and encode", found["decode_encode"], "frames/s"),
        figure("analysis with proxy", found["analyse_with_proxy"], "frames/s"),
        aimed("analysis / decode only", plain, "times", 0.7),
        aimed("with proxy / decode and encode", proxy, "times", 0.8),
    ]


def run(quick: bool) -> list[Row]:  # noqa: FBT001 - called by its place
    """Measure 500 frames of each clip three times, or 150 of the first twice; then memory."""
    frames, runs = (150, 2) if quick else (FRAMES, RUNS)
    # As in the child that does it in the daemon.
    sys.setswitchinterval(SWITCH_SECONDS)
    made = [figure("frames of 1080p", frames, "")]
    for clip in edit.CLIPS[: 1 if quick else None]:
        with scratch() as folder:
            edit.make_clip(folder / clip.file, frames, clip)
            path = add_sound(folder / clip.file, frames / float(edit.RATE))
            made += rows(clip.name, measure(path, folder, frames, runs))
    for length in (SHORT, LONG // 2 if quick else LONG):
        with scratch() as folder:
            clip = edit.CLIPS[1]
            edit.make_clip(folder / clip.file, length, clip)
            path = add_sound(folder / clip.file, length / float(edit.RATE))
            made.append(
                at_most(f"memory above TensorFlow's, {length} frames", peak(path), "MiB", 700)
            )
    made.append(figure("speech, one channel", speech_speed(), "x real time"))
    return made
