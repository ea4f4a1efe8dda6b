"""How well sound finds its picture, on pairs made from real speech, and at what cost.

Sound rolls of an hour and more, each a performance that a recorder and cameras hear from
different places: both sides have their own room, noise (0-20 dB SNR), level and clock (±200 ppm,
or 0.1 % off). Clips that belong to no roll are half of other lines, half the same words said
again, as in another take. English speech, which no threshold was chosen on.

The peer is audio-offset-finder, in an environment of its own that is made when it is missing.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from benchmarks.bench import REPOSITORY, scratch
from benchmarks.row import Row, at_least, at_most, figure, quantile
from handlers.sync.envelope import EnvelopeStore
from handlers.sync.match import sync
from handlers.sync.read import read_clip, read_recording
from handlers.sync.records import Match, Options
from tests import dual
from tests.speech import fetch_speech, prompts

SEED = 20261122
LENGTHS = (12, 20, 30, 45, 60, 120)
RATES = (Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(50))
PEER_VENV = REPOSITORY / ".venv-bench-sync"
PEER = "audio-offset-finder==0.5.5"
# Its documentation: ten and more is likely right.
PEER_SURE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How large a run is; times in seconds."""

    rolls: int
    roll: int
    clips: int
    take: int
    strangers: int
    hour: int
    peer: int


