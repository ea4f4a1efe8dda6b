"""Shots by fxd, by the published network alone and by PySceneDetect, on the same sequences.

The sequences are generated from footage that the extension was not trained on: cuts,
dissolves, dips and wipes of 2 to 60 frames, and takes in which everything happens that is
no cut. Gate and networks work as in the edit handler.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.bench import scratch
from benchmarks.edit import peer_python
from benchmarks.row import Row, at_least, at_most, figure
from handlers.edit.detect import Judge, ShotDetector
from models.bundle import BundleLoader
from models.shots import evaluate, fetch, material
from models.shots.decode import Boundary
from models.shots.events import Event
from models.shots.transitions import Example
from models.shots.windows import WindowJudge

F1 = 0.95
# Training's own gate measures with 1000 and 2000, thresholds were looked at with 4000 and 5000.
SEEDS = (31_000, 32_000)
Found = list[list[Boundary]]


def gated(judge: Judge, examples: Sequence[Example]) -> Found:
    """What the edit handler would find."""
    return [_shots(judge, example) for example in examples]


def _shots(judge: Judge, example: Example) -> list[Boundary]:
    detector = ShotDetector(judge)
    for frame in example.frames:
        detector.push_tiny(frame)
    return [
        Boundary(
            frame=shot.start,
            kind=shot.transition_in,
            confidence=shot.confidence,
            start=shot.transition_start,
            end=shot.transition_end,
        )
        for shot in detector.finish()[1:]
    ]


def peers(examples: Sequence[Example]) -> dict[str, Found]:
    """What PySceneDetect finds, by each of its detectors."""
    script = Path(__file__).with_name("peers.py")
    with scratch() as folder:
        path = folder / "sequences.npz"
        np.savez(path, **{str(n): example.frames for n, example in enumerate(examples)})
        command = [peer_python(), script, path]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout)["found"]
    return {
        name: [[_cut(frame) for frame in each[str(n)] if frame > 0] for n in range(len(examples))]
        for name, each in found.items()
    }


def _cut(frame: int) -> Boundary:
    return Boundary(frame=frame, kind="cut", confidence=1.0, start=frame, end=frame)


def rows(models: Path, cache: Path, *, quick: bool) -> list[Row]:
    """Measure all ways on 24 sequences and 28 takes; quickly, on 2 and 7."""
    _, test = fetch.fetch(cache, print)
    footage = material.read_folder(test, fetch.CUTS)
    joined = evaluate.transitions(footage, 2 if quick else 24, SEEDS[0])
    calm = evaluate.negatives(footage, 1 if quick else 4, SEEDS[1])
    takes = [example for _, example in calm]
    loader = BundleLoader(models)
    trunk = loader.load("transnetv2")
    judges: dict[str, Callable[[Sequence[Example]], Found]] = {}
    for name, judge in (
        ("transnetv2 alone", WindowJudge(trunk)),
        ("fxd", WindowJudge(trunk, loader.load("shots"))),
    ):
        judges[name] = lambda examples, judge=judge: gated(judge, examples)
    found = {name: (way(joined), way(takes)) for name, way in judges.items()}
    others, still = peers(joined), peers(takes)
    found |= {f"PySceneDetect {name}": (others[name], still[name]) for name in others}
    return _table(found, joined, [event for event, _ in calm])


def _table(
    found: dict[str, tuple[Found, Found]], joined: Sequence[Example], said: Sequence[Event]
) -> list[Row]:
    made: list[Row] = []
    for name, (some, none) in found.items():
        made.append(figure(f"F1 at 2 frames, {name}", evaluate.score(joined, some).f1, ""))
        made.append(figure(f"false cuts in takes, {name}", sum(map(len, none)), ""))
    own = evaluate.score(joined, found["fxd"][0])
    published = evaluate.score(joined, found["transnetv2 alone"][0])
    false = {name: _false(none, said) for name, (_, none) in found.items()}
    return [
        *made,
        at_least("F1 at 2 frames, fxd", own.f1, "", F1),
        at_least("F1, fxd less transnetv2", own.f1 - published.f1, "", 0.0),
        figure("right kind, of right boundaries", own.kinds, ""),
        figure("error of a gradual transition's ends", own.edge, "frames"),
        at_most(
            "false cuts on flashes, whips and strobes, fxd less transnetv2",
            false["fxd"] - false["transnetv2 alone"],
            "",
            -1,
        ),
    ]


def _false(found: Found, said: Sequence[Event]) -> int:
    named = {Event.FLASH, Event.WHIP_PAN, Event.STROBE}
    return sum(len(some) for some, event in zip(found, said, strict=True) if event in named)
