"""What benchmarks share: a studio on the repository's own disk, and journals made at once."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from daemon import walk
from daemon.jobstore import NewJob
from daemon.journal import open_writer, transaction
from daemon.store import Accepted, Store
from tests.studio import SITE, Studio

# The null handler is registered there, as a third party would.
sys.path.append(str(SITE))
REPOSITORY = Path(__file__).parents[1]
NULL = NewJob(handler="null", handler_version="1", output_root="in_null")
NULL_WATCH = [{"folder": "in", "run": ["null"]}]


@contextlib.contextmanager
def scratch(parent: Path | None = None) -> Iterator[Path]:
    """Yield a folder on the repository's disk (or in ``parent``), removed in the end."""
    parent = parent or REPOSITORY / ".cache"
    parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix="bench-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def studio(
    watches: list[dict[str, Any]], parent: Path | None = None, **settings: Any
) -> Iterator[Studio]:
    """Yield a studio whose daemon is stopped in the end."""
    with scratch(parent) as folder:
        it = Studio(folder, watches, **settings)
        try:
            yield it
        finally:
            it.stop()


def make_files(top: Path, folders: int, files: int) -> None:
    """Make empty files, as fast as possible, in numbered folders."""
    for folder in range(folders):
        path = top / f"day{folder:04}"
        path.mkdir(parents=True)
        for number in range(files):
            os.close(os.open(f"{path}/A{folder:04}C{number:05}.bin", os.O_CREAT | os.O_WRONLY))


def journal_all(it: Studio) -> int:
    """Journal all that is in the studio's storage as a daemon would, each with a queued job.

    The daemon must have run once, and must not run now.
    """
    root, now, count = os.fsencode(it.storage), time.time(), 0
    connection = open_writer(it.state)
    with contextlib.closing(connection), transaction(connection):
        store = Store(connection)
        for folder in walk.descend(root, b"in"):
            for look in walk.looks(folder):
                store.record(accepted(folder, look), now)
                count += 1
            store.set_digests([(folder.path, folder.digest)])
    return count


def accepted(folder: walk.Folder, look: walk.Look) -> Accepted:
    """Return a scanned file as the gate and the inspection let it through."""
    inode = folder.files[os.path.basename(look.path)].st_ino
    fingerprint = f"0-{inode:032x}"
    return Accepted(
        look=look, watch="in", inode=inode, fingerprint=fingerprint, facts="{}", jobs=(NULL,)
    )


def pause(it: Studio) -> None:
    """Have a running daemon start nothing until it is told to go on."""
    it.fxd("pause")


def has_work(it: Studio) -> bool:
    """Say whether any job is left; asked often, so it costs one look into an index."""
    return bool(it.query("SELECT 1 FROM job WHERE state IN ('queued', 'running') LIMIT 1"))


def resident_mib(pid: int) -> float:
    """Return the resident memory of one process, without its children."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))
