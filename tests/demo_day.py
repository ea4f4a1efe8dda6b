"""The demonstration's second part: a small shooting day with a sound recorder of its own.

Takes with slates, claps and speech are made from the real footage and real speech, and the
recorder's files apart from them, with noise and a clock of their own. What fxd makes of the day
is held against what was made.
"""

import json
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio

from tests.speech import fetch_speech
from tests.takes import Truth, make_day

PATIENCE = 900.0
ASSET = "dailies/day02/_day"
MEANINGS = {
    "report.html": "takes by scene, the sync table, the rough cut: open it in a browser",
    "contact-sheet.jpg": "one picture a take",
    "day02_string-out.otio": "every take whole, recorder sound below (also fcpxml, xml, aaf …)",
    "day02_selects.otio": "every range that is worth using",
    "day02_rough-cut.otio": "one take of each scene, from action to cut",
    "day02_rough-cut.mov": "the same as a movie",
    "day.json": "all of it as a table",
}


def drop(studio: Path, media: Path, say: Callable[[str], None]) -> Truth:
    """Make a day and drop it: clips into dailies/day02, recordings into audio/day02.

    Raises:
        RuntimeError: The speech for it cannot be fetched.
    """
    say("\nNow a small shooting day: seven takes, and the files of a sound recorder. Making it …")
    fetch_speech(media)
    truth = make_day(studio / ".made", seed=3, action=10.0)
    for source, target in (("dailies", "dailies/day02"), ("audio", "audio/day02")):
        (studio / target).mkdir(parents=True)
        for path in sorted((studio / ".made" / source).iterdir()):
            path.rename(studio / target / path.name)
            say(f"Dropped {target}/{path.name}")
    return truth


def wait(status: Callable[[], dict[str, Any]], say: Callable[[str], None]) -> None:
    """Wait until the day is put together, and say what is going on.

    Raises:
        RuntimeError: A job failed, or it takes too long.
    """
    until, before = time.monotonic() + PATIENCE, ""
    while time.monotonic() < until:
        now = status()
        for job in now["recent"]:
            if "/day02/" in job["asset"] and job["status"] != "done":
                raise RuntimeError(f"{job['asset']} {job['status']}: {job['error']}")
            if job["asset"] == ASSET:
                return
        doing = next((job for job in now["running"] if "/day02/" in job["asset"]), None)
        sentence = f"{doing['asset']}: {doing['handler']}" if doing else ""
        if sentence and sentence != before:
            say(f"  {sentence}")
            before = sentence
        time.sleep(0.5)
    raise RuntimeError(f"the day was not put together within {PATIENCE / 60:.0f} minutes")


def verify(folder: Path, truth: Truth, say: Callable[[str], None]) -> None:
    """Hold what was made of the day against what it was made of.

    Raises:
        RuntimeError: A file is missing, a sound is not where it belongs, a take is left out.
    """
    missing = [name for name in MEANINGS if not (folder / name).is_file()]
    if missing:
        raise RuntimeError(f"{folder.name} lacks {', '.join(missing)}")
    said = json.loads((folder / "day.json").read_text(encoding="utf-8"))
    found = {row["clip"]: row for row in said["sync"] if row.get("recording") and row.get("clip")}
    for recording in truth.recordings:
        if recording.clip is not None:
            _verify_sync(found.pop(recording.clip, None), recording, say)
    if found:
        raise RuntimeError(f"{', '.join(found)} got sound that is not theirs")
    _verify_string_out(folder / "day02_string-out.otio", truth)


def _verify_sync(row: dict[str, Any] | None, recording: Any, say: Callable[[str], None]) -> None:
    if row is None or row["recording"] != recording.name:
        raise RuntimeError(f"{recording.clip} did not get its sound {recording.name}")
    error = (row["offset_samples"] - recording.offset) / row["sample_rate"]
    if abs(error) > 0.25 / 25:
        raise RuntimeError(
            f"{recording.name} lies {error * 1000:.1f} ms off under {recording.clip}"
        )
    say(
        f"  {recording.clip} has {recording.name}: {error * 1000:+.2f} ms from the truth,"
        f" drift {row['drift_ppm']:+.0f} ppm (made with {recording.drift_ppm:+.0f})"
    )


def _verify_string_out(path: Path, truth: Truth) -> None:
    timeline = otio.adapters.read_from_file(str(path))
    clips = list(timeline.video_tracks()[0].find_clips())
    names = sorted(Path(clip.media_reference.target_url).name for clip in clips)
    lengths = sorted(Fraction(clip.source_range.duration.to_frames()) for clip in clips)
    if names != sorted(take.name for take in truth.takes):
        raise RuntimeError(f"the string-out has {names}")
    if lengths != sorted(Fraction(take.frames) for take in truth.takes):
        raise RuntimeError("the string-out does not have every take whole")


def show(folder: str, say: Callable[[str], None]) -> None:
    """Say what there is to look at."""
    say(f"\nThe day. In {folder}:")
    for name, meaning in MEANINGS.items():
        say(f"  {name:<22} {meaning}")
