"""The loop of a training whose steps are counted: told, logged, and gone on with to the bit.

A run's folder holds its settings, checkpoints that a stopped run goes on from, and ``loss.csv``.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models.errors import ModelError

Say = Callable[[str], None]


class Loop:
    """One run.

    Args:
        folder: The run's; a checkpoint in it is gone on from.
        settings: A dataclass, kept there for whoever looks; ``steps`` is how many there are.
        told_every: After so many steps a line is told.
        saved_every: After so many steps all state is kept.
    """

    def __init__(self, folder: Path, settings: Any, *, told_every: int, saved_every: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(settings), indent=1) + "\n"
        (folder / "settings.json").write_text(text, encoding="utf-8")
        # The same seed and material give the same weights on the same machine.
        tf.config.experimental.enable_op_determinism()
        self._folder, self._total = folder, int(settings.steps)
        self._told_every, self._saved_every = told_every, saved_every

    def train(
        self,
        state: Sequence[Any],
        batches: Callable[[int], Any],
        step: Callable[..., Any],
        words: Callable[[float], str],
        say: Say,
    ) -> None:
        """Train to the last step, from the last checkpoint on.

        Args:
            state: All variables that a step changes.
            batches: The ``tf.data`` of the steps after so many.
            step: Trains on what one batch holds; returns the loss.
            words: Says a mean loss.
            say: Told lines for a person.

        Raises:
            ModelError: The loss is no number any more, and no step would change that.
        """
        done, total = self._restored(state), self._total
        if done:
            say(f"Going on after step {done:,}.")
        with (self._folder / "loss.csv").open("a", newline="", encoding="utf-8") as file:
            log = csv.writer(file)
            recent: list[float] = []
            for batch in batches(done).take(total - done):
                recent.append(float(step(*batch)))
                done += 1
                _require_number(recent[-1], done)
                log.writerow([done, f"{recent[-1]:.6f}"])
                if done % self._told_every == 0 or done == total:
                    say(f"Step {done:,} of {total:,}, {words(sum(recent) / len(recent))}.")
                    recent.clear()
                if done % self._saved_every == 0 or done == total:
                    file.flush()
                    self._save(state, done)

    def _save(self, state: Sequence[Any], done: int) -> None:
        """Write all state beside the last one, then take its place."""
        partial = self._folder / ".checkpoint.npz"
        values = {f"v{n}": keras.ops.convert_to_numpy(v) for n, v in enumerate(state)}
        np.savez(partial, done=np.int64(done), **values)
        partial.replace(self._folder / "checkpoint.npz")

    def _restored(self, state: Sequence[Any]) -> int:
        path = self._folder / "checkpoint.npz"
        if not path.is_file():
            return 0
        with np.load(path, allow_pickle=False) as kept:
            for number, variable in enumerate(state):
                variable.assign(kept[f"v{number}"])
            return int(kept["done"])


def _require_number(value: float, done: int) -> None:
    if not np.isfinite(value):
        raise ModelError(
            f"Training came apart at step {done:,}: its loss is no number any more. "
            "Nothing is put into use; begin again with another seed."
        )
