"""Built-in effects with published networks: how good they are, and what they cost.

``esrgan4`` is installed where it is missing. Photographs are made a quarter as large with a kernel
that leaves no aliasing, stored in 8 bits, and enlarged again; a border of 16 pixels does not count.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np

from benchmarks.bench import REPOSITORY
from benchmarks.row import Row, at_least, figure
from handlers.effects.builtin.person_matte import PersonMatte
from handlers.effects.builtin.style import Style
from handlers.effects.effect import Effect, Image, Tools
from handlers.effects.options import Options, StyleOptions
from models import bundle, catalog
from tests.media import default_folder, fetch
from tests.photographs import PICTURES, photograph
from tests.published import weights
from tests.real_pictures import frames
from tests.real_pictures import run as through_effect
from tests.unit.test_published_effects import astronaut_region, overlap

MODELS = REPOSITORY / ".cache" / "models"
_SIDE, _BORDER = 512, 16
_STYLES = (1, 3, 14, 19)


def run(quick: bool) -> list[Row]:  # noqa: FBT001 - called by its place
    """Measure enlargement, the person matte and styles."""
    for name in ("esrgan4", "styles26", "person-matte"):
        if bundle.whole(MODELS, name, catalog.entry(name).version) is None:
            catalog.build(catalog.entry(name), weights(name), MODELS)
    tools = Tools(models=bundle.BundleLoader(MODELS), seed=7)
    return [*_enlarged(tools, quick=quick), *_found(tools), *_painted(tools, quick=quick)]


def _enlarged(tools: Tools, *, quick: bool) -> list[Row]:
    model = tools.models.load("esrgan4")
    side = _SIDE // 2 if quick else _SIDE
    gains = {"bicubic": [], "Lanczos": []}
    rows = []
    for name in PICTURES:
        wanted = photograph(name)[:side, :side]
        wanted = wanted[: wanted.shape[0] // 4 * 4, : wanted.shape[1] // 4 * 4]
        small = cv2.resize(wanted, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
        small = np.rint(small * 255).astype(np.float32) / np.float32(255)
        ours = _psnr(wanted, model(small[None], training=False).numpy()[0])
        rows.append(figure(f"esrgan4, {name}", ours, "dB"))
        for peer, way in (("bicubic", cv2.INTER_CUBIC), ("Lanczos", cv2.INTER_LANCZOS4)):
            plain = cv2.resize(small, wanted.shape[1::-1], interpolation=way)
            gains[peer].append(ours - _psnr(wanted, plain))
            rows.append(figure(f"  less {peer}", gains[peer][-1], "dB"))
    return rows + [
        at_least(f"esrgan4 less {peer}, mean", float(np.mean(each)), "dB", 0)
        for peer, each in gains.items()
    ]


def _psnr(wanted: Image, made: Image) -> float:
    inner = slice(_BORDER, -_BORDER)
    error = np.clip(made[inner, inner], 0, 1) - wanted[inner, inner]
    return float(-10 * np.log10(np.square(error, dtype=np.float64).mean()))


def _found(tools: Tools) -> list[Row]:
    (made,) = through_effect(PersonMatte(Options(), tools), [photograph("astronaut.png")])
    frame = cv2.resize(photograph("astronaut.png"), (1920, 1080))
    effect = PersonMatte(Options(), tools)
    return [
        at_least(
            "person-matte, overlap with a hand-traced region",
            float(overlap(made.alpha > 0.5, astronaut_region())),
            "",
            0.9,
        ),
        figure("  1080p, a frame, processor time", _seconds(effect, [frame, frame.copy()]), "s"),
    ]


def _painted(tools: Tools, *, quick: bool) -> list[Row]:
    """Say how much a painting's mean colour changes from frame to frame, in 8-bit codes."""
    clip = fetch(default_folder()) / "bikes.mp4"
    shot = frames(clip, 80, 6 if quick else 25)
    rows = []
    for what, pictures in (("moving", shot), ("locked-off", _entering(len(shot)))):
        for locked in (False, True):
            made = [
                _trembling(Style(StyleOptions(styles={n: 1}, locked_off=locked), tools), pictures)
                for n in _STYLES
            ]
            name = f"style, {what} shot, {'held' if locked else 'own'} statistics"
            rows.append(figure(name, float(np.mean(made)), "codes"))
    frame = cv2.resize(shot[0], (1920, 1080))
    style = Style(StyleOptions(styles={19: 1}), tools)
    return [
        *rows,
        figure("style, 1080p, a frame, processor time", _seconds(style, [frame, frame]), "s"),
    ]


def _entering(count: int) -> list[Image]:
    """A still of a table, with noise, into which somebody comes from the left."""
    rng = np.random.default_rng(1)
    still = cv2.resize(photograph("coffee.png"), (480, 320), interpolation=cv2.INTER_AREA)
    person = cv2.resize(photograph("astronaut.png"), (200, 200), interpolation=cv2.INTER_AREA)
    made = []
    for number in range(count):
        picture = still.copy()
        width = min(160, 10 * number)
        picture[120:, :width] = person[:, 200 - width :] if width else picture[120:, :0]
        made.append(picture + rng.normal(0, 1 / 255, picture.shape).astype(np.float32))
    return made


def _trembling(effect: Style, pictures: list[Image]) -> float:
    # Of the entering person's shot only what nobody enters; of another the same part.
    right = pictures[0].shape[1] * 5 // 8
    colours = [made.rgb[:, right:].mean(axis=(0, 1)) for made in through_effect(effect, pictures)]
    return float(np.abs(np.diff(colours, axis=0)).mean() * 255)


def _seconds(effect: Effect, pictures: list[Image]) -> float:
    """Return the processor time of a frame once all is compiled; other programs do not count."""
    through_effect(effect, pictures[:1])
    return _timed(lambda: through_effect(effect, pictures)) / len(pictures)


def _timed(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began
