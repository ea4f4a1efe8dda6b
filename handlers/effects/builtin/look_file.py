"""Files that say how pictures shall look: found within the storage, read by OpenColorIO."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import PyOpenColorIO as ocio  # noqa: N813

from handlers.contract import TransientFailure, UnusableMedia
from handlers.effects.options import LookOptions
from handlers.effects.working_space import config
from handlers.media import safexml
from handlers.media.source import shown, shown_text

# Larger files are no look that anyone hands on.
_LARGEST = 64 << 20
_READER = re.compile(r"'\S+' failed with:")
_CORRECTIONS = frozenset({".cdl", ".cc", ".ccc"})
# Formats that say themselves what values they take, light included.
_ANY_VALUES = frozenset({".clf", ".ctf", ".spimtx", ".icc", ".icm"})
_INTERPOLATIONS = {
    "best": ocio.INTERP_BEST,
    "linear": ocio.INTERP_LINEAR,
    "tetrahedral": ocio.INTERP_TETRAHEDRAL,
}
_DIRECTIONS = {"forward": ocio.TRANSFORM_DIR_FORWARD, "inverse": ocio.TRANSFORM_DIR_INVERSE}


@dataclass(frozen=True, slots=True, kw_only=True)
class LookFile:
    """A file and what is in it: ``transform`` refers to it, ``sha256`` is that of its bytes."""

    path: Path
    sha256: str
    transform: Any

    @property
    def takes_any_values(self) -> bool:
        """Say whether it is of a kind that is made for light as well as for code values."""
        return self.path.suffix.lower() in _ANY_VALUES


def open_look(options: LookOptions, storage: Path | None) -> LookFile:
    """Find the file that options name, and make sure that OpenColorIO reads it.

    Raises:
        UnusableMedia: It is not there, not within the storage, or no look.
        TransientFailure: It cannot be reached just now.
    """
    path = _within(options.file, storage)
    data = _content(path)
    # A child runs for days: what was read under this name before may have been replaced.
    ocio.ClearAllCaches()
    made = ocio.FileTransform(
        src=str(path),
        cccId=_correction(path, data, options.id),
        interpolation=_INTERPOLATIONS[options.interpolation],
        direction=_DIRECTIONS[options.direction],
    )
    try:
        config().getProcessor(made).getDefaultCPUProcessor()
    # Some messages quote bytes of the file, which need not be text.
    except (ocio.Exception, UnicodeDecodeError) as error:
        backwards = " backwards" if options.direction == "inverse" else ""
        raise UnusableMedia(
            f"{shown(path)} cannot be used as a look{backwards} ({_reason(error, path)}); "
            "export it again or set another."
        ) from error
    return LookFile(path=path, sha256=hashlib.sha256(data).hexdigest(), transform=made)


def _within(name: str, storage: Path | None) -> Path:
    """Return where a file really is; links and dots must not lead out of the storage."""
    if storage is None:
        raise UnusableMedia(f"The look {shown_text(name)} cannot be found without a storage.")
    root = storage.resolve()
    try:
        path = (root / name).resolve()
    except (OSError, RuntimeError, ValueError):
        path = root
    if path == root or not path.is_relative_to(root):
        raise UnusableMedia(
            f"The look {shown_text(name)} is not within the storage; "
            "put it there and set its path from the storage's root on."
        )
    return path


def _content(path: Path) -> bytes:
    try:
        if path.is_file() and path.stat().st_size > _LARGEST:
            raise UnusableMedia(f"{shown(path)} is too large for a look; set another.")
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise UnusableMedia(
            f"{shown(path)}, the look that is set, is not there; put it there or set another."
        ) from error
    except OSError as error:
        raise TransientFailure(f"{shown(path)} cannot be read ({error.strerror}).") from error


def _correction(path: Path, data: bytes, wanted: str | None) -> str:
    """Return which correction of a file is meant; where there are several, one must be named."""
    if path.suffix.lower() not in _CORRECTIONS:
        return ""
    root = safexml.parse(data)
    found = [] if root is None else [*safexml.find_all(root, "ColorCorrection")]
    names = [str(each.get("id", "")) for each in found]
    if wanted is None and len(found) < 2:
        return ""
    if wanted is not None and (wanted in names or wanted in map(str, range(len(names)))):
        return wanted
    listed = shown_text(", ".join(name for name in names[:20] if name)) or "none with an id"
    asked = f"no correction {shown_text(wanted)}" if wanted else f"{len(found)} corrections"
    raise UnusableMedia(f"{shown(path)} holds {asked}; set id to one of its own: {listed}.")


def _reason(error: Exception, path: Path) -> str:
    """Return what the reader for the file's ending said, on one line and without folders."""
    if isinstance(error, UnicodeDecodeError):
        return "it is no text"
    said = str(error).replace(str(path), shown(path)).strip()
    _, *told = _READER.split(said)
    first = (told[0] if told else said).strip().split("\n", 1)[0]
    return shown_text(" ".join(first.split()))[:200].rstrip(" .")
