"""What is learnt from one to six pairs of pictures, scored on other frames; and how fast.

Effects are made by numpy, OpenCV and scipy, on two real shots: people do the same by hand. A
grade, a grade with glow, and a clean-up that keeps edges are learnt from one pair, as such figures
were first measured; pictures without any effect stand beside each result, and the table alone.
Minutes are those of two cores where nothing else runs.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy import ndimage

from benchmarks.row import Row, at_least, at_most, figure
from models import bundle
from tests.media import default_folder, fetch

Picture = np.ndarray
Make = Callable[[Picture], Picture]

STREET, MEADOW = ("bikes.mp4", 1.0), ("bigbuckbunny.mp4", 0.5)
MINUTES = 3.0
QUICK_STEPS = 60
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One effect to learn: made by ``make``, from frames ``learnt``, scored on frames ``asked``.

    ``aim`` is the PSNR in dB that is promised, None where none is.
    """

    name: str
    make: Make
    learnt: tuple[int, ...]
    asked: tuple[int, ...]
    footage: tuple[str, float] = STREET
    size: str = "small"
    aim: float | None = None


def grade(x: Picture) -> Picture:
    """Lift, gamma and gain by channel, a curve, more saturation."""
    y = x ** np.array([0.95, 1.0, 1.075], np.float32)
    y = y * np.array([1.025, 1.0, 0.95], np.float32) + np.array([0.01, 0.005, 0.02], np.float32)
    grey = (y @ LUMA)[..., None]
    y = grey + (y - grey) * 1.125
    return (y - 0.04 * np.sin(2 * np.pi * np.clip(y, 0, 1))).astype(np.float32)


def glow(x: Picture) -> Picture:
    """A grade, and highlights that spread."""
    y = grade(x)
    return y + 0.7 * cv2.GaussianBlur(np.maximum(y - 0.6, 0), (0, 0), 8)


def vignette(x: Picture) -> Picture:
    """Corners a stop and more darker."""
    height, width = x.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    far = np.hypot(2 * rows / height - 1, 2 * columns / width - 1)
    return x * (1 - 0.4 * np.maximum(far - 0.3, 0) ** 2)[..., None]


def clean_up(x: Picture) -> Picture:
    """Surfaces smoothed, edges kept."""
    return cv2.bilateralFilter(x, 0, 0.1, 3)


def matte(x: Picture) -> Picture:
    """The matte of the figure: cut out from what is grey and bright, with a soft edge."""
    height, width = x.shape[:2]
    spread, light = x.max(axis=2) - x.min(axis=2), x.max(axis=2)
    rows, columns = np.mgrid[0:height, 0:width] / np.array([height, width])[:, None, None]
    elsewhere = (columns > 0.55) | (columns < 0.06) | ((columns > 0.33) & (rows < 0.14))
    stones = (columns < 0.19) & (rows > 0.36)
    mask = np.where((spread < 0.1) & (light > 0.3), cv2.GC_PR_FGD, cv2.GC_PR_BGD)
    mask = np.where(elsewhere | stones | (spread > 0.3), cv2.GC_BGD, mask).astype(np.uint8)
    cv2.setRNGSeed(0)
    scratchpads = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut((x * 255).astype(np.uint8), mask, None, *scratchpads, 4, cv2.GC_INIT_WITH_MASK)
    inside = ndimage.binary_opening((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD))
    labels, count = ndimage.label(inside)
    sizes = ndimage.sum_labels(np.ones_like(spread), labels, range(1, count + 1))
    one = ndimage.binary_fill_holes(labels == 1 + sizes.argmax())
    return cv2.GaussianBlur(one.astype(np.float32), (0, 0), 1.2)[..., None]


def paint_out(x: Picture) -> Picture:
    """The ruin at the right gone: grass and trees from elsewhere in the picture over it."""
    height, width = x.shape[:2]
    shape = np.zeros((height, width), np.float32)
    rows = slice(int(0.36 * height), int(0.61 * height))
    shape[rows, int(0.61 * width) : int(0.96 * width)] = 1
    soft = cv2.GaussianBlur(shape, (0, 0), 0.01 * width)[..., None]
    plate = np.roll(x, (-int(0.27 * height), int(0.02 * width)), axis=(0, 1))
    return x * (1 - soft) + plate * soft


