"""Moves the published person weights into fxd's own network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.errors import ModelError
from models.people.network import CONVOLUTIONS, DEPTHWISE, build
from models.tfjs_file import read_weights


def convert(description: Path, numbers: Path) -> Any:
    """Build the network and fill it.

    The file's graph is not looked at, only its weights.

    Args:
        description: The published ``selfie.json``.
        numbers: ``selfie.bin``.

    Returns:
        A ``keras.Model`` as :func:`models.people.network.build` makes it.

    Raises:
        ModelError: A file cannot be read, or lacks a weight or its shape.
    """
    state, model = read_weights(description, [numbers]), build()
    try:
        for name, kernel, bias in _names():
            model.get_layer(name).set_weights([state[kernel], state[bias]])
    except (KeyError, ValueError) as error:
        raise ModelError(
            f"{description.name} holds other weights than the person network's: {error}"
        ) from error
    return model


def _names() -> Iterator[tuple[str, str, str]]:
    """Our name of each layer, and the published names of its kernel and bias."""
    yield "convolution1", "Conv2D/filter", "conv2d_1/y"
    for number in range(2, CONVOLUTIONS + 1):
        yield f"convolution{number}", f"Conv2D_{number}/filter", f"conv2d_{number - 1}_1/y"
    yield "depthwise0", "depthwise/filter_in", "depthwise_conv2d/y"
    for number in range(1, DEPTHWISE):
        kernel, bias = f"depthwise_{number}/filter_in", f"depthwise_conv2d_{number}/y"
        yield f"depthwise{number}", kernel, bias
    yield "person", "segment/filter", "segment_add/y"
