"""Writing shots.json and shots.csv."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from handlers.edit.record import Edit, to_json

COLUMNS = (
    "index",
    "start",
    "end",
    "frames",
    "source_in",
    "source_out",
    "transition_in",
    "confidence",
    "transition_start",
    "transition_end",
)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write valid UTF-8 JSON."""
    with path.open("w", encoding="utf-8") as file:
        # Bit by bit: the times of a long clip of variable rate are many times their text.
        json.dump(content, file, ensure_ascii=False, indent=1)
        file.write("\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read what ``write_json`` wrote; empty where there is no such file."""
    if not path.is_file():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}


def write_shots(folder: Path, edit: Edit, times: Sequence[float] | None) -> dict[str, Any]:
    """Write both tables into ``folder``; return what shots.json holds."""
    content = to_json(edit, times)
    write_json(folder / "shots.json", content)
    with (folder / "shots.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([getattr(shot, name) for name in COLUMNS] for shot in edit.shots)
    return content
