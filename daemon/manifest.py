"""``manifest.json``: what a published folder holds, from what, made by what."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xxhash

from daemon.disk import sync, sync_folder
from daemon.liveness import progressing
from daemon.outputs import DAY

MANIFEST = "manifest.json"
SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What identifies a published folder, and the hashes of its files."""

    job: int
    token: int
    storage: str
    journal: str
    output: str
    artifacts: Mapping[str, tuple[int, str]]
    metrics: Mapping[str, Any]

    def is_of(self, job: int, token: int, storage: str, journal: str) -> bool:
        """Say whether this very claim of this storage's daemon published the folder.

        A journal that was lost and made anew counts its jobs from the beginning: ``journal``
        tells the two apart.
        """
        own = self.job, self.token, self.storage, self.journal
        return own == (job, token, storage, journal)


def read(folder: Path) -> Manifest | None:
    """Return a folder's manifest, or None where it has none that fxd wrote."""
    try:
        data = json.loads((folder / MANIFEST).read_bytes())
        return Manifest(
            job=data["job"],
            token=data["attempt"],
            storage=data["storage"],
            journal=data.get("journal", ""),
            output=data["output"],
            artifacts={a["path"]: (a["size"], a["xxh3"]) for a in data["artifacts"]},
            metrics=data.get("metrics", {}),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(folder: Path, data: Mapping[str, Any]) -> None:
    """Write a manifest into a folder that nobody sees yet."""
    text = json.dumps({"schema": SCHEMA} | dict(data), indent=1, sort_keys=True)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def rehome(folder: Path, output: str, draft: Path) -> None:
    """Let the manifest of a published folder say where the folder is now, in one step.

    Args:
        folder: The folder, which may have followed its renamed source; without a manifest
            of fxd it is left as it is.
        output: Where it is, relative to the storage.
        draft: Where the new text is made first, on the same file system.

    Raises:
        OSError: It cannot be written to now.
    """
    found = read(folder)
    if found is None or found.output == output:
        return
    path = folder / MANIFEST
    data = json.loads(path.read_bytes()) | {"output": output}
    draft.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    shutil.copymode(path, draft)
    sync(draft)
    draft.rename(path)
    sync_folder(folder)


def published_anew(old: Path, new: Path, output: str) -> bool:
    """Say whether results that were to move to ``output`` have been made again there.

    What an earlier journal's daemon left at that place is something else.
    """
    one, other = read(old), read(new)
    if one is None or other is None:
        return False
    same = (one.storage, one.journal) == (other.storage, other.journal)
    return same and other.output == output


def came_along(old: Path, new: Path, source: str) -> bool:
    """Say whether what lies where ``old`` belongs is an older version of it.

    A day's results inside a card's come along with these, while a newer version may just have
    been made at the former place, ``source``.
    """
    one, other = read(old), read(new)
    if one is None or other is None:
        return False
    same = (one.storage, one.journal) == (other.storage, other.journal)
    return same and other.output == source


def day_came_first(old: Path, new: Path, output: str) -> bool:
    """Say whether nothing but the day of ``old`` lies at ``output``, where ``old`` is to move.

    It was put together after the rename, and published before the rest could follow.
    """
    if not published_anew(old, new / DAY, f"{output}/{DAY}"):
        return False
    return [path.name for path in new.iterdir()] == [DAY]


def holds_day(folder: Path) -> bool:
    """Say whether a day's results lie inside a published folder: they are not a part of it."""
    return read(folder / DAY) is not None


def xxh3_of(path: Path) -> str:
    """Return the xxh3 (128 bit) of a whole file."""
    state = xxhash.xxh3_128()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            state.update(chunk)
            progressing()
    return state.hexdigest()


def files_in(folder: Path) -> Iterator[str]:
    """Yield every regular file in and below a folder, as a relative path."""
    for parent, _, names in os.walk(folder):
        for name in names:
            progressing()
            path = Path(parent) / name
            if stat.S_ISREG(path.lstat().st_mode):
                yield str(path.relative_to(folder))


def touched_by_people(folder: Path) -> list[str]:
    """Return the files of a published folder that are not as fxd published them.

    Edited files differ from the manifest in size or hash; added ones are not in it.
    Without a manifest everything is a person's. A day's results inside are no part of it.
    """
    manifest = read(folder)
    day = f"{DAY}/" if holds_day(folder) else None
    artifacts = manifest.artifacts if manifest is not None else {}
    return [
        name
        for name in sorted(files_in(folder))
        if name != MANIFEST
        and not (day and name.startswith(day))
        and not _as_published(folder / name, artifacts.get(name))
    ]


def _as_published(path: Path, expected: tuple[int, str] | None) -> bool:
    if expected is None:
        return False
    size, digest = expected
    return path.stat().st_size == size and xxh3_of(path) == digest
