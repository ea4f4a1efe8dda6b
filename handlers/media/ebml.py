"""Whether a Matroska or WebM file is as long as its own header says (RFC 9559)."""

from __future__ import annotations

from pathlib import Path

_EBML, _SEGMENT = 0x1A45DFA3, 0x18538067


def looks_like_matroska(head: bytes) -> bool:
    """Say whether a file's first bytes start a Matroska or WebM file."""
    return head.startswith(_EBML.to_bytes(4, "big"))


def missing(path: Path, head: bytes) -> str:
    """Return what is missing, or ""; a stream of unknown length misses nothing."""
    position, length = 0, 0
    for wanted in (_EBML, _SEGMENT):
        if int.from_bytes(head[position : position + 4], "big") != wanted:
            return ""
        known, width = _length(head[position + 4 : position + 12])
        if known is None:
            return ""
        length = known
        position += 4 + width + (length if wanted == _EBML else 0)
    size = path.stat().st_size
    return f"it has {size:,} of {position + length:,} bytes" if position + length > size else ""


def _length(data: bytes) -> tuple[int | None, int]:
    """Read a number whose leading zero bits tell its width; all ones mean unknown."""
    if not data or not data[0]:
        return None, 0
    width = 9 - data[0].bit_length()
    unknown = (1 << 7 * width) - 1
    value = int.from_bytes(data[:width], "big") & unknown
    return (None if value == unknown else value), width
