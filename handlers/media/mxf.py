"""Whether an MXF file has been finished, from its partitions (SMPTE ST 377-1).

A writer opens the header partition first and closes it, or the footer, last.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_PACK = bytes.fromhex("060e2b34020501010d010201 01".replace(" ", ""))
_RUN_IN = 1 << 16
_HEADER, _FOOTER, _RANDOM_INDEX = 2, 4, 0x11
_CLOSED = frozenset({2, 4})


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """One partition pack: its kind and status bytes, and where it says the footer is."""

    kind: int
    status: int
    footer: int

    @property
    def closed(self) -> bool:
        """Say whether its writer has finished it."""
        return self.status in _CLOSED


def looks_like_mxf(head: bytes) -> bool:
    """Say whether a file's first 64 KiB hold a header partition."""
    return _PACK in head[: _RUN_IN + len(_PACK)]


def unfinished(path: Path) -> str:
    """Return why the file is still being written, or "" when it is finished."""
    with path.open("rb") as file:
        start = file.read(_RUN_IN + 16).find(_PACK)
        header = _partition(file, start)
        if header is None:
            return "its MXF header is damaged"
        if header.footer:
            return _judge_footer(_partition(file, start + header.footer))
        if _last_partition_closed(file, start):
            return ""
    return "" if header.closed else "its MXF header is still open"


def _judge_footer(footer: Partition | None) -> str:
    if footer is None or footer.kind != _FOOTER:
        return "its MXF footer has not arrived yet"
    return "" if footer.closed else "its MXF footer is still open"


def _last_partition_closed(file: BinaryIO, start: int) -> bool:
    """Look up the footer in the random index pack, which is the last thing in a file."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 4))
    length = int.from_bytes(file.read(4), "big")
    if not 20 <= length <= min(size, 1 << 20):
        return False
    file.seek(size - length)
    pack = file.read(length)
    if not pack.startswith(_PACK) or pack[13] != _RANDOM_INDEX:
        return False
    footer = _partition(file, start + int.from_bytes(pack[-12:-4], "big"))
    return footer is not None and footer.kind == _FOOTER and footer.closed


def _partition(file: BinaryIO, position: int) -> Partition | None:
    if position < 0:
        return None
    file.seek(position)
    block = file.read(16 + 9 + 32)
    if not block.startswith(_PACK) or len(block) < 57:
        return None
    body = block[17 + (block[16] & 0x7F if block[16] & 0x80 else 0) :]
    # Version (4), KAG size (4), this partition (8) and the previous one (8) come first.
    return Partition(kind=block[13], status=block[14], footer=struct.unpack(">Q", body[24:32])[0])
