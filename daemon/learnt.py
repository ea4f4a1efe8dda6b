"""Models that runs have trained: from their staging folders into the model store.

First a copy is made that no reader sees, then the results are published, then the copy gets its
name. So no job ever finds a model of a run that was not published, and after a kill the manifest
says which is so (see Runs.recover).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from daemon import publish
from daemon.disk import sync, sync_folder
from daemon.errors import DaemonError
from daemon.liveness import progressing
from daemon.publish import Place
from models import bundle
from models.bundle import BundleInfo
from models.errors import ModelError

_HIDDEN = ".learnt-"


def _aside(models: Path, place: Place) -> Path:
    return models / f"{_HIDDEN}{place.journal}-{place.job}-{place.token}"


def stage(models: Path, place: Place, bundles: Sequence[str]) -> list[dict[str, Any]]:
    """Copy a run's bundles into the model store, hidden; return what a manifest says of them.

    Raises:
        DaemonError: One is not what it should be (a bug in a handler).
        OSError: The model store cannot be written to.
    """
    discard(models, place)
    publish.refuse_strangers(place.staging)
    found = [_checked(models, place, each) for each in bundles]
    try:
        return [_copy(models, place, info) for info in found]
    except PermissionError as error:
        what = f"{models} takes no models ({error.strerror}); give it to the service's user"
        raise PermissionError(error.errno, what) from error


def _checked(models: Path, place: Place, relative: str) -> BundleInfo:
    path = PurePosixPath(relative)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise DaemonError(f"a handler named a model outside its folder: {relative}")
    folder = place.staging / path
    try:
        info = bundle.read(folder)
        known = bundle.exactly(models, info.name, info.version)
    except ModelError as error:
        raise DaemonError(f"a handler made a model that cannot be read: {error}") from error
    if not info.name.startswith(bundle.LEARNT):
        raise DaemonError(f"a handler may not replace the model {info.name}")
    if not info.is_whole():
        raise DaemonError(f"a handler made a model whose hash is another: {relative}")
    if known is not None and known.sha256 != info.sha256:
        raise DaemonError(f"{info.name} {info.version} is there and is another model; run it again")
    return info


def _copy(models: Path, place: Place, info: BundleInfo) -> dict[str, Any]:
    target = _aside(models, place) / info.name / info.version
    for current, _, names in os.walk(info.path):
        copied = target / Path(current).relative_to(info.path)
        copied.mkdir(parents=True, exist_ok=True)
        for name in names:
            progressing()
            shutil.copyfile(Path(current) / name, copied / name)
            sync(copied / name)
        sync_folder(copied)
    sync_folder(target.parent)
    return {"name": info.name, "version": info.version, "sha256": info.sha256}


def reveal(models: Path, place: Place) -> None:
    """Give what was copied its name, now that the results are published; done before is done."""
    aside = _aside(models, place)
    for folder in sorted(aside.glob("*/*")):
        target = models / folder.parent.name / folder.name
        target.parent.mkdir(exist_ok=True)
        if target.exists():
            shutil.rmtree(folder)
        else:
            folder.rename(target)
        sync_folder(target.parent)
    discard(models, place)


def discard(models: Path, place: Place) -> None:
    """Let go of what was copied of a run that is not published."""
    if (aside := _aside(models, place)).exists():
        shutil.rmtree(aside)


def sweep(models: Path, journal: str) -> None:
    """Let go of what earlier runs left behind, once those published have got their names."""
    for path in models.glob(f"{_HIDDEN}{journal}-*"):
        shutil.rmtree(path)
