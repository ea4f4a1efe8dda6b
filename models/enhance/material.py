"""Sound to learn from: folders of clean speech and of noise, at 48 kHz, kept on disk."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from models import bundle
from models.errors import ModelError

Samples = NDArray[np.float32]

RATE = 48000
ENDINGS = frozenset(
    "aac aif aiff caf flac g722 m4a mov mp3 mp4 mxf ogg opus w64 wav".split()  # noqa: SIM905
)
# Every so manieth file is never trained on: by its content, so that its name does not matter.
_HELD_BACK = 10
# Shorter than this is no phrase; of a longer one only so much is taken, in seconds.
_SHORTEST, _LONGEST = 0.4, 1800
_FULL_SCALE = 32768
_QUIETEST = 10 ** (-60 / 20) * _FULL_SCALE


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Pieces of sound, 16-bit at 48 kHz, one behind the other in a file that is mapped.

    ``ends`` is where each piece ends, ``bands`` up to how many hertz there can be anything in it;
    ``held_back`` marks those that are for measuring.
    """

    samples: NDArray[np.int16]
    ends: NDArray[np.int64]
    bands: NDArray[np.int64]
    held_back: NDArray[np.bool_]

    def pieces(self, *, held_back: bool) -> NDArray[np.int64]:
        """Return the numbers of the pieces to measure on, or to train on."""
        return np.flatnonzero(self.held_back == held_back)

    def length(self, number: int) -> int:
        """Return how many samples a piece has."""
        return int(self.ends[number] - (self.ends[number - 1] if number else 0))

    def part(self, number: int, begin: int, count: int) -> Samples:
        """Return some of a piece, float32 [count]; silence beyond its end."""
        first = int(self.ends[number] - self.length(number)) + begin
        some = self.samples[first : min(first + count, int(self.ends[number]))]
        return np.pad(some.astype(np.float32) / _FULL_SCALE, (0, count - len(some)))


def files(folders: Sequence[Path]) -> list[Path]:
    """List what may be sound, in order of names."""
    found = (path for folder in folders for path in folder.rglob("*"))
    return sorted(path for path in found if path.suffix.lower().lstrip(".") in ENDINGS)


def gather(folders: Sequence[Path], cache: Path, say: Callable[[str], None]) -> Material:
    """Decode all sound of some folders once; the next run finds it in ``cache``.

    Args:
        folders: With recordings of any rate and format, in any depth.
        cache: The folder that keeps it.
        say: Told one line about each file that cannot be used.

    Raises:
        ModelError: There is no sound in the folders.
    """
    listed = files(folders)
    known = cache / "material.json"
    wanted = digest(listed)
    if not (known.is_file() and json.loads(known.read_text("utf-8"))["digest"] == wanted):
        _decode(listed, cache, wanted, say)
    said = json.loads(known.read_text(encoding="utf-8"))
    ends = np.array(said["ends"], np.int64)
    if not len(ends):
        named = ", ".join(str(folder) for folder in folders)
        raise ModelError(f"There is no sound of {_SHORTEST} s and more in {named}.")
    samples = np.memmap(cache / "samples.s16", np.int16, "r", shape=(int(ends[-1]),))
    return Material(
        samples=samples,
        ends=ends,
        bands=np.array(said["bands"], np.int64),
        held_back=np.array(said["held_back"], np.bool_),
    )


def digest(listed: Sequence[Path]) -> str:
    """Return the SHA-256 over the names and contents of files."""
    whole = hashlib.sha256()
    for path in listed:
        whole.update(f"{path.name} {bundle.digest(path)}\n".encode(errors="surrogateescape"))
    return whole.hexdigest()


def _decode(listed: Sequence[Path], cache: Path, wanted: str, say: Callable[[str], None]) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    ends: list[int] = []
    bands: list[int] = []
    held_back: list[bool] = []
    with (cache / "samples.s16").open("wb") as out:
        for path in listed:
            try:
                band, sound = _decoded(path)
            except (FFmpegError, OSError, ValueError) as error:
                say(f"{path.name} is left out, it cannot be read: {error}")
                continue
            # Libraries of prompts and effects hold silence, too.
            if len(sound) < _SHORTEST * RATE or sound.astype(np.float32).std() < _QUIETEST:
                continue
            out.write(sound.tobytes())
            ends.append((ends[-1] if ends else 0) + len(sound))
            bands.append(band)
            held_back.append(int(bundle.digest(path)[:8], 16) % _HELD_BACK == 0)
    said = {"digest": wanted, "ends": ends, "bands": bands, "held_back": _some(held_back)}
    (cache / "material.json").write_text(json.dumps(said), encoding="utf-8")


def _some(held_back: list[bool]) -> list[bool]:
    """Make sure that something is held back, and not everything."""
    if held_back and len(held_back) > 1 and len(set(held_back)) == 1:
        return [not held_back[0], *held_back[1:]]
    return held_back


def _decoded(path: Path) -> tuple[int, NDArray[np.int16]]:
    """Decode the first track to mono, of a very long file its beginning; return its band, too."""
    form = "g722" if path.suffix.lower() == ".g722" else None
    left = _LONGEST * RATE
    pieces = [np.zeros(0, np.int16)]
    with av.open(str(path), format=form) as container:
        if not container.streams.audio:
            raise ValueError("it holds no sound")
        track = container.streams.audio[0]
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        for frame in itertools.chain(container.decode(track), [None]):
            for made in resampler.resample(frame):
                pieces.append(made.to_ndarray()[0][:left])
                left -= len(pieces[-1])
            if not left:
                break
        return min(track.rate, RATE) // 2, np.concatenate(pieces)
