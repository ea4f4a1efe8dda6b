"""``status.json`` in the state folder: what changes too fast for the journal.

Apart from tell, so that reading it needs none of what writes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from daemon.assets import printable

STATUS_FILE = "status.json"


def text(path: bytes) -> str:
    """Return a journaled path as one printable line."""
    return printable(os.fsdecode(path))


def write_status(state: Path, data: Mapping[str, Any]) -> None:
    """Replace the status file whole, so that a reader never sees half of one."""
    path = state / STATUS_FILE
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(data), encoding="utf-8")
    temporary.replace(path)


def read_status(state: Path) -> dict[str, Any]:
    """Return what the daemon last said, empty if it never did."""
    try:
        data = json.loads((state / STATUS_FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
