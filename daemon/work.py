"""What a job keeps from attempt to attempt, beside its staging folders: made, spared, removed."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from daemon.jobs import Change
from daemon.liveness import progressing
from daemon.publish import STAGING, WORK, Place
from daemon.writer import StorageWriter
from handlers.contract import HandlerSpec

# After these nothing is needed that the job kept for its next attempt.
_ENDS = frozenset({Change.PUBLISH, Change.FAIL, Change.REJECT, Change.CANCEL})


def make(place: Place) -> Path:
    """Return a job's folder, beside the staging folder that is there by now.

    Raises:
        OSError: The output cannot be written to.
    """
    place.work.mkdir(exist_ok=True)
    return place.work


def let_go(change: Change, spec: HandlerSpec | None, place: Place, writer: StorageWriter) -> None:
    """Have a job's folder removed where this change is its end."""
    if change in _ENDS and spec is not None and spec.resumes:
        writer.submit(("work", place.job, 0), lambda: _remove(place.work))


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def sweep(folder: Path, newest: int, active: Collection[int]) -> None:
    """Remove from a staging root what jobs left that came to their end without a run.

    Args:
        folder: An output folder's staging root.
        newest: The newest job when ``active`` was read; what later ones keep is theirs.
        active: The jobs that are queued or run.
    """
    for path in folder.glob(f"{WORK}*"):
        number = path.name.removeprefix(WORK)
        if not number.isdecimal() or path.is_symlink():
            continue
        if int(number) <= newest and int(number) not in active:
            progressing()
            shutil.rmtree(path)


def staging_root(storage: Path, output: str, storage_id: str) -> Path:
    """Return the staging root of an output folder; see :class:`daemon.publish.Place`."""
    return storage / output / f"{STAGING}{storage_id}"
