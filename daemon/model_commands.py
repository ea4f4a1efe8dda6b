"""``fxd models``: what is offered and what was learnt; installing, pinning, removing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from daemon.errors import DaemonError, NoJournalError
from daemon.journal import open_reader
from daemon.status import state_folder
from models import bundle, catalog
from models.catalog import CatalogEntry, ShippedEntry
from models.errors import ModelError

Entry = CatalogEntry | ShippedEntry


def models_folder(config: Path) -> Path:
    """Return where the models of a storage live."""
    return state_folder(config) / "models"


def listing(config: Path) -> list[dict[str, Any]]:
    """Return every model of the catalog with its state here, then the effects learnt here."""
    folder = models_folder(config)
    entries = catalog.catalog()
    rows = [_row(folder, entry.name, entry) for entry in entries.values()]
    learnt = {info.name for info in bundle.installed(folder)} - entries.keys()
    return rows + [_row(folder, name, None) for name in sorted(learnt)]


def _row(folder: Path, name: str, entry: Entry | None) -> dict[str, Any]:
    found = bundle.find(folder, name)
    return {
        "name": name,
        "version": found.version if found else entry and entry.version,
        "state": _state(found),
        "licence": entry.licence if entry else found and found.facts.licence,
        "versions": [info.version for info in bundle.versions(folder, name)],
        "pinned": bundle.pinned(folder, name) is not None,
        "metrics": dict(found.facts.metrics) if found else {},
    }


def _state(found: bundle.BundleInfo | None) -> str:
    if found is None:
        return "not installed"
    if found.path.is_relative_to(bundle.SHIPPED):
        return "part of fxd"
    return "learnt" if found.name.startswith(bundle.LEARNT) else "installed"


def show(config: Path, name: str) -> list[dict[str, Any]]:
    """Return the facts of each version of a model, oldest first.

    Raises:
        ModelError: There is none of that name.
    """
    folder = models_folder(config)
    found = _versions(folder, name)
    used = bundle.find(folder, found[0].name)
    return [
        info.to_json()
        | {"path": str(info.path), "used": used is not None and info.version == used.version}
        for info in found
    ]


def _versions(folder: Path, name: str) -> list[bundle.BundleInfo]:
    """Return the versions of a model, or of the effect that is learnt under that name."""
    for each in (name, bundle.LEARNT + name.lower()):
        if found := bundle.versions(folder, each):
            return found
    raise ModelError(f"There is no model and no learnt effect {name!r}; see 'fxd models list'.")


def pin(config: Path, name: str, version: str | None) -> str:
    """Have new jobs use a version, or with None the newest; return what was done.

    Raises:
        ModelError: There is no such model or version.
        DaemonError: The models belong to another user.
    """
    folder = _own_folder(config)
    name = _versions(folder, name)[-1].name
    bundle.pin(folder, name, version)
    found = bundle.find(folder, name)
    how = "whatever newer ones come" if version else "the newest"
    return f"new jobs use {name} {found.version if found else ''}, {how}"


def remove(config: Path, name: str, version: str | None) -> list[str]:
    """Delete a version of a model, or all; return what was done, a line each.

    Raises:
        ModelError: There is none, it is part of fxd, or a job needs it.
        DaemonError: The models belong to another user.
    """
    folder = _own_folder(config)
    found = _versions(folder, name)
    wanted = [info for info in found if version in {None, info.version}]
    own = [info for info in wanted if not info.path.is_relative_to(bundle.SHIPPED)]
    if not wanted:
        there = ", ".join(info.version for info in found)
        raise ModelError(f"There is no {found[0].name} {version}; there is: {there}.")
    if not own:
        raise ModelError(f"{found[0].name} is part of fxd and cannot be removed.")
    for info in own:
        _refuse_needed(config, info)
    for info in own:
        bundle.remove(info)
    return [f"removed {info.name} {info.version}" for info in own]


def _own_folder(config: Path) -> Path:
    folder = models_folder(config)
    if folder.is_dir() and not os.access(folder, os.W_OK):
        raise DaemonError(f"{folder} belongs to the service's user; give this order as that user")
    return folder


def _refuse_needed(config: Path, info: bundle.BundleInfo) -> None:
    """A job runs with the version that it was journaled with."""
    try:
        connection = open_reader(state_folder(config))
    except NoJournalError:
        return
    with closing(connection):
        rows = connection.execute(
            "SELECT id, models FROM job WHERE state IN ('queued', 'running')"
        ).fetchall()
    jobs = [row[0] for row in rows if json.loads(row[1]).get(info.name) == info.version]
    if jobs:
        which = f"job {jobs[0]} needs it" if len(jobs) == 1 else f"{len(jobs)} jobs need it"
        raise ModelError(f"{info.name} {info.version} stays: {which}; wait, or cancel first.")


def install(config: Path, name: str, source: Path | None) -> Iterator[str]:
    """Install a model, saying what happens.

    Raises:
        ModelError: It is not in the catalog, cannot be had, or is not what it should be.
    """
    said: list[str] = []
    info = catalog.install(name, models_folder(config), source, said.append)
    yield from said
    yield f"{name} {info.version} is installed in {info.path}"
