"""What is done where memory is too small for a tile: smaller ones, then the CPU, and a word of it.

How pictures are cut is the affair of those who run networks over tiles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import tensorflow as tf

from models.errors import ModelError

Note = Callable[[str], None]
T = TypeVar("T")


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
        self.gpu = bool(tf.config.list_physical_devices("GPU"))
        self._smaller, self._anew, self._note = smaller, anew, note

    def run(self, work: Callable[[], T]) -> T:
        """Return what ``work`` returns, called again with less each time that memory is too small.

        Raises:
            ModelError: It is too small for the smallest tile on the CPU.
        """
        while True:
            try:
                with tf.device("GPU:0" if self.gpu else "CPU:0"):
                    return work()
            except tf.errors.ResourceExhaustedError:
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
