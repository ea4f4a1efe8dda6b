"""Clips and recordings made from real speech and noise, with their truth.

Each set is a performance that recorders and cameras hear from different places: every side has
its own room, noise (0-20 dB SNR), level and clock. Three noises in seven are real: sounds of
engines, tools and weather, or four people who speak other languages beside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from tests import dual
from tests.real_noise import fetch_noise, sounds
from tests.speech import RATE, fetch_speech, prompts

LENGTHS = (12, 20, 30, 45, 60, 120)
EDIT_RATES = (
    Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(50),
)  # fmt: skip
PULLS = (Fraction(1001, 1000), Fraction(1000, 1001))
CRYSTAL = 200e-6
BEDS = (*dual.KINDS, "sounds", "voices")
# Seconds of a made noise bed before it comes again.
BED = 97
Room = tuple[tuple[float, float], tuple[float, float]]
# Decay (T60) in seconds and direct over reverberant sound in dB, at the recorder and at the
# camera: on a set, and in a hall, where the boom is near and the camera far away.
ROOM: Room = ((0.15, 0.7), (-2, 10))
ROOMS, HALLS = (ROOM, ROOM), (((0.8, 2.0), (-2, 10)), ((0.8, 2.0), (-10, 0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """How a recording lies against a clip.

    Clip time t sounds at ``offset + t · ratio`` of the recording; ``begins`` to ``ends`` is what
    both heard, in seconds of the clip. ``pull`` is the 0.1 % within the ratio.
    """

    offset: float
    ratio: float
    begins: float
    ends: float
    pull: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeSet:
    """Files, each clip to be compared with each recording; what is not in ``truths`` is no pair."""

    clips: Mapping[Path, Fraction]
    recordings: tuple[Path, ...]
    truths: Mapping[tuple[Path, Path], Truth]


class Studio:
    """Makes recordings and clips in one folder, from one seed.

    ``held_out`` takes the speech and the sounds that no threshold was chosen on.
    """

    def __init__(self, folder: Path, seed: int, *, held_out: bool) -> None:
        fetch_speech()
        fetch_noise()
        self.folder = folder
        self.rng = np.random.default_rng(seed)
        self.prompts = prompts("en" if held_out else "fr")
        self._sounds = sounds(held_out=held_out)
        self._others = prompts("it")
        self._made = 0

    def performance(self, length: float, words: list[int] | None = None) -> list[dual.Line]:
        """Return what is played for so long; ``words`` says the same anew."""
        return dual.performance(self.rng, self.prompts, length, words)

    def retake(self, lines: list[dual.Line], length: float) -> list[dual.Line]:
        """Return words out of a performance, said again at other speeds."""
        first = int(self.rng.integers(max(1, len(lines) - 60)))
        return self.performance(length, [line.prompt for line in lines[first : first + 60]])

    def heard(
        self,
        lines: list[dual.Line],
        start: float,
        length: float,
        ratio: float = 1.0,
        room: Room = ROOM,
    ) -> np.ndarray:
        """Return what one side hears: its own room, noise and level."""
        dry = dual.render(lines, self.prompts, start, length, ratio - 1)
        decay, direct = (float(self.rng.uniform(*each)) for each in room)
        snr = float(self.rng.uniform(0, 20))
        return dual.heard(self.rng, dry, snr, decay, direct, bed=self._bed(len(dry)))

    def recording(self, channels: np.ndarray) -> Path:
        """Write a recording."""
        return dual.write_wav(self._name("roll", "wav"), channels)

    def clip(self, channels: np.ndarray) -> tuple[Path, Fraction]:
        """Write a clip, a third of them in AAC; return its path and edit rate."""
        rate = EDIT_RATES[self.rng.integers(len(EDIT_RATES))]
        codec = "aac" if self.rng.random() < 0.3 else "pcm_s16le"
        return dual.write_clip(self._name("clip", "mov"), channels, rate, codec), rate

    def pull(self) -> Fraction:
        """Return how a sample rate is named: rightly in four of five cases."""
        return Fraction(1) if self.rng.random() < 0.8 else PULLS[self.rng.integers(2)]

    def ratio(self, pull: Fraction = Fraction(1)) -> float:
        """Return how far two clocks run apart, beside a pull."""
        return float(pull) * (1 + float(self.rng.uniform(-CRYSTAL, CRYSTAL)))

    def _name(self, kind: str, ending: str) -> Path:
        self._made += 1
        return self.folder / f"{kind}{self._made:03}.{ending}"

    def _bed(self, length: int) -> np.ndarray:
        kind, lasts = BEDS[self.rng.integers(len(BEDS))], min(BED, length / RATE)
        if kind in dual.KINDS:
            return np.resize(dual.noise(self.rng, round(lasts * RATE), kind), length)
        pool, voices = (self._sounds, 2) if kind == "sounds" else (self._others, 4)
        return np.resize(dual.surroundings(self.rng, pool, lasts, voices), length)


def roll(
    studio: Studio,
    length: float,
    true: int,
    false: int,
    rooms: tuple[Room, Room] = ROOMS,
    tracks: int = 1,
) -> MadeSet:
    """Make a sound roll, clips of all lengths everywhere in it, and clips that it does not hold.

    Of the latter half have other lines, half the same words said again.
    """
    near, far = rooms
    lines = studio.performance(length + 60)
    sound = studio.heard(lines, 0, length, room=near)
    recording = studio.recording(sound if tracks == 1 else _tracks(studio, sound, tracks))
    clips, truths = {}, {}
    for _ in range(true):
        lasts, pull = float(studio.rng.choice(LENGTHS)), studio.pull()
        start, ratio = float(studio.rng.uniform(0, length - lasts * 1.01)), studio.ratio(pull)
        path, rate = studio.clip(studio.heard(lines, start, lasts, ratio, far))
        clips[path] = rate
        truths[path, recording] = Truth(offset=start, ratio=ratio, begins=0, ends=lasts, pull=pull)
    for number in range(false):
        lasts = float(studio.rng.choice(LENGTHS))
        said = studio.retake(lines, lasts) if number % 2 else studio.performance(lasts)
        path, rate = studio.clip(studio.heard(said, 0, lasts, room=far))
        clips[path] = rate
    return MadeSet(clips=clips, recordings=(recording,), truths=truths)


def _tracks(studio: Studio, guide: np.ndarray, count: int) -> np.ndarray:
    """Put what the camera hears on one of many tracks; the others hold other voices and nothing."""
    seconds = len(guide) / RATE
    square = np.sign(np.sin(2 * np.pi * 1200 * np.arange(len(guide)) / RATE)) * 0.4
    tracks = [square, *np.zeros((2, len(guide)))]
    while len(tracks) < count - 1:
        tracks.append(studio.heard(studio.performance(seconds), 0, seconds))
    tracks.insert(int(studio.rng.integers(count)), guide)
    return np.stack(tracks).astype(np.float32)


def take(
    studio: Studio,
    length: float,
    ratio: float,
    pull: Fraction = Fraction(1),
    *,
    again: bool = False,
) -> MadeSet:
    """Make a long take with its recording; ``again`` another take of the same script beside it."""
    lines = studio.performance(length + 60)
    lead = float(studio.rng.uniform(5, 40))
    recording = studio.recording(studio.heard(lines, 0, length + 55))
    path, rate = studio.clip(studio.heard(lines, lead, length, ratio))
    clips = {path: rate}
    if again:
        said = studio.performance(length, [line.prompt for line in lines])
        other, other_rate = studio.clip(studio.heard(said, 0, length))
        clips[other] = other_rate
    truth = Truth(offset=lead, ratio=ratio, begins=0, ends=length, pull=pull)
    return MadeSet(clips=clips, recordings=(recording,), truths={(path, recording): truth})


def late(studio: Studio, length: float, count: int) -> MadeSet:
    """Make a long clip with short recordings that begin up to its end."""
    lines = studio.performance(length)
    path, rate = studio.clip(studio.heard(lines, 0, length))
    truths = {}
    for number in range(count):
        lasts, ratio = float(studio.rng.choice(LENGTHS)), studio.ratio()
        begins = (length - lasts * 1.01) * (number + 1) / count
        # The recorder's clock is the one that is off here: its second is 1 / ratio of the clip's.
        made = studio.recording(studio.heard(lines, begins, lasts, 1 / ratio))
        truths[path, made] = Truth(
            offset=-begins * ratio, ratio=ratio, begins=begins, ends=begins + lasts / ratio
        )
    recordings = tuple(recording for _, recording in truths)
    return MadeSet(clips={path: rate}, recordings=recordings, truths=truths)


def two_recorders(studio: Studio, length: float, count: int) -> MadeSet:
    """Make takes that a mixer and a lavalier's recorder both heard, each with its own clock."""
    lines = studio.performance(length)
    clocks = [studio.ratio() for _ in range(2)]
    starts = (0.0, float(studio.rng.uniform(1, 20)))
    recordings = tuple(
        studio.recording(studio.heard(lines, start, (length - start) * clock, 1 / clock))
        for start, clock in zip(starts, clocks, strict=True)
    )
    clips, truths = {}, {}
    for _ in range(count):
        lasts = float(studio.rng.choice(LENGTHS))
        begin = float(studio.rng.uniform(25, length - lasts - 1))
        path, rate = studio.clip(studio.heard(lines, begin, lasts))
        clips[path] = rate
        for recording, start, clock in zip(recordings, starts, clocks, strict=True):
            truths[path, recording] = Truth(
                offset=(begin - start) * clock, ratio=clock, begins=0, ends=lasts
            )
    return MadeSet(clips=clips, recordings=recordings, truths=truths)


Make = Callable[[Studio], MadeSet]
