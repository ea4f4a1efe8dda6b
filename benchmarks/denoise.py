"""How much noise ``denoise`` takes away, beside OpenCV's non-local means and BM3D.

Held-out frames only: a clip and photographs that no network here was trained on. All are given the
same frames, stored in 8 bits. Non-local means gets its best strengths for each noise, found on
these very frames; BM3D and fxd are told the noise's standard deviation.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.bench import REPOSITORY, scratch
from benchmarks.row import Row, at_least, figure
from models import bundle
from models.restore import evaluate, material, measure, noise, scenes
from models.restore.material import Footage
from models.shots import fetch

Image = NDArray[np.float32]
Windows = list[Image]
"""Five frames each, float32 [5, h, w, 3]; the one in the middle counts."""

BM3D_VENV = REPOSITORY / ".venv-bench-bm3d"
# Under a licence for non-commercial use: a judge here, no part of fxd.
BM3D = ("bm3d==4.0.3", "numpy<2", "scipy")
_SEED = 20261127
_TALL, _WIDE = 192, 320
# Strengths for brightness, and how many times that for colour, both in units of the noise.
_STRENGTHS, _COLOURS = (0.5, 0.7, 0.9, 1.1, 1.4), (1.0, 2.0)
_MULTI = (0.4, 0.6, 0.8)
_MIDDLE = scenes.REACH


def run(quick: bool) -> list[Row]:  # noqa: FBT001 - called by its place
    """Measure quality, how well noise is measured, and speed."""
    footage = held_out()
    clip = clip_windows(footage, 2 if quick else 10)
    photographs = [one for one in footage if one.still]
    still = photograph_windows(photographs, 2 if quick else 12)
    network = _network()
    rows = []
    for what, windows in (("clip", clip), ("photographs", still)):
        for sigma in evaluate.SIGMAS:
            rows += _quality(f"{what}, noise {sigma}", windows, sigma, network)
    return rows + _measuring(clip) + _speed(network, clip[0])


def held_out() -> list[Footage]:
    """Return the footage that is for testing alone."""
    _, test = fetch.fetch(REPOSITORY / ".cache" / "footage", print)
    return material.read_folder(test, fetch.CUTS, shrink_clips=False)


def clip_windows(footage: Sequence[Footage], count: int) -> Windows:
    """Five frames in a row out of each take, from places far apart."""
    takes = [one.pictures for one in footage if not one.still]
    made = []
    for number in range(count):
        take = takes[number % len(takes)]
        first = (len(take) - scenes.COUNT) * (1 + number // len(takes)) // (2 + count // len(takes))
        y, x = (take.shape[1] - _TALL) // 2, (take.shape[2] - _WIDE) // 2
        cut = take[first : first + scenes.COUNT, y : y + _TALL, x : x + _WIDE]
        made.append(cut.astype(np.float32) / np.float32(255))
    return made


def photograph_windows(photographs: Sequence[Footage], count: int) -> Windows:
    """Photographs under a camera that pans slowly, by whole pixels."""
    made = []
    for number in range(count):
        random = np.random.default_rng([_SEED, number])
        picture = photographs[number % len(photographs)].pictures[0]
        steps = np.rint(random.normal(0, 2, 2) * np.arange(-_MIDDLE, _MIDDLE + 1)[:, None])
        room = np.array(picture.shape[:2]) - (_TALL, _WIDE)
        places = np.clip(room // 2 + steps.astype(np.int64), 0, room)
        cut = [picture[y : y + _TALL, x : x + _WIDE] for y, x in places]
        made.append(np.stack(cut).astype(np.float32) / np.float32(255))
    return made


def _network() -> Callable[[Image, float], Image]:
    model = bundle.BundleLoader(REPOSITORY / ".cache" / "models").load("denoise")
    from models.restore.denoiser import Denoiser

    def clean(window: Image, sigma: float) -> Image:
        level = np.full((*window.shape[1:3], 1), sigma / 255, np.float32)
        return Denoiser(model, print).clean(list(window), [level] * 3)

    return clean


def _quality(
    what: str, windows: Windows, sigma: int, network: Callable[[Image, float], Image]
) -> list[Row]:
    noisy = [evaluate.noisy_window(one, sigma, number) for number, one in enumerate(windows)]
    wanted = [one[_MIDDLE] for one in windows]
    middles = [one[_MIDDLE] for one in noisy]
    single, strength = _best(wanted, middles, sigma)
    several = _multi(wanted, noisy, sigma)
    ours = [network(one, sigma) for one in noisy]
    mean = _mean(wanted, ours)
    bm3d = _mean(wanted, _bm3d(middles, sigma))
    return [
        figure(f"{what}: as it is", _mean(wanted, middles), "dB"),
        figure(f"  non-local means, best strengths {strength}", single, "dB"),
        figure("  non-local means over five frames, best strength", several, "dB"),
        figure("  BM3D", bm3d, "dB"),
        figure("  fxd, five frames", mean, "dB"),
        at_least("  fxd less non-local means", mean - single, "dB", 0),
        figure("  fxd less BM3D", mean - bm3d, "dB"),
    ]


def _mean(wanted: Sequence[Image], made: Sequence[Image]) -> float:
    pairs = zip(wanted, made, strict=True)
    return float(np.mean([evaluate.psnr(one, other) for one, other in pairs]))


def _best(wanted: Sequence[Image], noisy: Sequence[Image], sigma: int) -> tuple[float, str]:
    """Return the best mean PSNR of non-local means, and at which strengths."""
    found = []
    for light, colour in itertools.product(_STRENGTHS, _COLOURS):
        made = [_non_local(one, light * sigma, light * colour * sigma) for one in noisy]
        found.append((_mean(wanted, made), f"{light * sigma:g}/{light * colour * sigma:g}"))
    return max(found)


def _non_local(picture: Image, light: float, colour: float) -> Image:
    cleaned = cv2.fastNlMeansDenoisingColored(_codes(picture), None, light, colour, 7, 21)
    return cleaned.astype(np.float32) / np.float32(255)


def _multi(wanted: Sequence[Image], noisy: Windows, sigma: int) -> float:
    """Return the best mean PSNR of non-local means that looks at all five frames."""
    means = []
    for strength in _MULTI:
        made = [
            cv2.fastNlMeansDenoisingColoredMulti(
                list(map(_codes, window)),
                _MIDDLE,
                scenes.COUNT,
                None,
                strength * sigma,
                strength * sigma,
                7,
                21,
            ).astype(np.float32)
            / np.float32(255)
            for window in noisy
        ]
        means.append(_mean(wanted, made))
    return max(means)


def _codes(picture: Image) -> NDArray[np.uint8]:
    return np.rint(picture * 255).astype(np.uint8)


def _bm3d(noisy: Sequence[Image], sigma: int) -> list[Image]:
    """Clean by BM3D, in the environment that has it."""
    script = Path(__file__).with_name("bm3d_peer.py")
    with scratch() as folder:
        np.savez(folder / "noisy.npz", *noisy)
        command = [_bm3d_python(), script, folder / "noisy.npz", str(sigma / 255)]
        subprocess.run([*command, folder / "made.npz"], check=True)
        with np.load(folder / "made.npz") as made:
            return [made[name] for name in made.files]


def _bm3d_python() -> Path:
    python, done = BM3D_VENV / "bin" / "python", BM3D_VENV / f".{BM3D[0]}"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", BM3D_VENV], check=True)
        install = [python, "-m", "pip", "install", "--quiet", *BM3D]
        subprocess.run(install, check=True, stdout=sys.stderr)
        done.touch()
    return python


def _measuring(windows: Windows) -> list[Row]:
    """Say how far off the measured strength of noise is, at worst, at each strength."""
    rows = []
    for sigma in (2, 5, *evaluate.SIGMAS):
        found = []
        for number, window in enumerate(windows):
            noisy = noise.stored(
                noise.gaussian(window, sigma / 255, np.random.default_rng([_SEED, number, sigma]))
            )
            pairs = [measure.blocks(noisy[at], noisy[at - 1]) for at in range(1, scenes.COUNT)]
            found.append(255 * measure.curve(pairs).mean)
        rows.append(
            figure(f"noise {sigma} measured, mean of clips", float(np.mean(found)), "codes")
        )
    return rows


def _speed(network: Callable[[Image, float], Image], window: Image) -> list[Row]:
    """Say how long a megapixel takes, each frame by itself: in order it takes half of that."""
    network(window, 25)
    began = time.perf_counter()
    network(window, 25)
    ours = time.perf_counter() - began
    began = time.perf_counter()
    _non_local(window[_MIDDLE], 20, 20)
    theirs = time.perf_counter() - began
    size = window[0].shape[0] * window[0].shape[1] / 1e6
    return [
        figure("fxd, a frame by itself", ours / size, "s a megapixel"),
        figure("non-local means", theirs / size, "s a megapixel"),
    ]
