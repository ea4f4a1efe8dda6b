"""Which models a queued job waits for, in words that say what a person can do about it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from daemon.executor import Progress
from daemon.jobs import JobState
from daemon.settle import Pending
from daemon.status_file import text
from handlers.contract import AssetKind
from models.bundle import LEARNT


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """What is known of models that are not there.

    ``folder`` is the watched folder of examples, empty where there is none; ``learning`` says by
    an effect's name how far learning it has come; ``known`` names the effects that can be applied.
    """

    folder: str = ""
    learning: Mapping[str, str] = field(default_factory=dict)
    known: Sequence[str] = ()

    def reason(self, missing: Sequence[str]) -> str:
        """Return one sentence for all models that are missing."""
        published = [name for name in missing if not name.startswith(LEARNT)]
        said = [self._effect(name[len(LEARNT) :]) for name in missing if name not in published]
        if published:
            names = " ".join(published)
            listed = ", ".join(published)
            said.append(f"waits for model {listed}; run 'fxd models install {names}'")
        return "; ".join(said)

    def _effect(self, name: str) -> str:
        what = f"waits for the effect {name}"
        if name in self.learning:
            return f"{what}, {self.learning[name]}"
        if not self.folder:
            return what
        choice = f", or name one of: {', '.join(self.known)}" if self.known else ""
        return f"{what}: drop pairs into {self.folder}/{name}{choice}"


def learning(
    rows: Iterable[sqlite3.Row],
    running: Mapping[int, Progress | None],
    arriving: Iterable[Pending],
) -> dict[str, str]:
    """Say how far learning each effect has come, by its name in lower case.

    Args:
        rows: The latest job on each set of examples.
        running: What each run last said.
        arriving: What is not journaled yet.
    """
    said = {_name(row["path"]): _far(row, running.get(row["id"])) for row in rows}
    pending = (each for each in arriving if each.look.kind is AssetKind.EXAMPLES)
    return said | {_name(each.look.path): _arriving(each) for each in pending}


def _far(row: sqlite3.Row, progress: Progress | None) -> str:
    state = row["state"]
    if state == JobState.RUNNING:
        return f"which is being learnt ({100 * (progress.fraction if progress else 0.0):.0f} %)"
    if state == JobState.QUEUED:
        return "which is to be learnt"
    if state == JobState.DONE:
        return "but learning it gave no model; its results say why"
    return f"which could not be learnt: {row['reason'] or state}"


def _arriving(pending: Pending) -> str:
    return f"whose pairs are not all there: {pending.reason or 'they are still arriving'}"


def _name(path: bytes) -> str:
    return text(path.rpartition(b"/")[2]).lower()
