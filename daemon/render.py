"""Status as a person reads it: a table on a terminal, plain text elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Group

_COLOURS = {
    "done": "green",
    "failed": "red",
    "rejected": "yellow",
    "cancelled": "dim",
    "lost": "red",
}


def lines(status: dict[str, Any]) -> Iterator[str]:
    """Yield a status as plain lines."""
    yield _daemon_line(status["daemon"])
    yield from _trouble(status)
    for watch in status["watches"]:
        yield _watch_line(watch)
    counts = ", ".join(f"{count} {state}" for state, count in status["jobs"].items() if count)
    yield f"jobs: {counts or 'none yet'}"
    for job in status["running"]:
        yield f"  runs     #{job['id']} {job['asset']} {job['handler']} {_progress(job)}"
    for item in status["waiting"]:
        yield f"  waits    {item['path']}: {item['reason']}"
    for job in status["recent"]:
        what = job["output"] or job["error"].partition("\n")[0]
        yield f"  {job['status']:<8} #{job['id']} {job['asset']} {job['handler']} {what}"


def _daemon_line(daemon: dict[str, Any]) -> str:
    if not daemon["running"]:
        return f"fxd {daemon['version']} is not running"
    since = daemon["since"]
    age = f" for {_age(time.time() - since)}" if since else ""
    paused = ", paused" if daemon["paused"] else ""
    return f"fxd {daemon['version']} runs{age} (pid {daemon['pid']}){paused}"


def _age(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _trouble(status: dict[str, Any]) -> Iterator[str]:
    if status["daemon"].get("config_error"):
        yield f"the new configuration is not taken: {status['daemon']['config_error']}"
    for reason in status.get("blocked", {}).values():
        yield f"held up: {reason}"
    for problem in status.get("problems", []):
        yield f"in {problem['folder']}: {problem['what']}"


def _watch_line(watch: dict[str, Any]) -> str:
    reason = f": {watch['reason']}" if watch.get("reason") else ""
    mode = f" by {watch['mode']}" if watch["mode"] else ""
    return f"watch {watch['folder']}: {watch['state']}{mode}, {_assets(watch['assets'])}{reason}"


def _assets(count: int) -> str:
    return f"{count} asset" if count == 1 else f"{count} assets"


def _progress(job: dict[str, Any]) -> str:
    share = "" if job["progress"] is None else f"{100 * job['progress']:.0f} % "
    return f"{share}{job['message']}"


def screen(status: dict[str, Any]) -> Group:
    """Return a status as rich tables, for a terminal."""
    from rich.console import Group  # noqa: PLC0415 - only on a terminal
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    head = Text(_daemon_line(status["daemon"]), style="bold")
    trouble = [Text(line, style="red") for line in _trouble(status)]
    watches = Table("watch", "state", "by", "assets", box=None, pad_edge=False)
    for watch in status["watches"]:
        state = Text(watch["state"], style=_COLOURS.get(watch["state"], ""))
        note = f" {watch['reason']}" if watch.get("reason") else ""
        watches.add_row(
            Text(watch["folder"]), state + note, watch["mode"] or "", str(watch["assets"])
        )
    counts = Text("jobs: ")
    counts.append(", ".join(f"{n} {state}" for state, n in status["jobs"].items() if n) or "none")
    jobs = Table("job", "state", "asset", "handler", "", box=None, pad_edge=False)
    for job in status["running"]:
        jobs.add_row(
            str(job["id"]),
            Text("running", style="cyan"),
            Text(job["asset"]),
            job["handler"],
            _bar(job),
        )
    for item in status["waiting"][:20]:
        jobs.add_row("", "waiting", Text(item["path"]), "", Text(item["reason"]))
    for job in status["recent"]:
        what = job["output"] or job["error"].partition("\n")[0]
        state = Text(job["status"], style=_COLOURS.get(job["status"], ""))
        jobs.add_row(str(job["id"]), state, Text(job["asset"]), job["handler"], Text(what))
    return Group(head, *trouble, watches, counts, jobs)


def _bar(job: dict[str, Any]) -> Any:
    from rich.columns import Columns  # noqa: PLC0415 - only on a terminal
    from rich.progress_bar import ProgressBar  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    if job["progress"] is None:
        return Text(job["message"])
    bar = ProgressBar(total=1.0, completed=job["progress"], width=24)
    return Columns([bar, Text(_progress(job))])


def show_lines(job: dict[str, Any]) -> Iterator[str]:
    """Yield one job with its history as plain lines."""
    yield f"job {job['id']}: {job['handler']} {job['handler_version']} on {job['asset']}"
    yield f"state: {job['status']}" + (f" ({job['attempts']} attempts)" if job["attempts"] else "")
    for name in ("error", "waits_for", "output"):
        if job.get(name):
            yield f"{name.replace('_', ' ')}: {job[name]}"
    for name in ("params", "models", "metrics"):
        if job[name]:
            yield f"{name}: {job[name]}"
    for event in job["history"]:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event["at"]))
        reason = f": {event['reason']}" if event["reason"] else ""
        yield f"  {stamp}  {event['before'] or 'new'} → {event['after']}{reason}"
    if job["traceback"]:
        yield job["traceback"].rstrip()