FULL = Sizes(rolls=2, roll=4000, clips=60, take=2640, strangers=100, hour=3600, peer=12)
QUICK = Sizes(rolls=1, roll=700, clips=8, take=400, strangers=8, hour=600, peer=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A clip and a recording with their truth; ``offset`` None where they do not belong together.

    A clip's second lasts ``1 + drift`` seconds of the recording; ``length`` is the clip's.
    """

    clip: Path
    recording: Path
    offset: float | None
    drift: float
    length: float
    rate: Fraction


class Studio:
    """Makes recordings and clips of performances in one folder, from one seed."""

    def __init__(self, folder: Path, seed: int) -> None:
        fetch_speech()
        self.folder = folder
        self.rng = np.random.default_rng(seed)
        self.prompts = prompts("en")
        self._made = 0

    def heard(
        self, lines: list[dual.Line], start: float, length: float, drift: float = 0.0
    ) -> np.ndarray:
        """Return what one side hears: its own room, noise and level."""
        dry = dual.render(lines, self.prompts, start, length, drift)
        return dual.heard(self.rng, dry, self.rng.uniform(0, 20))

    def performance(self, length: float, words: list[int] | None = None) -> list[dual.Line]:
        """Return what is played for so long; ``words`` says the same anew."""
        return dual.performance(self.rng, self.prompts, length, words)

    def recording(self, lines: list[dual.Line], start: float, length: float) -> Path:
        """Write a sound roll."""
        self._made += 1
        path = self.folder / f"roll{self._made:03}.wav"
        return dual.write_wav(path, self.heard(lines, start, length))

    def clip(self, lines: list[dual.Line], start: float, length: float, drift: float) -> tuple:
        """Write a clip; return its path and edit rate."""
        self._made += 1
        rate = RATES[self.rng.integers(len(RATES))]
        path = self.folder / f"clip{self._made:03}.mov"
        sound = self.heard(lines, start, length, drift)
        codec = "aac" if self.rng.random() < 0.3 else "pcm_s16le"
        return dual.write_clip(path, sound, rate, codec), rate

    def drift(self) -> float:
        """Return how far two clocks are apart: mostly crystals, at times 0.1 % by name."""
        crystal = float(self.rng.uniform(-200e-6, 200e-6))
        if self.rng.random() < 0.8:
            return crystal
        return (1 / 1000 if self.rng.random() < 0.5 else -1 / 1001) + crystal / 5


def roll_with_clips(studio: Studio, sizes: Sizes) -> tuple[list[Pair], Path, list[dual.Line]]:
    """Make one roll, and clips of all lengths everywhere in it."""
    lines = studio.performance(sizes.roll + 60)
    roll = studio.recording(lines, 0, sizes.roll)
    pairs = []
    for _ in range(sizes.clips):
        length, drift = float(studio.rng.choice(LENGTHS)), studio.drift()
        start = float(studio.rng.uniform(0, sizes.roll - length - 1))
        clip, rate = studio.clip(lines, start, length, drift)
        pairs.append(
            Pair(clip=clip, recording=roll, offset=start, drift=drift, length=length, rate=rate)
        )
    return pairs, roll, lines


def long_takes(studio: Studio, sizes: Sizes) -> list[Pair]:
    """Make takes of 44 minutes whose clocks run 150 and 200 ppm apart, each with its recording."""
    pairs = []
    for drift in (150e-6, -150e-6, 200e-6, -200e-6)[: 4 if sizes is FULL else 2]:
        lines = studio.performance(sizes.take + 60)
        lead = float(studio.rng.uniform(5, 40))
        clip, rate = studio.clip(lines, lead, sizes.take, drift)
        roll = studio.recording(lines, 0, sizes.take + 55)
        pairs.append(
            Pair(clip=clip, recording=roll, offset=lead, drift=drift, length=sizes.take, rate=rate)
        )
    return pairs


def late_recordings(studio: Studio, sizes: Sizes) -> list[Pair]:
    """Make a long clip with short recordings that begin up to an hour into it."""
    lines = studio.performance(sizes.roll)
    clip, rate = studio.clip(lines, 0, sizes.roll, 0.0)
    pairs = []
    for share in (0.3, 0.6, 0.9):
        begins = share * sizes.roll
        roll = studio.recording(lines, begins, 90)
        pairs.append(
            Pair(clip=clip, recording=roll, offset=-begins, drift=0.0, length=sizes.roll, rate=rate)
        )
    return pairs


def strangers(studio: Studio, sizes: Sizes, lines: list[dual.Line]) -> list[tuple[Path, Fraction]]:
    """Make clips that no roll holds: other lines, and the same words said again."""
    made = []
    for number in range(sizes.strangers):
        length = float(studio.rng.choice(LENGTHS))
        words = None
        if number % 2:
            first = int(studio.rng.integers(len(lines) - 60))
            words = [line.prompt for line in lines[first : first + 60]]
        made.append(studio.clip(studio.performance(length, words), 0, length, 0.0))
    return made


def make_set(studio: Studio, sizes: Sizes) -> list[Pair]:
    """Make all pairs, true ones first."""
    rolls, pairs, lines = [], [], []
    for _ in range(sizes.rolls):
        made, roll, lines = roll_with_clips(studio, sizes)
        pairs += made
        rolls.append(roll)
    pairs += long_takes(studio, sizes) + late_recordings(studio, sizes)
    for clip, rate in strangers(studio, sizes, lines):
        pairs += [
            Pair(clip=clip, recording=roll, offset=None, drift=0.0, length=0.0, rate=rate)
            for roll in rolls
        ]
    return pairs


def match(pair: Pair, store: EnvelopeStore) -> Match | None:
    """Match one pair as the product does."""
    clips, recordings = [read_clip(pair.clip)], [read_recording(pair.recording)]
    (found,) = sync(clips, recordings, Options(), lambda *_: None, store)
    return found if isinstance(found, Match) else None


def errors(pair: Pair, found: Match | None) -> tuple[float, float]:
    """Return how far a match is off at the beginning and end of the clip, in its frames."""
    if found is None or pair.offset is None:
        return float("inf"), float("inf")
    begins = found.offset_samples / 48000 - pair.offset
    # Only what recording and clip share can be heard.
    common = pair.length if pair.offset >= 0 else -pair.offset + 90
    ends = begins + (found.ratio - 1 - pair.drift) * common
    return abs(begins) * float(pair.rate), abs(ends) * float(pair.rate)


def accuracy(pairs: list[Pair], store: EnvelopeStore) -> list[Row]:
    """Match every pair; hold the errors against the bar."""
    found = [match(pair, store) for pair in pairs]
    true = [index for index, pair in enumerate(pairs) if pair.offset is not None]
    off = [errors(pairs[index], found[index]) for index in true]
    takes = [end for index, (_, end) in zip(true, off, strict=True) if is_take(pairs[index])]
    false = [found[k] for k, pair in enumerate(pairs) if pair.offset is None and found[k]]
    quarter = sum(begin <= 0.25 for begin, _ in off)
    known = [begin for begin, _ in off if begin < np.inf]
    wrong = sum(begin > 0.25 for begin in known)
    return [
        figure("true pairs", len(true), ""),
        at_least("found within a quarter frame", 100 * quarter / len(true), "%", 98),
        figure("refused", len(true) - len(known), ""),
        at_most("given a wrong place", wrong, "", 0),
        figure("error, median of those found", statistics.median(known), "frames"),
        figure("error, 99 % of those found", quantile(known, 0.99), "frames"),
        figure("pairs that do not belong together", len(pairs) - len(true), ""),
        at_most("matched all the same", len(false), "", 0),
        at_most("error at the end of long takes, largest", max(takes), "frames", 0.5),
    ]


def is_take(pair: Pair) -> bool:
    """Say whether a pair is one of the long takes with drift."""
    return pair.length > max(LENGTHS) and pair.offset is not None and pair.offset > 0


def cost(studio: Studio, sizes: Sizes) -> tuple[list[Row], Pair]:
    """Match a pair of an hour each in a process of its own."""
    lines = studio.performance(sizes.hour + 60)
    clip, rate = studio.clip(lines, 30, sizes.hour, 100e-6)
    roll = studio.recording(lines, 0, sizes.hour)
    pair = Pair(
        clip=clip, recording=roll, offset=30.0, drift=100e-6, length=sizes.hour - 30, rate=rate
    )
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.sync_pair", clip, roll],
        cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    said = json.loads(done.stdout)
    offset = float("inf") if said["offset"] is None else said["offset"] / 48000 - 30
    return [
        figure("the long pair, each side", sizes.hour, "s"),
        at_most("processor time", said["seconds"], "s", 60),
        at_most("peak memory", said["mebibytes"], "MiB", 1024),
        at_most("error", abs(offset) * float(rate), "frames", 0.25),
    ], pair


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


def peer_answers(pairs: list[Pair]) -> list[tuple[float, float, float]]:
    """Return the peer's offset, score and processor time for each pair."""
    asked = "".join(json.dumps([str(pair.recording), str(pair.clip)]) + "\n" for pair in pairs)
    path = f"{PEER_VENV / 'bin'}{os.pathsep}{os.environ['PATH']}"
    script = Path(__file__).with_name("offset_finder.py")
    done = subprocess.run(
        [peer_python(), script], input=asked, check=True, stdout=subprocess.PIPE,
        text=True, env=os.environ | {"PATH": path},
    )  # fmt: skip
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def beside_peer(pairs: list[Pair], sizes: Sizes) -> list[Row]:
    """Ask the peer and fxd the same: each decodes both files of each pair."""
    true = [pair for pair in pairs if pair.offset is not None and pair.length <= max(LENGTHS)]
    false = [pair for pair in pairs if pair.offset is None]
    chosen = true[: sizes.peer] + false[: sizes.peer]
    theirs = peer_answers(chosen)
    ours = [ask_alone(pair) for pair in chosen]
    rows = []
    for name, answers, sure in (("fxd", ours, 0), ("audio-offset-finder", theirs, PEER_SURE)):
        near = [is_near(pair, each[0]) for pair, each in zip(chosen, answers, strict=True)]
        claimed = [each[0] is not None and each[1] >= sure for each in answers]
        right = sum(a and b for a, b in zip(near, claimed, strict=True))
        rows += [
            figure(f"{name}: right and sure, of {sizes.peer}", right, ""),
            figure(f"{name}: wrong and sure, of {2 * sizes.peer}", sum(claimed) - right, ""),
            figure(f"{name}: processor time a pair", median_time(answers), "s"),
        ]
    return [*rows, at_most("time, to audio-offset-finder",
                           median_time(ours) / median_time(theirs), "times", 1)]  # fmt: skip


def ask_alone(pair: Pair) -> tuple[float | None, float, float]:
    """Match a pair in a process of its own; return offset in seconds, 0 and processor time."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.sync_pair", pair.clip, pair.recording],
        cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    said = json.loads(done.stdout)
    offset = None if said["offset"] is None else said["offset"] / 48000
    return offset, 0, said["seconds"]


def is_near(pair: Pair, offset: float | None) -> bool:
    """Say whether an offset in seconds is right within a quarter frame."""
    if pair.offset is None or offset is None:
        return False
    return abs(offset - pair.offset) * float(pair.rate) <= 0.25


def median_time(answers: list[tuple]) -> float:
    """Return the median processor time."""
    return statistics.median(each[2] for each in answers)


def run(quick: bool) -> list[Row]:  # noqa: FBT001 - called by its place
    """Measure on 327 pairs, an hour's pair and beside the peer; or on a few short ones."""
    sizes = QUICK if quick else FULL
    with scratch() as folder:
        studio = Studio(folder, SEED)
        pairs = make_set(studio, sizes)
        rows = accuracy(pairs, EnvelopeStore(folder / "envelopes"))
        rows += beside_peer(pairs, sizes)
        for pair in pairs:
            pair.clip.unlink(missing_ok=True)
        costs, _ = cost(studio, sizes)
    return rows + costs
