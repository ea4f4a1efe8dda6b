"""The edit pass with full analysis against plain decoding, and its memory at two lengths.

Two generated 1080p clips of ``benchmarks.edit``, with two channels of sound. Peers are loops
that do nothing else than decode picture and sound; with a proxy, decode both and encode the
picture as the proxy is encoded. Speech is not judged here: it costs the same whatever the
picture is, and is a figure of its own. All ways run in turn, so that ratios hold although the
machine may do other work.

Memory is taken of everything at once: shots by the network, all measures, speech, the proxy.
"""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks import edit
from benchmarks.bench import REPOSITORY, resident_mib, scratch
from benchmarks.row import Row, at_least, at_most, figure
from daemon.worker import SWITCH_SECONDS
from handlers.analysis.meter import Meter
from handlers.analysis.params import QcParams
from handlers.edit.detect import Judge, ShotDetector
from handlers.edit.onepass import decode_once
from handlers.media.probe import probe
from handlers.media.proxy import ProxyWriter
from handlers.media.timecode import Timecode
from tests.prepare import install_models

SOUND_RATE, SPEECH_SECONDS = 48000, 300
# So many frames are encoded, which takes longest of all; longer clips repeat them.
ENCODED = 200
FRAMES, RUNS = 400, 3
# A clip ten times as long must need no more but for its table.
SHORT, LONG = 400, 4000
# The aims are set for H.264.
CLIPS = edit.CLIPS[:2]
MEMORY = """
import sys; from pathlib import Path; from benchmarks import analysis
print(analysis.peak_mib(Path(sys.argv[1])))
"""


def make_clip(folder: Path, clip: edit.Clip) -> Path:
    """Encode the frames that clips of any length are made of."""
    path = folder / f"encoded-{clip.file}"
    edit.make_clip(path, ENCODED, clip)
    return path


def lengthened(encoded: Path, frames: int) -> Path:
    """Write a clip that repeats an encoded one, with two channels of noise beside it."""
    made = encoded.with_name(f"{frames}-{encoded.name}")
    with av.open(str(encoded)) as reader, av.open(str(made), "w") as writer:
        source = reader.streams.video[0]
        picture = writer.add_stream_from_template(source)
        packets = [packet for packet in reader.demux(source) if packet.dts is not None]
        add_sound(writer, frames / float(edit.RATE))
        for packet in repeated(packets, frames):
            packet.stream = picture
            writer.mux(packet)
    return made


def repeated(packets: list[av.Packet], frames: int) -> Iterator[av.Packet]:
    """Yield copies of packets, over and over, each time later by their length."""
    unit = packets[0].time_base
    for number, packet in enumerate(itertools.islice(itertools.cycle(packets), frames)):
        later = round(number // len(packets) * len(packets) / edit.RATE / unit)
        made = av.Packet(bytes(packet))
        made.time_base, made.is_keyframe = unit, packet.is_keyframe
        made.pts, made.dts = packet.pts + later, packet.dts + later
        made.duration = packet.duration
        yield made


def add_sound(writer: Any, seconds: float) -> None:
    """Encode noise."""
    noise = np.random.default_rng(3).normal(0, 0.05, (2, 1024 * 64)).astype(np.float32)
    sound = writer.add_stream("aac", rate=SOUND_RATE, layout="stereo")
    for start in range(0, int(seconds * SOUND_RATE), 1024):
        piece = np.ascontiguousarray(noise[:, start % noise.shape[1] :][:, :1024])
        frame = av.AudioFrame.from_ndarray(piece, "fltp", "stereo")
        frame.sample_rate, frame.pts = SOUND_RATE, start
        frame.time_base = Fraction(1, SOUND_RATE)
        writer.mux(sound.encode(frame))
    writer.mux(sound.encode())


def decode_only(path: Path, _scratch: Path) -> int:
    """Decode every picture and all sound and drop them."""
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        frames = (frame for packet in container.demux() for frame in packet.decode())
        return sum(isinstance(frame, av.VideoFrame) for frame in frames)


def analyse(path: Path, _scratch: Path) -> int:
    """Find shots and measure everything, without a proxy."""
    return look_at(path, None, edit.NoCuts(), None)


def analyse_with_proxy(path: Path, folder: Path) -> int:
    """Find shots, measure everything, and write the proxy."""
    return look_at(path, folder / "ours.mov", edit.NoCuts(), None)


def look_at(path: Path, made: Path | None, judge: Judge, voice: Any) -> int:
    """Run one edit pass; ``made`` is where a proxy goes. Return how many frames the table has."""
    source = probe(path)
    meter = Meter(source, source.video, QcParams(), voice)
    start = Timecode(frames=0, rate=edit.RATE)
    proxy = ProxyWriter(made, source, source.video, start, edit.SETTINGS) if made else None
    found = decode_once(path, source, ShotDetector(judge), proxy, lambda _: None, meter)
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
    """Return by how much TensorFlow's own memory is exceeded while a clip is looked at.

    TensorFlow and both networks are loaded, and each has judged once, before.
    """
    from models.bundle import BundleLoader
    from models.shots.windows import WindowJudge

    judge = WindowJudge(BundleLoader(install_models()).load("transnetv2"))
    judge(np.zeros((100, 27, 48, 3), np.uint8), [(0, 50)])
    voice = voice_judge()
    listen(voice, 10)
    # From here on the kernel notes the highest anew.
    Path("/proc/self/clear_refs").write_text("5")
    before = resident_mib(os.getpid())
    look_at(path, path.with_name("ours.mov"), judge, voice)
    lines = Path("/proc/self/status").read_text().splitlines()
    most = next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    return most - before


def peak(path: Path) -> float:
    """Measure the peak in a process of its own."""
    command = [sys.executable, "-c", MEMORY, str(path)]
    done = subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout.splitlines()[-1])


