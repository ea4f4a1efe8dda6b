"""Evaluates networks as TensorFlow.js describes them, in float64 and without TensorFlow.

It follows the description in the file, which fxd's own networks do not look at.
"""

import base64
import json
import math

import numpy as np
from scipy.special import expit

STORED = {"float32": "<f4", "int32": "<i4", "float16": "<f2"}


def tensors(description, numbers):
    """All tensors of a parsed model.json, by name, from the bytes of its shards."""
    found, at = {}, 0
    for entry in (each for group in description["weightsManifest"] for each in group["weights"]):
        form = np.dtype(STORED[entry.get("quantization", entry)["dtype"]])
        count = math.prod(entry["shape"])
        values = np.frombuffer(numbers, form, count, at).astype(np.float64)
        found[entry["name"]] = values.reshape(entry["shape"])
        at += count * form.itemsize
    return found


def read(description, shards):
    """A parsed model.json and its tensors."""
    parsed = json.loads(description.read_text())
    return parsed, tensors(parsed, b"".join(shard.read_bytes() for shard in shards))


def taps(x, size, stride):
    """For each position in a kernel, what lies under it; as much padding as 'same' has."""
    padding = []
    for axis in (0, 1):
        out = -(-x.shape[axis] // stride)
        missing = max(0, (out - 1) * stride + size[axis] - x.shape[axis])
        padding.append((missing // 2, missing - missing // 2))
    rows, columns = (-(-side // stride) for side in x.shape[:2])
    padded = np.pad(x, (*padding, (0, 0)))
    for i in range(size[0]):
        for j in range(size[1]):
            yield (
                i,
                j,
                padded[i : i + rows * stride : stride, j : j + columns * stride : stride],
            )


def convolved(x, kernel, stride=1):
    """A convolution, padded as 'same'."""
    return sum(under @ kernel[i, j] for i, j, under in taps(x, kernel.shape, stride))


def convolved_apart(x, kernel, stride):
    """A convolution of each channel."""
    return sum(under * kernel[i, j, :, 0] for i, j, under in taps(x, kernel.shape, stride))


def shuffled(x, factor):
    """Depth to space."""
    h, w, c = x.shape
    parts = x.reshape(h, w, factor, factor, c // factor**2).transpose(0, 2, 1, 3, 4)
    return parts.reshape(h * factor, w * factor, -1)


def layers_model(description, weights, picture):
    """Run a layers model, from its first layer to its last."""
    values = {}
    for layer in description["modelTopology"]["model_config"]["config"]["layers"]:
        name, kind = layer["name"], layer["class_name"]
        given = [values[node[0]] for nodes in layer["inbound_nodes"] for node in nodes]
        if kind == "InputLayer":
            values[name] = picture.astype(np.float64)
        elif kind == "Conv2D":
            values[name] = convolved(given[0], weights[f"{name}/kernel"]) + weights[f"{name}/bias"]
        else:
            values[name] = SIMPLE[kind](*given)
    return values[name]


SIMPLE = {
    "Activation": lambda x: np.maximum(x, 0),
    "Concatenate": lambda *given: np.concatenate(given, axis=-1),
    "Add": lambda *given: sum(given),
    "MultiplyBeta": lambda x: 0.2 * x,
    "PixelShuffle4x": lambda x: shuffled(x, 4),
}


def twice(x):
    """Twice as large, linearly, centres of pixels kept."""
    for axis in (0, 1):
        before = np.concatenate([x.take([0], axis), x.take(range(x.shape[axis] - 1), axis)], axis)
        after = np.concatenate([x.take(range(1, x.shape[axis]), axis), x.take([-1], axis)], axis)
        both = np.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis + 1)
        x = both.reshape(*x.shape[:axis], -1, *x.shape[axis + 1 :])
    return x


def spread(x, kernel):
    """A transposed convolution with kernel and stride 2."""
    made = np.einsum("hwc,ijoc->hiwjo", x, kernel)
    return made.reshape(2 * x.shape[0], 2 * x.shape[1], -1)


def strides(node):
    """The stride of a node, the same both ways."""
    values = [int(value) for value in node["attr"]["strides"]["list"]["i"]]
    assert values[1] == values[2]
    return values[1]


def averaged(x, node):
    """A mean over all of the picture; no other kind of pooling is known here."""
    assert [int(value) for value in node["attr"]["ksize"]["list"]["i"][1:3]] == list(x.shape[:2])
    assert base64.b64decode(node["attr"]["padding"]["s"]) == b"VALID"
    return x.mean(axis=(0, 1), keepdims=True)


def graph_model(description, weights, picture):
    """Run a graph model, in the order of its nodes."""
    values = dict(weights)
    for node in description["modelTopology"]["node"]:
        if node["op"] == "Placeholder":
            values[node["name"]] = picture.astype(np.float64)
        elif node["op"] != "Const":
            given = [values[name.partition(":")[0]] for name in node["input"]]
            values[node["name"]] = OPERATIONS[node["op"]](node, *given)
    return values[node["name"]]


OPERATIONS = {
    "Conv2D": lambda node, x, kernel: convolved(x, kernel, strides(node)),
    "DepthwiseConv2dNative": lambda node, x, kernel: convolved_apart(x, kernel, strides(node)),
    "Conv2DBackpropInput": lambda node, size, kernel, x: spread(x, kernel),
    "AvgPool": lambda node, x: averaged(x, node),
    "ResizeBilinear": lambda node, x, size: twice(x),
    "Add": lambda node, *given: sum(given),
    "AddV2": lambda node, *given: sum(given),
    "AddN": lambda node, *given: sum(given),
    "Mul": lambda node, x, y: x * y,
    "Relu": lambda node, x: np.maximum(x, 0),
    "Relu6": lambda node, x: np.clip(x, 0, 6),
    "Sigmoid": lambda node, x: expit(x),
}
