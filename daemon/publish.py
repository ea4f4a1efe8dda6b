"""Puts results into place: readers see nothing or everything, and people's edits stay.

Publishing happens in one thread, one result after another; see writer for who does what.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import stat
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from daemon import manifest
from daemon.disk import (
    EXCHANGE,
    NOREPLACE,
    UNSUPPORTED,
    inherit,
    make_folders,
    rename,
    sync,
    sync_folder,
)
from daemon.errors import DaemonError
from daemon.liveness import progressing
from daemon.manifest import Manifest
from daemon.outputs import DAY

STAGING = ".fxd-staging-"
WORK = "work-"
_STAGED = re.compile(r"^\d+-\d+$")
_SWAP = re.compile(r"^swap-\d+-\d+\.json$")
_SWAP_DRAFT = re.compile(r"^swap-\d+-\d+\.tmp$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a job stages and publishes; ``output`` is relative to the storage."""

    storage: Path
    storage_id: str
    journal: str
    root: str
    output: str
    job: int
    token: int

    def identity(self) -> dict[str, Any]:
        """Return what a manifest says of the run that made a folder."""
        return {
            "job": self.job,
            "attempt": self.token,
            "storage": self.storage_id,
            "journal": self.journal,
            "output": self.output,
        }

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, for the child that makes the staging folder."""
        return asdict(self) | {"storage": str(self.storage)}

    @property
    def staging_root(self) -> Path:
        """The folder beside the results in which everything is made."""
        return self.storage / self.root / f"{STAGING}{self.storage_id}"

    @property
    def staging(self) -> Path:
        """The folder of this very run."""
        return self.staging_root / f"{self.job}-{self.token}"

    @property
    def work(self) -> Path:
        """The folder that outlives failed attempts of this job."""
        return self.staging_root / f"{WORK}{self.job}"

    @property
    def target(self) -> Path:
        """Where readers find the results."""
        return self.storage / self.output

    @property
    def swap_note(self) -> Path:
        """The note of an exchange in two steps that this run has begun."""
        return self.staging_root / f"swap-{self.job}-{self.token}.json"


def prepare(place: Place) -> None:
    """Make the staging folder, empty.

    Raises:
        OSError: The output cannot be written to.
    """
    if place.staging.exists():
        shutil.rmtree(place.staging)
    make_folders(place.storage, place.staging)


def publish(place: Place, artifacts: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> None:
    """Check what a run made, describe it in a manifest, and put it into place.

    Raises:
        DaemonError: The run's own list of artifacts is wrong (a bug in a handler).
        OSError: The output cannot be written to now.
    """
    if place.swap_note.exists():
        # An earlier try was stopped between its two renames, or behind them.
        _complete_swap(place.storage, place.swap_note)
        return
    if published(place) is not None:
        # An earlier try got this far, and failed only in clearing up behind it.
        if place.staging.exists():
            _let_go(place.staging, place.target)
        return
    refuse_strangers(place.staging)
    described = [_checked(place.staging, artifact) for artifact in artifacts]
    _remove_unlisted(place.staging, {artifact["path"] for artifact in described})
    _refuse_obstacle(place)
    kept = _keep_edits(place.target, place.staging)
    made = {"artifacts": described, "kept": kept}
    manifest.write(place.staging, dict(facts) | place.identity() | made)
    make_folders(place.storage, place.target.parent)
    _make_durable(place.staging, place.target.parent.stat())
    if place.target.exists():
        _replace(place)
    else:
        rename(place.staging, place.target, NOREPLACE)
        sync_folder(place.target.parent)


def refuse_strangers(staging: Path) -> None:
    """Through a link, results would come from elsewhere, and rights be changed there.

    Raises:
        DaemonError: There is something else.
    """
    for current, folders, names in os.walk(staging):
        for path in (Path(current) / name for name in (*folders, *names)):
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                relative = path.relative_to(staging)
                raise DaemonError(f"a handler made what is neither file nor folder: {relative}")


def _refuse_obstacle(place: Place) -> None:
    """What a person put where a folder belongs is waited for, never swapped away."""
    target = place.target
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        what = f"{place.output} is in the way of the results; move it elsewhere"
        raise FileExistsError(errno.EEXIST, what, str(target))


def _checked(staging: Path, artifact: Mapping[str, Any]) -> dict[str, Any]:
    progressing()
    relative = PurePosixPath(artifact["path"])
    if relative.is_absolute() or ".." in relative.parts or str(relative) == manifest.MANIFEST:
        raise DaemonError(f"a handler named an artifact outside its folder: {relative}")
    if relative.parts[:1] == (DAY,):
        raise DaemonError(f"a handler named an artifact where a day's results go: {relative}")
    try:
        info = (staging / relative).lstat()
    except FileNotFoundError:
        raise DaemonError(f"a handler named an artifact that it did not make: {relative}") from None
    if not stat.S_ISREG(info.st_mode) or info.st_size != artifact["size"]:
        raise DaemonError(f"an artifact is not what its handler said: {relative}")
    return dict(artifact) | {"path": str(relative)}


def _remove_unlisted(staging: Path, listed: set[str]) -> None:
    """Scratch files of a handler are no results."""
    for name in list(manifest.files_in(staging)):
        if name not in listed:
            (staging / name).unlink()


def _keep_edits(old: Path, new: Path) -> list[str]:
    """Copy what people edited or added in the old folder beside the new results."""
    if not old.is_dir():
        return []
    return [_keep(old, new, name) for name in manifest.touched_by_people(old)]


def _keep(old: Path, new: Path, name: str) -> str:
    progressing()
    source = old / name
    wanted = new / name
    if _same(source, wanted):
        return name
    number = 1
    while wanted.exists():
        ending = ".edited" if number == 1 else f".edited-{number}"
        wanted = (new / name).with_name(f"{Path(name).stem}{ending}{Path(name).suffix}")
        if _same(source, wanted):
            return str(wanted.relative_to(new))
        number += 1
    wanted.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, wanted)
    sync(wanted)
    sync_folder(wanted.parent)
    return str(wanted.relative_to(new))


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and manifest.xxh3_of(one) == manifest.xxh3_of(other)


def _make_durable(folder: Path, parent: os.stat_result) -> None:
    """Bring every file and folder to the disk, with the right group and mode."""
    for current, _, names in os.walk(folder, topdown=False):
        for name in names:
            path = Path(current) / name
            inherit(path, parent)
            sync(path)
            progressing()
        inherit(Path(current), parent)
        sync_folder(Path(current))


def _replace(place: Place) -> None:
    """Swap the new folder with the published one, then let the old one go."""
    if manifest.read(place.target) is None:
        # A card's day that was published before it, or what a person put there: after a kill
        # nothing inside would tell the sweep whose place it was.
        _replace_in_steps(place)
        return
    # It may have followed its source; after a kill the sweep asks it where its place was.
    manifest.rehome(place.target, place.output, place.swap_note.with_suffix(".tmp"))
    try:
        rename(place.staging, place.target, EXCHANGE)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        _replace_in_steps(place)
        return
    sync_folder(place.target.parent)
    sync_folder(place.staging_root)
    _let_go(place.staging, place.target)


def _let_go(old: Path, new: Path) -> None:
    """Delete a replaced folder; an edit that came in the last moment is kept first."""
    _hand_over(old, new)
    shutil.rmtree(old)


def _hand_over(old: Path, new: Path) -> None:
    """Give what is not of the old results alone to the new: a day's results, people's edits."""
    if manifest.holds_day(old):
        if (new / DAY).exists():
            _keep_edits(old / DAY, new / DAY)
        else:
            rename(old / DAY, new / DAY, NOREPLACE)
            sync_folder(new)
    _keep_edits(old, new)


def _replace_in_steps(place: Place) -> None:
    """Replace by two renames, noted on disk first so that a restart completes them."""
    aside = place.staging_root / f"{place.job}-0{place.token}"
    note = place.swap_note
    names = {"staging": place.staging.name, "aside": aside.name, "target": place.output}
    temporary = note.with_suffix(".tmp")
    temporary.write_text(json.dumps(names), encoding="utf-8")
    sync(temporary)
    temporary.rename(note)
    sync_folder(place.staging_root)
    _complete_swap(place.storage, note)


def _complete_swap(storage: Path, note: Path) -> None:
    """Do what of a noted replacement is not done yet; any number of times."""
    names = json.loads(note.read_text(encoding="utf-8"))
    staging, aside = note.parent / names["staging"], note.parent / names["aside"]
    target = _inside(storage, names["target"])
    if staging.is_dir():
        if target.is_dir() and not aside.exists():
            target.rename(aside)
        staging.rename(target)
        sync_folder(target.parent)
    if aside.is_dir():
        _hand_over(aside, target)
    # Before anything is deleted: a folder deleted in part looks as if people had changed it.
    note.unlink()
    sync_folder(note.parent)
    if aside.is_dir():
        shutil.rmtree(aside)


def _inside(storage: Path, relative: str) -> Path:
    path = PurePosixPath(relative)
    if path.is_absolute() or ".." in path.parts:
        raise DaemonError(f"a path leaves the storage: {relative}")
    return storage / path


def sweep(storage: Path, root: str, storage_id: str) -> None:
    """Clear what earlier runs left in a staging folder, before anything new starts.

    Only what this storage's daemon made is touched. A replaced folder that was
    still to be let go gives its edits to the one that replaced it.
    """
    folder = storage / root / f"{STAGING}{storage_id}"
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir(), reverse=True):
        if _SWAP.match(path.name):
            _complete_swap(storage, path)
        elif _SWAP_DRAFT.match(path.name):
            path.unlink()
    for path in sorted(folder.iterdir()):
        if _STAGED.match(path.name) and path.is_dir() and not path.is_symlink():
            _sweep_one(storage, path)


def _sweep_one(storage: Path, path: Path) -> None:
    output = _replaced_output(path)
    if output is not None:
        target = _inside(storage, output)
        if manifest.holds_day(path):
            # Nobody would make it again, even where what it was handed over to is gone.
            make_folders(storage, target)
        if target.is_dir():
            _hand_over(path, target)
    shutil.rmtree(path)


def _replaced_output(path: Path) -> str | None:
    """Return where a folder in staging was published before another took its place."""
    found = manifest.read(path)
    if found is not None:
        return None if path.name == f"{found.job}-{found.token}" else found.output
    # Nothing was published there but a day, inside.
    day = manifest.read(path / DAY)
    return None if day is None else str(PurePosixPath(day.output).parent)


def published(place: Place) -> Manifest | None:
    """Return the manifest of this very claim's results, if they are in place."""
    found = manifest.read(place.target)
    own = place.job, place.token, place.storage_id, place.journal
    if found is None or not found.is_of(*own):
        return None
    return found


