"""What people may ask of a running daemon; also used on a stopped one's journal."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sized
from typing import Any, Protocol

from daemon.errors import DaemonError
from daemon.jobs import Change, JobState
from daemon.store import Store
from handlers.contract import AssetKind
from models.errors import FxdError

Answer = dict[str, Any]
Command = Callable[[Mapping[str, Any], float], Answer]


def counted(jobs: Sized) -> str:
    """Say how many jobs there are, as the begin of a sentence."""
    return "1 job is" if len(jobs) == 1 else f"{len(jobs)} jobs are"


class RunControl(Protocol):
    """What commands need of the runs: of a daemon's, or of a stopped one's journal."""

    paused: bool

    def cancel(self, job_id: int, now: float) -> str:
        """Cancel a job; return what happened."""
        ...

    def reopened(self, job_id: int) -> None:
        """Note that a job was queued again."""
        ...


class Commands:
    """Carries out requests inside the caller's transaction."""

    def __init__(self, store: Store, runs: RunControl, submit: Command) -> None:
        self._store = store
        self._runs = runs
        self._submit = submit

    def carry_out(self, request: Mapping[str, Any], now: float) -> Answer:
        """Return the answer to a request; a refusal is an answer with an ``error``."""
        known: dict[str, Command] = {
            "retry": self._retry,
            "cancel": self._cancel,
            "pause": self._pause,
            "resume": self._resume,
            "submit": self._submit,
        }
        try:
            command = known.get(str(request.get("command")))
            if command is None:
                return {"error": f"there is no command {request.get('command')!r}"}
            return command(request, now)
        except FxdError as error:
            return {"error": str(error)}
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            # Anyone of the group may connect and send anything.
            return {"error": f"the request is not complete or not right: {error!r}"}

    def _retry(self, request: Mapping[str, Any], now: float) -> Answer:
        wanted = request.get("job")
        ids = self._present_failures() if wanted is None else [int(wanted)]
        for job_id in ids:
            row = self._store.jobs.with_asset(job_id)
            if row["state"] in {JobState.QUEUED, JobState.RUNNING, JobState.DONE}:
                hint = "; 'fxd submit PATH' runs it again" if row["state"] == "done" else ""
                raise DaemonError(f"job {job_id} is {row['state']}: nothing to retry{hint}")
            if row["asset_gone_at"] is not None:
                what = os.fsdecode(row["asset_path"])
                raise DaemonError(
                    f"job {job_id}: {what} is not there any more; bring it back first"
                )
            if self._store.jobs.outdated(row):
                raise DaemonError(
                    f"job {job_id} is about an older version of its source, or a later run"
                    " has taken its place; 'fxd submit PATH' runs the present one"
                )
            if row["asset_kind"] == AssetKind.EXAMPLES and (
                why := self._store.jobs.namesake(row["asset_path"])
            ):
                raise DaemonError(f"job {job_id}: {why}")
            self._store.jobs.change(
                job_id,
                Change.REOPEN,
                now,
                note="retried by a person",
                attempts=0,
                not_before=0,
                traceback="",
            )
            self._runs.reopened(job_id)
        return {"message": f"{counted(ids)} queued again", "jobs": ids}

    def _present_failures(self) -> list[int]:
        """Failed jobs that still matter: not of a replaced version, nor of a deleted source."""
        jobs = self._store.jobs
        rows = map(jobs.with_asset, jobs.failed_ids())
        return [
            row["id"] for row in rows if row["asset_gone_at"] is None and not jobs.outdated(row)
        ]

    def _cancel(self, request: Mapping[str, Any], now: float) -> Answer:
        return {"message": self._runs.cancel(int(request["job"]), now)}

    def _pause(self, _request: Mapping[str, Any], _now: float) -> Answer:
        self._set_paused("yes")
        return {"message": "paused: what runs goes on, nothing new starts"}

    def _resume(self, _request: Mapping[str, Any], _now: float) -> Answer:
        self._set_paused("no")
        return {"message": "goes on"}

    def _set_paused(self, value: str) -> None:
        self._store.set_meta("paused", value)
        self._runs.paused = value == "yes"
