"""Moves the published Silero VAD weights into fxd's own network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from models.errors import ModelError
from models.voice.network import build

Array = NDArray[np.float32]


def convert(weights: Path) -> Any:
    """Build the network and fill it.

    Args:
        weights: The published ``.safetensors`` file.

    Returns:
        A ``keras.Model`` as :func:`models.voice.network.build` makes it.

    Raises:
        ModelError: The file cannot be read, or lacks a weight or its shape.
    """
    model = build()
    try:
        fill(model, load_file(weights))
    except (KeyError, ValueError, OSError, SafetensorError) as error:
        raise ModelError(
            f"{weights.name} holds other weights than Silero VAD's: {error}"
        ) from error
    return model


def fill(model: Any, state: Mapping[str, Array]) -> None:
    """Set all weights of ``model`` from the published names."""
    encoder = model.get_layer("encoder")
    encoder.transform.set_weights([_kernel(state["stft_conv.weight"])])
    for number, layer in enumerate(encoder.steps, start=1):
        name = f"conv{number}"
        layer.set_weights([_kernel(state[f"{name}.weight"]), state[f"{name}.bias"]])
    # Both frameworks order the gates alike; Keras adds one bias where the other has two.
    bias = state["lstm_cell.bias_ih"] + state["lstm_cell.bias_hh"]
    kernels = [state["lstm_cell.weight_ih"].T, state["lstm_cell.weight_hh"].T]
    model.get_layer("cell").set_weights([*kernels, bias])
    last = [state["final_conv.weight"][:, :, 0].T, state["final_conv.bias"]]
    model.get_layer("speech").set_weights(last)


def _kernel(weight: Array) -> Array:
    """Published kernels are [out, in, time]; Keras wants [time, in, out]."""
    return weight.transpose(2, 1, 0)