ASKED, ASKED_MEADOW = (160, 180), (35, 60, 110)
TASKS = (
    Task(name="grade, 1 pair", make=grade, learnt=(140,), asked=ASKED, size="lut", aim=60),
    Task(name="grade + glow, 1 pair", make=glow, learnt=(140,), asked=ASKED, aim=38),
    Task(
        name="grade + glow, 6 pairs",
        make=glow,
        learnt=(138, 146, 152, 166, 172, 186),
        asked=ASKED,
    ),
    Task(name="vignette, 2 pairs", make=vignette, learnt=(140, 186), asked=ASKED),
    Task(name="clean-up, 1 pair", make=clean_up, learnt=(140,), asked=ASKED, aim=42),
    Task(
        name="matte, 5 pairs",
        make=matte,
        learnt=(20, 45, 70, 95, 125),
        asked=ASKED_MEADOW,
        footage=MEADOW,
    ),
    Task(
        name="paint-out, 3 pairs",
        make=paint_out,
        learnt=(90, 108, 128),
        asked=(98, 118),
        footage=MEADOW,
    ),
)


def run(quick: bool) -> list[Row]:  # noqa: FBT001 - called by its place
    """Learn each effect, and score it."""
    bundle.import_keras()
    tasks = TASKS[:2] if quick else TASKS
    # First, while the peak of memory is that of applying alone.
    rows = applied()
    rows += [row for task in tasks for row in learnt(task, steps=QUICK_STEPS if quick else None)]
    return rows


def applied() -> list[Row]:
    """Apply the small network to large pictures: time around it, and memory."""
    from models.effects.lut import identity
    from models.effects.network import build
    from models.effects.running import NetworkRunner

    ran = NetworkRunner(build("small", identity()))
    inside, network = [0.0], ran._network

    def timed(*inputs: object) -> object:
        began = time.perf_counter()
        made = network(*inputs)
        inside[0] += time.perf_counter() - began
        return made

    ran._network = timed
    (x,) = frames(STREET, (140,))
    rows = []
    for name, size in (("HD", (1920, 1080)), ("UHD", (3840, 2160))):
        large = cv2.resize(x, size)
        ran.run(large)
        inside[0], began = 0.0, time.perf_counter()
        for _ in range(3):
            ran.run(large)
        whole = time.perf_counter() - began
        around = 100 * (1 - inside[0] / whole)
        rows.append(figure(f"small network, {name}", 3 / whole, "frames/s"))
        rows.append(at_most(f"small network, {name}: time around it", around, "%", 10))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return [*rows, at_most("small network, UHD: peak memory of the process", peak, "GiB", 3)]


def frames(footage: tuple[str, float], numbers: tuple[int, ...]) -> list[Picture]:
    """Decode frames by their numbers, float32 0..1."""
    import av

    name, scale = footage
    path = fetch(default_folder()) / name
    found = []
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number in numbers:
                image = frame.to_ndarray(format="rgb24").astype(np.float32) / 255
                small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
                found.append(small if scale != 1 else image)
    return found


def learnt(task: Task, steps: int | None) -> list[Row]:
    """Learn one effect as the product does: one of three pairs or more is held out."""
    from models.effects.examples import Pair
    from models.effects.running import runner
    from models.effects.settings import Settings
    from models.effects.training import train

    pairs = [
        Pair(name=str(number), before=x, after=task.make(x))
        for number, x in zip(task.learnt, frames(task.footage, task.learnt), strict=True)
    ]
    aside = [len(pairs) // 2] if len(pairs) > 2 else []
    used = [pair for n, pair in enumerate(pairs) if n not in aside]
    settings = Settings(size=task.size, minutes=MINUTES, steps=steps)
    began, busy = time.monotonic(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        made = train(used, [pairs[n] for n in aside], [], settings, Path(folder))
    minutes, busy = (time.monotonic() - began) / 60, (time.process_time() - busy) / 120
    asked = frames(task.footage, task.asked)
    truths = [task.make(x) for x in asked]
    nothing = [
        x if t.shape[2] == 3 else np.zeros_like(t) for x, t in zip(asked, truths, strict=True)
    ]
    rows = scored(f"{task.name}: nothing done", nothing, truths)
    rows += scored(f"{task.name}: table", [made.lut.apply(x) for x in asked], truths,
                   task.aim if task.size == "lut" else None)  # fmt: skip
    if made.network is not None:
        ran = runner(made.network)
        rows += scored(f"{task.name}: network", [ran.run(x) for x in asked], truths, task.aim)
    rows.append(at_most(f"{task.name}: learning, wall", minutes, "min", MINUTES))
    rows.append(figure(f"{task.name}: learning, two cores' time", busy, "min"))
    return rows


def scored(
    name: str, made: list[Picture], truths: list[Picture], aim: float | None = None
) -> list[Row]:
    """Return PSNR and SSIM, means over the frames."""
    from models.effects import metrics

    scores = metrics.mean([metrics.scores(m, t) for m, t in zip(made, truths, strict=True)])
    first = figure(f"{name}, PSNR", scores.psnr, "dB")
    if aim is not None:
        first = at_least(first.name, scores.psnr, "dB", aim)
    return [first, figure(f"{name}, SSIM", scores.ssim, "")]
