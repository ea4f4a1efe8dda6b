"""Writing RIFF and RF64: chunks in order, the sizes when they are known."""

from __future__ import annotations

import struct
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from handlers.media.chunks import UNKNOWN

RESERVE = 28
"""Bytes of JUNK that a ds64 chunk without a table needs (EBU Tech 3306)."""
LARGEST_RIFF = 0xFFFFFFFF
_PIECE = 1 << 20


class RiffWriter:
    """A WAV in the making.

    Args:
        path: Where to write.
        form: RIFF, RF64 or BW64; a RIFF that grows beyond ``limit`` becomes RF64, if its first
            chunk is a JUNK with room for the sizes.
        limit: The most bytes that a RIFF may have.
    """

    def __init__(self, path: Path, form: bytes, limit: int = LARGEST_RIFF) -> None:
        self._file = path.open("w+b")
        self._form, self._limit = form, limit
        self._file.write(form + bytes(4) + b"WAVE")
        self._data: tuple[int, int] | None = None
        # The first chunk, which may have to become a ds64.
        self._first: tuple[bytes, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def chunk(self, name: bytes, body: bytes) -> int:
        """Write a chunk; return where its body lies, for ``patch``."""
        place = self._header(name, len(body))
        self._file.write(body)
        self._pad()
        return place

    def copy(self, name: bytes, source: BinaryIO, start: int, size: int) -> None:
        """Copy the body of a chunk, ``size`` bytes of ``source`` from ``start`` on.

        Raises:
            EOFError: The source has become shorter.
        """
        self._header(name, size)
        source.seek(start)
        while size:
            piece = source.read(min(size, _PIECE))
            if not piece:
                raise EOFError("a file became shorter while it was copied")
            self._file.write(piece)
            size -= len(piece)
        self._pad()

    def _header(self, name: bytes, size: int) -> int:
        self._file.write(name + struct.pack("<I", min(size, UNKNOWN)))
        place = self._file.tell()
        self._first = self._first or (name, size)
        return place

    def _pad(self) -> None:
        if self._file.tell() & 1:
            self._file.write(b"\0")

    def begin_data(self) -> None:
        """Begin the chunk of sound."""
        self._data = (self._header(b"data", 0), 0)

    def data(self, samples: bytes) -> None:
        """Write some sound."""
        self._file.write(samples)

    def end_data(self) -> None:
        """End the chunk of sound."""
        if self._data is not None:
            start = self._data[0]
            self._data = start, self._file.tell() - start
        self._pad()

    def patch(self, place: int, body: bytes) -> None:
        """Write over what was written before."""
        end = self._file.tell()
        self._file.seek(place)
        self._file.write(body)
        self._file.seek(end)

    def finish(self, samples: int) -> bytes:
        """Write the sizes; return the form that the file has now.

        Raises:
            ValueError: A RIFF grew too large, and no room was reserved for longer sizes.
        """
        size = self._file.tell() - 8
        if self._form == b"RIFF" and size + 8 > self._limit:
            self._promote()
        start, length = self._data or (0, 0)
        long = self._form != b"RIFF"
        self.patch(4, struct.pack("<I", UNKNOWN if long else size))
        if start:
            self.patch(start - 4, struct.pack("<I", UNKNOWN if long else length))
        if long:
            self.patch(20, struct.pack("<QQQ", size, length, samples))
        self._file.flush()
        return self._form

    def _promote(self) -> None:
        if self._first is None or self._first[0] != b"JUNK" or self._first[1] < RESERVE:
            raise ValueError("a RIFF file grew beyond 4 GB without room for its sizes")
        self._form = b"RF64"
        self.patch(0, b"RF64")
        self.patch(12, b"ds64")
        self.patch(20 + 24, struct.pack("<I", 0))
