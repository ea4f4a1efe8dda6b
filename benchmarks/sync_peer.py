"""audio-offset-finder beside fxd, on the same pairs, in an environment made when it is missing."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from benchmarks.bench import REPOSITORY, scratch
from benchmarks.row import Row, at_most, figure
from benchmarks.sync_sets import Studio

PEER_VENV = REPOSITORY / ".venv-bench-sync"
PEER = "audio-offset-finder==0.5.5"
# Its documentation: ten and more is likely right.
PEER_SURE = 10
# The peer compares all of both files: what it is given is shorter than fxd's own rolls. It
# knows no 0.1 %, so none of its clips has it.
ROLL, LENGTHS = 900, (20, 30, 45, 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A clip, a recording, and at which second of it the clip begins; None where nowhere."""

    clip: Path
    recording: Path
    offset: float | None
    rate: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An offset in seconds (None where it was refused), how sure, and the processor time."""

    offset: float | None
    score: float
    seconds: float


def make_pairs(studio: Studio, count: int) -> list[Asked]:
    """Make so many true pairs, and as many that do not belong together."""
    lines = studio.performance(ROLL + 60)
    recording = studio.recording(studio.heard(lines, 0, ROLL))
    asked = []
    for number in range(2 * count):
        lasts = float(studio.rng.choice(LENGTHS))
        start = float(studio.rng.uniform(0, ROLL - lasts - 1)) if number < count else None
        said = lines if start is not None else studio.retake(lines, lasts)
        clip, rate = studio.clip(studio.heard(said, start or 0, lasts, studio.ratio()))
        asked.append(Asked(clip=clip, recording=recording, offset=start, rate=rate))
    return asked


def peer_python() -> Path:
    """Return the Python that has the peer and FFmpeg; make its environment if it is not there."""
    python, done = PEER_VENV / "bin" / "python", PEER_VENV / f".{PEER}"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", PEER_VENV], check=True)
        packages = [PEER, "imageio-ffmpeg", "setuptools"]
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", *packages], check=True, stdout=sys.stderr
        )
        where = "import imageio_ffmpeg as each; print(each.get_ffmpeg_exe())"
        binary = subprocess.run(
            [python, "-c", where], check=True, stdout=subprocess.PIPE, text=True
        )
        (PEER_VENV / "bin" / "ffmpeg").symlink_to(binary.stdout.strip())
        done.touch()
    return python


def peer_answers(pairs: Sequence[Asked]) -> list[Answer]:
    """Ask the peer about each pair."""
    asked = "".join(json.dumps([str(pair.recording), str(pair.clip)]) + "\n" for pair in pairs)
    path = f"{PEER_VENV / 'bin'}{os.pathsep}{os.environ['PATH']}"
    script = Path(__file__).with_name("offset_finder.py")
    done = subprocess.run(
        [peer_python(), script], input=asked, check=True, stdout=subprocess.PIPE,
        text=True, env=os.environ | {"PATH": path},
    )  # fmt: skip
    said = [json.loads(line) for line in done.stdout.splitlines()]
    return [Answer(offset=each[0], score=each[1], seconds=each[2]) for each in said]


def own_answer(pair: Asked) -> Answer:
    """Match a pair in a process of its own, with all imports."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.sync_pair", pair.clip, pair.recording],
        cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    said = json.loads(done.stdout)
    offset = None if said["offset"] is None else said["offset"] / 48000
    return Answer(offset=offset, score=0, seconds=said["seconds"])


def rows_of(name: str, pairs: Sequence[Asked], answers: Sequence[Answer], sure: float) -> list[Row]:
    """Say how often one of the two is right, within a frame and a quarter, and how often wrong."""
    claimed = [
        (pair, answer.offset) for pair, answer in zip(pairs, answers, strict=True)
        if answer.offset is not None and answer.score >= sure
    ]  # fmt: skip
    off = [
        abs(offset - pair.offset) * float(pair.rate) for pair, offset in claimed
        if pair.offset is not None
    ]  # fmt: skip
    count, right = len(pairs) // 2, sum(each <= 1 for each in off)
    near = sum(each <= 0.25 for each in off)
    return [
        figure(f"{name}: sure, within a quarter frame, of {count}", near, ""),
        figure(f"{name}: sure, within a frame, of {count}", right, ""),
        figure(f"{name}: sure and wrong, of {2 * count}", len(claimed) - right, ""),
        figure(f"{name}: processor time a pair", median_time(answers), "s"),
    ]


def median_time(answers: Sequence[Answer]) -> float:
    """Return the median processor time."""
    return statistics.median(each.seconds for each in answers)


def beside_peer(count: int, seed: int) -> list[Row]:
    """Ask the peer and fxd the same: each decodes both files of each pair."""
    with scratch() as folder:
        pairs = make_pairs(Studio(folder, seed, held_out=True), count)
        theirs = peer_answers(pairs)
        ours = [own_answer(pair) for pair in pairs]
    times = median_time(ours) / median_time(theirs)
    return [
        *rows_of("fxd", pairs, ours, 0),
        *rows_of("audio-offset-finder", pairs, theirs, PEER_SURE),
        at_most("time, to audio-offset-finder", times, "times", 1),
    ]
