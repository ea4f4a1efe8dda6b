"""Moves the published weights of 26 styles into fxd's own network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.errors import ModelError
from models.onnx_file import read_weights
from models.styles.network import CONTRACT, EXPAND, PAIR, RESIDUAL, build


def convert(path: Path) -> Any:
    """Build the network and fill it.

    Args:
        path: The published ``.onnx`` file.

    Returns:
        A ``keras.Model`` as :func:`models.styles.network.build` makes it.

    Raises:
        ModelError: The file cannot be read, or lacks a weight or its shape.
    """
    state, model = read_weights(path), build()
    try:
        for ours, theirs in _names():
            kernel = state[f"{theirs}.w"].transpose(2, 3, 1, 0)
            model.get_layer(ours).set_weights([kernel])
            norm = [state[f"{theirs}.norm.{part}"] for part in ("gamma", "beta")]
            model.get_layer(f"{ours}_norm").set_weights(norm)
    except (KeyError, ValueError) as error:
        raise ModelError(f"{path.name} holds other weights than the 26 styles': {error}") from error
    return model


def _names() -> Iterator[tuple[str, str]]:
    """Our name of each convolution and the published one."""
    for kind, layers in (("contract", CONTRACT), ("expand", EXPAND)):
        yield from ((f"{kind}{number}", f"{kind}.{number}") for number in range(len(layers)))
    for block in range(RESIDUAL):
        for number in range(len(PAIR)):
            yield f"residual{block}_{number}", f"res.{block}.{number}"
