"""Moves the published ESRGAN weights into fxd's own network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.errors import ModelError
from models.esrgan.network import BLOCKS, CONVOLUTIONS, DENSE, build
from models.tfjs_file import read_weights

_PARTS = ("kernel", "bias")


def convert(description: Path, *shards: Path) -> Any:
    """Build the network and fill it.

    The file's description of the network is not looked at, only that of its weights.

    Args:
        description: The published ``model.json``.
        shards: Its files of numbers.

    Returns:
        A ``keras.Model`` as :func:`models.esrgan.network.build` makes it.

    Raises:
        ModelError: A file cannot be read, or lacks a weight or its shape.
    """
    state = read_weights(description, shards)
    try:
        weights = {
            ours: [state[f"{theirs}/{part}"] for part in _PARTS] for ours, theirs in _names()
        }
        model = build()
        for name, each in weights.items():
            model.get_layer(name).set_weights(each)
    except (KeyError, ValueError) as error:
        raise ModelError(
            f"{description.name} holds other weights than ESRGAN's for 4: {error}"
        ) from error
    return model


def _names() -> Iterator[tuple[str, str]]:
    """Our name of each convolution and the published one."""
    yield from (("before", "Pre_blocks_conv"), ("after", "post_blocks_conv"))
    yield from (("shuffled", "PreShuffle"), ("enlarged", "SR"))
    for block in range(1, BLOCKS + 1):
        for dense in range(1, DENSE + 1):
            name = f"block{block}_dense{dense}"
            yield f"{name}_joined", f"LFF_{block}_{dense}"
            for number in range(1, CONVOLUTIONS + 1):
                yield f"{name}_convolution{number}", f"F_{block}_{dense}_{number}"
