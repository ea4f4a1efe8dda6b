"""What a GPU does: how fast effects are learnt and applied there, how exactly, in what memory.

Each figure is told on standard error as soon as it is known. With FXD_FRAMES, a file of
``python -m benchmarks.gpu FILE``, frames are read from there, and nothing decodes video: so it runs
on a machine that has only what networks need.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks import effects
from benchmarks.row import Row, at_least, at_most, figure, table
from models import bundle

Picture = np.ndarray
LEARNT, ASKED = (138, 146, 152, 166, 172, 186), (160, 180)
HD, UHD = (1920, 1080), (3840, 2160)
SIZES = ("medium", "small", "large")
TEN_BITS = 1023
# What it learns in this time beats the table by a few dB, where half precision learns at all.
SECONDS, LEAST_GAIN = 45.0, 3.0
STEPS = 120
AGAIN = 12
SMALL_TILE = 600_000
LITTLE = 8  # MiB: too few for any tile


def run(quick: bool) -> list[Row]:  # noqa: FBT001 - called by its place
    """Measure where there is a GPU; else say that there is none."""
    bundle.import_keras()
    import tensorflow as tf

    found = tf.config.list_physical_devices("GPU")
    if not found:
        return [figure("GPUs here (all else is measured only on one)", 0, "")]
    name = tf.config.experimental.get_device_details(found[0]).get("device_name", "a GPU")
    print(f"{name}, TensorFlow {tf.__version__}", file=sys.stderr)
    return list(everything(quick=quick))


def everything(*, quick: bool) -> Iterator[Row]:
    """Yield all figures, those first that say most, and tell each."""
    seconds, steps = (6.0, 12) if quick else (SECONDS, STEPS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        model, rows = learnt(seconds, path)
        parts: list[Callable[[], Iterator[Row]]] = [
            lambda: rows,
            *(partial(applied, size, quick=quick) for size in SIZES),
            lambda: exact(model, quick=quick),
            lambda: restored(quick=quick),
            lambda: repeated(path),
            *(partial(trained, size, steps, path) for size in SIZES),
            # Last: TensorFlow waits ten seconds for each piece of memory that there is not.
            lambda: short_of_memory(model, path, quick=quick),
        ]
        for part in parts:
            for row in part():
                print(*table([row]), file=sys.stderr, flush=True)
                yield row


def frames(numbers: Sequence[int]) -> list[Picture]:
    """Return frames of the clip, float32 0..1."""
    kept = os.environ.get("FXD_FRAMES")
    if not kept:
        return effects.frames(effects.STREET, tuple(numbers))
    with np.load(kept) as file:
        return [file[f"n{number}"].astype(np.float32) / 255 for number in numbers]


def keep_frames(path: Path) -> None:
    """Write the frames that are needed into a file, for FXD_FRAMES."""
    numbers = LEARNT + ASKED
    pictures = effects.frames(effects.STREET, numbers)
    codes = {
        f"n{n}": np.round(255 * x).astype(np.uint8) for n, x in zip(numbers, pictures, strict=True)
    }
    np.savez_compressed(path, **codes)


def enlarged(size: tuple[int, int]) -> Picture:
    """Return a frame of another size."""
    (x,) = frames(ASKED[:1])
    return cv2.resize(x, size, interpolation=cv2.INTER_CUBIC)


def pairs() -> list[Any]:
    """Return what is learnt from: a grade and glow, six pairs."""
    from models.effects.examples import Pair

    return [
        Pair(name=str(n), before=x, after=effects.glow(x))
        for n, x in zip(LEARNT, frames(LEARNT), strict=True)
    ]


def learnt(seconds: float, folder: Path) -> tuple[Any, Iterator[Row]]:
    """Learn by ``medium`` as the product does, for so long; return the network, and figures."""
    from models.effects import lut_fit
    from models.effects.network_training import Material, NetworkTrainer
    from models.effects.settings import Settings

    given = pairs()
    aside = len(given) // 2
    used = [pair for n, pair in enumerate(given) if n != aside]
    lut = lut_fit.fit(used).lut
    material = Material(pairs=used, held_out=[given[aside]], unlabelled=[])
    settings = Settings(size="medium", minutes=seconds / 60)
    (folder / "learnt").mkdir()
    trainer = NetworkTrainer(material, lut, settings, folder / "learnt")
    beats: list[float] = []
    with peak_of() as peak:
        model, _ = trainer.train(seconds, lambda _: None, lambda: beats.append(time.monotonic()))
    return model, _scores(model, lut, beats, peak)


def _scores(model: Any, lut: Any, beats: list[float], peak: list[float]) -> Iterator[Row]:
    from models.effects import metrics
    from models.effects.running import NetworkRunner

    asked = frames(ASKED)
    truths = [effects.glow(x) for x in asked]

    def psnr(made: list[Picture]) -> float:
        scores = [metrics.scores(m, t) for m, t in zip(made, truths, strict=True)]
        return metrics.mean(scores).psnr

    ran = NetworkRunner(model)
    by_table = psnr([lut.apply(x) for x in asked])
    by_network = psnr([ran.run(x) for x in asked])
    yield figure("medium, grade + glow, 6 pairs: nothing done, PSNR", psnr(asked), "dB")
    yield figure("medium, grade + glow, 6 pairs: table, PSNR", by_table, "dB")
    took = beats[-1] - beats[0]
    name = f"medium, grade + glow, 6 pairs: network after {took:.0f} s, PSNR"
    yield at_least(name, by_network, "dB", round(by_table + LEAST_GAIN, 1))
    yield figure("medium: steps in that time", len(beats), "")
    yield figure("medium: learning", rate(beats), "steps/s")
    yield figure("medium: learning, peak on the GPU", peak[0], "GiB")


def rate(beats: Sequence[float]) -> float:
    """Return how many steps a second, the first quarter of them left out."""
    late = beats[len(beats) // 4 :]
    return (len(late) - 1) / max(late[-1] - late[0], 1e-9)


@contextmanager
def peak_of() -> Iterator[list[float]]:
    """Give the most GPU memory in use meanwhile, in GiB, as a list that is filled in the end."""
    import tensorflow as tf

    found: list[float] = []
    gpu = bool(tf.config.list_physical_devices("GPU"))
    if gpu:
        tf.config.experimental.reset_memory_stats("GPU:0")
    yield found
    found.append(tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**30 if gpu else 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How float32 is multiplied: in full or as TF32; and by the same algorithms each time or not.

    Whoever trains asks for the same ones, for all that the process does from then on.
    """

    name: str
    full: bool
    same: bool

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Have it so meanwhile."""
        import tensorflow as tf
        from tensorflow.python.framework import config

        tf.config.experimental.enable_tensor_float_32_execution(not self.full)
        (config.enable_op_determinism if self.same else config.disable_op_determinism)()
        try:
            yield
        finally:
            tf.config.experimental.enable_tensor_float_32_execution(True)


FASTEST = Way(name="TF32", full=False, same=False)
FULL = Way(name="full precision", full=True, same=False)
WAYS = (FASTEST, FULL, Way(name="full precision, always the same", full=True, same=True))


def each(work: Callable[[], object], *, quick: bool) -> float:
    """Return how many times a second something is done, what it needs at first left out."""
    for _ in range(1 if quick else 2):
        work()
    began, count = time.perf_counter(), 0
    while count < 1 or (time.perf_counter() - began < 2 and count < AGAIN and not quick):
        work()
        count += 1
    return count / (time.perf_counter() - began)


def applied(size: str, *, quick: bool) -> Iterator[Row]:
    """Apply an untrained network to float pictures, float pictures coming back."""
    from models.effects.lut import identity
    from models.effects.network import build
    from models.effects.running import NetworkRunner

    model = build(size, identity())
    for name, sides in (("HD", HD),) if quick else (("HD", HD), ("UHD", UHD)):
        picture = enlarged(sides)
        for way in WAYS if sides == HD else WAYS[:2]:
            notes: list[str] = []
            with way.taken(), peak_of() as peak:
                ran = NetworkRunner(model, notes.append)
                speed = each(partial(ran.run, picture), quick=quick)
            yield figure(f"{size}: {name}, {way.name}", speed, "frames/s")
            print(*notes, sep="\n", end="", file=sys.stderr)
        yield figure(f"{size}: {name}, peak on the GPU", peak[0], "GiB")


def exact(model: Any, *, quick: bool) -> Iterator[Row]:
    """Compare tiles, the whole and the CPU, in codes of ten bits."""
    from models.effects.running import NetworkRunner

    picture = enlarged((960, 540) if quick else HD)
    tile = 150_000 if quick else SMALL_TILE
    on_cpu = NetworkRunner(model)
    on_cpu._retreat.gpu = False
    truth = on_cpu.run(picture)
    for way in WAYS[:2]:
        with way.taken():
            whole = NetworkRunner(model).run(picture)
            tiles = NetworkRunner(model, area=tile).run(picture)
        yield at_most(f"{way.name}: tiles and whole differ by", codes(tiles, whole), "codes", 1)
        yield at_most(f"{way.name}: GPU and CPU differ by", codes(whole, truth), "codes", 1)


def codes(one: Picture, other: Picture) -> float:
    """Return by how many codes of ten bits two pictures differ at most."""
    return TEN_BITS * float(np.abs(one - other).max())


def short_of_memory(model: Any, folder: Path, *, quick: bool) -> Iterator[Row]:
    """Apply the same network where a GPU's memory is far too small."""
    from models.effects.running import NetworkRunner

    sides = (960, 540) if quick else UHD
    with FASTEST.taken(), peak_of() as peak:
        whole = NetworkRunner(model).run(enlarged(sides))
    model.save(folder / "medium.keras")
    np.save(folder / "whole.npy", whole)
    a_third = max(256, int(1024 * peak[0] / 3))
    for limit in (a_third, LITTLE):
        told = _in_a_child(folder, limit, sides)
        notes = told["notes"]
        print(*notes, sep="\n", file=sys.stderr)
        what = f"medium: {sides[1]} lines in {limit} MiB"
        yield at_least(f"{what}: times it was told", len(notes), "", 0 if quick else 1)
        yield at_most(f"{what}: differs by", told["codes"], "codes", 1)


