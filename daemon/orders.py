"""What a run is told, and what its manifest says of it. Pure: from a claimed job's row."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from daemon.active import Active
from daemon.executor import Task
from daemon.outputs import within
from handlers.contract import AssetKind, HandlerSpec

_SEED = 20_240_101


def task(active: Active, spec: HandlerSpec) -> Task:
    """Return a claimed job as an executor needs it."""
    row = active.row
    order = {
        "op": "run",
        "id": active.id,
        "token": active.token,
        "handler": spec.name,
        "place": active.place.to_json(),
        "asset": described(row),
        "params": json.loads(row["params"]),
        "inputs": active.inputs,
        "seed": _SEED,
        "models": json.loads(row["models"]),
        "resumes": spec.resumes,
    }
    return Task(job=active.id, token=active.token, handler=spec.name, needs=spec.needs, order=order)


def described(row: sqlite3.Row) -> dict[str, Any]:
    """Return an asset as a child needs it, from a row with its columns as ``asset_*``."""
    return {
        "path": os.fsdecode(row["asset_path"]),
        "within": within(row["asset_path"], row["asset_watch"]),
        "kind": AssetKind(row["asset_kind"]),
        "fingerprint": row["fingerprint"],
        "signature": row["asset_signature"].hex(),
        "members": json.loads(row["asset_members"]),
        "facts": json.loads(row["asset_facts"]),
    }


def facts(active: Active, spec: HandlerSpec, models: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the manifest says of how results were made."""
    row = active.row
    given = [item["asset"] for item in active.inputs]
    metrics = dict(active.outcome.metrics) if active.outcome else {}
    return {
        "source": {
            "path": os.fsdecode(row["asset_path"]),
            "fingerprint": row["fingerprint"],
        },
        "handler": {"name": row["handler"], "version": row["handler_version"]},
        # A run may know better than its handler what its models do.
        "treatment": metrics.get("treatment", spec.treatment),
        "inputs": [{"path": item["path"], "fingerprint": item["fingerprint"]} for item in given],
        "models": list(models),
        "params": json.loads(row["params"]),
        "seed": _SEED,
        "metrics": metrics,
    }
