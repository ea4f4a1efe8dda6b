"""Reads the weights out of a published ONNX file; nothing in it is ever run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import numpy_helper

from models.errors import ModelError

Array = NDArray[np.float32]


def read_weights(path: Path) -> dict[str, Array]:
    """Return every float tensor that the graph holds, by its name.

    Args:
        path: The published ``.onnx`` file.

    Raises:
        ModelError: It is no ONNX file, or keeps its tensors in other files.
    """
    try:
        # Tensors in other files would be read from wherever the file says.
        graph = onnx.load(path, load_external_data=False).graph
        floats = [each for each in graph.initializer if each.data_type == onnx.TensorProto.FLOAT]
        return {each.name: numpy_helper.to_array(each) for each in floats}
    except (OSError, DecodeError, ValueError, TypeError) as error:
        raise ModelError(f"{path.name} holds no weights that can be read: {error}") from error