def _in_a_child(folder: Path, limit: int, sides: tuple[int, int]) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.gpu", str(folder), str(limit), *map(str, sides)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=900, check=False)
    if done.returncode:
        raise RuntimeError(f"{limit} MiB: the child ended with {done.returncode}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _child(folder: Path, limit: int, sides: tuple[int, int]) -> None:
    """Apply the network within so many MiB of a GPU's memory; tell what was noted."""
    keras = bundle.import_keras()
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        room = tf.config.LogicalDeviceConfiguration(memory_limit=limit)
        tf.config.set_logical_device_configuration(gpu, [room])
    from models.effects import network  # noqa: F401 - registers the layers
    from models.effects.running import NetworkRunner

    with tf.device("CPU:0" if limit <= LITTLE else None):
        model = keras.saving.load_model(folder / "medium.keras", compile=False)
    notes: list[str] = []
    made = NetworkRunner(model, notes.append).run(enlarged(sides))
    print(json.dumps({"notes": notes, "codes": codes(made, np.load(folder / "whole.npy"))}))


def restored(*, quick: bool) -> Iterator[Row]:
    """Clean HD frames in a row, and make HD pictures twice as large."""
    from models.restore.denoiser import Denoiser
    from models.restore.upscaler import upscaler

    notes: list[str] = []
    loader = bundle.BundleLoader(Path(os.devnull))
    picture = enlarged((960, 540) if quick else HD)
    sigma = np.full((*picture.shape[:2], 1), 0.05, np.float32)
    denoiser = Denoiser(loader.load("denoise"), notes.append)
    window = deque([picture.copy() for _ in range(5)], maxlen=5)

    def clean() -> None:
        window.append(picture.copy())
        denoiser.clean(list(window), [sigma] * 3)

    larger = upscaler(loader.load("upscale2"), 2, notes.append)
    for way in WAYS[:2]:
        with way.taken():
            speed = each(clean, quick=quick)
            yield figure(f"denoise: HD, {way.name}", speed, "frames/s")
            speed = each(partial(larger, picture), quick=quick)
            yield figure(f"upscale: HD to UHD, {way.name}", speed, "frames/s")
    print(*notes, sep="\n", end="", file=sys.stderr)


def _trainer(size: str, steps: int, folder: Path) -> Any:
    from models.effects.lut import identity
    from models.effects.network_training import Material, NetworkTrainer
    from models.effects.settings import Settings

    folder.mkdir()
    material = Material(pairs=pairs(), held_out=[], unlabelled=[])
    return NetworkTrainer(material, identity(), Settings(size=size, steps=steps), folder)


def repeated(folder: Path) -> Iterator[Row]:
    """Train twice for a few steps: the same seed shall give the same weights, bit for bit."""
    made = [
        _trainer("medium", AGAIN, folder / f"again{n}").train(60, lambda _: None, lambda: None)[0]
        for n in range(2)
    ]
    weights = zip(*(model.get_weights() for model in made), strict=True)
    apart = max(float(np.abs(one - other).max()) for one, other in weights)
    yield at_most("medium: weights of two runs differ by", apart, "", 0)


def trained(size: str, steps: int, folder: Path) -> Iterator[Row]:
    """Train for some steps; how long the CPU cuts crops for each stands beside."""
    trainer = _trainer(size, steps, folder / size)
    beats: list[float] = []
    with peak_of() as peak:
        trainer.train(40, lambda _: None, lambda: beats.append(time.monotonic()))
    began = time.perf_counter()
    for step in range(8):
        trainer._sampler.batch(step)
    cutting = 8 / (time.perf_counter() - began)
    yield figure(f"{size}: learning, {steps} steps", rate(beats), "steps/s")
    yield figure(f"{size}: cutting crops, beside it", cutting, "steps/s")
    yield figure(f"{size}: learning, peak on the GPU", peak[0], "GiB")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        _child(Path(sys.argv[1]), int(sys.argv[2]), (int(sys.argv[3]), int(sys.argv[4])))
    else:
        keep_frames(Path(sys.argv[1]))
