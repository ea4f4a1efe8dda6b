"""The clean pictures that restoration is learnt from: single takes and photographs.

Codecs leave their own noise, which must not be taught as if it were picture; so large pictures
are made smaller, which averages it away.
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
from models.shots.material import CLIP_ENDINGS, files

Pictures = NDArray[np.uint8]

_LARGE, _LONGEST = 1000, 1440
_LONGEST_TAKE, _LEAST_TAKE = 160, 12
_LEAST_SIDE = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Footage:
    """A take or photograph: RGB pictures, uint8 [n, h, w, 3], n = 1 for a photograph.

    ``halved`` are the same at half the size.
    """

    name: str
    pictures: Pictures
    halved: Pictures

    @property
    def still(self) -> bool:
        """Whether it is a photograph."""
        return len(self.pictures) == 1


def read_folder(
    folder: Path, cuts: Mapping[str, Sequence[int]] | None = None, *, shrink_clips: bool = True
) -> list[Footage]:
    """Read all clips and photographs of a folder, in order of their names.

    Args:
        folder: Searched with all folders in it.
        cuts: File name to the frames at which new shots start.
        shrink_clips: Halve clips, so that their codec's noise is averaged away.

    Raises:
        ModelError: One of them cannot be read, or there are none.
    """
    made: list[Footage] = []
    for path in files(folder):
        if path.suffix.lower() in CLIP_ENDINGS:
            made += _takes(path, (cuts or {}).get(path.name, ()), shrink=shrink_clips)
        else:
            made.append(photo(path))
    usable = [one for one in made if min(one.pictures.shape[1:3]) >= _LEAST_SIDE]
    if not usable:
        raise ModelError(f"{folder} holds no clip and no photograph of {_LEAST_SIDE} pixels.")
    return usable


def photo(path: Path) -> Footage:
    """Read a photograph, at most 1440 pixels long, large ones at half their size or less.

    Raises:
        ModelError: It cannot be read.
    """
    picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ModelError(f"{path.name} is no picture that can be read; take it out of the folder.")
    longest = max(picture.shape[:2])
    scale = min(0.5, _LONGEST / longest) if longest > _LARGE else 1.0
    small = _shrunk(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), scale)
    return _footage(path.name, small[None])


def _takes(path: Path, cuts: Sequence[int], *, shrink: bool) -> list[Footage]:
    """Read a clip as single takes, at most 160 frames of each."""
    pictures = _decode(path, 0.5 if shrink else 1.0, cuts[-1] if cuts else 0)
    takes = np.split(pictures, [cut for cut in cuts if 0 < cut < len(pictures)])
    return [
        _footage(f"{path.name}#{number}", take[:_LONGEST_TAKE])
        for number, take in enumerate(takes)
        if len(take) >= _LEAST_TAKE
    ]


def _decode(path: Path, scale: float, last_cut: int) -> Pictures:
    made: list[Pictures] = []
    try:
        with av.open(path) as container:
            for frame in container.decode(video=0):
                rgb = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
                made.append(_shrunk(rgb, scale))
                if len(made) == last_cut + _LONGEST_TAKE:
                    break
    except (av.error.FFmpegError, IndexError, OSError) as error:
        raise ModelError(f"{path.name} cannot be decoded: {error}") from error
    if not made:
        raise ModelError(f"{path.name} holds no picture.")
    return np.stack(made)


def _footage(name: str, pictures: Pictures) -> Footage:
    halved = np.stack([_shrunk(picture, 0.5) for picture in pictures])
    return Footage(name=name, pictures=pictures, halved=halved)


def _shrunk(picture: Pictures, scale: float) -> Pictures:
    if scale >= 1:
        return picture
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    small: Pictures = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    return small
