"""The demonstration's fourth part: an effect is learnt from four frames and applied to a shot.

A warm grade with a glow is made by plain numpy and OpenCV on frames of a real shot, as a compositor
would make it by hand; what fxd makes of the frames that it was not shown is held against the truth.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
PATIENCE = 900.0
EFFECT = "warmglow"
PAIRS, CLIP = f"learn/{EFFECT}", f"apply/{EFFECT}/A001_C003.mkv"
# One shot of bikes.mp4, and which of its frames the compositor worked on.
FIRST, END, WORKED_ON = 30, 76, (2, 15, 29, 43)
OPTIONS = "# What is said here holds for this effect alone.\nsize: small\nminutes: 2\n"
WANTED_DB, GAINED_DB = 32.0, 6.0
LEARNT = {
    "contact-sheet.jpg": "before, truth, result and error of pairs that were held out",
    "metrics.json": "how near it comes, beside doing nothing and a look-up table alone",
    "effect.cube": "the look-up table, for any other program",
    "report.html": "the same as a page",
}
APPLIED = {
    "before-after.jpg": "frames before and after",
    "report.html": "a page with a wipe slider",
    "manifest.json": "what was made, by which version of the effect",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The shot's frames as fxd got them."""

    frames: Sequence[Picture]


def effect(picture: Picture) -> Picture:
    """A warm grade with contrast, and a glow of what is bright: nothing of it is fxd's."""
    graded = picture * np.array([1.10, 1.0, 0.84], np.float32)
    graded = np.clip(graded, 0, 1) ** np.array([0.92, 1.0, 1.1], np.float32)
    bright = np.clip(graded - 0.55, 0, None)
    glow = cv2.GaussianBlur(bright, (0, 0), 9.0)
    made: Picture = np.clip(graded + 0.7 * glow, 0, 1).astype(np.float32)
    return made


def drop(studio: Path, media: Path, say: Callable[[str], None]) -> Truth:
    """Make the pairs and the clip, and drop the clip first: its effect is still to be learnt."""
    say(f"\nNow an effect: a warm grade with a glow, made by hand on {len(WORKED_ON)} frames.")
    planes = _shot(media / "bikes.mp4")
    frames = [_rgb(plane) for plane in planes]
    clip = studio / CLIP
    clip.parent.mkdir(parents=True, exist_ok=True)
    _write(clip, planes)
    say(f"Dropped {CLIP}")
    for number in WORKED_ON:
        for side, picture in (("before", frames[number]), ("after", effect(frames[number]))):
            path = studio / PAIRS / side / f"shot_{number:04}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.round(picture[..., ::-1] * 65535).astype(np.uint16))
    (studio / PAIRS / "effect.yaml").write_text(OPTIONS, encoding="utf-8")
    say(f"Dropped {len(WORKED_ON)} pairs into {PAIRS}/before and {PAIRS}/after")
    return Truth(frames=frames)


def _shot(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))[FIRST:END]


def _rgb(frame: av.VideoFrame) -> Picture:
    made: Picture = frame.to_ndarray(format="rgb48le").astype(np.float32) / 65535
    return made


def _write(path: Path, frames: Sequence[av.VideoFrame]) -> None:
    """Write the shot without loss, beside its place, then put it there."""
    draft = path.with_name(f".{path.name}")
    with av.open(str(draft), "w", format="matroska") as container:
        stream = container.add_stream("ffv1", rate=Fraction(25))
        stream.width, stream.height = frames[0].width, frames[0].height
        stream.pix_fmt = frames[0].format.name
        for number, frame in enumerate(frames):
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    draft.replace(path)


def wait(status: Callable[[], dict[str, Any]], say: Callable[[str], None]) -> None:
    """Wait until the effect is learnt and the clip rendered, and tell what happens.

    Raises:
        RuntimeError: A job failed, or it takes too long.
    """
    until, told = time.monotonic() + PATIENCE, _Told(say)
    while time.monotonic() < until:
        now = status()
        for job in now["recent"]:
            if job["asset"] in {PAIRS, CLIP} and job["status"] != "done":
                raise RuntimeError(f"{job['asset']} {job['status']}: {job['error']}")
        done = {job["asset"] for job in now["recent"]}
        told.tell(now)
        if done >= {PAIRS, CLIP}:
            return
        time.sleep(0.5)
    raise RuntimeError(f"the effect was not done within {PATIENCE / 60:.0f} minutes")