def voice_judge() -> Any:
    """Load the network that hears speech."""
    from models.bundle import BundleLoader
    from models.voice.windows import VoiceJudge

    return VoiceJudge(BundleLoader(install_models()).load("silero-vad"))


def listen(judge: Any, seconds: int) -> float:
    """Let it judge so many seconds of noise; return how long that takes."""
    from models.voice.windows import RATE

    noise = np.random.default_rng(0).normal(0, 0.1, (RATE, 1)).astype(np.float32)
    listener, began = judge.listener(1), time.perf_counter()
    for _ in range(seconds):
        listener.push(noise)
    listener.finish()
    return time.perf_counter() - began


def speech_speed() -> float:
    """Return how many times faster than it lasts one channel of sound is judged."""
    judge = voice_judge()
    listen(judge, 10)
    return SPEECH_SECONDS / listen(judge, SPEECH_SECONDS)


def rows(name: str, found: dict[str, float]) -> list[Row]:
    """Hold what was measured on one clip against the aims, which are set for H.264."""
    plain = found["analyse"] / found["decode_only"]
    proxy = found["analyse_with_proxy"] / found["decode_encode"]
    return [
        figure(f"{name}: decode only", found["decode_only"], "frames/s"),
        figure("analysis", found["analyse"], "frames/s"),
        figure("decode and encode", found["decode_encode"], "frames/s"),
        figure("analysis with proxy", found["analyse_with_proxy"], "frames/s"),
        at_least("analysis / decode only", plain, "times", 0.7),
        at_least("with proxy / decode and encode", proxy, "times", 0.8),
    ]


def run(quick: bool) -> list[Row]:  # noqa: FBT001 - called by its place
    """Measure 400 frames of each clip three times, or of the second once; then memory."""
    # As in the child that does it in the daemon.
    sys.setswitchinterval(SWITCH_SECONDS)
    made = [figure("frames of 1080p", FRAMES, "")]
    for clip in CLIPS[1:] if quick else CLIPS:
        with scratch() as folder:
            encoded = make_clip(folder, clip)
            path = lengthened(encoded, FRAMES)
            made += rows(clip.name, measure(path, folder, FRAMES, 1 if quick else RUNS))
            if clip is CLIPS[1]:
                made += memory(encoded, LONG // 4 if quick else LONG)
    made.append(figure("speech, one channel", speech_speed(), "x real time"))
    return made


def memory(encoded: Path, long: int) -> list[Row]:
    """Measure the memory of a short and of a long clip."""
    return [
        at_most(
            f"memory above TensorFlow's, {length:,} frames",
            peak(lengthened(encoded, length)), "MiB", 700,
        )
        for length in (SHORT, long)
    ]  # fmt: skip
