"""Pure modules are covered whole: every line and every branch.

``python -m tests.coverage_gate FILE`` reads what ``coverage json`` wrote.
"""

import json
import sys
from pathlib import Path

# Modules that take the clock and the file system as arguments: nothing in them is hard to reach.
PURE = (
    "daemon/assets.py",
    "daemon/dispatch.py",
    "daemon/jobs.py",
    "daemon/settle.py",
    "handlers/media/timecode.py",
)


def gaps(report: dict) -> list[str]:
    """What is missing, one sentence a module; nothing when all are covered."""
    return [gap for name in PURE if (gap := _gap(name, report["files"].get(name)))]


def _gap(name: str, measured: dict | None) -> str:
    if measured is None:
        return f"{name} was not measured."
    branches = [f"{start}->{end}" for start, end in measured["missing_branches"]]
    missing = [str(line) for line in measured["missing_lines"]] + branches
    return f"{name} is not covered at {', '.join(missing)}." if missing else ""


if __name__ == "__main__":
    found = gaps(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    sys.exit("\n".join(found) or 0)
