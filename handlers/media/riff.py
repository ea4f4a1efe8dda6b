"""Whether a RIFF file (WAV, BWF, RF64, AVI) is as long as its own header says."""

from __future__ import annotations

import struct
from pathlib import Path

_UNKNOWN = 0xFFFFFFFF


def looks_like_riff(head: bytes) -> bool:
    """Say whether a file's first 12 bytes start a RIFF file."""
    return head[:4] in {b"RIFF", b"RF64", b"BW64"}


def missing(path: Path) -> str:
    """Return what is missing from the file, or "" when nothing is."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(36)
    if len(head) < 12:
        return "it ends inside its header"
    declared: int = struct.unpack("<I", head[4:8])[0]
    if head[:4] != b"RIFF" and head[12:16] == b"ds64" and len(head) >= 28:
        declared = struct.unpack("<Q", head[20:28])[0]
    # Recorders write a length of zero, or all ones, and fill it in when they stop.
    if declared in {0, _UNKNOWN}:
        return "its header has not been finished"
    # Some writers leave out the pad byte of an odd last chunk, which is harmless.
    if declared + 8 > size + 1:
        return f"it has {size:,} of {declared + 8:,} bytes"
    return _missing_data(path, head, size)


def _missing_data(path: Path, head: bytes, size: int) -> str:
    if head[8:12] != b"WAVE":
        return ""
    with path.open("rb") as file:
        position, long_length = 12, 0
        while position + 8 <= size:
            file.seek(position)
            kind, length = struct.unpack("<4sI", file.read(8))
            if kind == b"ds64":
                long_length = struct.unpack("<Q", file.read(16)[8:])[0]
            if kind == b"data":
                return _judge_data(position + 8, long_length or length, size)
            position += 8 + length + (length & 1)
    return "its sound has not arrived yet"


def _judge_data(start: int, length: int, size: int) -> str:
    if length in {0, _UNKNOWN} and size > start:
        return "its header has not been finished"
    if start + length > size:
        return f"it has {max(0, size - start):,} of {length:,} bytes of sound"
    return ""
