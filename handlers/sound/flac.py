"""What a FLAC carries beside its sound: foreign chunks of the WAV that it was made of, comments.

``flac --keep-foreign-metadata`` puts each chunk of a WAV into an APPLICATION block "riff" (FLAC
format, RFC 9639, section 8.4, and the registry of application identifiers).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_APPLICATION = 2
_MOST_BLOCKS = 4096
_LARGEST = 16 << 20


def foreign(path: Path) -> list[tuple[bytes, bytes]]:
    """Return the foreign chunks as (name, body), the sound's place as an empty "data".

    Raises:
        OSError: It cannot be read from the storage.
    """
    return [(block[:4], _body(block)) for block in _riff_blocks(path) if _is_chunk(block)]


def _is_chunk(block: bytes) -> bool:
    return len(block) >= 8 and block[:4] not in {b"RIFF", b"RF64", b"BW64"}


def _body(block: bytes) -> bytes:
    said = int.from_bytes(block[4:8], "little")
    return b"" if block[:4] == b"data" else block[8 : 8 + said]


def _riff_blocks(path: Path) -> Iterator[bytes]:
    size = path.stat().st_size
    with path.open("rb") as file:
        place, last = 4 if file.read(4) == b"fLaC" else size, False
        for _ in range(_MOST_BLOCKS):
            if last or place + 4 > size:
                return
            file.seek(place)
            head = file.read(4)
            last, length = bool(head[0] & 0x80), int.from_bytes(head[1:], "big")
            if head[0] & 0x7F == _APPLICATION and file.read(4) == b"riff":
                yield file.read(min(length - 4, _LARGEST, size - place - 8))
            place += 4 + length
