"""Where pictures of examples come from: image files and clips, all read to float RGB."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handlers.contract import TransientFailure, UnusableMedia
from handlers.effects.effect import Footage, Picture
from handlers.effects.picture import image
from handlers.effects.picture.colour_tags import colours_said
from handlers.effects.picture.footage import open_footage
from handlers.effects.picture.image import ImageNative
from handlers.effects.picture.native import to_picture
from handlers.media.clip import probe_clip
from handlers.media.imagefile import Unreadable, facts_of
from handlers.media.source import shown
from handlers.media.viewing import space_of

DISPLAY = "display"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """How the values of a picture are meant.

    ``space`` is "display", values as the file encodes them, or OpenColorIO's name of a
    scene-linear space. ``primaries`` and ``transfer`` are FFmpeg's names, "unknown" where the file
    does not say. ``bits`` are those of one sample, 16 for half and 32 for float where
    ``floating``. ``grey`` says that there is no more than one channel of colour.
    """

    bits: int
    floating: bool
    space: str
    grey: bool = False
    primaries: str = "unknown"
    transfer: str = "unknown"

    @property
    def code(self) -> float:
        """The smallest difference near white that it can hold."""
        return 2.0**-11 if self.floating else 1 / ((1 << self.bits) - 1)

    def spoken(self) -> str:
        """Say what the values are, for a sentence."""
        if self.space != DISPLAY:
            return f"scene-linear ({self.space})"
        known = [each for each in (self.primaries, self.transfer) if each != "unknown"]
        return f"for a screen ({', '.join(known)})" if known else "for a screen"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """A picture that was read, and how its values are meant."""

    picture: Picture
    coded: Coded

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, in pixels."""
        height, width = self.picture.rgb.shape[:2]
        return width, height

    def finite(self) -> NDArray[np.bool_]:
        """Say of each pixel [height, width] whether all of it is a number."""
        known: NDArray[np.bool_] = np.isfinite(self.picture.rgb).all(axis=2)
        return known if self.picture.alpha is None else known & np.isfinite(self.picture.alpha)


class Material(ABC):
    """One file that holds one picture or many, each with a name and, where it has one, a number.

    ``first`` is by what the numbers of a clip's frames may also be counted: its start timecode.
    """

    path: Path
    names: tuple[str, ...]
    numbers: tuple[int | None, ...]
    is_clip: bool = False
    first: int | None = None

    @abstractmethod
    def pictures(self, places: Sequence[int]) -> Iterator[tuple[int, Seen]]:
        """Yield (place, picture) of some of its pictures, by rising place; one is held at a time.

        Those that do not decode are left out.

        Raises:
            UnusableMedia: One cannot be read.
            TransientFailure: The storage does not answer.
        """


class ImageMaterial(Material):
    """An image file."""

    def __init__(self, path: Path, number: int | None) -> None:
        self.path = path
        self.names, self.numbers = (path.stem,), (number,)

    def pictures(self, places: Sequence[int]) -> Iterator[tuple[int, Seen]]:
        """See :meth:`Material.pictures`."""
        for place in places:
            with readable(self.path):
                # It refuses what no memory could hold before any of it is read.
                facts_of(self.path)
                native = image.read(self.path)
                yield place, Seen(picture=image.to_picture(native), coded=_coded_image(native))


class ClipMaterial(Material):
    """A clip, whose frames are numbered from 0."""

    is_clip = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self._source = open_footage(path, probe_clip(path))
        frames = self._source.footage.frames
        count = sum(1 for _ in self._source.pictures()) if frames is None else frames
        self.numbers = tuple(range(count))
        self.names = tuple(f"{path.stem} frame {number}" for number in range(count))
        start = self._source.probe.timecode
        self.first = None if start is None else start.frames

    def pictures(self, places: Sequence[int]) -> Iterator[tuple[int, Seen]]:
        """See :meth:`Material.pictures`."""
        wanted = sorted(places)
        if not wanted:
            return
        coded = _coded_clip(self._source.footage)
        for number, native in self._source.pictures(wanted[0]):
            # One that is held is another frame's picture.
            if number in wanted and not native.held:
                yield number, Seen(picture=to_picture(native), coded=coded)
            if number >= wanted[-1]:
                return


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what is wrong with a file into one sentence for a person."""
    try:
        yield
    except Unreadable as error:
        raise UnusableMedia(
            f"{shown(path)} cannot be read ({error}); export it again or take it away."
        ) from error
    except OSError as error:
        raise TransientFailure(
            f"{shown(path)} cannot be reached now ({error.strerror}); look at the storage"
        ) from error


def _coded_image(native: ImageNative) -> Coded:
    primaries = native.spec.getattribute("chromaticities")
    said = ("unknown", "unknown") if native.floating else colours_said(native.path, native.spec)
    return Coded(
        bits=native.bits,
        floating=native.floating,
        space=space_of(primaries) if native.floating else DISPLAY,
        grey=len(set(native.colours)) == 1,
        primaries=said[0],
        transfer=said[1],
    )


def _coded_clip(footage: Footage) -> Coded:
    return Coded(
        bits=footage.bits,
        floating=footage.floating,
        space=footage.space if footage.scene_linear else DISPLAY,
        primaries=footage.colour.primaries,
        transfer=footage.colour.transfer,
    )
