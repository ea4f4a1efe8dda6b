"""Moves the published DTLN weights, two files, into fxd's own network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models.enhance.dtln_network import build
from models.errors import ModelError
from models.onnx_file import Array, read_weights

_NORM = "model_2/instant_layer_normalization_1/{}/ReadVariableOp/resource:0"
_UNROLLED = "model_2/{}/ReadVariableOp/resource:0"


def convert(first: Path, second: Path) -> Any:
    """Build the network and fill it.

    Args:
        first: The published ``.onnx`` file of the first stage.
        second: That of the second stage.

    Returns:
        A ``keras.Model`` as :func:`models.enhance.dtln_network.build` makes it.

    Raises:
        ModelError: A file cannot be read, or lacks a weight or its shape.
    """
    model = build()
    for path, fill in ((first, fill_first), (second, fill_second)):
        try:
            fill(model, read_weights(path))
        except (KeyError, ValueError, IndexError) as error:
            raise ModelError(
                f"{path.name} holds other weights than this stage of DTLN's: {error}"
            ) from error
    return model


def fill_first(model: Any, state: Mapping[str, Array]) -> None:
    """Set the weights that make the spectral gains."""
    for number, name in enumerate(("lstm_4", "lstm_5"), start=1):
        weights = _keras_order(*(state[f"{name}_{part}"][0] for part in "WRB"))
        model.get_layer(f"spectral_recurrent{number}").set_weights(weights)
    dense = [state["dense_2/kernel:0"], state["dense_2/bias:0"]]
    model.get_layer("spectral_gain").set_weights(dense)


def fill_second(model: Any, state: Mapping[str, Array]) -> None:
    """Set the weights of the learned basis and of its gains."""
    model.get_layer("encode").set_weights([state["conv1d_2/kernel:0"][..., 0].T])
    model.get_layer("decode").set_weights([state["conv1d_3/kernel:0"][..., 0].T])
    norm = [state[_NORM.format(name)] for name in ("mul", "add_1")]
    model.get_layer("norm").set_weights(norm)
    for number, name in enumerate(("lstm_6", "lstm_7"), start=1):
        parts = (f"{name}/MatMul", f"{name}/MatMul_1", f"{name}/BiasAdd")
        weights = [state[_UNROLLED.format(part)] for part in parts]
        model.get_layer(f"learned_recurrent{number}").set_weights(weights)
    dense = ["model_2/dense_3/Tensordot/Reshape_1:0", _UNROLLED.format("dense_3/BiasAdd")]
    model.get_layer("learned_gain").set_weights([state[name] for name in dense])


def _keras_order(into: Array, again: Array, bias: Array) -> list[Array]:
    """Return a cell's weights as Keras has them: gates in another order, one bias for two."""
    both = bias.reshape(2, -1).sum(axis=0)
    return [_gates(into).T, _gates(again).T, _gates(both)]


def _gates(rows: Array) -> Array:
    # ONNX: in, out, forget, new. Keras: in, forget, new, out.
    enter, leave, forget, new = np.split(rows, 4)
    return np.concatenate([enter, forget, new, leave])
