"""What a configuration means: what is watched, how, and where the results go."""

from __future__ import annotations

from typing import Any

from daemon.plan import Plan
from daemon.storage import choose_mode, file_system_of, read_mounts


def explain(plan: Plan) -> dict[str, Any]:
    """Return the meaning of a checked configuration as plain JSON values."""
    mounts = read_mounts()
    watches = []
    for watch in plan.watches:
        kind = file_system_of(plan.storage / watch.folder, mounts)
        runs = [
            {
                "handler": run.spec.name,
                "version": run.spec.version,
                "kinds": sorted(run.spec.kinds),
                "output": run.output,
                "params": run.params.model_dump(mode="json"),
            }
            for run in watch.runs
        ]
        mode = str(choose_mode(watch.mode, kind))
        watches.append({"folder": watch.folder, "mode": mode, "file_system": kind, "runs": runs})
    return {
        "config": str(plan.file),
        "storage": str(plan.storage),
        "state": str(plan.state),
        "watches": watches,
    }
