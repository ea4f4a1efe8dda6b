"""Moves the published NSNet2 weights into fxd's own network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.enhance.nsnet2_network import build
from models.errors import ModelError
from models.onnx_file import Array, read_weights

# The exporter kept the names of biases and numbered the matrices.
_DENSE = {
    "enter": ("187", "fc_in.0.bias"),
    "hidden1": ("230", "fc_out.0.bias"),
    "hidden2": ("231", "fc_out.2.bias"),
    "leave": ("232", "fc_out.4.bias"),
}
_RECURRENT = {"recurrent1": ("207", "208", "209"), "recurrent2": ("227", "228", "229")}


def convert(weights: Path) -> Any:
    """Build the network and fill it.

    Args:
        weights: The published ``.onnx`` file for 48 kHz.

    Returns:
        A ``keras.Model`` as :func:`models.enhance.nsnet2_network.build` makes it.

    Raises:
        ModelError: The file cannot be read, or lacks a weight or its shape.
    """
    state, model = read_weights(weights), build()
    try:
        fill(model, state)
    except (KeyError, ValueError) as error:
        raise ModelError(
            f"{weights.name} holds other weights than NSNet2's for 48 kHz: {error}"
        ) from error
    return model


def fill(model: Any, state: Mapping[str, Array]) -> None:
    """Set all weights of ``model`` from the published names."""
    for name, (kernel, bias) in _DENSE.items():
        model.get_layer(name).set_weights([state[kernel], state[bias]])
    for name, (into, again, bias) in _RECURRENT.items():
        # Both order the gates alike and apply the reset after the matrix.
        both = state[bias][0].reshape(2, -1)
        model.get_layer(name).set_weights([state[into][0].T, state[again][0].T, both])
