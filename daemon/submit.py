"""``fxd submit``: run an asset again with today's settings.

Apart from the other commands because it alone needs the configuration.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from daemon.commands import Answer, counted
from daemon.days import path_of_day
from daemon.errors import DaemonError
from daemon.model_store import ModelVersions, new_job
from daemon.outputs import within
from daemon.plan import Plan, Run, default_output
from daemon.store import Store
from handlers.contract import AssetKind


def submit(
    store: Store, plan: Plan, models: ModelVersions, request: Mapping[str, Any], now: float
) -> Answer:
    """Run an asset again, or with a handler that its watch does not name.

    Raises:
        DaemonError: The asset is not known, or nothing takes it.
    """
    handler = request.get("handler")
    row = _asset(store, plan, os.fsencode(str(request["path"])), handler)
    if row is None:
        raise DaemonError(
            f"{request['path']} is not known: it is not whole yet, or in no watched folder"
        )
    if row["kind"] == AssetKind.EXAMPLES and (why := store.jobs.namesake(row["path"])):
        raise DaemonError(why)
    jobs = [
        replace(
            new_job(run, models, within(row["path"], row["watch"])),
            inputs=store.jobs.inputs_of(row["id"], run.spec.name),
        )
        for run in _runs_for(plan, dict(row), handler)
    ]
    if refused := [job.rejected for job in jobs if job.rejected]:
        raise DaemonError("; ".join(refused))
    ids = [store.add_job(row["id"], job, now, again=True) for job in jobs]
    return {"message": f"{counted(ids)} queued", "jobs": ids}


def _asset(store: Store, plan: Plan, path: bytes, handler: str | None) -> sqlite3.Row | None:
    """Return the asset of that name: the day of a folder, or of a card for a handler of days."""
    spec = plan.specs.get(handler or "")
    rows = [store.asset_by_path(path), store.asset_by_path(path_of_day(path))]
    known = [row for row in rows if row is not None]
    taken = [row for row in known if spec is not None and row["kind"] in spec.kinds]
    return next(iter(taken + known), None)


def _runs_for(plan: Plan, row: Mapping[str, Any], handler: str | None) -> list[Run]:
    watch = next((w for w in plan.watches if w.folder == row["watch"]), None)
    configured = [
        run
        for run in (watch.runs if watch else ())
        if row["kind"] in run.spec.kinds and handler in {None, run.spec.name}
    ]
    if configured:
        return configured
    spec = plan.specs.get(handler or "")
    if spec is None and handler:
        raise DaemonError(f"no handler '{handler}'; there are {', '.join(sorted(plan.specs))}")
    if spec is None or row["kind"] not in spec.kinds:
        what = f"handler '{handler}' does not take" if handler else "no handler here takes"
        raise DaemonError(f"{what} a {row['kind']}")
    output = default_output(row["watch"], spec)
    return [Run(spec=spec, params=spec.params(), output=output)]
