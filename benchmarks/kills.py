"""SIGKILL at random instants while real clips are edited: what must hold afterwards holds.

A daemon edits a queue of clips that never runs dry, with decoding, network and proxy. It, or
one of its children, is killed again and again. Afterwards every clip has one whole output
with the right shots, the journal's events follow its rules, and staging is empty.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from pathlib import Path

from benchmarks.bench import REPOSITORY, studio
from benchmarks.row import Row, at_most, figure
from tests.faults.test_kills import RUN, check_outputs, random_kill
from tests.media import default_folder, fetch
from tests.studio import Studio

KILLS = 100
PAUSE = (0.5, 7.0)
AHEAD = 3
CLIP, SHOTS = "bikes.mp4", [0, 30, 76, 137, 187, 242]


def models_folder() -> Path:
    """FXD_TEST_MODELS, or the git-ignored folder of the repository."""
    return Path(os.environ.get("FXD_TEST_MODELS") or REPOSITORY / ".cache" / "models").absolute()


def feed(it: Studio, clip: Path, dropped: int) -> int:
    """Keep some clips undone; return how many were dropped in all."""
    while dropped - it.states().get("done", 0) < AHEAD:
        shutil.copy(clip, it.storage / f"dailies/A001_C{dropped:03}.mp4")
        dropped += 1
    return dropped


def kill_and_feed(it: Studio, clip: Path, kills: int) -> tuple[dict[str, int], int]:
    """Kill at random instants; return what was killed and how many clips were dropped."""
    chance = random.Random(100)
    killed = {"daemon": 0, "child": 0}
    dropped = 0
    for _ in range(kills):
        dropped = feed(it, clip, dropped)
        time.sleep(chance.uniform(*PAUSE))
        killed[random_kill(it, chance)] += 1
    return killed, dropped


def wrong_shots(folders: list[Path]) -> int:
    """Return how many outputs hold other shots than an undisturbed run finds."""
    found = [json.loads((folder / "shots.json").read_text())["shots"] for folder in folders]
    return sum([shot["start"] for shot in shots] != SHOTS for shots in found)


def run(quick: bool) -> list[Row]:  # noqa: FBT001 - called by its place
    """Kill 100 times, or 4 times."""
    clip = fetch(default_folder()) / CLIP
    watches = [{"folder": "dailies", "run": ["edit"]}]
    with studio(watches, models=models_folder(), run=RUN) as it:
        it.start(wait=False)
        killed, clips = kill_and_feed(it, clip, 4 if quick else KILLS)
        began = time.monotonic()
        it.wait_states(timeout=300, done=clips)
        recovered = time.monotonic() - began
        # Raises where an invariant is broken: events, double runs, staging, hashes.
        folders = check_outputs(it, "dailies_edit", clips)
        wrong = wrong_shots(folders)
        ((attempts,),) = it.query("SELECT COUNT(*) FROM job_event WHERE change = 'claim'")
    return [
        figure("kills of the daemon", killed["daemon"], ""),
        figure("kills of a child", killed["child"], ""),
        figure("clips edited", clips, f"in {attempts} runs"),
        figure("the rest done after the last kill", recovered, "s"),
        at_most("clips without exactly one whole output", clips - len(folders), "", 0),
        at_most("clips with wrong shots", wrong, "", 0),
    ]
