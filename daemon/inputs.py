"""What a job takes besides its source: other sources, and what other jobs made of them."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from daemon import orders
from daemon.jobs import JobState
from daemon.store import Store

_NOTHING = '{"clips": [], "sound": []}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What one version of a day is made of: (asset, version, jobs) of each source, and the sound.

    Jobs are the latest runs on each source, whatever became of them.
    """

    clips: tuple[tuple[int, int, tuple[int, ...]], ...]
    sound: tuple[tuple[int, int], ...]

    @property
    def jobs(self) -> list[int]:
        """Every run that is waited for."""
        return [job for _, _, jobs in self.clips for job in jobs]

    def to_text(self) -> str:
        """Return what the journal keeps."""
        return json.dumps({"clips": self.clips, "sound": self.sound})

    @classmethod
    def from_text(cls, text: str) -> Inputs:
        """Return what ``to_text`` wrote; nothing where a job takes no inputs."""
        data = json.loads(text or _NOTHING)
        clips = tuple((asset, version, tuple(jobs)) for asset, version, jobs in data["clips"])
        return cls(clips=clips, sound=tuple((asset, version) for asset, version in data["sound"]))

    def why_not_ready(self, store: Store) -> str:
        """Say what is still to be waited for, empty when nothing is."""
        jobs = self.jobs
        unfinished = store.jobs.unfinished(jobs)
        return f"waits for {unfinished} of the {len(jobs)} jobs of its clips" if unfinished else ""


def why_not_ready(store: Store, row: sqlite3.Row) -> str:
    """Say which inputs a queued job still waits for, empty when it can start."""
    return Inputs.from_text(row["inputs"]).why_not_ready(store)


def release_ready(
    store: Store,
    versions: Callable[[Iterable[str]], dict[str, str | None]],
    why: Callable[[Sequence[str]], str],
) -> None:
    """Let jobs go that waited for a model which is installed now, or for runs that ended.

    ``why`` says in words what is to be done about models that are missing.
    """
    for row in store.jobs.waiting():
        models = versions(json.loads(row["models"]))
        missing = [name for name, version in models.items() if version is None]
        if reason := why(missing) if missing else why_not_ready(store, row):
            store.jobs.wait(row["id"], reason)
        else:
            store.jobs.release(row["id"], models)


def resolved(
    store: Store, row: sqlite3.Row, output_of: Callable[[sqlite3.Row], bytes]
) -> list[dict[str, Any]]:
    """Return a claimed job's inputs as its child needs them; paths are below the storage."""
    if not row["inputs"]:
        return []
    taken = Inputs.from_text(row["inputs"])
    clips = [
        _source(store, f"clips/{number:04}", asset, version) | _results(store, jobs, output_of)
        for number, (asset, version, jobs) in enumerate(taken.clips, 1)
    ]
    sound = [
        _source(store, f"sound/{number:04}", asset, version) | {"results": {}, "note": ""}
        for number, (asset, version) in enumerate(taken.sound, 1)
    ]
    return clips + sound


def _source(store: Store, name: str, asset: int, version: int) -> dict[str, Any]:
    row = store.source(asset)
    # What changed meanwhile makes another version of the day, which follows this one.
    present = row["asset_gone_at"] is None and row["asset_version"] == version
    return {"name": name, "asset": orders.described(row), "present": present}


def _results(
    store: Store, jobs: tuple[int, ...], output_of: Callable[[sqlite3.Row], bytes]
) -> dict[str, Any]:
    rows = [store.jobs.with_asset(job) for job in jobs]
    done = [row for row in rows if row["state"] == JobState.DONE]
    notes = [
        f"{row['handler']}: {row['reason'] or row['state']}" for row in rows if row not in done
    ]
    return {
        "results": {
            row["handler"]: {"output": os.fsdecode(output_of(row)), "job": row["id"]}
            for row in done
        },
        "note": "; ".join(notes),
    }
