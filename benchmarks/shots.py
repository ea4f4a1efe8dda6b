"""How good the gate and the network are at finding shots, and how much the gate saves.

Labelled sequences are made from real footage: the shots of bikes.mp4, all of
bigbuckbunny.mp4 and any other single take in the folder ``FXD_MEDIA``. The gate's
thresholds were chosen on seeds below 100; what is reported are seeds from 1000 on.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks import kinds
from benchmarks.row import Row, at_least, figure
from handlers.edit import gate
from handlers.edit.detect import Judge, ShotDetector
from models.bundle import BundleLoader
from models.shots import transitions
from models.shots.decode import boundaries
from models.shots.transitions import Example, Kind, Recipe
from models.shots.windows import WindowJudge
from tests.media import fetch

Frames = NDArray[np.uint8]
Found = list[int]

REPOSITORY = Path(__file__).parents[1]
CUTS = {"bikes.mp4": (30, 76, 137, 187, 242)}
LEAST_TAKE = 24  # frames; shorter pieces are no material
HELD_OUT = 1000  # the first seed that no threshold was chosen on
GATE_SEEDS, TOLERANCE = 60, 2
RECALL, F1 = 0.995, {"cuts": 0.98, "all kinds": 0.9}


def media_folder() -> Path:
    """FXD_MEDIA, or the git-ignored folder of the repository."""
    return Path(os.environ.get("FXD_MEDIA") or REPOSITORY / ".cache" / "media")


def models_folder() -> Path:
    """FXD_TEST_MODELS, or the git-ignored folder of the repository."""
    return Path(os.environ.get("FXD_TEST_MODELS") or REPOSITORY / ".cache" / "models")


def tiny(path: Path) -> Frames:
    """Decode a clip into tiny frames, uint8 [n, 27, 48, 3]."""
    shrink = gate.Shrinker()
    with av.open(path) as clip:
        return np.stack([shrink(frame) for frame in clip.decode(video=0)])


def single_takes(folder: Path) -> list[Frames]:
    """Read all clips and split them at the cuts that are known."""
    takes: list[Frames] = []
    for path in sorted(folder.glob("*.mp4")):
        takes += np.split(tiny(path), CUTS.get(path.name, ()))
    return [take for take in takes if len(take) >= LEAST_TAKE]


def gate_recall(takes: Sequence[Frames], kind: Kind, seeds: range) -> float:
    """The fraction of labelled transitions of one kind whose middle is proposed."""
    hits: list[bool] = []
    for seed in seeds:
        example = transitions.join(takes, Recipe(kinds=(kind,)), seed)
        ranges = gate.propose(example.frames)
        hits += [any(a < label.boundary < b for a, b in ranges) for label in example.labels]
    return float(np.mean(hits))


def proposed(frames: Frames) -> float:
    """The fraction of a take's frames that the gate proposes."""
    return sum(end - start for start, end in gate.propose(frames)) / len(frames)


def gated(judge: Judge, frames: Frames) -> Found:
    """Where new shots start, by the gate and the network."""
    detector = ShotDetector(judge)
    for frame in frames:
        detector.push_tiny(frame)
    return [shot.start for shot in detector.finish()][1:]


def everywhere(judge: Judge, frames: Frames) -> Found:
    """Where new shots start, by the network on every frame."""
    scores = judge(frames, [(0, len(frames))])
    return [found.frame for found in boundaries(scores)]


def hits(found: Found, example: Example) -> int:
    """How many labels have a boundary within the tolerance that no other label took."""
    left = list(found)
    for label in example.labels:
        near = [frame for frame in left if abs(frame - label.boundary) <= TOLERANCE]
        if near:
            left.remove(min(near, key=lambda frame: abs(frame - label.boundary)))
    return len(found) - len(left)


def f1(examples: Sequence[Example], finder: Callable[[Frames], Found]) -> tuple[float, float]:
    """Score a way of finding shots.

    Returns:
        F1 of all boundaries together, and seconds that finding took.
    """
    begin, right, marked = time.perf_counter(), 0, 0
    for example in examples:
        found = finder(example.frames)
        right, marked = right + hits(found, example), marked + len(found)
    seconds = time.perf_counter() - begin
    labels = sum(len(example.labels) for example in examples)
    return 2 * right / (marked + labels), seconds


def gate_rows(takes: Sequence[Frames], count: int) -> list[Row]:
    """What the gate does, by itself."""
    seeds = range(HELD_OUT, HELD_OUT + count)
    rows = [figure(f"gate recall, {kind}", gate_recall(takes, kind, seeds), "") for kind in Kind]
    rows.append(at_least("gate recall, lowest", min(row.value for row in rows), "", RECALL))
    shares = [proposed(take) for take in takes]
    rows.append(figure("proposed of single takes, median", float(np.median(shares)), ""))
    rows.append(figure("proposed of single takes, highest", max(shares), ""))
    return rows


def network_rows(takes: Sequence[Frames], judge: Judge, sequences: int) -> list[Row]:
    """What gate and network find, against the network on all frames."""
    rows: list[Row] = []
    kinds = (Kind.CUT, Kind.DISSOLVE, Kind.DIP_BLACK)
    for name, recipe in [("cuts", Recipe(kinds=kinds[:1])), ("all kinds", Recipe(kinds=kinds))]:
        seeds = range(HELD_OUT, HELD_OUT + sequences)
        examples = [transitions.join(takes, recipe, seed) for seed in seeds]
        with_gate, fast = f1(examples, lambda frames: gated(judge, frames))
        without, slow = f1(examples, lambda frames: everywhere(judge, frames))
        rows.append(at_least(f"F1, {name}, gate and network", with_gate, "", F1[name]))
        rows.append(figure(f"F1, {name}, network on all frames", without, ""))
        rows.append(figure(f"seconds saved, {name}, fraction", 1 - fast / slow, ""))
    return rows


def run(quick: bool) -> list[Row]:  # noqa: FBT001 - called by its place
    """Measure with 60 sequences of each kind for the gate and 8 for the network, or 4 and 1."""
    takes = single_takes(fetch(media_folder()))
    loader = BundleLoader(models_folder())
    judge = WindowJudge(loader.load("transnetv2"), loader.load("shots"))
    made = gate_rows(takes, 4 if quick else GATE_SEEDS)
    made += network_rows(takes, judge, 1 if quick else 8)
    return made + kinds.rows(models_folder(), REPOSITORY / ".cache" / "footage", quick=quick)
