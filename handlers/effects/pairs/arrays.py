"""Pictures in NumPy's files: ``.npy`` holds one array, ``.npz`` several by name.

An array is [height, width], [height, width, channels] or [frames, height, width, channels] with
1, 3 or 4 channels.
uint8 and uint16 reach from 0 to their highest value, floating ones from 0 to 1 nominally (less
and more are kept), both as a screen shows them. Nothing is ever unpickled.
"""

from __future__ import annotations

import contextlib
import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from handlers.contract import TransientFailure, UnusableMedia
from handlers.effects.effect import Picture
from handlers.effects.pairs.material import DISPLAY, Coded, Material, Seen
from handlers.effects.pairs.names import last_number
from handlers.media.source import shown

_CHANNELS = (1, 3, 4)
_SHAPES = (
    "it has to be [height, width, channels] or [frames, height, width, channels] with 1, 3 or 4 "
    "channels, of uint8, uint16 or floating values"
)
_MOST_PIXELS, _MOST_BYTES = 1 << 28, 1 << 31
# What a file begins with that Python's pickle wrote, of any protocol since 2.
_PICKLED = b"\x80"
# What reading makes of other files: RuntimeError, for one, of a packed file with a password.
_DAMAGE = (
    ValueError, EOFError, LookupError, TypeError, OverflowError, RuntimeError, SyntaxError,
    tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_HEADER = np.lib.format.read_array_header_2_0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Array:
    """One array that a file holds: under which name, of which shape and type."""

    key: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def frames(self) -> int:
        return self.shape[0] if len(self.shape) == 4 else 1


class ArrayMaterial(Material):
    """An ``.npy`` or ``.npz`` file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with _explained(path):
            arrays = _npz_arrays(path) if _is_npz(path) else [_npy_array(path)]
        for array in arrays:
            _require_picture(path, array)
        self._parts = [(array, frame) for array in arrays for frame in range(array.frames)]
        several = len(self._parts) > 1
        self.names = tuple(self._name(*part, several=several) for part in self._parts)
        self.numbers = tuple(self._number(*part) for part in self._parts)

    def _name(self, array: _Array, frame: int, *, several: bool) -> str:
        if not several:
            return self.path.stem
        return f"{array.key or self.path.stem} frame {frame}" if array.frames > 1 else array.key

    def _number(self, array: _Array, frame: int) -> int | None:
        return frame if len(array.shape) == 4 else last_number(array.key or self.path.stem)

    def pictures(self, places: Sequence[int]) -> Iterator[tuple[int, Seen]]:
        """See :meth:`Material.pictures`."""
        for place in places:
            array, frame = self._parts[place]
            with _explained(self.path):
                values = self._values(array)
                yield place, _seen(values[frame] if values.ndim == 4 else values)

    def _values(self, array: _Array) -> NDArray[Any]:
        if not _is_npz(self.path):
            mapped: NDArray[Any] = np.load(self.path, mmap_mode="r", allow_pickle=False)
            return mapped
        with np.load(self.path, allow_pickle=False) as found:
            values: NDArray[Any] = found[array.key]
            return values


def _is_npz(path: Path) -> bool:
    return path.suffix.lower() == ".npz"


def _npy_array(path: Path) -> _Array:
    with path.open("rb") as file:
        shape, dtype = _header(path, file)
    return _Array(key="", shape=shape, dtype=dtype)


def _npz_arrays(path: Path) -> list[_Array]:
    with zipfile.ZipFile(path) as packed:
        found = [each for each in packed.infolist() if each.filename.endswith(".npy")]
        made = []
        for info in sorted(found, key=lambda each: each.filename):
            with packed.open(info) as file:
                shape, dtype = _header(path, file)
            if math.prod(shape) * dtype.itemsize > _MOST_BYTES:
                raise UnusableMedia(
                    f"{shown(path)} holds an array that is too large to be unpacked whole; save it "
                    "as .npy, from which single pictures can be read."
                )
            made.append(_Array(key=info.filename[:-4], shape=shape, dtype=dtype))
    if not made:
        raise UnusableMedia(f"{shown(path)} holds no array; save it again with numpy.savez.")
    return made


def _header(path: Path, file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read what an array is, and nothing else of it."""
    if file.read(1) == _PICKLED:
        raise _objects(path)
    file.seek(0)
    version = np.lib.format.read_magic(file)  # type: ignore[no-untyped-call]
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else _HEADER
    shape, _, dtype = read(file)  # type: ignore[no-untyped-call]
    if dtype.hasobject:
        raise _objects(path)
    return shape, dtype


def _objects(path: Path) -> UnusableMedia:
    return UnusableMedia(
        f"{shown(path)} holds pickled Python objects, which can run any program when they are "
        "read; save plain numbers with numpy.save(..., allow_pickle=False)."
    )


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise UnusableMedia(
            f"{shown(path)} is damaged, or no array as NumPy saves it; save it again, without a "
            "password."
        ) from error
    except OSError as error:
        raise TransientFailure(
            f"{shown(path)} cannot be reached now ({error.strerror}); look at the storage"
        ) from error


def _require_picture(path: Path, array: _Array) -> None:
    if not _is_picture(array.shape, array.dtype):
        shape = " x ".join(str(length) for length in array.shape) or "one number"
        raise UnusableMedia(f"{shown(path)} holds {shape} of {array.dtype}; {_SHAPES}.")


def _is_picture(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    fits = dtype.kind == "f" or dtype in (np.uint8, np.uint16)
    if not fits or 0 in shape or len(shape) not in {2, 3, 4}:
        return False
    if len(shape) > 2 and shape[-1] not in _CHANNELS:
        return False
    height, width = shape[:2] if len(shape) < 4 else shape[1:3]
    return height * width <= _MOST_PIXELS


def _seen(array: NDArray[Any]) -> Seen:
    values = array[..., None] if array.ndim == 2 else array
    floating = values.dtype.kind == "f"
    peak = 1.0 if floating else float(np.iinfo(values.dtype).max)
    made = np.asarray(values, np.float32) / np.float32(peak)
    rgb = made if made.shape[2] == 3 else made[..., :3] if made.shape[2] == 4 else None
    rgb = np.repeat(made, 3, axis=2) if rgb is None else np.ascontiguousarray(rgb)
    alpha = np.ascontiguousarray(made[..., 3]) if made.shape[2] == 4 else None
    coded = Coded(
        bits=8 * values.dtype.itemsize,
        floating=floating,
        space=DISPLAY,
        grey=made.shape[2] == 1,
    )
    return Seen(picture=Picture(rgb, alpha), coded=coded)
