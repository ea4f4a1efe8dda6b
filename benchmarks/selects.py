"""How well slates, trims, ranges and set-ups are found, on generated takes and sounds.

Takes are cut from real footage with real speech over them (``tests/takes.py``); thresholds were
chosen on seeds below 100 and French speech, what is reported are seeds from 1000 on and English
speech. Claps and what is like them are synthetic, in synthetic rooms.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from benchmarks.bench import scratch
from benchmarks.row import Row, at_least, at_most, figure, quantile
from handlers.edit.clap import ClapListener
from handlers.edit.look import Look
from handlers.edit.selects import Selects, suggest
from handlers.edit.takes import TakeClip, group_takes
from handlers.edit.watch import TakeWatcher
from tests import foley
from tests.measures import measure
from tests.takes import SETUPS, SOUND, TakeSpec, TakeTruth, make_take

HELD_OUT = 1000  # the first seed that nothing was tuned on
TAKES, SOUNDS = 36, 24
SLATES = ("head", "head", "head", "tail", "hand", "none")
RATES = (Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(50))
TROUBLES = ("", "", "soft", "shaken", "bright", "black")
SURE = 0.5  # confidence from which on a marker would be believed
SECONDS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was made, and what was found in it."""

    truth: TakeTruth
    found: Selects


def spec(seed: int) -> TakeSpec:
    """Choose what a take is like."""
    rng = np.random.default_rng(seed)
    slate = SLATES[seed % len(SLATES)]
    return TakeSpec(
        scene=str(rng.choice(list(SETUPS))),
        take=int(rng.integers(1, 12)),
        rate=RATES[int(rng.integers(len(RATES)))],
        slate=slate,
        second_sticks=slate == "head" and rng.random() < 0.2,
        action=float(rng.uniform(5, 9)),
        extra=tuple(rng.choice(list(foley.NEGATIVES), int(rng.integers(0, 3)), replace=False)),
        snr=float(rng.uniform(5, 25)),
        drop=bool(rng.random() < 0.8),
        trouble=str(rng.choice(TROUBLES)),
        language="en",
    )


def take(seed: int) -> Result:
    """Make a take, decode it, and let everything be suggested."""
    with scratch() as folder:
        path = Path(folder) / "take.mov"
        truth = make_take(path, spec(seed), seed)
        rate, table, seen, transients = measure(path)
    return Result(truth=truth, found=suggest(table, truth.frames, seen, transients, rate))


def frames_off(results: list[Result]) -> list[int]:
    """Return by how many frames each slate's contact is missed, a large number where none is."""
    return [
        abs(each.found.slate.frame - each.truth.clap) if each.found.slate else 10_000
        for each in results
    ]


def sure_but_wrong(each: Result) -> int:
    """Count believed claps that are none."""
    rate = float(each.truth.spec.rate)
    claps = [clap for clap in each.found.claps if clap.confidence >= SURE]
    if each.truth.clap is None:
        return len(claps)
    real = each.truth.clap
    # Second sticks are claps, too: those were 1.2 to 2 seconds before.
    before = (-2.2 * rate, -1.0 * rate) if each.truth.spec.second_sticks else (1, 0)
    apart = [clap.frame - real for clap in claps]
    return sum(abs(gap) > 2 and not before[0] <= gap <= before[1] for gap in apart)


def trims(results: list[Result], end: str) -> list[float]:
    """Return by how many seconds each take's ``start`` or ``end`` is missed."""
    return [
        abs(getattr(each.found.take, end) - getattr(each.truth, end)) / float(each.truth.spec.rate)
        for each in results
    ]


def trouble_left(results: list[Result]) -> list[float]:
    """Return the share of the frames with something wrong that lie in a range."""
    shares = []
    for each in results:
        if each.truth.trouble:
            first, last = each.truth.trouble
            wrong = np.zeros(each.truth.frames, bool)
            wrong[first:last] = True
            kept = sum(int(wrong[one.start : one.end].sum()) for one in each.found.ranges)
            shares.append(kept / (last - first))
    return shares


def pairs(results: list[Result]) -> tuple[float, float]:
    """Group all takes by their looks alone; return precision and recall of pairs."""
    looks: dict[str, tuple[str, Look | None]] = {
        str(number): (each.truth.spec.scene, each.found.look) for number, each in enumerate(results)
    }
    groups = group_takes(TakeClip(name=name, look=look) for name, (_, look) in looks.items())
    together = {
        frozenset(pair) for group in groups for pair in itertools.combinations(group.clips, 2)
    }
    true = {
        frozenset(pair)
        for pair in itertools.combinations(looks, 2)
        if looks[pair[0]][0] == looks[pair[1]][0]
    }
    both = len(together & true)
    return both / max(1, len(together)), both / max(1, len(true))