class _Told:
    """Says why the clip waits, how learning goes every ten seconds, and what is done."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._reason = ""
        self._next = 0.0
        self._done: set[str] = set()

    def tell(self, now: dict[str, Any]) -> None:
        for item in now["waiting"]:
            reason = item["reason"].partition(" (")[0]
            if item["path"] == CLIP and "," in reason and reason != self._reason:
                self._reason = reason
                self._say(f"  {CLIP}: {item['reason']}")
        for job in now["running"]:
            if job["asset"] in {PAIRS, CLIP} and time.monotonic() > self._next:
                self._next = time.monotonic() + 10
                self._say(
                    f"  {job['asset']}: {100 * (job['progress'] or 0):.0f} % {job['message']}"
                )
        for job in now["recent"]:
            if job["asset"] in {PAIRS, CLIP} and job["asset"] not in self._done:
                self._done.add(job["asset"])
                self._next = 0.0
                self._say(f"  {job['asset']}: done")


def verify(studio: Path, truth: Truth, say: Callable[[str], None]) -> None:
    """Hold each frame that fxd was not shown against the effect as it was meant.

    Raises:
        RuntimeError: Something is missing, or the effect is not the one that was shown.
    """
    learnt, applied = folders(studio)
    rendered = _rendered(applied)
    for folder, names in ((learnt, LEARNT), (applied, APPLIED)):
        missing = [name for name in names if not (folder / name).is_file()]
        if missing:
            raise RuntimeError(f"{folder} lacks {', '.join(missing)}")
    made = [_rgb(frame) for frame in _all(rendered)]
    if len(made) != len(truth.frames):
        raise RuntimeError(f"{rendered.name} has {len(made)} frames, not {len(truth.frames)}")
    others = [number for number in range(len(made)) if number not in WORKED_ON]
    wanted = {number: effect(truth.frames[number]) for number in others}
    before = np.mean([_psnr(truth.frames[number], wanted[number]) for number in others])
    after = np.mean([_psnr(made[number], wanted[number]) for number in others])
    if after < WANTED_DB or after - before < GAINED_DB:
        raise RuntimeError(f"the effect comes to {after:.1f} dB of the truth ({before:.1f} before)")
    manifest = json.loads((applied / "manifest.json").read_text(encoding="utf-8"))
    used = {model["name"]: model["version"] for model in manifest["models"]}
    say(f"\n{rendered.name}: {len(others)} frames that the effect was not learnt from are")
    say(f"  {after:.1f} dB (PSNR) near what was meant; before they were {before:.1f} dB.")
    version = used[f"effect.{EFFECT}"]
    say(f"  It was made with {EFFECT} {version}, and waited until that was learnt.")


def show(studio: Path, shown: Callable[[Path], str], say: Callable[[str], None]) -> None:
    """List what landed, and what each is for."""
    learnt, applied = folders(studio)
    for folder, meanings in ((learnt, LEARNT), (applied, APPLIED)):
        say(f"\n{shown(folder)}/")
        for name, meaning in meanings.items():
            say(f"  {name:<20} {meaning}")
    say(f"  {_rendered(applied).name:<20} the clip with the effect")


def folders(studio: Path) -> tuple[Path, Path]:
    """Return where the results of learning and of applying land."""
    return studio / "learn_effects" / EFFECT, studio / "apply_effects" / EFFECT / "A001_C003"


def _rendered(folder: Path) -> Path:
    found = [path for ending in ("mov", "mkv", "mp4", "mxf") for path in folder.glob(f"*.{ending}")]
    if len(found) != 1:
        raise RuntimeError(f"{folder} holds {len(found)} clips, not one")
    return found[0]


def _all(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def _psnr(one: Picture, other: Picture) -> float:
    return float(-10 * np.log10(np.square(one - other).mean() + 1e-12))
