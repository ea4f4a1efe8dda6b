"""How soon work begins once a file has been quiet for long enough.

Files come one after another to an idle daemon. Those that are written and closed are due
``quiet_after_close`` after the close; those that come inside a folder moved into place have
no events of their own and are due ``quiet`` after the move. Measured from there: the claim,
by the journal; the results in place, by the time of their folder's rename.
"""

from __future__ import annotations

import os
import time

from benchmarks.bench import NULL_WATCH, studio
from benchmarks.row import Row, at_most, figure, quantile
from daemon.config import parse_duration
from tests.studio import FAST, Studio

FILES = 40
LIMIT = 0.3


def claimed(it: Studio, name: str) -> float:
    """Return when the only job of an asset was claimed, by the clock of this machine."""
    rows = it.query(
        "SELECT at FROM job_event JOIN job ON job.id = job_id JOIN asset ON asset.id = asset_id"
        " WHERE path = ? AND change = 'claim'",
        os.fsencode(name),
    )
    ((at,),) = rows
    return float(at)


def published(it: Studio, name: str) -> float:
    """Return when the results of an asset were renamed into place."""
    stem = name.removeprefix("in/").removesuffix(".bin")
    return (it.storage / "in_null" / stem).stat().st_ctime_ns / 1e9


def closed(it: Studio, number: int) -> tuple[str, float]:
    """Write a file the way a copier does; return its name and when it is due."""
    name = f"in/closed{number:03}.bin"
    it.drop(name)
    return name, time.time() + parse_duration(FAST["settle"]["quiet_after_close"])


def moved(it: Studio, number: int) -> tuple[str, float]:
    """Move a folder with one file into place; return the file's name and when it is due."""
    aside = it.storage / f"aside{number}"
    aside.mkdir()
    (aside / "moved.bin").write_bytes(b"x")
    aside.rename(it.storage / f"in/moved{number:03}")
    return f"in/moved{number:03}/moved.bin", time.time() + parse_duration(FAST["settle"]["quiet"])


def one_by_one(it: Studio, drop: object, count: int) -> list[tuple[float, float]]:
    """Drop files one after another; return seconds to the claim and to the results of each."""
    delays = []
    for number in range(count):
        name, due = drop(it, number)  # type: ignore[operator]
        it.wait_state(name, "done")
        delays.append((claimed(it, name) - due, published(it, name) - due))
        time.sleep(0.3 + 0.037 * (number % 10))  # so that nothing stays in step with the daemon
    return delays


def rows(what: str, delays: list[tuple[float, float]]) -> list[Row]:
    """Describe the delays of one way of dropping."""
    claims, ends = ([pair[index] for pair in delays] for index in (0, 1))
    return [
        figure(f"{what}: due to claimed, p50", quantile(claims, 0.5), "s"),
        at_most(f"{what}: due to claimed, p95", quantile(claims, 0.95), "s", LIMIT),
        figure(f"{what}: due to results in place, p50", quantile(ends, 0.5), "s"),
        figure(f"{what}: due to results in place, p95", quantile(ends, 0.95), "s"),
    ]


def run(quick: bool) -> list[Row]:  # noqa: FBT001 - called by its place
    """Measure on 40 files of each way, or 10."""
    count = FILES // 4 if quick else FILES
    with studio(NULL_WATCH) as it:
        it.start()
        it.drop("in/first.bin")  # starts the children
        it.wait_state("in/first.bin", "done")
        by_close = one_by_one(it, closed, count)
        by_move = one_by_one(it, moved, count)
    return rows("closed", by_close) + rows("moved in", by_move)
