"""How much ``upscale`` gains over interpolation, on held-out photographs and a held-out clip.

Pictures are made half as large by kernels that leave no aliasing, stored in 8 bits, and made twice
as large again. A border of eight pixels does not count.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.bench import REPOSITORY
from benchmarks.denoise import held_out
from benchmarks.row import Row, at_least, figure
from models import bundle
from models.effects.metrics import ssim
from models.restore import degrade, evaluate

Image = NDArray[np.float32]

_SIDE, _BORDER = 640, 8


def run(quick: bool) -> list[Row]:  # noqa: FBT001 - called by its place
    """Measure quality on photographs and frames, and speed."""
    footage = held_out()
    stills = [one.pictures[0] for one in footage if one.still]
    frames = [one.pictures[len(one.pictures) // 2] for one in footage if not one.still]
    if quick:
        stills, frames = stills[:2], frames[:1]
    enlarge = _network()
    rows = []
    for kernel in ("bicubic", "area"):
        rows += _quality(f"photographs, {kernel}", _cut(stills), kernel, enlarge)
        rows += _quality(f"clip, {kernel}", _cut(frames), kernel, enlarge)
    return rows + _speed(enlarge)


def _network() -> Callable[[Image], Image]:
    model = bundle.BundleLoader(REPOSITORY / ".cache" / "models").load("upscale2")
    from models.restore.upscaler import upscaler

    return upscaler(model, 2, print)


def _cut(pictures: Sequence[NDArray[np.uint8]]) -> list[Image]:
    """Cut at most 640 pixels out of the middle, an even number of them, 0..1."""
    made = []
    for picture in pictures:
        sides = [min(_SIDE, side) // 2 * 2 for side in picture.shape[:2]]
        y, x = ((side - cut) // 2 for side, cut in zip(picture.shape[:2], sides, strict=True))
        cut = picture[y : y + sides[0], x : x + sides[1]]
        made.append(cut.astype(np.float32) / np.float32(255))
    return made


def _quality(
    what: str, wanted: Sequence[Image], kernel: str, enlarge: Callable[[Image], Image]
) -> list[Row]:
    small = [_stored(degrade.halve(one, kernel)) for one in wanted]
    ways = {"fxd": enlarge, "Lanczos": _lanczos, "bicubic": _bicubic}
    scores = {
        name: np.mean(
            [_scores(one, way(each)) for one, each in zip(wanted, small, strict=True)], axis=0
        )
        for name, way in ways.items()
    }
    rows = [figure(f"{what}: pictures", len(wanted), "")]
    for name, (decibels, likeness) in scores.items():
        rows += [figure(f"  {name}", decibels, "dB"), figure(f"  {name}, SSIM", likeness, "")]
    for name in ("Lanczos", "bicubic"):
        decibels, likeness = scores["fxd"] - scores[name]
        rows += [at_least(f"  fxd less {name}", decibels, "dB", 0)]
        rows += [at_least("  the same in SSIM", likeness, "", 0)]
    return rows


def _stored(picture: Image) -> Image:
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.float32) / np.float32(255)


def _lanczos(small: Image) -> Image:
    return evaluate.enlarged(small)[0]


def _bicubic(small: Image) -> Image:
    return evaluate.enlarged(small)[1]


def _scores(wanted: Image, made: Image) -> tuple[float, float]:
    inner = slice(_BORDER, -_BORDER)
    one, other = wanted[inner, inner], np.clip(made[inner, inner], 0, 1)
    return evaluate.psnr(one, other), ssim(other, one)


def _speed(enlarge: Callable[[Image], Image]) -> list[Row]:
    picture = np.random.default_rng(1).random((544, 960, 3), np.float32)
    enlarge(picture)
    began = time.perf_counter()
    enlarge(picture)
    return [figure("960 x 544 to twice the size", time.perf_counter() - began, "s")]
