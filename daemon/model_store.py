"""Which models are installed, as the journal and the manifests need to know it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from daemon.awaited import Awaited
from daemon.jobstore import NewJob
from daemon.plan import Run
from models import bundle
from models.errors import ModelError

log = structlog.get_logger()

ModelVersions = Callable[[Iterable[str]], dict[str, str | None]]


class ModelStore:
    """Looks bundles up, and remembers what it found until told to ``forget``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, tuple[int, str | None]] = {}

    def forget(self) -> None:
        """Look again next time: a model may have been installed meanwhile."""
        self._known.clear()

    def versions(self, names: Iterable[str]) -> dict[str, str | None]:
        """Return the version of each model that is in use, None where there is none."""
        return {name: self._version(name) for name in names}

    def _version(self, name: str) -> str | None:
        # A version that comes or goes, and a pin, change the time of the name's folder.
        stamp = _changed(self._folder / name)
        if name not in self._known or self._known[name][0] != stamp:
            found = bundle.find(self._folder, name)
            self._known[name] = stamp, None if found is None else found.version
        return self._known[name][1]

    def learnt(self) -> list[str]:
        """Return the names of the effects that were learnt from examples."""
        names = {info.name for info in bundle.installed(self._folder)}
        return sorted(n[len(bundle.LEARNT) :] for n in names if n.startswith(bundle.LEARNT))

    def describe(self, models: Mapping[str, str | None]) -> list[dict[str, Any]]:
        """Return what a manifest says about the models that a job used."""
        return [self._describe(name, version) for name, version in models.items()]

    def _describe(self, name: str, version: str | None) -> dict[str, Any]:
        said: dict[str, Any] = {"name": name, "version": version}
        try:
            info = bundle.exactly(self._folder, name, version or "")
        except ModelError:
            return said
        if info is None:
            return said
        return said | {
            "licence": info.facts.licence,
            "origin": info.facts.origin,
            "training_data": info.facts.training_data,
            "sha256": info.sha256,
        }


def _changed(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


def new_job(run: Run, versions: ModelVersions, within: str) -> NewJob:
    """Return the job of a configured run; it waits where a model is not installed.

    It is rejected where the handler cannot say which models it needs. ``within`` is the asset's
    path relative to its watched folder.
    """
    further, rejected = _further(run, within)
    models = versions(dict.fromkeys((*run.spec.models, *further)))
    missing = [name for name, version in models.items() if version is None]
    extra = versions(run.spec.optional_models)
    models |= {name: version for name, version in extra.items() if version is not None}
    return NewJob(
        handler=run.spec.name,
        handler_version=run.spec.version,
        output_root=run.output,
        params=run.params_json,
        models=models,
        priority=run.priority,
        waits_for=Awaited().reason(missing) if missing else None,
        rejected=rejected,
        path_matters=partial(_taken_from, run) if run.spec.path_matters else None,
    )


def _further(run: Run, within: str) -> tuple[tuple[str, ...], str]:
    """Return the models that a handler names for a path, or why it fails to.

    A handler may be anybody's, and the daemon outlives whatever that raises.
    """
    if run.spec.models_for is None:
        return (), ""
    try:
        return tuple(run.spec.models_for(run.params, within)), ""
    except Exception as error:  # noqa: BLE001 - a third party's function may raise anything
        _broken(run, within, error)
        what = f"{type(error).__name__}: {error}".partition("\n")[0]
        return (), f"handler '{run.spec.name}' cannot say which models it needs here ({what})"


def _taken_from(run: Run, within: str) -> str:
    """Return what a handler takes from a path: all of it, where it cannot say."""
    assert run.spec.path_matters is not None  # noqa: S101 - asked for only where there is one
    try:
        return run.spec.path_matters(run.params, within)
    except Exception as error:  # noqa: BLE001 - as above
        _broken(run, within, error)
        return within


def _broken(run: Run, within: str, error: Exception) -> None:
    trace = "".join(traceback.format_exception(error))
    log.warning("a handler raises when asked", handler=run.spec.name, path=within, trace=trace)
