"""How well sound finds its picture, on sets made from real speech and noise, and at what cost.

Sound rolls of 67 minutes with clips everywhere in them, halls, takes of 44 minutes, recordings
that begin up to an hour into a clip, eight tracks, two recorders, clocks ±200 ppm apart or 0.1 %
off (``sync_sets``). The speech is English and the real sounds every second one of theirs, which
no threshold was chosen on. The peer is audio-offset-finder (``sync_peer``).
"""

from __future__ import annotations

import itertools
import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

from benchmarks import sync_sets
from benchmarks.bench import REPOSITORY, scratch
from benchmarks.row import Row, at_least, at_most, figure, quantile
from benchmarks.sync_peer import beside_peer
from benchmarks.sync_sets import HALLS, PULLS, MadeSet, Make, Studio, Truth
from handlers.sync.envelope import envelope
from handlers.sync.read import read_clip, read_recording
from handlers.sync.records import Match, Options
from handlers.sync.several import match_all

SEED = 20261129
FRAMES_OFF = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How large a run is; times in seconds, clips in counts."""

    rolls: int
    roll: int
    clips: int
    strangers: int
    halls: int
    hall: int
    take: int
    takes: int
    late: int
    hour: int
    peer: int


FULL = Sizes(
    rolls=4, roll=4000, clips=24, strangers=50, halls=2, hall=1200, take=2640, takes=6, late=8,
    hour=3600, peer=12,
)  # fmt: skip
QUICK = Sizes(
    rolls=1, roll=700, clips=6, strangers=6, halls=1, hall=300, take=400, takes=2, late=3,
    hour=600, peer=2,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One set to make and match, in a process of its own."""

    group: str
    make: Make
    seed: int
    held_out: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a clip and a recording: both None where they are no pair and were not matched.

    ``begins`` and ``ends`` are how far a match is off where the common sound begins and ends, in
    frames.
    """

    group: str
    names: str
    truth: Truth | None
    match: Match | None
    begins: float = math.inf
    ends: float = math.inf

    @property
    def right(self) -> bool:
        """Say whether it lies within a quarter frame where the common sound begins."""
        return self.begins <= FRAMES_OFF


def plan(sizes: Sizes, seed: int, *, held_out: bool = True) -> list[Job]:
    """Return all sets, each with a seed of its own; the longest to make first."""
    few = max(3, sizes.clips * 3 // 8)
    roll, late = partial(sync_sets.roll, length=sizes.roll), sync_sets.late
    made: list[tuple[str, Make]] = [
        *(("takes", make) for make in long_takes(sizes)),
        *sizes.rolls * [("rolls", partial(roll, true=sizes.clips, false=sizes.strangers))],
        *sizes.halls * [("halls", partial(roll, length=sizes.hall, true=2 * few, false=8,
                                          rooms=HALLS))],
        *2 * [("late", partial(late, length=sizes.roll, count=sizes.late))],
        ("tracks", partial(roll, length=sizes.hall, true=few, false=few, tracks=8)),
        ("recorders", partial(sync_sets.two_recorders, length=sizes.hall, count=few)),
    ]  # fmt: skip
    return [
        Job(group=group, make=make, seed=seed + number, held_out=held_out)
        for number, (group, make) in enumerate(made)
    ]


def long_takes(sizes: Sizes) -> list[Make]:
    """Return takes whose clocks run 150 and 200 ppm apart, alone and on top of 0.1 %."""
    take = partial(sync_sets.take, length=sizes.take)
    made = [partial(take, ratio=1 + ppm * 1e-6, again=ppm == 150) for ppm in (150, -150, 200, -200)]
    made += [
        partial(take, ratio=float(pull) * (1 + ppm * 1e-6), pull=pull)
        for pull, ppm in zip(PULLS, (200, -200), strict=True)
    ]
    return made[: sizes.takes]


def perform(job: Job) -> list[Outcome]:
    """Make a set, match all of it as a day is matched, and take it away.

    Clips that overlap in a roll are of several cameras, so each counts as one of its own: without
    timecode a day would refuse them as takes that only sound alike.
    """
    with scratch() as folder:
        made = job.make(Studio(folder, job.seed, held_out=job.held_out))
        clips = [replace(read_clip(path), camera=path.stem) for path in made.clips]
        recordings = [read_recording(path) for path in made.recordings]
        answers = match_all(clips, recordings, Options(), lambda *_: None, cache(envelope))
    found = {(each.clip, each.recording): each for each in answers if isinstance(each, Match)}
    rates = {each.path: each.rate for each in recordings}
    return [
        outcome(f"{job.group}-{job.seed}", made, clip, recording, rates[recording],
                found.get((clip, recording)))
        for clip, recording in itertools.product(made.clips, made.recordings)
    ]  # fmt: skip


def outcome(
    group: str, made: MadeSet, clip: Path, recording: Path, rate: int, found: Match | None
) -> Outcome:
    """Hold a match against the truth."""
    truth = made.truths.get((clip, recording))
    result = partial(
        Outcome, group=group, names=f"{clip.name} {recording.name}", truth=truth, match=found
    )
    if truth is None or found is None:
        return result()

    def off(seconds: float) -> float:
        place = found.offset_samples / rate + found.ratio * seconds
        return abs(place - truth.offset - truth.ratio * seconds) * float(made.clips[clip])

    return result(begins=off(truth.begins), ends=off(truth.ends))


def perform_all(jobs: Sequence[Job]) -> list[Outcome]:
    """Perform all jobs, as many at once as there are cores."""
    cores = len(os.sched_getaffinity(0))
    found = []
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(perform, job) for job in jobs]):
            found += done.result()
            for each in filter(missed, done.result()):
                print(f"\n  {each}", file=sys.stderr, end="", flush=True)
    return found


def missed(one: Outcome) -> bool:
    """Say whether a true pair was not found where it is, or another matched at all."""
    return not one.right if one.truth else one.match is not None


def accuracy(outcomes: Sequence[Outcome]) -> list[Row]:
    """Hold all outcomes against the bar."""
    true = [each for each in outcomes if each.truth]
    false = [each for each in outcomes if not each.truth]
    known = [each.begins for each in true if each.match]
    wrong = sum(begin > FRAMES_OFF for begin in known)
    return [
        figure("true pairs", len(true), ""),
        share_right("within a quarter frame", true),
        figure("refused", len(true) - len(known), ""),
        at_most("given a wrong place", wrong, "", 0),
        figure("error, median of those found", statistics.median(known), "frames"),
        figure("error, 99 % of those found", quantile(known, 0.99), "frames"),
        figure("pairs that do not belong together", len(false), ""),
        at_most("matched all the same", sum(bool(each.match) for each in false), "", 0),
        *by_kind(true),
        *pulls(true),
        *takes(true),
    ]


def share_right(name: str, pairs: Sequence[Outcome]) -> Row:
    """Return how many of some pairs are right within a quarter frame, against the bar."""
    right = 100 * sum(each.right for each in pairs) / len(pairs)
    return at_least(f"{name}, of {len(pairs)}", right, "%", 98)


def by_kind(true: Sequence[Outcome]) -> list[Row]:
    """Say how often each kind of true pair is right."""
    rows = []
    for kind, text in (
        ("rolls", "clips anywhere in long rolls"),
        ("late", "recordings that begin late in a long clip"),
        ("halls", "in halls, T60 0.8 to 2 s"),
        ("tracks", "the guide is one of eight tracks"),
        ("recorders", "two recorders on one take"),
    ):
        pairs = [each for each in true if each.group.startswith(kind)]
        offsets = [each.truth.offset / 60 for each in pairs if each.truth]
        far = max(offsets, key=abs)
        rows += [share_right(text, pairs), figure("  the farthest offset", far, "min")]
    return rows


def pulls(true: Sequence[Outcome]) -> list[Row]:
    """Say how often 0.1 % is called so where it is, and where it is not."""
    found = [(each.truth.pull, each.match.pull) for each in true if each.truth and each.match]
    named = [said == pull for pull, said in found if pull != 1]
    plain = sum(said != 1 for pull, said in found if pull == 1)
    return [
        at_least(f"0.1 % recognised, of {len(named)}", 100 * sum(named) / len(named), "%", 98),
        at_most("0.1 % where there is none", plain, "", 0),
    ]


def takes(true: Sequence[Outcome]) -> list[Row]:
    """Say how far long takes are off at their end."""
    rows = []
    for each in true:
        if each.truth and each.group.startswith("takes"):
            ppm = (each.truth.ratio - 1) * 1e6
            name = f"end of {each.truth.ends / 60:.0f} min, clocks {ppm:+.0f} ppm"
            rows.append(at_most(name, each.ends, "frames", 0.5))
    return sorted(rows, key=lambda row: row.name)


def cost(sizes: Sizes, seed: int) -> list[Row]:
    """Match a pair of an hour each, 150 ppm apart, in a process of its own."""
    with scratch() as folder:
        made = sync_sets.take(Studio(folder, seed, held_out=True), sizes.hour, 1 + 150e-6)
        (((clip, recording), truth),) = made.truths.items()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.sync_pair", clip, recording],
            cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
    said = json.loads(done.stdout)
    assert said["offset"] is not None, "the hour's pair was refused"
    begins = said["offset"] / 48000 - truth.offset
    ends = begins + (said["ratio"] - truth.ratio) * truth.ends
    rate = float(made.clips[clip])
    return [
        figure("the long pair, each side", sizes.hour, "s"),
        at_most("processor time", said["seconds"], "s", 60),
        at_most("peak memory", said["mebibytes"], "MiB", 1024),
        at_most("error at its beginning", abs(begins) * rate, "frames", 0.25),
        at_most("error at its end, clocks 150 ppm apart", abs(ends) * rate, "frames", 0.5),
    ]


def run(quick: bool) -> list[Row]:  # noqa: FBT001 - called by its place
    """Measure on some 400 pairs, an hour's pair and beside the peer; or on a few short ones."""
    sizes = QUICK if quick else FULL
    outcomes = perform_all(plan(sizes, SEED))
    return accuracy(outcomes) + cost(sizes, SEED - 1) + beside_peer(sizes.peer, SEED - 2)
