"""What ``fxd status`` and ``fxd show`` say: read from the journal and the status file.

Imports neither pydantic nor structlog nor TensorFlow, so that it answers at once.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from daemon.errors import NoJournalError, NoSuchJobError
from daemon.jobs import JobState
from daemon.journal import lock_holder, open_reader
from daemon.locate import read_yaml, state_of
from daemon.status_file import read_status, text

_RECENT = 20


def state_folder(config: Path) -> Path:
    """Return the state folder that a configuration file names."""
    return state_of(read_yaml(config), config)


def gather(config: Path) -> dict[str, Any]:
    """Return everything ``fxd status`` shows, as plain JSON values.

    Raises:
        ConfigError: The configuration cannot be read.
        DaemonError: The journal cannot be read.
    """
    data = read_yaml(config)
    state = state_of(data, config)
    holder = lock_holder(state)
    live = read_status(state) if holder is not None else {}
    try:
        connection = open_reader(state)
    except NoJournalError:
        return _nothing_yet(data, holder)
    try:
        return _assembled(connection, data, holder, live)
    finally:
        connection.close()


def _nothing_yet(data: dict[str, Any], holder: int | None) -> dict[str, Any]:
    return {
        "daemon": _daemon(holder, {}),
        "watches": _watches(data, {}, {}),
        "jobs": {str(state): 0 for state in JobState},
        "running": [],
        "waiting": [],
        "waiting_count": 0,
        "blocked": {},
        "problems": [],
        "recent": [],
    }


def _assembled(
    connection: sqlite3.Connection, data: dict[str, Any], holder: int | None, live: dict[str, Any]
) -> dict[str, Any]:
    return {
        "daemon": _daemon(holder, live),
        "watches": _watches(data, live, _asset_counts(connection)),
        "jobs": _job_counts(connection, alive=holder is not None),
        "running": live.get("running", []),
        "waiting": live.get("waiting", []) + _held(connection),
        "waiting_count": live.get("waiting_count", 0),
        "blocked": live.get("blocked", {}),
        "problems": live.get("problems", []),
        "recent": _recent(connection),
    }


def _daemon(holder: int | None, live: dict[str, Any]) -> dict[str, Any]:
    return {
        "running": holder is not None,
        "pid": holder,
        "since": live.get("since"),
        "version": live.get("version") or _version(),
        "paused": live.get("paused", False),
        "config_error": live.get("config_error", ""),
    }


def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415 - slow, and seldom needed

    return version("fxd")


def _watches(
    data: dict[str, Any], live: dict[str, Any], counts: dict[str, int]
) -> list[dict[str, Any]]:
    if live.get("watches"):
        return [watch | {"assets": counts.get(watch["folder"], 0)} for watch in live["watches"]]
    folders = [str(w.get("folder")) for w in data.get("watches") or [] if isinstance(w, dict)]
    return [
        {"folder": f, "mode": None, "state": "stopped", "assets": counts.get(f, 0)} for f in folders
    ]


def _asset_counts(connection: sqlite3.Connection) -> dict[str, int]:
    rows = connection.execute(
        "SELECT watch, COUNT(*) FROM asset WHERE gone_at IS NULL GROUP BY watch"
    )
    return {row[0]: row[1] for row in rows}


def _job_counts(connection: sqlite3.Connection, *, alive: bool) -> dict[str, int]:
    counts = {str(state): 0 for state in JobState}
    counts |= dict(connection.execute("SELECT state, COUNT(*) FROM job GROUP BY state").fetchall())
    if not alive:
        # What ran when the daemon was killed is queued again by the next one.
        counts["queued"] += counts["running"]
        counts["running"] = 0
    return counts


def _held(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return queued jobs that wait for something named."""
    rows = connection.execute(
        "SELECT asset.path, asset.size, job.reason FROM job JOIN asset ON asset.id = job.asset_id"
        " WHERE job.state = 'queued' AND job.reason <> '' AND asset.gone_at IS NULL LIMIT 200"
    )
    return [{"path": text(row[0]), "size": row[1], "reason": row[2]} for row in rows]


_JOB_COLUMNS = (
    "SELECT job.id, job.handler, job.state, job.reason, job.changed_at, job.attempts,"
    " asset.path AS path, output.path AS output FROM job JOIN asset ON asset.id = job.asset_id"
    " LEFT JOIN output ON output.asset_id = job.asset_id AND output.handler = job.handler"
)


def _recent(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    rows = connection.execute(
        f"{_JOB_COLUMNS} WHERE job.state NOT IN ('queued', 'running')"
        " ORDER BY job.changed_at DESC, job.id DESC LIMIT ?",
        (_RECENT,),
    )
    return [_described(row) for row in rows]


def _described(row: sqlite3.Row) -> dict[str, Any]:
    done = row["state"] == JobState.DONE
    return {
        "id": row["id"],
        "asset": text(row["path"]),
        "handler": row["handler"],
        "status": row["state"],
        "error": "" if done else row["reason"],
        "output": text(row["output"]) if done and row["output"] else None,
        "at": row["changed_at"],
    }


def show(config: Path, job_id: int) -> dict[str, Any]:
    """Return everything about one job, its history included.

    Raises:
        NoSuchJobError: There is none with this number.
    """
    connection = open_reader(state_folder(config))
    try:
        row = connection.execute(f"{_JOB_COLUMNS} WHERE job.id = ?", (job_id,)).fetchone()
        if row is None:
            raise NoSuchJobError(f"there is no job {job_id}; 'fxd status' lists them")
        more = connection.execute("SELECT * FROM job WHERE id = ?", (job_id,)).fetchone()
        events = connection.execute(
            "SELECT at, before, after, change, reason FROM job_event WHERE job_id = ? ORDER BY id",
            (job_id,),
        )
        kept = ("fingerprint", "handler_version", "attempts", "waits_for", "traceback")
        return (
            _described(row)
            | {name: more[name] for name in kept}
            | {name: json.loads(more[name]) for name in ("params", "models", "metrics")}
            | {"history": [dict(event) for event in events]}
        )
    finally:
        connection.close()
