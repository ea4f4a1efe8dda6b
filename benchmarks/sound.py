"""How clean dialogue gets, beside other networks, and what a recording of hours costs.

English prompts with held-out real sounds at 0 to 15 dB, which no network here was trained on and
no threshold was chosen on. *fxd* is the whole handler at its default settings, from a WAV to a WAV.
The peer is DeepFilterNet3 in its authors' own library, on one core, as it runs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks.bench import REPOSITORY, scratch
from benchmarks.row import Row, at_least, at_most, figure
from benchmarks.sound_sets import RATE, WIDE, Piece, narrow, pieces

Samples = NDArray[np.float32]

SEED = 20261127
_SHORT, _TURNS = 120, 4  # seconds
SCORES_VENV = REPOSITORY / ".venv-bench-sound"
# PESQ has no wheels: its environment is built where the benchmark runs, by a compiler.
SCORERS = ("pesq==0.0.4", "pystoi==0.4.1", "numpy<2", "scipy", "setuptools")
PESQ, STOI, SI_SDR = range(3)
# What costs the most: cleaned, measured, brought to a loudness that needs the limiter.
_WHOLE = {
    "profile": "programme", "enhance": {"enabled": True}, "loudness": {"target": "streaming-16"},
}  # fmt: skip
_NAMES = ("PESQ wide band", "STOI", "SI-SDR")


def run(quick: bool) -> list[Row]:  # noqa: FBT001 - called by its place
    """Clean, judge, and measure what hours cost."""
    rows = quality(8 if quick else 40)
    rows += cost(120 if quick else 3600, 240 if quick else 6 * 3600)
    return rows


def quality(count: int) -> list[Row]:
    """Judge all networks on the same prompts."""
    made = pieces(count, SEED)
    wide = np.concatenate([piece.wide for piece in made])
    with scratch() as folder:
        results = {name: clean(made, folder) for name, clean in _cleaners().items()}
        results["fxd"] = _apart(_handled(wide, folder), made)
        said = _scores(made, results, folder)
    rows = [
        figure(f"{name}: {score}", said[name][place], "dB" if place == SI_SDR else "")
        for name in ("noisy", *results)
        for place, score in enumerate(_NAMES)
    ]
    ours, theirs = said["fxd"], said["DeepFilterNet3"]
    rows.append(at_least("PESQ, fxd less DeepFilterNet3", ours[PESQ] - theirs[PESQ], "", -0.005))
    rows.append(at_least("SI-SDR, the same", ours[SI_SDR] - theirs[SI_SDR], "dB", -0.02))
    return rows


def _cleaners() -> dict[str, Callable[[Sequence[Piece], Path], list[Samples]]]:
    return {
        "DTLN": lambda made, _: [_once("dtln", piece.noisy) for piece in made],
        "NSNet2-48k": lambda made, _: [narrow(_once("nsnet2", piece.wide)) for piece in made],
        "DeepFilterNet3": _by_library,
    }


def _once(name: str, sound: Samples) -> Samples:
    """Clean one piece with one of fxd's lighter networks."""
    blocks = _denoiser(name).denoise(iter([sound[:, np.newaxis]]), linked=False)
    return np.concatenate(list(blocks))[:, 0]


_KEPT: dict[str, object] = {}


def _denoiser(name: str):  # noqa: ANN202 - a denoiser of any network
    from handlers.sound.networks import Networks

    if not _KEPT:
        _KEPT["networks"] = Networks()
    return _KEPT["networks"].denoiser(_context(Path("/nowhere")), name)  # type: ignore[attr-defined]


def _by_library(made: Sequence[Piece], folder: Path) -> list[Samples]:
    from tests.deepfilter_library import Library

    library = Library(folder)
    return [narrow(library.denoise(piece.wide)[0]) for piece in made]