def likeness_of(kind: str, seed: int) -> float:
    """Return how much the event in a sound with speech is like a clap: the most of any moment."""
    rng = np.random.default_rng(seed)
    makers = foley.NEGATIVES | {"clap": foley.clap, "hand": foley.hand_clap}
    made = np.zeros(SECONDS * SOUND)
    at, begin = int(rng.uniform(2, 3) * SOUND), int(rng.integers(0, 60 * SOUND))
    spoken = foley.voice("en")[begin : begin + len(made)] * rng.uniform(0.5, 1)
    if kind != "speech":
        event = makers[kind](rng) * rng.uniform(0.3, 0.9)
        made[at : at + len(event)] += event[: len(made) - at]
        spoken[at - SOUND // 2 : at + SOUND] = 0
    heard = foley.reverberant(made + spoken, foley.room(rng))
    heard += foley.tone_of_room(rng, len(made)) * 0.06 * 10 ** (-rng.uniform(5, 25) / 20)
    listener = ClapListener(SOUND)
    listener.push(np.clip(heard, -1, 1).astype(np.float32))
    return max((one.likeness for one in listener.finish()), default=0.0)


def speed() -> tuple[float, float]:
    """Return how many times faster than it plays sound is listened to, and pictures a second."""
    sound_of_minute = foley.voice("en")[: 60 * SOUND].astype(np.float32)
    began = time.process_time()
    listener = ClapListener(SOUND)
    for at in range(0, len(sound_of_minute), 1024):
        listener.push(sound_of_minute[at : at + 1024])
    listener.finish()
    heard = time.process_time() - began
    tiny = np.random.default_rng(0).integers(0, 255, (64, 27, 48, 3)).astype(np.uint8)
    watcher, began = TakeWatcher(), time.process_time()
    for number in range(4000):
        watcher.push(tiny[number % 64])
    return 60 / heard, 4000 / (time.process_time() - began)


def picture_rows(results: list[Result]) -> list[Row]:
    """Hold what was found in takes against the aims."""
    slated = [each for each in results if each.truth.spec.slate in {"head", "tail"}]
    hands = [each for each in results if each.truth.spec.slate == "hand"]
    known = [each for each in slated if each.truth.spec.slate == "head"]
    off, by_hand = frames_off(slated), frames_off(hands)
    starts, ends = trims(known, "start"), trims(results, "end")
    precision, recall = pairs(results)
    return [
        figure("takes", len(results), ""),
        at_least("slates within 1 frame", _share(off, 1), "share", 0.95),
        figure("slates to the frame", _share(off, 0), "share"),
        figure("hand claps within 1 frame", _share(by_hand, 1), "share"),
        at_most("believed claps that are none", _mean(map(sure_but_wrong, results)), "a take", 0.1),
        at_most("start of a slated take, median error", quantile(starts, 0.5), "s", 0.2),
        figure("the same, 9 of 10", quantile(starts, 0.9), "s"),
        at_most("end of a take, median error", quantile(ends, 0.5), "s", 0.2),
        figure("the same, 9 of 10", quantile(ends, 0.9), "s"),
        at_most("faulty frames left in ranges", _mean(trouble_left(results)), "share", 0.1),
        at_least("set-ups by picture: precision of pairs", precision, "share", 0.95),
        at_least("set-ups by picture: recall of pairs", recall, "share", 0.85),
    ]


def sound_rows(pool: Executor, count: int) -> list[Row]:
    """Hold the listener alone, without any picture, against sounds that are no claps."""
    made = []
    for kind in ("clap", "hand", "speech", *foley.NEGATIVES):
        values = list(pool.map(likeness_of, [kind] * count, range(HELD_OUT, HELD_OUT + count)))
        share = _mean(value >= SURE for value in values)
        name = f"sound alone, {kind}: like a clap"
        made.append(
            at_least(name, share, "share", 0.9) if kind == "clap" else figure(name, share, "share")
        )
    return made


def _share(values: list[int], limit: int) -> float:
    return _mean(value <= limit for value in values)


def _mean(values: Iterable[float]) -> float:
    return float(np.mean([float(value) for value in values] or [0.0]))


def run(quick: bool) -> list[Row]:  # noqa: FBT001 - called by its place
    """Measure on 36 takes and 24 sounds of each kind, or on 12 and 10."""
    takes, sounds = (12, 10) if quick else (TAKES, SOUNDS)
    foley.voice("en")
    with ProcessPoolExecutor(2) as pool:
        heard_rows = sound_rows(pool, sounds)
        results = list(pool.map(take, range(HELD_OUT, HELD_OUT + takes)))
    heard, watched = speed()
    return [
        *picture_rows(results),
        *heard_rows,
        figure("listening, times faster than it plays", heard, "times"),
        figure("watching, pictures a second", watched, "frames/s"),
    ]
