"""Built-in effects with published networks: how good they are, and what they cost.

``esrgan4`` is installed where it is missing. Photographs are made a quarter as large with kernels
that leave no aliasing, stored in 8 bits, and enlarged again; a border of 16 pixels does not count.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np
import PIL.Image

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
    rows = []
    for kernel, shrink in (("bicubic", _bicubic), ("area", _area)):
        gains: dict[str, list[float]] = {"bicubic": [], "Lanczos": []}
        for name in PICTURES:
            wanted = _middle(photograph(name), side)
            small = np.rint(np.clip(shrink(wanted), 0, 1) * 255).astype(np.float32) / np.float32(
                255
            )
            ours = _psnr(wanted, model(small[None], training=False).numpy()[0])
            rows.append(figure(f"esrgan4, {name}, shrunk by {kernel}", ours, "dB"))
            for peer, way in (("bicubic", cv2.INTER_CUBIC), ("Lanczos", cv2.INTER_LANCZOS4)):
                plain = cv2.resize(small, wanted.shape[1::-1], interpolation=way)
                gains[peer].append(ours - _psnr(wanted, plain))
                rows.append(figure(f"  less {peer}", gains[peer][-1], "dB"))
        for peer, each in gains.items():
            name = f"esrgan4 less {peer}, shrunk by {kernel}, mean"
            rows.append(at_least(name, float(np.mean(each)), "dB", 0))
    return rows


def _middle(picture: Image, side: int) -> Image:
    """Cut at most ``side`` pixels out of the middle, a multiple of 4."""
    rows, columns = (min(side, size) // 4 * 4 for size in picture.shape[:2])
    top, left = (picture.shape[0] - rows) // 2, (picture.shape[1] - columns) // 2
    return np.ascontiguousarray(picture[top : top + rows, left : left + columns])


def _area(picture: Image) -> Image:
    return cv2.resize(picture, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)


def _bicubic(picture: Image) -> Image:
    """Make smaller by a kernel as wide as the step, as the data that it was trained on were."""
    size = (picture.shape[1] // 4, picture.shape[0] // 4)
    planes = [PIL.Image.fromarray(picture[..., n]) for n in range(3)]
    return np.stack(
        [np.asarray(plane.resize(size, PIL.Image.BICUBIC)) for plane in planes], axis=-1
    )


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
