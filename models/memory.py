"""What TensorFlow says when a machine's memory is too small."""

from __future__ import annotations

from typing import Any

# Allocators raise ResourceExhausted; copies to a GPU, and cuDNN and cuBLAS, which ask for room of
# their own, are heard of only by what they say. Where other programs hold all of a GPU, not even
# the start of those succeeds.
_SIGNS = (
    "out of memory",
    "dst tensor is not initialized",
    "alloc_failed",
    "failed to allocate",
    "no algorithm worked",
    "dnn library initialization failed",
    "dnn library is not found",
    "without blas support",
)


def is_too_small(error: Any) -> bool:
    """Say whether a ``tf.errors.OpError`` means that memory was too small.

    Args:
        error: What a network's run raised, on a GPU or a CPU.

    Returns:
        Whether less at once, or another device, may help.
    """
    import tensorflow as tf  # noqa: PLC0415 - reading about errors needs none

    if isinstance(error, tf.errors.ResourceExhaustedError):
        return True
    said = str(error.message).lower()
    return any(sign in said for sign in _SIGNS)
