"""What is done where memory is too small for a tile: smaller ones, then the CPU, and a word of it.

How pictures are cut is the affair of those who run networks over tiles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from models.errors import ModelError

Note = Callable[[str], None]
T = TypeVar("T")
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


class Retreat:
    """Runs what may need more memory than there is, on the GPU while there is one.

    Args:
        smaller: Makes tiles smaller and says how large they are now; None where they are the
            smallest already.
        anew: Makes tiles as large as suits the CPU.
        note: Told a sentence for people.
    """

    def __init__(
        self, smaller: Callable[[], str | None], anew: Callable[[], None], note: Note
    ) -> None:
        import tensorflow as tf  # noqa: PLC0415 - as above

        self._tf, self.gpu = tf, bool(tf.config.list_physical_devices("GPU"))
        self._smaller, self._anew, self._note = smaller, anew, note

    def run(self, work: Callable[[], T]) -> T:
        """Return what ``work`` returns, called again with less each time that memory is too small.

        Raises:
            ModelError: It is too small for the smallest tile on the CPU.
        """
        while True:
            try:
                with self._tf.device("GPU:0" if self.gpu else "CPU:0"):
                    return work()
            except self._tf.errors.OpError as error:
                if not is_too_small(error):
                    raise
            # Outside, where the error holds no tensors any more.
            self._relax()

    def _relax(self) -> None:
        tiles = self._smaller()
        if tiles is not None:
            whose = "GPU" if self.gpu else "machine"
            self._note(f"The {whose}'s memory was too small: went on with tiles of {tiles}.")
        elif self.gpu:
            self.gpu = False
            self._anew()
            self._note("The GPU's memory was too small for any tile: went on with the CPU.")
        else:
            raise ModelError("There is too little memory even for the smallest tiles.")
