"""What people corrected, as labels: shots.csv files in output folders that fxd did not write.

A folder that fxd published has a manifest with the hash of every file in it. A shots.csv
whose hash differs was edited by a person; one that was kept beside newer results has
``.edited`` in its name. Both say where the shots of the clip begin.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xxhash

from models.errors import ModelError
from models.shots.material import decode
from models.shots.transitions import Example, Kind, Label
from models.shots.windows import WIDE, window

_MARKER, _MANIFEST, _TABLE = ".fxd-storage", "manifest.json", "shots"
_KINDS = {
    "cut": Kind.CUT,
    "dissolve": Kind.DISSOLVE,
    "gradual": Kind.DISSOLVE,
    "dip": Kind.DIP_BLACK,
    "wipe": Kind.WIPE,
}
# A quarter of an hour at 24 frames a second; what a longer clip shows later is not learnt from.
LONGEST = 20_000
_BETWEEN = 400  # frames from one window without a transition to the next


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One clip that a person corrected: where it is, and its transitions."""

    table: Path
    source: Path
    labels: tuple[Label, ...]


def find(folder: Path) -> list[Correction]:
    """Return the corrected clips below ``folder``, which lies in a storage of fxd's.

    Raises:
        ModelError: The folder is in no storage, or a table says what cannot be.
    """
    storage = _storage(folder)
    made = []
    for manifest in sorted(folder.rglob(_MANIFEST)):
        for table in _edited(manifest):
            source = _source(storage, manifest, table)
            if source is not None:
                made.append(Correction(table=table, source=source, labels=read_table(table)))
    return made


def _storage(folder: Path) -> Path:
    resolved = folder.resolve()
    for parent in (resolved, *resolved.parents):
        if (parent / _MARKER).is_file():
            return parent
    raise ModelError(f"{folder} is in no storage that fxd looks after; name an output folder.")


def _edited(manifest: Path) -> Iterator[Path]:
    """Tables in a published folder that are not as fxd wrote them."""
    listed = _load(manifest).get("artifacts", [])
    written = {item["path"]: item["xxh3"] for item in listed if isinstance(item, dict)}
    for table in sorted(manifest.parent.rglob(f"{_TABLE}*.csv")):
        name = str(table.relative_to(manifest.parent))
        digest = xxhash.xxh3_128(table.read_bytes()).hexdigest()
        if table.is_file() and digest != written.get(name):
            yield table


def _source(storage: Path, manifest: Path, table: Path) -> Path | None:
    """The clip of a table; None where it is gone, varies in rate, or is named oddly."""
    facts = _load(table.with_name(f"{_TABLE}.json"))
    try:
        path = (storage / _load(manifest)["source"]["path"]).resolve()
    except (KeyError, TypeError):
        return None
    if path.is_dir():
        named = [item for item in path.rglob("*") if item.name == facts.get("source")]
        path = named[0] if named else path
    # Of variable rate the table counts frames of the edit rate, not pictures.
    usable = path.is_file() and path.is_relative_to(storage) and not facts.get("vfr")
    return path if usable else None


def _load(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def read_table(table: Path) -> tuple[Label, ...]:
    """Read the transitions of a shots.csv, as fxd writes it or a spreadsheet saves it.

    Raises:
        ModelError: It has no column ``start``, or one that holds no frame number.
    """
    text = table.read_text(encoding="utf-8-sig")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        rows = list(csv.DictReader(text.splitlines(), delimiter=delimiter))
        labels = [_label(row) for row in rows if int(row["start"]) > 0]
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{table} cannot be read as a shot list ({error}); mend it or take it away."
        ) from error
    return tuple(sorted(labels, key=lambda label: label.start))


def _label(row: dict[str, str]) -> Label:
    """A row's beginning; who moved only ``start`` away from the old range means a cut."""
    start = int(row["start"])
    kind = _KINDS.get(row.get("transition_in") or "cut", Kind.CUT)
    into, out_of = (int(row.get(f"transition_{end}") or start) for end in ("start", "end"))
    if kind is Kind.CUT or not into <= start <= out_of or into == out_of:
        return Label(start=start, end=start, kind=Kind.CUT)
    return Label(start=into, end=out_of, kind=kind)


def windows(correction: Correction) -> list[Example]:
    """Make training windows of 200 frames: one around each transition, some in between.

    Raises:
        ModelError: The clip cannot be decoded.
    """
    frames = decode(correction.source, 48, 27, limit=LONGEST)
    middles = {label.boundary for label in correction.labels if label.boundary < len(frames)}
    middles |= set(range(WIDE // 2, len(frames), _BETWEEN)) or {len(frames) // 2}
    return [_window(frames, correction.labels, middle) for middle in sorted(middles)]


def _window(frames: Any, labels: tuple[Label, ...], middle: int) -> Example:
    first = middle - WIDE // 2
    moved = (
        Label(start=label.start - first, end=label.end - first, kind=label.kind) for label in labels
    )
    return Example(frames=window(frames, first, WIDE), labels=tuple(moved))
