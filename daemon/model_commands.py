"""``fxd models``: what the catalog offers, and installing it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from daemon.status import state_folder
from models import bundle, catalog


def models_folder(config: Path) -> Path:
    """Return where the models of a storage live."""
    return state_folder(config) / "models"


def listing(config: Path) -> list[dict[str, Any]]:
    """Return every model of the catalog with its state here."""
    folder = models_folder(config)
    rows = []
    for entry in catalog.catalog().values():
        found = bundle.find(folder, entry.name)
        rows.append(
            {
                "name": entry.name,
                "version": found.version if found else entry.version,
                "state": _state(found),
                "licence": entry.licence,
            }
        )
    return rows


def _state(found: bundle.BundleInfo | None) -> str:
    if found is None:
        return "not installed"
    return "part of fxd" if found.path.is_relative_to(bundle.SHIPPED) else "installed"


def install(config: Path, name: str, source: Path | None) -> Iterator[str]:
    """Install a model, saying what happens.

    Raises:
        ModelError: It is not in the catalog, cannot be had, or is not what it should be.
    """
    said: list[str] = []
    info = catalog.install(name, models_folder(config), source, said.append)
    yield from said
    yield f"{name} {info.version} is installed in {info.path}"
