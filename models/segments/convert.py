"""Moves the published speech, music and noise weights into fxd's own network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.segments.network import DENSE, build

Array = NDArray[np.float32]

# The numbers that the authors' layers happened to get.
_FIRST_CONV, _CONVOLUTIONS = 12, 4
_FIRST_DENSE = 6
_FIRST_NORM = 15
_AFFINE = ("kernel", "bias")
_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def convert(weights: Path) -> Any:
    """Build the network and fill it.

    The file's description of the network, which could name code, is not looked at.

    Args:
        weights: The published ``.hdf5`` file.

    Returns:
        A ``keras.Model`` as :func:`models.segments.network.build` makes it.

    Raises:
        ModelError: The file cannot be read, or lacks a weight or its shape.
    """
    model = build()
    try:
        with h5py.File(weights, "r") as file:
            _fill(model, file["model_weights"])
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise ModelError(
            f"{weights.name} holds other weights than the speech, music and noise network's: "
            f"{error}"
        ) from error
    return model


def _fill(model: Any, state: Any) -> None:
    kinds = [(f"convolution{n + 1}", f"conv2d_{_FIRST_CONV + n}") for n in range(_CONVOLUTIONS)]
    kinds += [(f"dense{n + 1}", f"dense_{_FIRST_DENSE + n}") for n in range(len(DENSE))]
    for number, (name, source) in enumerate(kinds):
        model.get_layer(name).set_weights(_arrays(state, source, _AFFINE))
        norm = _arrays(state, f"batch_normalization_{_FIRST_NORM + number}", _NORM)
        model.get_layer(f"{name}_norm").set_weights(norm)
    last = _arrays(state, f"dense_{_FIRST_DENSE + len(DENSE)}", _AFFINE)
    model.get_layer("probability").set_weights(last)


def _arrays(state: Any, layer: str, names: tuple[str, ...]) -> list[Array]:
    return [np.asarray(state[f"{layer}/{layer}/{name}:0"], np.float32) for name in names]
