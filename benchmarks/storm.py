"""A storm of new files on a running daemon: each journaled once, each run once, none lost.

Half of them come in one folder, half in many new folders. All are created as fast as this
machine can, so that the kernel's event queue may overflow; what then must help is the
comparison with the journal.
"""

from __future__ import annotations

import time

from benchmarks.bench import NULL_WATCH, has_work, make_files, studio
from benchmarks.row import Row, at_most, figure
from tests.studio import Studio

FILES = 60_000
PER_FOLDER = 100


def create(it: Studio, files: int) -> float:
    """Create all files; return the seconds it took."""
    began = time.perf_counter()
    make_files(it.storage / "in" / "one", 1, files // 2)
    make_files(it.storage / "in" / "many", files // 2 // PER_FOLDER, PER_FOLDER)
    return time.perf_counter() - began


def counted(it: Studio, sql: str) -> int:
    """Return the one number that a query gives."""
    ((count,),) = it.query(sql) or [(0,)]
    return int(count)


def wrong(it: Studio, files: int) -> dict[str, int]:
    """Return how many files were lost, journaled twice, run twice, or published otherwise."""
    runs = "SELECT COUNT(*) FROM (SELECT job_id FROM job_event WHERE change = '{}' GROUP BY 1{})"
    twice = " HAVING COUNT(*) > 1"
    published = list((it.storage / "in_null").rglob("manifest.json"))
    return {
        "files not journaled": files - counted(it, "SELECT COUNT(DISTINCT path) FROM asset"),
        "files journaled twice": counted(it, "SELECT COUNT(*) FROM asset") - files,
        "files without exactly one job": abs(counted(it, "SELECT COUNT(*) FROM job") - files),
        "files not run": files - counted(it, runs.format("publish", "")),
        "files run twice": counted(it, runs.format("claim", twice)),
        "outputs published twice": counted(it, runs.format("publish", twice)),
        "outputs missing or too many": abs(files - len(published)),
    }


def run(quick: bool) -> list[Row]:  # noqa: FBT001 - called by its place
    """Measure with 60,000 files, or 2,000."""
    files = 2000 if quick else FILES
    with studio(NULL_WATCH, slots={"cpu": 1}) as it:
        it.start()
        created = create(it, files)
        began = time.monotonic()
        it.wait_for(lambda: counted(it, "SELECT COUNT(*) FROM job") >= files, 120 + files * 0.02)
        journaled = time.monotonic() - began
        it.wait_for(lambda: not has_work(it), 120 + files * 0.1)
        assert it.states() == {"done": files}
        done = time.monotonic() - began
        overflows = sum(watch.get("overflows", 0) for watch in it.live()["watches"])
        problems = wrong(it, files)
    assert not any(problems.values()), problems
    return [
        figure("files", files, ""),
        figure("created", files / created, "files/s"),
        figure("event queue overflows", overflows, ""),
        figure("all journaled after", journaled, "s"),
        figure("all done after", done, "s"),
        *[at_most(name, count, "", 0) for name, count in problems.items()],
    ]
