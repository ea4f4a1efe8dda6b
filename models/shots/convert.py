"""Moves the published TransNetV2 weights into fxd's own network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import ModelError
from models.shots.network import DILATIONS, build
from models.unpickle import Array, read_checkpoint

_STAGES, _BLOCKS = 3, 2
_DENSE = {
    "projection": "frame_sim_layer.projection",
    "hidden": "fc1",
    "cut_score": "cls_layer1",
    "transition_score": "cls_layer2",
}
_MIXES = {"similarity": "frame_sim_layer.fc", "colours": "color_hist_layer.fc"}
_NORM = ("weight", "bias", "running_mean", "running_var")


def convert(weights: Path) -> Any:
    """Build the network and fill it from a checkpoint.

    Args:
        weights: The published ``.pth`` file.

    Returns:
        A ``keras.Model`` as :func:`models.shots.network.build` makes it.

    Raises:
        ModelError: The checkpoint cannot be read, or lacks a weight or its shape.
    """
    state, model = read_checkpoint(weights), build()
    try:
        _fill(model, state)
    except (KeyError, ValueError) as error:
        raise ModelError(
            f"{weights.name} holds other weights than TransNetV2's: {error}"
        ) from error
    return model


def _fill(model: Any, state: Mapping[str, Array]) -> None:
    for stage in range(_STAGES):
        for block in range(_BLOCKS):
            layer = model.get_layer(f"stage{stage + 1}_block{block + 1}")
            _fill_block(layer, state, f"SDDCNN.{stage}.DDCNN.{block}")
    for name, source in _DENSE.items():
        model.get_layer(name).set_weights(_dense(state, source))
    for name, source in _MIXES.items():
        model.get_layer(name).mix.set_weights(_dense(state, source))


def _fill_block(layer: Any, state: Mapping[str, Array], prefix: str) -> None:
    branches = [f"{prefix}.Conv3D_{dilation}.layers" for dilation in DILATIONS]
    # Checkpoint kernels are [out, in, time, height, width]; Keras wants [.., in, out].
    spatial = [state[f"{name}.0.weight"][:, :, 0].transpose(2, 3, 1, 0) for name in branches]
    layer.spatial.set_weights([np.concatenate(spatial, axis=-1)])
    for part, name in zip(layer.temporal, branches, strict=True):
        part.set_weights([state[f"{name}.1.weight"][..., 0].transpose(2, 3, 1, 0)])
    layer.norm.set_weights([state[f"{prefix}.bn.{name}"] for name in _NORM])


def _dense(state: Mapping[str, Array], name: str) -> list[Array]:
    return [state[f"{name}.weight"].T, state[f"{name}.bias"]]
