"""How fast effects are rendered, beside decoding and encoding alone; how much memory at UHD.

The peer is a loop that decodes and encodes, with as many threads in FFmpeg as it likes. *fxd* is
the whole handler: segments, joining, pictures for the page and all. A loop that decodes, goes
through OpenColorIO and encodes, as one writes it in an afternoon, stands beside it.
"""

from __future__ import annotations

import functools
import itertools
import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from benchmarks.bench import REPOSITORY, scratch
from benchmarks.row import Row, at_least, at_most, figure

HD, UHD, EIGHT_K = (1920, 1080), (3840, 2160), (7680, 4320)
_CODECS = {
    "prores-422-hq": ("ProRes 422 HQ", "prores_ks", {"profile": "hq"}),
    "dnxhr-hqx": ("DNxHR HQX", "dnxhd", {"profile": "dnxhr_hqx"}),
}
_RATE, _TURNS = 24, 2
_NODES = 33
_GIB = 1 << 30


def run(quick: bool) -> list[Row]:  # noqa: FBT001 - called by its place
    """Measure speed, exactness, memory and what a network leaves to do."""
    frames = 48 if quick else 480
    with scratch() as folder:
        source = write_clip(folder / "hd.mov", HD, frames)
        cube(folder / "look.cube")
        rows = [row for target in _CODECS for row in speed(source, target, 1 if quick else _TURNS)]
        rows += agreement(write_clip(folder / "few.mov", HD, 48))
    rows += memory(quick=quick)
    return [*rows, *network(4 if quick else 24)]


