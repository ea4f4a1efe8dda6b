"""Built-in effects without networks: how well they do what they say, and what they cost.

Quality is measured where the truth is known: flicker, shake and screens are put onto real pictures.
Cost is that of one 1080p picture in float, in and out, as a multiple of decoding one from
ProRes 422 HQ with all cores; both in turn, the best of each.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from benchmarks.bench import scratch
from benchmarks.row import Row, at_least, at_most, figure
from handlers.effects.builtin.deflicker import Deflicker
from handlers.effects.builtin.grain import Grain
from handlers.effects.builtin.keyer import Keyer
from handlers.effects.builtin.look import FileLook
from handlers.effects.builtin.stabilise import Stabilise
from handlers.effects.catalog import BUILT_IN
from handlers.effects.effect import Effect, Picture
from tests.media import default_folder, fetch
from tests.real_pictures import footage, frames, tools
from tests.real_pictures import run as through_effect
from tests.screens import body, hair, moved, over, screen, without_colour
from tests.unit.test_builtin_deflicker import changes, flickering
from tests.unit.test_builtin_stabilise import jerk, places, shaky, through

WIDE, HIGH, FRAMES, FEW = 1920, 1080, 24, 8
TURNS = 3
# Shots of bikes.mp4 that are long enough: hand-held traffic, and passers-by.
KINDS = (("gain", "gain"), ("exposure", "gain"), ("light", "gain"), ("gamma", "gamma"))
KINDS = (("gain", "gain"), ("exposure", "gain"), ("light", "gain"), ("gamma", "gamma"))
SHOTS = ((30, 76), (76, 137), (137, 187), (187, 242))


def run(quick: bool) -> list[Row]:  # noqa: FBT001 - called by its place
    """Measure quality, then cost."""
    clip = fetch(default_folder()) / "bikes.mp4"
    pictures = frames(clip)
    rows = [*evened(pictures), *steadied(pictures), *keyed(pictures), *grained(pictures)]
    return rows + costs(pictures, FEW if quick else FRAMES)


def evened(pictures: Sequence[np.ndarray]) -> list[Row]:
    """Put flicker onto each shot; and give footage without."""
    rows = []
    for kind, mode in KINDS:
        before, after = [], []
        for first, end in SHOTS:
            truth, given, said = flickering(pictures[first:end], kind)
            made = through_effect(effect("deflicker", mode=mode), given, said)
            before.append(changes(given, truth))
            after.append(changes([each.rgb for each in made], truth))
        whole = np.concatenate(before).std() / np.concatenate(after).std()
        worst = min(one.std() / other.std() for one, other in zip(before, after, strict=True))
        rows.append(at_least(f"deflicker, {kind}: times less", float(whole), "", 10))
        rows.append(figure(f"deflicker, {kind}: times less, worst shot", float(worst), ""))
    made = through_effect(effect("deflicker"), pictures)
    touched = sum(one.rgb is not other for one, other in zip(made, pictures, strict=True))
    return [*rows, at_most("deflicker: frames touched of clean footage", touched, "", 0)]


def steadied(pictures: Sequence[np.ndarray]) -> list[Row]:
    """Shoot a still from an unsteady hand."""
    still = cv2.resize(pictures[140], (1440, 612))
    rows = []
    for mode in ("smooth", "lock"):
        given, truth = shaky(still, pan=1.5 if mode == "smooth" else 0)
        made = effect("stabilise", mode=mode, borders="edge")
        through_effect(made, given)
        left = jerk(through(made, places(truth)))
        less = jerk(places(truth)) / left
        rows.append(at_least(f"stabilise, {mode}: times less shake", less, "", 10))
    given = pictures[:30]
    made = through_effect(effect("stabilise"), given)
    touched = sum(one.rgb is not other for one, other in zip(made, given, strict=True))
    return [*rows, at_most("stabilise: frames touched of a tripod's 30", touched, "", 0)]


def keyed(pictures: Sequence[np.ndarray]) -> list[Row]:
    """Put a real picture over screens, and key it."""
    high, wide = pictures[200].shape[:2]
    figure_ = body(high, wide)
    mattes = {
        "body": figure_,
        "hair": np.maximum(figure_, hair(high, wide)),
        "blur": moved(figure_, 41),
    }
    rows = []
    for (name, matte), colour in itertools.product(mattes.items(), ("green", "blue")):
        front = without_colour(pictures[200], colour)
        given = over(front, matte, screen(high, wide, colour, uneven=1, noise=0.01))
        (made,) = through_effect(effect("keyer", screen=colour), [given])
        error = np.abs(made.alpha - matte)
        soft = (matte > 0.02) & (matte < 0.98)
        rows.append(at_most(f"keyer, {colour}, {name}: mean error", float(error.mean()), "", 0.006))
        rows.append(
            figure(f"keyer, {colour}, {name}: in soft edges", float(error[soft].mean()), "")
        )
    return rows


def grained(pictures: Sequence[np.ndarray]) -> list[Row]:
    """Add grain to a picture many times: what stays is what it does to brightness."""
    made = effect("grain")
    made.begin(footage(640, 272))
    mean = np.mean([made.apply([Picture(pictures[140])], n).rgb.mean() for n in range(50)])
    shift = abs(float(mean) - float(pictures[140].mean()))
    return [at_most("grain: shift of the mean, in 10-bit codes", shift * 1023, "", 0.05)]


def costs(pictures: Sequence[np.ndarray], count: int) -> list[Row]:
    """Time effects on 1080p, as multiples of decoding."""
    large = [cv2.resize(each, (WIDE, HIGH)) for each in pictures[137 : 137 + count]]
    green = screen(HIGH, WIDE, uneven=1, noise=0.005)
    figure_ = body(HIGH, WIDE)
    screens = [over(without_colour(each, "green"), figure_, green) for each in large[:FEW]]
    shakes, _ = shaky(cv2.resize(large[0], (2400, 1350)), size=(WIDE, HIGH))
    flickers = [p * np.float32(1 + 0.1 * (n % 2)) for n, p in enumerate(large)]
    with scratch() as folder:
        clip = encoded(large, Path(folder) / "take.mov")
        (Path(folder) / "a.cube").write_text(cube(33))
        cases: list[tuple[str, Callable[[], Effect], list[np.ndarray]]] = [
            ("look, 33³", lambda: effect("look", folder=Path(folder), file="a.cube"), large),
            ("deflicker", lambda: effect("deflicker"), flickers),
            ("keyer", lambda: effect("keyer", screen="green"), screens),
            ("stabilise, lanczos", lambda: effect("stabilise"), shakes),
            ("stabilise, linear", lambda: effect("stabilise", filter="linear"), shakes),
            ("grain", lambda: effect("grain"), large),
        ]
        rows, base = [], min(decoding(clip) for _ in range(TURNS))
        for name, make, given in cases:
            studied, made = [], []
            for _ in range(TURNS):
                base = min(base, decoding(clip))
                study, apply = timed(make(), given)
                studied.append(study)
                made.append(apply)
            rows.append((name, min(studied), min(made)))
    found = [figure("decoding 1080p ProRes 422 HQ", base * 1000, "ms")]
    for name, study, apply in rows:
        found.append(figure(f"{name}: time of decoding", apply / base, ""))
        if study:
            found.append(figure(f"{name}, first pass: time of decoding", study / base, ""))
    return found


def effect(name: str, folder: Path | None = None, **options: object) -> Effect:
    """Make a built-in effect as a chain does."""
    kinds = {"look": FileLook, "deflicker": Deflicker, "keyer": Keyer, "stabilise": Stabilise,
             "grain": Grain}  # fmt: skip
    made: Effect = kinds[name](BUILT_IN[name].options.model_validate(options), tools(folder))
    return made


def timed(made: Effect, pictures: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return seconds a picture of study and of apply, without the first one's planning."""
    given = [Picture(each) for each in pictures]
    made.begin(footage(WIDE, HIGH))
    began = time.perf_counter()
    if made.studies:
        for number, picture in enumerate(given):
            made.study(number, picture)
    studied = (time.perf_counter() - began) / len(given) if made.studies else 0.0
    made.apply([given[0]], 0)
    began = time.perf_counter()
    for number, picture in enumerate(given[1:], 1):
        made.apply([picture], number)
    return studied, (time.perf_counter() - began) / (len(given) - 1)


def encoded(pictures: Sequence[np.ndarray], path: Path) -> Path:
    """Write pictures as ProRes 422 HQ."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("prores_ks", Fraction(25), options={"profile": "3"})
        stream.width, stream.height, stream.pix_fmt = WIDE, HIGH, "yuv422p10le"
        for picture in pictures:
            codes = np.clip(picture * 65535, 0, 65535).astype(np.uint16)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(codes, format="rgb48le")))
        container.mux(stream.encode())
    return path


def decoding(clip: Path) -> float:
    """Return seconds a picture of decoding alone."""
    began, count = time.perf_counter(), 0
    with av.open(str(clip)) as container:
        container.streams.video[0].thread_type = "AUTO"
        for _ in container.decode(video=0):
            count += 1
    return (time.perf_counter() - began) / count


def cube(size: int) -> str:
    """Write a LUT that does a little."""
    axis = np.linspace(0, 1, size)
    rows = (f"{r**1.1} {g} {b**0.9}" for b, g, r in itertools.product(axis, repeat=3))
    return f"LUT_3D_SIZE {size}\n" + "\n".join(rows) + "\n"
