"""Reads the weights of a model as TensorFlow.js keeps them; nothing in it is ever run.

A model is a JSON file, which says what tensors there are in what order, and files that hold their
numbers one after another, cut into shards anywhere.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError

Array = NDArray[np.float32]

# As they are stored, little-endian; what was quantised is stored in another type than it has.
_STORED = {
    name: np.dtype(code)
    for name, code in {
        "float32": "<f4",
        "int32": "<i4",
        "float16": "<f2",
        "uint8": "u1",
        "uint16": "<u2",
    }.items()
}


def read_weights(description: Path, shards: Sequence[Path]) -> dict[str, Array]:
    """Return every float tensor, by its name.

    Args:
        description: The published ``model.json``.
        shards: Its files of numbers, in any order; the description names them.

    Raises:
        ModelError: The description is none, names other files, or they hold less or more.
    """
    by_name = {shard.name: shard for shard in shards}
    found: dict[str, Array] = {}
    try:
        groups = json.loads(description.read_bytes())["weightsManifest"]
        for group in groups:
            numbers = b"".join(by_name[name].read_bytes() for name in group["paths"])
            found |= _tensors(group["weights"], numbers)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{description.name} holds no weights that can be read: {error!r}"
        ) from error
    return found


def _tensors(entries: Sequence[Mapping[str, Any]], numbers: bytes) -> dict[str, Array]:
    found, at = {}, 0
    for entry in entries:
        quantised = entry.get("quantization") or {}
        stored = _STORED[quantised.get("dtype", entry["dtype"])]
        count = math.prod(_size(each) for each in entry["shape"])
        values = np.frombuffer(numbers, stored, count, at)
        at += count * stored.itemsize
        if entry["dtype"] == "float32":
            found[entry["name"]] = _restored(values, quantised).reshape(entry["shape"])
    if at != len(numbers):
        raise ValueError(f"{len(numbers)} bytes where {at} are described")
    return found


def _size(value: Any) -> int:
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"{value!r} is no size of a tensor")
    return value


def _restored(values: NDArray[Any], quantised: Mapping[str, Any]) -> Array:
    """Return numbers as they were, as far as quantising has left them."""
    if "scale" not in quantised:
        return values.astype(np.float32)
    spread = values.astype(np.float64) * quantised["scale"] + quantised.get("min", 0.0)
    return np.asarray(spread, np.float32)
