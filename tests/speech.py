"""Real speech for tests and benchmarks: studio prompts of three voices, from Debian's packages.

``python -m tests.speech`` fetches them. Each language becomes one file, ``speech-en.npz``.
French and Italian are for choosing thresholds, English only for measuring.
"""

import os
import tempfile
from pathlib import Path

import av
import numpy as np

from tests.debian import fetch_package, unpack
from tests.media import default_folder

LANGUAGES = ("en", "fr", "it")
RATE = 16000
_PACKAGE = "asterisk-core-sounds-{}-g722"
# Fewer means that the package is not the one that is meant.
_FEWEST = 300
# Seconds: what is shorter is a click, what is longer no actor says twice in the same way.
_SHORTEST, _LONGEST = 0.4, 12


def fetch_speech(folder: Path | None = None) -> Path:
    """Make sure that ``folder`` holds the speech of all languages; return the folder.

    Raises:
        RuntimeError: a package cannot be downloaded, or is not the one that is meant.
    """
    folder = folder or default_folder()
    for language in LANGUAGES:
        if not _is_whole(folder / f"speech-{language}.npz"):
            folder.mkdir(parents=True, exist_ok=True)
            _make(language, folder)
    return folder


def prompts(language: str, folder: Path | None = None) -> list[np.ndarray]:
    """Return each prompt of a language, float32 at 16 kHz, full scale 1."""
    with np.load((folder or default_folder()) / f"speech-{language}.npz") as data:
        samples, ends = data["samples"], data["ends"]
    parts = np.split(samples, ends[:-1])
    return [part.astype(np.float32) / 32768 for part in parts if len(part) < _LONGEST * RATE]


def _is_whole(path: Path) -> bool:
    try:
        with np.load(path) as data:
            return bool(len(data["ends"]) >= _FEWEST and data["ends"][-1] == len(data["samples"]))
    except (OSError, ValueError, KeyError, EOFError):
        return False


def _make(language: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        package = fetch_package(_PACKAGE.format(language), Path(scratch))
        unpack(package, Path(scratch, "x"))
        files = sorted(Path(scratch, "x").rglob("*.g722"))
        found = [_decode(file) for file in files if _is_speech(file)]
    found = [samples for samples in found if len(samples) > _SHORTEST * RATE]
    if len(found) < _FEWEST:
        raise RuntimeError(f"{package.name} holds {len(found)} prompts: not the package meant")
    # Renamed into place: a second run that starts meanwhile sees whole files only.
    partial = folder / f".speech-{language}.{os.getpid()}.npz"
    ends = np.cumsum([len(samples) for samples in found])
    np.savez_compressed(partial, samples=np.concatenate(found), ends=ends)
    partial.replace(folder / f"speech-{language}.npz")


def _is_speech(file: Path) -> bool:
    return file.parent.name != "silence" and "beep" not in file.name


def _decode(file: Path) -> np.ndarray:
    with av.open(str(file), format="g722") as container:
        frames = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    # Some prompts of some languages are empty.
    return np.concatenate([np.zeros(0, np.int16), *frames])


if __name__ == "__main__":
    fetch_speech()
