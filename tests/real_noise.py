"""Real sounds that are no speech, from a Debian package: engines, tools, rain, animals, crowds.

They are what a set's surroundings are made of in benchmarks. Every second one is for choosing
thresholds, the others only for measuring.
"""

import io
import os
import struct
import tempfile
from pathlib import Path

import av
import numpy as np
from scipy.signal import resample_poly

from tests.debian import fetch_package, unpack
from tests.media import default_folder
from tests.speech import RATE

_PACKAGE = "openttd-opensfx"
_COUNT = 73
_FILE_RATE = 44100
# Seconds: shorter is a click of a menu.
_SHORTEST = 0.4


def fetch_noise(folder: Path | None = None) -> Path:
    """Make sure that ``folder`` holds the sounds; return the folder.

    Raises:
        RuntimeError: the package cannot be downloaded, or is not the one that is meant.
    """
    folder = folder or default_folder()
    if not (folder / "noise.npz").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _make(folder)
    return folder


def sounds(*, held_out: bool, folder: Path | None = None) -> list[np.ndarray]:
    """Return the sounds that thresholds were chosen on, or those held out; float32 at 16 kHz."""
    with np.load((folder or default_folder()) / "noise.npz") as data:
        parts = np.split(data["samples"], data["ends"][:-1])
    return [part.astype(np.float32) / 32768 for part in parts[int(held_out) :: 2]]


def _make(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        unpack(fetch_package(_PACKAGE, Path(scratch)), Path(scratch, "x"))
        (catalogue,) = Path(scratch, "x").rglob("opensfx.cat")
        found = [_samples(wave) for wave in _waves(catalogue.read_bytes())]
    if len(found) != _COUNT:
        raise RuntimeError(f"{_PACKAGE} holds {len(found)} sounds: not the package meant")
    found = [each for each in found if len(each) > _SHORTEST * RATE]
    # Renamed into place: a second run that starts meanwhile sees whole files only.
    partial = folder / f".noise.{os.getpid()}.npz"
    ends = np.cumsum([len(each) for each in found])
    np.savez_compressed(partial, samples=np.concatenate(found), ends=ends)
    partial.replace(folder / "noise.npz")


def _waves(catalogue: bytes) -> list[bytes]:
    """Return the WAV files of a sound catalogue: a table of places, then a name before each."""
    first = struct.unpack_from("<I", catalogue)[0] & 0x7FFFFFFF
    found = []
    for entry in range(0, first, 8):
        place = struct.unpack_from("<I", catalogue, entry)[0] & 0x7FFFFFFF
        begin = place + 1 + catalogue[place]
        length = struct.unpack_from("<I", catalogue, begin + 4)[0] + 8
        found.append(catalogue[begin : begin + length])
    return found


def _samples(wave: bytes) -> np.ndarray:
    """Return a 16-bit WAV at 16 kHz."""
    with av.open(io.BytesIO(wave)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=_FILE_RATE)
        frames = [
            made.to_ndarray()[0]
            for frame in container.decode(audio=0)
            for made in resampler.resample(frame)
        ]
    # Two of them are empty.
    joined = np.concatenate([np.zeros(0), *frames])
    return np.clip(resample_poly(joined, 160, 441), -32768, 32767).astype(np.int16)


if __name__ == "__main__":
    fetch_noise()
