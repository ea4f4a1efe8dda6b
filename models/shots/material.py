"""The pictures that training sequences are made of: clips without a cut, and photographs.

Both are looked at through a camera that moves. What stands still in a photograph is set
in motion by it, and by layers of other photographs that cross the picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError

Picture = NDArray[np.uint8]

CLIP_ENDINGS = frozenset({".avi", ".mkv", ".mov", ".mp4", ".mxf"})
PHOTO_ENDINGS = frozenset({".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
# Enough for a view of a third of the width onto 96 pixels, and little enough not to alias.
_LONGEST_PHOTO, _CLIP_WIDTH = 320, 192
# A minute and a half at 24 frames a second; more of one take teaches nothing new.
LONGEST_TAKE = 2000
_LEAST_TAKE = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Footage:
    """One take or photograph: RGB pictures, uint8 [n, h, w, 3], n = 1 for a photograph."""

    name: str
    pictures: Picture

    @property
    def still(self) -> bool:
        """Whether it is a photograph."""
        return len(self.pictures) == 1

    def at(self, number: int) -> Picture:
        """Return a picture, playing to and fro past the end."""
        period = max(1, 2 * len(self.pictures) - 2)
        step = number % period
        picture: Picture = self.pictures[min(step, period - step)]
        return picture


def photo(path: Path) -> Footage:
    """Read a photograph.

    Raises:
        ModelError: It cannot be read.
    """
    picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ModelError(f"{path.name} is no picture that can be read; take it out of the folder.")
    scale = min(1.0, _LONGEST_PHOTO / max(picture.shape[:2]))
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return Footage(name=path.name, pictures=cv2.cvtColor(small, cv2.COLOR_BGR2RGB)[None])


def clip(path: Path, cuts: Sequence[int] = ()) -> list[Footage]:
    """Read a clip as single takes.

    Args:
        path: A clip; at most its first 2000 frames are read.
        cuts: Frames at which new shots start.

    Raises:
        ModelError: It cannot be decoded.
    """
    pictures = decode(path, _CLIP_WIDTH)
    takes = np.split(pictures, [cut for cut in cuts if 0 < cut < len(pictures)])
    return [
        Footage(name=f"{path.name}#{number}", pictures=take)
        for number, take in enumerate(takes)
        if len(take) >= _LEAST_TAKE
    ]


def decode(path: Path, width: int, height: int | None = None, limit: int = LONGEST_TAKE) -> Picture:
    """Decode a clip's first ``limit`` frames, scaled: uint8 [n, h, w, 3].

    Raises:
        ModelError: It cannot be decoded.
    """
    made: list[Picture] = []
    try:
        with av.open(path) as container:
            for frame in container.decode(video=0):
                tall = height or max(2, round(width * frame.height / frame.width))
                small = frame.reformat(width, tall, "rgb24", interpolation="AREA")
                made.append(small.to_ndarray().astype(np.uint8, copy=False))
                if len(made) == limit:
                    break
    except (av.error.FFmpegError, IndexError, OSError) as error:
        raise ModelError(f"{path.name} cannot be decoded: {error}") from error
    if not made:
        raise ModelError(f"{path.name} holds no picture.")
    return np.stack(made)


def read_folder(folder: Path, cuts: Mapping[str, Sequence[int]] | None = None) -> list[Footage]:
    """Read all clips and photographs of a folder, in order of their names.

    Raises:
        ModelError: One of them cannot be read, or there are none.
    """
    made: list[Footage] = []
    for path in files(folder):
        if path.suffix.lower() in CLIP_ENDINGS:
            made += clip(path, (cuts or {}).get(path.name, ()))
        else:
            made.append(photo(path))
    if not made:
        raise ModelError(f"{folder} holds no clip and no photograph.")
    return made


def files(folder: Path) -> list[Path]:
    """Return the clips and photographs of a folder, in order of their names."""
    wanted = CLIP_ENDINGS | PHOTO_ENDINGS
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in wanted)