def move(storage: Path, source: str, target: str) -> None:
    """Let a published folder follow its renamed source; done before is done.

    Without a manifest it is a person's folder, or nothing was published there yet.

    Raises:
        OSError: It cannot be moved now, or something is in its way.
    """
    old, new = _inside(storage, source), _inside(storage, target)
    if not (old / manifest.MANIFEST).is_file():
        return
    if manifest.published_anew(old, new, target):
        _let_go(old, new)
        return
    if manifest.came_along(old, new, source):
        _let_go(new, old)
    if manifest.day_came_first(old, new, target):
        _take_day(old, new)
    if new.exists():
        what = f"{target} is in the way; move it elsewhere"
        raise FileExistsError(errno.EEXIST, what, str(new))
    make_folders(storage, new.parent)
    rename(old, new, NOREPLACE)
    sync_folder(new.parent)
    sync_folder(old.parent)
    with contextlib.suppress(OSError):
        old.parent.rmdir()


def _take_day(old: Path, new: Path) -> None:
    """Give a card's results the newer day that lies alone where they are about to go."""
    if (old / DAY).exists():
        _let_go(old / DAY, new / DAY)
    rename(new / DAY, old / DAY, NOREPLACE)
    sync_folder(old)
    new.rmdir()


def discard(place: Place) -> None:
    """Remove the staging folder of a run that will not be published.

    What was exchanged already only goes forward: the old results, and edits in them, are not lost.
    """
    if place.swap_note.exists():
        _complete_swap(place.storage, place.swap_note)
    elif place.staging.exists():
        _sweep_one(place.storage, place.staging)
