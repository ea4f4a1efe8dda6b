"""Whether one image of a sequence is all there, from its own header and trailer."""

from __future__ import annotations

import struct
from pathlib import Path

_DPX = {b"SDPX": ">I", b"XPDS": "<I"}
_TRAILERS = {b"\xff\xd8\xff": b"\xff\xd9", b"\x89PNG": b"IEND"}
_OTHERS = (b"II*\0", b"MM\0*", b"v/1\x01", b"\0\0\0\x0cjP  ", b"BM", b"\x80\x2a\x5f\xd7")


def known(head: bytes) -> bool:
    """Say whether a file's first bytes start an image of a kind that film uses."""
    return head.startswith((*_DPX, *_TRAILERS, *_OTHERS))


def missing(path: Path, head: bytes) -> str:
    """Return what is missing from an image, or "" when nothing shows."""
    size = path.stat().st_size
    if head[:4] in _DPX and len(head) >= 20:
        # SMPTE ST 268-1: the file's whole size stands at byte 16.
        declared = struct.unpack(_DPX[head[:4]], head[16:20])[0]
        if declared != 0xFFFFFFFF and declared > size:
            return f"it has {size:,} of {declared:,} bytes"
    for start, trailer in _TRAILERS.items():
        if head.startswith(start) and trailer not in _tail(path, size):
            return "its end has not arrived yet"
    return ""


def _tail(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, size - 4096))
        return file.read()
