"""Runs benchmarks, each in a process of its own, and prints one table.

python -m benchmarks [NAME…] [--quick]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

from benchmarks.row import Row, measure, table

NAMES = (
    "reconcile",
    "latency",
    "overhead",
    "storm",
    "edit",
    "analysis",
    "shots",
    "selects",
    "sync",
    "sound",
    "cleaning",
    "denoise",
    "upscale",
    "effects",
    "render",
    "gpu",
    "builtin",
    "published",
    "kills",
    "status",
)
RESULTS = Path(__file__).parents[1] / "bench-results"


def measure_apart(name: str, *, quick: bool) -> list[Row]:
    """Run one benchmark in a fresh process, so that none finds what another loaded.

    Raises:
        RuntimeError: It could not be measured, or a promise was broken while it was.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        return pool.submit(measure, name, quick).result()


def save(rows: dict[str, list[Row]], *, quick: bool) -> Path:
    """Write all figures as JSON; return where."""
    RESULTS.mkdir(exist_ok=True)
    data = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "quick": quick,
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "benchmarks": {name: [asdict(row) for row in each] for name, each in rows.items()},
    }
    path = RESULTS / f"{time.strftime('%Y%m%d-%H%M%S')}{'-quick' if quick else ''}.json"
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def measure_all(names: list[str], *, quick: bool) -> tuple[dict[str, list[Row]], list[str]]:
    """Run benchmarks one after another; return their rows, and those that broke."""
    rows: dict[str, list[Row]] = {}
    broken = []
    for name in names:
        began = time.monotonic()
        print(f"{name} …", file=sys.stderr, end=" ", flush=True)
        try:
            rows[name] = measure_apart(name, quick=quick)
        except Exception as error:  # noqa: BLE001 - the others still run
            broken.append(f"{name}: {error}")
        print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    return rows, broken


def main() -> None:
    """Measure what was asked for, else everything; exit 1 if one could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure fxd.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="small sizes, a few minutes in all")
    given = parser.parse_args()
    if unknown := set(given.names) - set(NAMES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    rows, broken = measure_all(given.names or list(NAMES), quick=given.quick)
    for name, each in rows.items():
        print(f"\n{name}")
        print("\n".join(f"  {line}" for line in table(each)))
    print(f"\nalso in {save(rows, quick=given.quick).relative_to(RESULTS.parent)}")
    for line in broken:
        print(f"could not be measured: {line}", file=sys.stderr)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
