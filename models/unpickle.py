"""Reads a PyTorch checkpoint into numpy arrays without torch and without trust.

A ``.pth`` file is a zip archive: a pickle that describes tensors, and one raw
member for each storage. The pickle is read with an unpickler that knows three
kinds of names only, and all of them make inert records; sizes are checked
against what the archive really holds before an array is made.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError

Array = NDArray[Any]

_MAX_PICKLE_BYTES = 16 * 2**20
_MAX_DIMENSIONS = 16
_MAX_ALIASING = 4
_STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "|b1",
}


class _Storage(NamedTuple):
    """A raw member that the pickle points to: its dtype, key and count of elements."""

    dtype: Any
    key: Any
    count: Any


class _Tensor(NamedTuple):
    """A view of a storage, as the pickle claims it; nothing in it is checked yet."""

    storage: Any
    offset: Any
    shape: Any
    strides: Any


class _Rebuild:
    """Stands in for torch's tensor builder: keeps the arguments, does nothing else."""

    __slots__ = ()

    def __call__(self, *args: Any) -> _Tensor:
        return _Tensor(*args[:4])


class _Unpickler(pickle.Unpickler):
    """Admits tensor storages, ordered dictionaries and the tensor builder, nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Rebuild()
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        raise ModelError(f"The checkpoint asks for {module}.{name}, which is no tensor data.")

    def persistent_load(self, pid: Any) -> _Storage:
        if not (isinstance(pid, tuple) and len(pid) == 5 and pid[0] == "storage"):
            raise ModelError("The checkpoint points to something that is no tensor storage.")
        return _Storage(pid[1], pid[2], pid[4])


def read_checkpoint(path: Path) -> dict[str, Array]:
    """Read the state dictionary of a zip checkpoint.

    Args:
        path: A ``.pth`` file as ``torch.save`` has written it since 1.6.

    Returns:
        Name to array, in the file's order; arrays are contiguous and own their memory.

    Raises:
        ModelError: The file is no such archive, holds anything but a flat dictionary
            of tensors, is big-endian or compressed, or claims sizes that it lacks.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _read_archive(archive, path.stat().st_size)
    except ModelError as error:
        raise ModelError(f"{path.name}: {error}") from error
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
        # zipfile raises the last for a compression or encryption that it does not know.
        raise ModelError(f"{path.name} is no readable checkpoint: {error}") from error


def _read_archive(archive: zipfile.ZipFile, file_bytes: int) -> dict[str, Array]:
    _check_members(archive, file_bytes)
    root = _root(archive)
    _check_byte_order(archive, root)
    state = _unpickle(io.BytesIO(archive.read(f"{root}/data.pkl")))
    arrays: dict[str, Array] = {}
    budget = _MAX_ALIASING * file_bytes
    for name, tensor in state.items():
        arrays[name] = _array(archive, root, tensor)
        budget -= arrays[name].nbytes
        if budget < 0:
            raise ModelError("its tensors share storages so often that they outgrow the file.")
    return arrays


def _check_members(archive: zipfile.ZipFile, file_bytes: int) -> None:
    """Refuse compression and overlap: the members together cannot outgrow the file."""
    members = archive.infolist()
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ModelError("a member is compressed, which torch never writes.")
    if sum(member.file_size for member in members) > file_bytes:
        raise ModelError("the members claim more bytes than the file has.")


def _root(archive: zipfile.ZipFile) -> str:
    roots = [
        str(PurePosixPath(name).parent)
        for name in archive.namelist()
        if PurePosixPath(name).name == "data.pkl"
    ]
    if len(roots) != 1:
        raise ModelError("it holds no single data.pkl.")
    if archive.getinfo(f"{roots[0]}/data.pkl").file_size > _MAX_PICKLE_BYTES:
        raise ModelError("its data.pkl is far too large for a list of tensors.")
    return roots[0]


def _check_byte_order(archive: zipfile.ZipFile, root: str) -> None:
    name = f"{root}/byteorder"
    if name in archive.namelist() and archive.read(name).strip() != b"little":
        raise ModelError("it was written on a big-endian machine.")


def _unpickle(stream: BinaryIO) -> Mapping[str, _Tensor]:
    """Load the pickle; every way in which a hostile one can fail becomes a ModelError."""
    try:
        state = _Unpickler(stream).load()
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"its pickle is damaged ({type(error).__name__}).") from error
    if not isinstance(state, dict):
        raise ModelError("it holds no dictionary of tensors.")
    for name, tensor in state.items():
        if not (isinstance(name, str) and isinstance(tensor, _Tensor)):
            raise ModelError(f"its entry {name!r:.80} is no tensor.")
    return state


def _array(archive: zipfile.ZipFile, root: str, tensor: _Tensor) -> Array:
    dtype, flat = _storage(archive, root, tensor.storage)
    shape, strides = _sizes(tensor.shape), _sizes(tensor.strides)
    (offset,) = _sizes((tensor.offset,))
    _check_extent(flat.size, offset, shape, strides)
    steps = [stride * dtype.itemsize for stride in strides]
    view = np.lib.stride_tricks.as_strided(flat[offset:], shape, steps, writeable=False)
    return np.array(view, order="C")


def _storage(
    archive: zipfile.ZipFile, root: str, storage: Any
) -> tuple[np.dtype[Any], NDArray[Any]]:
    if not (isinstance(storage, _Storage) and storage.dtype in _STORAGES.values()):
        raise ModelError("a tensor has no storage.")
    (count,) = _sizes((storage.count,))
    dtype = np.dtype(storage.dtype)
    name = f"{root}/data/{storage.key}"
    if name not in archive.namelist():
        raise ModelError(f"the storage {storage.key!r:.40} is missing.")
    if archive.getinfo(name).file_size < count * dtype.itemsize:
        raise ModelError(f"the storage {storage.key!r:.40} is shorter than it claims.")
    return dtype, np.frombuffer(archive.read(name), dtype, count)


def _sizes(values: Any) -> tuple[int, ...]:
    if not (isinstance(values, tuple) and len(values) <= _MAX_DIMENSIONS):
        raise ModelError("a tensor's shape is no short tuple.")
    if any(type(value) is not int or value < 0 for value in values):
        raise ModelError("a tensor's shape holds something that is no size.")
    return values


def _check_extent(held: int, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
    """Check that the last element lies in the storage, and that no stride multiplies it."""
    if len(shape) != len(strides):
        raise ModelError("a tensor's shape and strides differ in length.")
    elements = math.prod(shape)
    last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    if elements > held or offset > held or (elements and last >= held):
        raise ModelError("a tensor is larger than its storage.")
