"""Writing a timeline in every format that can express it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from handlers.turnover import aaf, ale, edl, fcp7, fcpxml, otio
from handlers.turnover.limits import CannotExpressError
from handlers.turnover.model import Timeline

Writer = Callable[[Timeline, Path], tuple[str, ...]]

FORMATS: Mapping[str, Writer] = MappingProxyType(
    {
        ".otio": otio.write,
        ".fcpxml": fcpxml.write,
        ".xml": fcp7.write,
        ".edl": edl.write,
        ".aaf": aaf.write,
        ".ale": ale.write,
    }
)
"""The writer of each file ending; it returns what it had to round or leave out, in sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What was written, which endings were left out and why, and what was rounded."""

    paths: tuple[Path, ...]
    left_out: Mapping[str, str]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return turnover.json's content."""
        return {
            "schema": "fxd.turnover/1",
            "files": [path.name for path in self.paths],
            "left_out": {ending.lstrip("."): why for ending, why in self.left_out.items()},
            "notes": list(self.notes),
        }


def deliver(timeline: Timeline, folder: Path, stem: str, home: Path | None = None) -> Delivery:
    """Write ``<stem>`` in each format into ``folder``.

    A format that cannot express the timeline is left out, with the reason: never is
    anything written that says something else.

    Args:
        timeline: What to write.
        folder: Where the files are written.
        stem: Their name without ending.
        home: The folder that they will stand in in the end, where that is known; the OTIO
            then refers to media by their place relative to it.
    """
    paths: list[Path] = []
    notes = list(_several(timeline))
    left_out: dict[str, str] = {}
    writers: dict[str, Writer] = {**FORMATS, ".otio": partial(otio.write, home=home)}
    for ending, write in writers.items():
        path = folder / f"{stem}{ending}"
        try:
            notes += write(timeline, path)
        except CannotExpressError as reason:
            left_out[ending] = str(reason)
        else:
            paths.append(path)
    return Delivery(paths=tuple(paths), left_out=left_out, notes=tuple(notes))


def _several(timeline: Timeline) -> Iterator[str]:
    """Say which media are not one file, since only the OTIO can say more than one place."""
    for media in timeline.media():
        if media.is_sequence:
            yield (
                f"{media.name} is an image sequence: FCPXML, FCP7 XML and AAF name its first "
                "image; relink to the sequence."
            )
        elif len(media.files) > 1:
            yield (
                f"{media.name} is one clip in {len(media.files)} files: timelines name the "
                "first; import the camera's folder, so that the system joins them."
            )


def write_all(timeline: Timeline, folder: Path, stem: str, home: Path | None = None) -> list[Path]:
    """Write ``<stem>`` in each format that can express the timeline; return the files."""
    return list(deliver(timeline, folder, stem, home).paths)