def _context(staging: Path, **params: object):  # noqa: ANN202
    """Return what a handler is given; parameters not named are the defaults."""
    import structlog

    from handlers.contract import Context
    from handlers.sound.spec import SoundParams
    from models.bundle import BundleLoader
    from tests.prepare import install_models

    if "loader" not in _KEPT:
        _KEPT["loader"] = BundleLoader(install_models())
    return Context(
        staging=staging, params=SoundParams.model_validate(params), seed=1, models=_KEPT["loader"],  # type: ignore[arg-type]
        log=structlog.get_logger(), progress=lambda _, __: None, check_cancelled=lambda: None,
    )  # fmt: skip


def _handled(wide: Samples, folder: Path) -> Samples:
    """Run the handler on one long WAV, as it does on a recorder's."""
    from handlers.contract import Asset, AssetKind
    from handlers.sound.handler import SoundHandler

    source, staging = folder / "roll.wav", folder / "staging"
    soundfile.write(source, wide, WIDE, subtype="PCM_24")
    staging.mkdir()
    asset = Asset(path=source, kind=AssetKind.RECORDING, fingerprint="bench")
    SoundHandler().run(asset, _context(staging))
    made, _ = soundfile.read(staging / "roll.wav", dtype="float32")
    return made


def _apart(wide: Samples, made: Sequence[Piece]) -> list[Samples]:
    """Cut a roll into its pieces again."""
    ends = np.cumsum([len(piece.clean) * (WIDE // RATE) for piece in made])
    return [narrow(part) for part in np.split(wide, ends[:-1])]


def _scores(
    made: Sequence[Piece], results: dict[str, list[Samples]], folder: Path
) -> dict[str, list[float]]:
    """Have everything judged in the environment that has the judges."""
    every = {"clean": [piece.clean for piece in made], "noisy": [piece.noisy for piece in made]}
    every |= {name: _fitted(theirs, made) for name, theirs in results.items()}
    ends = np.cumsum([len(piece.clean) for piece in made])
    joined = {name: np.concatenate(each) for name, each in every.items()}
    np.savez(folder / "made.npz", ends=ends, **joined)
    script = Path(__file__).with_name("sound_scores.py")
    done = subprocess.run(
        [_scorer(), script, folder / "made.npz"], check=True, stdout=subprocess.PIPE, text=True
    )
    said: dict[str, list[float]] = json.loads(done.stdout)
    return said


def _fitted(theirs: Sequence[Samples], made: Sequence[Piece]) -> list[Samples]:
    pairs = zip(theirs, made, strict=True)
    return [
        np.pad(one[: len(piece.clean)], (0, max(0, len(piece.clean) - len(one))))
        for one, piece in pairs
    ]


def _scorer() -> Path:
    """Return the Python that has the judges; make its environment if it is not there."""
    python, done = SCORES_VENV / "bin" / "python", SCORES_VENV / ".done"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", SCORES_VENV], check=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", *SCORERS], check=True, stdout=sys.stderr
        )
        done.touch()
    return python


def cost(hour: int, hours: int) -> list[Row]:
    """Measure the whole chain on long recordings, and the peer's library on some of it."""
    # In turn, and the best of each: what else the machine does must not decide.
    turns = [(_chain(_SHORT), _library_share(_SHORT)) for _ in range(_TURNS)]
    alone, theirs = (min(each) for each in zip(*turns, strict=True))
    first, long = _child(hour), _child(hours)
    return [
        figure("recording", hour, "s"),
        at_most("the whole handler, of real time", first["seconds"] / hour, "", 0.12),
        at_most("decode, clean, measure, limit, write, of real time", alone, "", 0.12),
        figure("DeepFilterNet3's library alone, of real time", theirs, ""),
        at_least("the chain, times as fast as the library", theirs / alone, "", 2),
        at_most("memory above TensorFlow's own", first["memory"], "MiB", 600),
        figure("longer recording", hours, "s"),
        at_most("memory above TensorFlow's own, longer", long["memory"], "MiB", 600),
    ]


def _child(seconds: int) -> dict[str, float]:
    """Process a recording of that length in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.sound", str(seconds)],
        cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    said: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return said


def _library_share(seconds: int) -> float:
    """Return what the peer's library takes, of real time, decoding and writing not counted."""
    from tests.deepfilter_library import Library

    sound = np.concatenate(list(_noisy(seconds)))
    with scratch() as folder:
        library = Library(folder)
        library.denoise(sound[:WIDE])
        began = time.perf_counter()
        library.denoise(sound)
        return (time.perf_counter() - began) / seconds


def _noisy(seconds: int) -> Iterator[Samples]:
    """Yield so much speech in noise, the same prompts again and again."""
    made = [piece.wide for piece in pieces(12, SEED + 1)]
    left, number = seconds * WIDE, 0
    while left:
        piece = made[number % len(made)][:left]
        yield piece
        left, number = left - len(piece), number + 1


def _alone(seconds: int) -> dict[str, float]:
    """Process one recording here; say how long it took and how much memory."""
    from handlers.contract import Asset, AssetKind
    from handlers.sound.handler import SoundHandler

    with scratch() as folder:
        short, long = folder / "short.wav", folder / "long.wav"
        for path, length in ((short, 5), (long, seconds)):
            with soundfile.SoundFile(path, "w", WIDE, 1, "PCM_24") as file:
                for block in _noisy(length):
                    file.write(block)
        handler = SoundHandler()
        for number, path in enumerate((short, long)):
            staging = folder / str(number)
            staging.mkdir()
            before = _peak()
            began = time.perf_counter()
            asset = Asset(path=path, kind=AssetKind.RECORDING, fingerprint="bench")
            handler.run(asset, _context(staging, **_WHOLE))
            took = time.perf_counter() - began
        own = _tensorflow_alone()
    # The first, short one loads and traces all networks: that is not the recording's cost.
    return {"seconds": took, "memory": _peak() - own, "before": before}


def _peak() -> float:
    """Return this process's highest resident memory, MiB; a child's own, whoever started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(one for one in status.splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _tensorflow_alone() -> float:
    """Return the same of a process that only loads TensorFlow and adds two numbers."""
    code = (
        "import tensorflow as tf; tf.constant(1) + 1;"
        "from benchmarks.sound import _peak; print(_peak())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True
    )
    return float(done.stdout.splitlines()[-1])


def _chain(seconds: int) -> float:
    """Return what decoding, cleaning, measuring, limiting and writing take, of real time.

    The rest of what the handler does is left out: faults, voices, pictures, what the page plays.
    """
    from handlers.sound import loudness
    from handlers.sound.layout import layout
    from handlers.sound.levels import Levels
    from handlers.sound.listen import Heard
    from handlers.sound.make import Maker, Source
    from handlers.sound.reader import open_sound
    from handlers.sound.spec import SoundParams
    from handlers.sound.voices import Voices

    params, speakers = SoundParams.model_validate(_WHOLE), layout(1)

    def once(path: Path) -> float:
        began = time.perf_counter()
        sound, levels = open_sound(path), Levels(WIDE)
        meter = loudness.Meter(WIDE, speakers)
        for block in sound.blocks():
            meter.push(block)
            levels.push(block)
        heard = Heard(
            loudness=meter.finish(), trace={}, powers=np.zeros((1, 1)), quiet=levels.finish()
        )
        source = Source(sound=sound, layout=speakers, heard=heard, voices=Voices())
        made = path.with_suffix(".made.wav")
        Maker(
            source=source, params=params, denoiser=_denoiser(params.enhance.model),
            identity=uuid.uuid4(), folder=path.parent,
        ).write(made, None, lambda _: None)  # fmt: skip
        loudness.measure(open_sound(made).blocks(), WIDE, speakers)
        return time.perf_counter() - began

    with scratch() as folder:
        path = folder / "roll.wav"
        with soundfile.SoundFile(path, "w", WIDE, 1, "PCM_24") as file:
            for block in _noisy(seconds):
                file.write(block)
        once(path)
        return once(path) / seconds


if __name__ == "__main__":
    print(json.dumps(_alone(int(sys.argv[1]))))