def write_clip(path: Path, size: tuple[int, int], frames: int) -> Path:
    """Write real footage, enlarged and with a sensor's noise, as ProRes 422 HQ."""
    with av.open(str(path), "w") as container:
        options = dict(_CODECS["prores-422-hq"][2])
        stream = container.add_stream("prores_ks", rate=_RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv422p10le"
        stream.thread_type = "AUTO"
        for number, picture in enumerate(_pictures(size, frames)):
            frame = av.VideoFrame.from_ndarray(picture, "rgb48le").reformat(
                format="yuv422p10le", dst_colorspace="ITU709", dst_color_range="MPEG", threads=1
            )
            frame.pts, frame.time_base = number, Fraction(1, _RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _pictures(size: tuple[int, int], frames: int) -> Iterator[Any]:
    from tests import media

    noise = np.random.default_rng(1).normal(0, 400, (size[1] + 64, size[0], 3)).astype(np.float32)
    path = media.fetch(media.default_folder()) / "bikes.mp4"
    for number, picture in enumerate(itertools.islice(_footage(path), frames)):
        large = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
        top = number * 7 % 64
        yield np.clip(large + noise[top : top + size[1]], 0, 65535).astype(np.uint16)


def _footage(path: Path) -> Iterator[Any]:
    """Yield a clip's pictures over and over."""
    while True:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                yield frame.to_ndarray(format="rgb48le")


def cube(path: Path) -> Path:
    """Write a grade of 33³ colours."""
    axis = np.linspace(0, 1, _NODES)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    wave = 0.01 * np.sin(6 * np.stack([blue, red, green], axis=-1))
    table = np.stack([1.02 * red**0.9, 0.98 * green, 0.95 * blue**1.15], axis=-1) + wave
    lines = [" ".join(f"{value:.6f}" for value in one) for one in table.reshape(-1, 3)]
    path.write_text(f"LUT_3D_SIZE {_NODES}\n" + "\n".join(lines) + "\n")
    return path


def speed(source: Path, target: str, turns: int) -> list[Row]:
    """Compare with decoding and encoding alone; in turn, and the best of each."""
    name = _CODECS[target][0]
    ways: dict[str, Callable[[], None]] = {
        "alone": lambda: _loop(source, target),
        "loop": lambda: _loop(source, target, _opencolorio(source.with_name("look.cube"))),
        "float": lambda: handled(source, target, by_bands=False),
        "bands": lambda: handled(source, target),
    }
    best, spent = (dict.fromkeys(ways, float("inf")) for _ in range(2))
    for _ in range(turns):
        for way, work in ways.items():
            began = time.process_time()
            best[way] = min(best[way], _seconds(work))
            spent[way] = min(spent[way], time.process_time() - began)
    frames = _frames(source)
    return [
        figure(f"{name}: decode and encode alone", frames / best["alone"], "frames/s"),
        figure(f"{name}: OpenColorIO in a loop, of that", best["alone"] / best["loop"], ""),
        at_least(f"{name}: a look in float, of that", best["alone"] / best["float"], "", 0.6),
        at_least(f"{name}: a look by bands, of that", best["alone"] / best["bands"], "", 0.8),
        # On a busy machine these say more.
        figure(f"{name}: processor time of decode and encode", spent["alone"] / frames * 1e3, "ms"),
        figure(f"{name}: the loop's, times that", spent["loop"] / spent["alone"], ""),
        figure(f"{name}: in float, times that", spent["float"] / spent["alone"], ""),
        figure(f"{name}: by bands, times that", spent["bands"] / spent["alone"], ""),
    ]


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return int(container.streams.video[0].frames)


def _loop(source: Path, target: str, change: Callable[[Any], Any] | None = None) -> None:
    _, codec, options = _CODECS[target]
    with av.open(str(source)) as read, av.open(str(source.with_name("loop.mov")), "w") as written:
        pictures = read.streams.video[0]
        pictures.thread_type = "AUTO"
        stream = written.add_stream(codec, rate=_RATE, options=dict(options))
        stream.width, stream.height, stream.pix_fmt = *HD, "yuv422p10le"
        stream.thread_type = "AUTO"
        for frame in read.decode(pictures):
            made = frame if change is None else change(frame)
            made.pts, made.time_base = frame.pts, frame.time_base
            written.mux(stream.encode(made))
        written.mux(stream.encode(None))


def _opencolorio(look: Path) -> Callable[[Any], Any]:
    import PyOpenColorIO as ocio  # noqa: N813

    made = ocio.Config.CreateRaw().getProcessor(ocio.FileTransform(src=str(look)))
    processor = made.getDefaultCPUProcessor()

    def change(frame: Any) -> Any:
        rgb = frame.to_ndarray(format="rgb48le").astype(np.float32) / np.float32(65535)
        processor.applyRGB(rgb)
        back = np.clip(rgb * 65535 + 0.5, 0, 65535).astype(np.uint16)
        return av.VideoFrame.from_ndarray(back, "rgb48le").reformat(
            format="yuv422p10le", dst_colorspace="ITU709", dst_color_range="MPEG"
        )

    return change


def handled(
    source: Path,
    target: str | None = None,
    *,
    by_bands: bool = True,
    effects: tuple[Any, ...] = ({"effect": "look", "file": "look.cube"},),
    models: Path | None = None,
) -> None:
    """Render as a job does; results are in the folder "staging" beside the source."""
    import structlog

    from handlers.contract import Asset, AssetKind, Context
    from handlers.effects.handler import EffectsHandler
    from handlers.effects.spec import EffectsParams

    staging = source.with_name("staging")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    params = EffectsParams.model_validate({"effects": effects, "format": target})
    context = Context(
        staging=staging, params=params, seed=1, log=structlog.get_logger(),
        models=_loader(models or source.parent),
        progress=lambda _, __: None, check_cancelled=lambda: None, storage=source.parent,
    )  # fmt: skip
    asset = Asset(path=source, kind=AssetKind.CLIP, fingerprint="bench")
    EffectsHandler(by_bands=by_bands).run(asset, context)


@functools.cache
def _loader(models: Path) -> Any:
    """A child keeps its models."""
    from models.bundle import BundleLoader

    return BundleLoader(models)


def agreement(source: Path) -> list[Row]:
    """Compare bands with whole pictures in float, sample by sample, losslessly."""
    made = []
    for by_bands in (True, False):
        handled(source, "ffv1", by_bands=by_bands)
        kept = source.with_name(f"{'bands' if by_bands else 'float'}.mkv")
        (source.with_name("staging") / f"{source.stem}.mkv").rename(kept)
        made.append(kept)
    most, unlike = _differences(*made)
    return [
        at_most("bands and float differ by, at most", most, "codes of 10 bits", 1),
        figure("samples that differ", unlike * 1e6, "in a million"),
    ]


def _differences(one: Path, other: Path) -> tuple[int, float]:
    most, unlike, count = 0, 0, 0
    with av.open(str(one)) as first, av.open(str(other)) as second:
        for pair in zip(first.decode(video=0), second.decode(video=0), strict=True):
            planes = (frame.to_ndarray().astype(np.int32) for frame in pair)
            difference = np.abs(np.subtract(*planes))
            most, count = max(most, int(difference.max())), count + difference.size
            unlike += int(np.count_nonzero(difference))
    return most, unlike / count


def memory(*, quick: bool) -> list[Row]:
    """Measure the peak of whole processes."""
    rows = [
        at_most(f"peak memory, {what} at UHD", _child(what, UHD) / _GIB, "GiB", 3)
        for what in ("bands", "float", "three effects", "network", "denoise")
    ]
    if not quick:
        rows.append(figure("peak memory, float at 8K", _child("float", EIGHT_K) / _GIB, "GiB"))
    return rows


def _child(what: str, size: tuple[int, int]) -> float:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.render", what, *map(str, size)],
        cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return float(json.loads(done.stdout.splitlines()[-1]))


def _peak(what: str, size: tuple[int, int]) -> float:
    """Render some frames here; return the process's peak in bytes."""
    frames = 12 if size == UHD and what != "denoise" else 4
    with scratch() as folder:
        cube(folder / "look.cube")
        source = folder / "large.mov"
        # In a process of its own: making the clip is not what is measured.
        script = "import sys; from pathlib import Path; from benchmarks import render; "
        script += "render.write_clip(Path(sys.argv[1]), (int(sys.argv[2]), int(sys.argv[3])), "
        script += "int(sys.argv[4]))"
        arguments = [str(source), *map(str, size), str(frames)]
        subprocess.run([sys.executable, "-c", script, *arguments], cwd=REPOSITORY, check=True)
        if what == "network":
            handled(source, effects=("bench",), models=learnt(folder / "models"))
        elif what == "denoise":
            handled(source, effects=("denoise",))
        elif what == "three effects":
            handled(source, effects=("stabilise", "deflicker", "grain"))
        else:
            handled(source, by_bands=what == "bands")
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def learnt(folder: Path) -> Path:
    """Write a bundle of a small network that has learnt nothing, and takes as long as others."""
    from models.bundle import import_keras

    import_keras()
    from models.effects import bundling, network
    from models.effects.lut import identity

    contract = bundling.Contract(space="display", bits=10, width=1920, height=1080, matte=False)
    made = bundling.Made(
        name="effect.bench",
        version="1.0",
        seed=1,
        metrics={},
        training_data="none",
        card="# Bench\n",
    )
    bundling.save(network.build("small", identity(_NODES)), contract, made, folder)
    return folder


def network(frames: int) -> list[Row]:
    """Measure how much of the time goes by outside the network."""
    from models.effects.running import NetworkRunner

    spent = 0.0
    begin = NetworkRunner.__init__

    def timed(self: Any, *given: Any, **named: Any) -> None:
        begin(self, *given, **named)
        inner = self._network

        def watched(*inputs: Any) -> Any:
            nonlocal spent
            began = time.perf_counter()
            made = inner(*inputs)
            spent += time.perf_counter() - began
            return made

        self._network = watched

    with scratch() as folder:
        source, models = write_clip(folder / "hd.mov", HD, frames), learnt(folder / "models")
        # The first run loads TensorFlow.
        handled(write_clip(folder / "one.mov", HD, 1), effects=("bench",), models=models)
        NetworkRunner.__init__ = timed  # type: ignore[method-assign]
        try:
            whole = _seconds(lambda: handled(source, effects=("bench",), models=models))
        finally:
            NetworkRunner.__init__ = begin  # type: ignore[method-assign]
        codec = _seconds(lambda: _loop(source, "prores-422-hq"))
    return [
        figure("a small network at HD", frames / whole, "frames/s"),
        figure("time outside of it, codec and all", 1 - spent / whole, ""),
        # Start, report and joining are counted in.
        at_most("time outside of it and the codec", 1 - (spent + codec) / whole, "", 0.1),
    ]


if __name__ == "__main__":
    print(json.dumps(_peak(sys.argv[1], (int(sys.argv[2]), int(sys.argv[3])))))
