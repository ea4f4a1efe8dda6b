"""Lists what a handler wrote into its staging folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from handlers.contract import Artifact

_MEDIA_TYPES = {
    ".aaf": "application/octet-stream",
    ".ale": "text/tab-separated-values",
    ".csv": "text/csv",
    ".edl": "text/plain",
    ".fcpxml": "application/xml",
    ".html": "text/html",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".m4a": "audio/mp4",
    ".mhl": "application/xml",
    ".mov": "video/quicktime",
    ".npz": "application/zip",
    ".otio": "application/json",
    ".png": "image/png",
    ".wav": "audio/wav",
    ".xml": "application/xml",
}


def listed(folder: Path, role: Callable[[Path], str]) -> tuple[Artifact, ...]:
    """List every file below a folder.

    Args:
        folder: A run's staging folder.
        role: Says what a file is to a person.
    """
    made = sorted(path for path in folder.rglob("*") if path.is_file())
    return tuple(
        Artifact(
            path=str(path.relative_to(folder)),
            role=role(path),
            media_type=_MEDIA_TYPES[path.suffix],
        )
        for path in made
    )
