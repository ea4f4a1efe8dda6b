"""Moves the published DeepFilterNet3 weights into fxd's own network."""

from __future__ import annotations

import tarfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from models.enhance.deepfilter_network import build
from models.errors import ModelError

Array = NDArray[np.float32]

# Of the archive, these members and no more than so many bytes of each are read.
_MEMBERS = {name: f"tmp/export/{name}.onnx" for name in ("enc", "erb_dec", "df_dec")}
_MOST_BYTES = 8_000_000


def convert(weights: Path) -> Any:
    """Build the network and fill it.

    Args:
        weights: The published archive, a ``.tar.gz`` of three ONNX graphs.

    Returns:
        A ``keras.Model`` as :func:`models.enhance.deepfilter_network.build` makes it.

    Raises:
        ModelError: The file cannot be read, or lacks a weight or its shape.
    """
    model = build()
    try:
        graphs = {name: Graph(data) for name, data in _members(weights).items()}
        judge = model.get_layer("judge")
        _fill_encoder(judge.encoder, graphs["enc"])
        _fill_gains(judge.gains, graphs["erb_dec"])
        _fill_deep(judge.deep, graphs["df_dec"])
    except (KeyError, ValueError, TypeError, IndexError, OSError, EOFError) as error:
        raise _other(weights, error) from error
    except (tarfile.TarError, zlib.error, DecodeError) as error:
        raise _other(weights, error) from error
    return model


def _other(weights: Path, error: Exception) -> ModelError:
    return ModelError(f"{weights.name} holds other weights than DeepFilterNet3's: {error}")


def _members(weights: Path) -> dict[str, bytes]:
    """Read the graphs by their names; nothing is unpacked onto the disk."""
    found = {}
    with tarfile.open(weights, "r:gz") as archive:
        for name, member in _MEMBERS.items():
            stream = archive.extractfile(member)
            data = stream.read(_MOST_BYTES + 1) if stream else b""
            if not 0 < len(data) <= _MOST_BYTES:
                raise ValueError(f"{member} is no file of an expected size")
            found[name] = data
    return found


class Graph:
    """The numbers that an ONNX graph holds.

    Weights that were folded when the graph was written have no names of their own, so each is
    found by the node that uses it.
    """

    def __init__(self, data: bytes) -> None:
        graph = onnx.load_model_from_string(data).graph
        constants = [node for node in graph.node if node.op_type == "Constant"]
        tensors = {each.name: each for each in graph.initializer}
        tensors |= {node.output[0]: node.attribute[0].t for node in constants}
        # Reading those would open whatever files the graph names.
        if any(each.data_location == onnx.TensorProto.EXTERNAL for each in tensors.values()):
            raise ValueError("it keeps weights in other files")
        self._values: dict[str, Array] = {
            name: onnx.numpy_helper.to_array(each) for name, each in tensors.items()
        }
        self._taken = {node.name: list(node.input) for node in graph.node}

    def named(self, name: str) -> Array:
        """Return a weight that kept its published name."""
        return self._values[name]

    def of(self, node: str) -> list[Array]:
        """Return the weights that the node of this name takes, in its order."""
        return [self._values[name] for name in self._taken[node] if name in self._values]


def _fill_encoder(part: Any, graph: Graph) -> None:
    part.bands0.set_weights(_convolution(graph.of("/erb_conv0/1/Conv")))
    _separable(part.bands1, graph, "/erb_conv1/0/Conv", "/erb_conv1/1/Conv")
    _separable(part.bands2, graph, "/erb_conv2/Conv", "/erb_conv2/Conv_1")
    _separable(part.bands3, graph, "/erb_conv3/0/Conv", "/erb_conv3/1/Conv")
    _paired(part.bins0, graph, "/df_conv0/1/Conv", "/df_conv0/2/Conv")
    _separable(part.bins1, graph, "/df_conv1/Conv", "/df_conv1/Conv_1")
    part.bins.set_weights([graph.named("df_fc_emb.0.weight")])
    part.inward.set_weights([graph.named("emb_gru.linear_in.0.weight")])
    _recurrent(part.memory, graph, "/emb_gru/GRU")
    part.outward.set_weights([graph.named("emb_gru.linear_out.0.weight")])
    part.snr.set_weights([*graph.of("/lsnr_fc/0/MatMul"), graph.named("lsnr_fc.0.bias")])


def _fill_gains(part: Any, graph: Graph) -> None:
    part.inward.set_weights([graph.named("emb_gru.linear_in.0.weight")])
    _recurrent(part.memory1, graph, "/emb_gru/GRU")
    _recurrent(part.memory2, graph, "/emb_gru/GRU_1")
    part.outward.set_weights([graph.named("emb_gru.linear_out.0.weight")])
    paths = ("/conv0p/Conv", "/conv1p/Conv", "/conv2p/Conv", "/conv3p/0/Conv")
    for layer, node in zip(part.pathways, paths, strict=True):
        scale, bias = graph.of(node)
        layer.set_weights([scale[:, 0, 0, 0], bias])
    first, second, same = part.widened
    _separable(first, graph, "/convt1/ConvTranspose", "/convt1/Conv")
    _separable(second, graph, "/convt2/0/ConvTranspose", "/convt2/1/Conv")
    _separable(same, graph, "/convt3/Conv", "/convt3/Conv_1")
    part.gain.set_weights(_convolution(graph.of("/conv0_out/0/Conv")))


def _fill_deep(part: Any, graph: Graph) -> None:
    part.inward.set_weights([graph.named("df_gru.linear_in.0.weight")])
    _recurrent(part.memory1, graph, "/df_gru/gru/GRU")
    _recurrent(part.memory2, graph, "/df_gru/gru/GRU_1")
    part.around.set_weights([graph.named("df_skip.weight")])
    part.outward.set_weights([graph.named("df_out.0.weight")])
    _paired(part.pathway, graph, "/df_convp/df_convp.1/Conv", "/df_convp/df_convp.2/Conv")


def _convolution(weights: list[Array]) -> list[Array]:
    """Published kernels are [out, in, time, band]; Keras wants [time, band, in, out]."""
    kernel, bias = weights
    return [kernel.transpose(2, 3, 1, 0), bias]


def _separable(layer: Any, graph: Graph, depthwise: str, pointwise: str) -> None:
    (kernel,), (mix, bias) = graph.of(depthwise), graph.of(pointwise)
    layer.set_weights([kernel[:, 0, 0].T, mix[:, :, 0, 0].T, bias])


def _paired(layer: Any, graph: Graph, paired: str, pointwise: str) -> None:
    (kernel,), (mix, bias) = graph.of(paired), graph.of(pointwise)
    layer.set_weights([kernel.transpose(2, 3, 1, 0), mix[:, :, 0, 0].T, bias])


def _recurrent(layer: Any, graph: Graph, node: str) -> None:
    """Both order the gates alike: update, reset, new; the biases are [into, again]."""
    into, again, bias = graph.of(node)
    layer.gru.set_weights([into[0].T, again[0].T, bias.reshape(2, -1)])
