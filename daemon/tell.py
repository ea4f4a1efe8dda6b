"""Tells people what goes on: a status file for the command line, text files in the outputs.

``_status.txt`` and ``_failed/<asset>.txt`` are for those who only use folders.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from daemon.disk import make_folders
from daemon.jobs import JobState
from daemon.outputs import is_inside
from daemon.settle import Pending, Stage
from daemon.status_file import text

STATUS_TEXT = "_status.txt"
FAILED = "_failed"
_MOST_LINES = 200
_LONGEST_NAME = 255


def describe_pending(pending: Pending) -> dict[str, Any]:
    """Return a thing that is not journaled yet, with the reason why."""
    stages = {
        Stage.SETTLING: "copying, or still for less than its quiet time",
        Stage.CHECKING: "being looked into",
    }
    return {
        "path": text(pending.look.path),
        "size": pending.look.size,
        "reason": pending.reason or stages.get(pending.stage, ""),
        "stage": str(pending.stage),
    }


def status_lines(
    root: str,
    watch: str,
    waiting: Iterable[Mapping[str, Any]],
    jobs: Iterable[Mapping[str, Any]],
    *,
    problems: Iterable[Mapping[str, str]] = (),
    paused: bool = False,
) -> list[str]:
    """Return the lines of one output's ``_status.txt``: what is wrong, copying, waits, runs."""
    lines = [
        f"problem   {problem['folder']}: {problem['what']}"
        for problem in problems
        if is_inside(problem["folder"], watch)
    ]
    lines += [
        f"{_arriving(item):<9} {item['path']}: {item['reason']}"
        for item in waiting
        if is_inside(item["path"], watch)
    ]
    lines += [
        f"{job['state']:<9} {job['asset']}{_detail(job)}" for job in jobs if job["root"] == root
    ]
    if paused and lines:
        lines.insert(0, "paused    what runs goes on, nothing new starts until 'fxd resume'")
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], f"… and {len(lines) - _MOST_LINES} more"]
    return lines


def _arriving(item: Mapping[str, Any]) -> str:
    return "copying" if item["stage"] == Stage.SETTLING else "waiting"


def _detail(job: Mapping[str, Any]) -> str:
    parts = []
    if job.get("progress") is not None:
        parts.append(f"{100 * job['progress']:.0f} %")
    if job.get("message"):
        parts.append(str(job["message"]))
    return f": {' '.join(parts)}" if parts else ""


def write_status_text(storage: Path, root: str, lines: list[str]) -> None:
    """Replace an output's ``_status.txt``; without anything to say it is removed.

    Raises:
        OSError: The output cannot be written to.
    """
    path = storage / root / STATUS_TEXT
    if not lines:
        path.unlink(missing_ok=True)
        return
    make_folders(storage, path.parent)
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    _replace(path, "\n".join([f"fxd, {stamp}", "", *lines]) + "\n")


def _replace(path: Path, content: str) -> None:
    temporary = path.with_name(f".{path.name[:200]}.tmp")
    temporary.write_text(content, encoding="utf-8", errors="backslashreplace")
    temporary.replace(path)


def failed_path(storage: Path, root: str, watch: str, asset: str) -> Path:
    """Return where the sentence about a failed asset goes: ``_failed/day01/A001.mov.txt``."""
    relative = asset.removeprefix(watch + "/")
    parent, _, name = relative.rpartition("/")
    ending = ".txt"
    if len(os.fsencode(name)) > _LONGEST_NAME - len(ending):
        digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
        name = os.fsdecode(os.fsencode(name)[:200]) + f"-{digest}"
    return storage / root / FAILED / parent / (name + ending)


def write_failed(storage: Path, path: Path, job: Mapping[str, Any]) -> None:
    """Say why a job came to nothing, beside the results.

    Raises:
        OSError: The output cannot be written to.
    """
    make_folders(storage, path.parent)
    what = "rejected" if job["state"] == JobState.REJECTED else "failed"
    again = (
        "Put it right, or drop a good copy under the same name, and it runs by itself."
        if job["state"] == JobState.REJECTED
        else f"To try again: fxd retry {job['id']}"
    )
    lines = [f"{job['asset']}: {what}", "", str(job["reason"]), "", again]
    _replace(path, "\n".join(lines) + "\n")


def remove_failed(storage: Path, root: str, path: Path) -> None:
    """Remove the sentence of an asset that went well, and folders left empty by it."""
    path.unlink(missing_ok=True)
    folder, top = path.parent, storage / root
    with suppress(OSError):
        while folder != top:
            folder.rmdir()
            folder = folder.parent


def active_jobs(connection: sqlite3.Connection, limit: int = _MOST_LINES + 1) -> list[sqlite3.Row]:
    """Return queued and running jobs with their assets, running ones first."""
    return connection.execute(
        "SELECT job.id, job.state, job.reason, job.handler, job.output_root AS root, asset.path"
        " FROM job JOIN asset ON asset.id = job.asset_id WHERE job.state = 'running'"
        " UNION ALL SELECT * FROM (SELECT job.id, job.state, job.reason, job.handler,"
        " job.output_root, asset.path FROM job INDEXED BY job_queue"
        " CROSS JOIN asset ON asset.id = job.asset_id"
        " WHERE job.state = 'queued' AND asset.gone_at IS NULL"
        " ORDER BY job.priority DESC, job.id LIMIT ?)",
        (limit,),
    ).fetchall()
