"""The chunks of RIFF, RF64, BW64, Wave64 and AIFF files, as they really lie in the file.

Recorders lose power, and writers count wrongly: what a header says of a size is compared with what
is there, and never decides how much is read or kept in memory. Layouts after the RIFF, RF64 (EBU
Tech 3306), BW64 (ITU-R BS.2088), Sony Wave64 and AIFF/AIFF-C specifications.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from handlers.media.source import shown

UNKNOWN = 0xFFFFFFFF
"""What stands for a size that is not known yet, or that lies in the ds64 chunk."""
MOST_CHUNKS = 4096
_RIFF_FORMS = frozenset({b"RIFF", b"RF64", b"BW64"})
_AIFF_KINDS = frozenset({b"AIFF", b"AIFC"})
_W64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_W64_LIST = b"list\x2f\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
# "wave", "fmt ", "data" and what else has four letters share the rest of their GUIDs.
_W64_REST = b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
_MOST_ENTRIES = 256
# How often a size of 32 bits may have overflowed.
_MOST_WRAPS = 64
# Less than this behind a file that seems finished is somebody's tag, not lost sound.
_LEAST_SOUND = 1 << 16
# What stands behind the sound even where the file ends within it.
_BEHIND_SOUND = frozenset(
    {b"LIST", b"iXML", b"bext", b"cue ", b"_PMX", b"axml", b"chna", b"fact", b"id3 ", b"ID3 ",
     b"PEAK", b"levl", b"smpl", b"inst", b"JUNK", b"PAD ", b"umid", b"MD5 ", b"link", b"MARK"}
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One chunk: its name, where its header and body lie, and the size that is there.

    ``declared`` is the size in its header, by ds64 where that says it; ``name`` is four bytes,
    or a GUID of Wave64 that stands for none.
    """

    name: bytes
    header: int
    start: int
    size: int
    declared: int

    @property
    def end(self) -> int:
        """The first byte after its body, without padding."""
        return self.start + self.size

    @property
    def is_cut(self) -> bool:
        """Say whether the file ends within it."""
        return self.size < self.declared != UNKNOWN

    @property
    def shown(self) -> str:
        """Its name for people."""
        text = self.name.decode("latin-1") if len(self.name) == 4 else self.name.hex()
        return "".join(char if char.isprintable() else "?" for char in text).strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ds64:
    """The 64-bit sizes of an RF64 or BW64, and those of further chunks in order of the table."""

    riff: int
    data: int
    samples: int
    table: tuple[tuple[bytes, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A file's chunks in their order.

    ``form`` is RIFF, RF64, BW64, FORM or riff (Wave64), ``kind`` what it holds (WAVE, AVI, AIFF,
    AIFC); ``declared`` is the file's length by its own header, None where that is open; ``rest``
    counts bytes behind the last chunk that are no chunk. ``notes`` are sentences.
    """

    form: bytes
    kind: bytes
    size: int
    declared: int | None
    chunks: tuple[Chunk, ...]
    ds64: Ds64 | None = None
    rest: int = 0
    notes: tuple[str, ...] = ()

    def find(self, *names: bytes) -> Chunk | None:
        """Return the first chunk of one of the names, or None."""
        return next((chunk for chunk in self.chunks if chunk.name in names), None)

    @property
    def data(self) -> Chunk | None:
        """The chunk that holds the sound."""
        return self.find(b"SSND") if self.form == b"FORM" else self.find(b"data")

    @property
    def is_big_endian(self) -> bool:
        """Say whether numbers are written with the highest byte first."""
        return self.form == b"FORM"


def read(path: Path) -> Layout | None:
    """Read a file's chunks, or None where it has none.

    Raises:
        OSError: It cannot be read from the storage.
    """
    with path.open("rb") as file:
        return parse(file, shown(path))


def parse(file: BinaryIO, name: str) -> Layout | None:
    """Read the chunks of an open file, called ``name`` in notes; None where it has none."""
    size = file.seek(0, 2)
    head = _at(file, 0, 40, size)
    if len(head) >= 12 and head[:4] in _RIFF_FORMS:
        return _Walk(file, size, name, head[:4], head[8:12]).riff(head)
    if len(head) >= 12 and head[:4] == b"FORM" and head[8:12] in _AIFF_KINDS:
        return _Walk(file, size, name, b"FORM", head[8:12]).aiff(head)
    if head[:16] == _W64_RIFF and head[24:40] == b"wave" + _W64_REST:
        return _Walk(file, size, name, b"riff", b"WAVE").wave64(head)
    return None


def body(file: BinaryIO, chunk: Chunk | None, most: int) -> bytes:
    """Read a chunk's body, not more than ``most`` bytes of it; nothing of None."""
    if chunk is None:
        return b""
    file.seek(chunk.start)
    return file.read(min(chunk.size, most))


def read_body(path: Path, name: bytes, most: int) -> bytes:
    """Read the body of a file's first chunk of that name; nothing where it has none.

    Raises:
        OSError: It cannot be read from the storage.
    """
    with path.open("rb") as file:
        layout = parse(file, shown(path))
        return body(file, layout.find(name) if layout else None, most)


def _at(file: BinaryIO, place: int, count: int, size: int) -> bytes:
    """Read some bytes, fewer where the file ends."""
    if place >= size:
        return b""
    file.seek(place)
    return file.read(min(count, size - place))


def _is_name(name: bytes) -> bool:
    """Say whether four bytes may be a chunk's name: letters and signs, blanks only at the end."""
    return len(name) == 4 and all(0x20 <= each < 0x7F for each in name) and name[0] != 0x20


class _Walk:
    """One way through a file; never further than its ``size``."""

    def __init__(self, file: BinaryIO, size: int, name: str, form: bytes, kind: bytes) -> None:
        self._file, self._size, self._name = file, size, name
        self._form, self._kind = form, kind
        self._order = ">" if form == b"FORM" else "<"
        self._found: list[Chunk] = []
        self._notes: list[str] = []
        self._ds64: Ds64 | None = None
        self._table: list[tuple[bytes, int]] = []
        # The end by the file's own header, None where it was never finished.
        self._declared: int | None = None

    def riff(self, head: bytes) -> Layout:
        """Walk through RIFF, RF64 or BW64."""
        self._declared = self._known(8 + struct.unpack_from("<I", head, 4)[0])
        return self._layout(self._through(12, self._small))

    def aiff(self, head: bytes) -> Layout:
        """Walk through AIFF or AIFF-C."""
        self._declared = self._known(8 + struct.unpack_from(">I", head, 4)[0])
        return self._layout(self._through(12, self._small))

    def wave64(self, head: bytes) -> Layout:
        """Walk through Wave64: GUIDs, sizes of 64 bits that count their header, steps of 8."""
        said = struct.unpack_from("<Q", head, 16)[0]
        self._declared = said if 40 <= said < 1 << 62 else None
        return self._layout(self._through(40, self._long))

    def _known(self, said: int) -> int | None:
        return None if said in {8, 8 + UNKNOWN} else said

    def _layout(self, rest: int) -> Layout:
        if rest:
            self._note(f"holds {rest:,} bytes behind its last chunk that belong to none")
        if self._declared is None:
            self._note("was never finished: its header does not say how long it is")
        elif self._declared > self._size + 1:
            self._note(f"is cut off: {self._size:,} of {self._declared:,} promised bytes are there")
        if len(self._found) == MOST_CHUNKS:
            self._note(f"has more than {MOST_CHUNKS:,} chunks; those behind were left out")
        return Layout(
            form=self._form,
            kind=self._kind,
            size=self._size,
            declared=self._declared,
            chunks=tuple(self._found),
            ds64=self._ds64,
            rest=rest,
            notes=tuple(self._notes),
        )

    def _note(self, text: str) -> None:
        self._notes.append(f"{self._name} {text}.")

    def _through(self, place: int, header: Callable[[int], Chunk | None]) -> int:
        """Take chunk after chunk; return how many bytes behind the last one are none."""
        while place < self._size and len(self._found) < MOST_CHUNKS:
            chunk = header(place)
            if chunk is None:
                return self._size - place
            chunk = self._judged(chunk)
            self._found.append(chunk)
            if chunk.name == b"ds64" and self._ds64 is None:
                self._read_ds64(chunk)
            place = self._behind(chunk)
        return 0

    def _small(self, place: int) -> Chunk | None:
        """Read a header of eight bytes."""
        head = _at(self._file, place, 8, self._size)
        if len(head) < 8 or not _is_name(head[:4]):
            return None
        said = struct.unpack(f"{self._order}I", head[4:])[0]
        said = self._by_ds64(head[:4]) if said == UNKNOWN and self._ds64 else said
        size = min(said, self._size - place - 8)
        return Chunk(name=head[:4], header=place, start=place + 8, size=size, declared=said)

    def _long(self, place: int) -> Chunk | None:
        """Read a header of Wave64."""
        head = _at(self._file, place, 24, self._size)
        if len(head) < 24 or not any(head[:16]):
            return None
        said = struct.unpack("<Q", head[16:])[0] - 24
        if said < 0:
            return None
        name = head[:4] if head[4:16] == _W64_REST else head[:16]
        name = b"LIST" if name == _W64_LIST else name
        size = min(said, self._size - place - 24)
        return Chunk(name=name, header=place, start=place + 24, size=size, declared=said)

    def _by_ds64(self, name: bytes) -> int:
        if name == b"data" and self._ds64:
            return self._ds64.data
        # Each entry of the table is for one chunk of its name, in their order.
        for number, (other, size) in enumerate(self._table):
            if other == name:
                del self._table[number]
                return size
        return UNKNOWN

    def _read_ds64(self, chunk: Chunk) -> None:
        told = _at(self._file, chunk.start, min(chunk.size, 28 + 12 * _MOST_ENTRIES), self._size)
        if len(told) < 24:
            self._note("has a ds64 chunk that is too short")
            return
        riff, data, samples = struct.unpack_from("<QQQ", told)
        count = struct.unpack_from("<I", told, 24)[0] if len(told) >= 28 else 0
        fit = min(count, (len(told) - 28) // 12) if len(told) >= 28 else 0
        entries = tuple(struct.unpack_from("<4sQ", told, 28 + 12 * n) for n in range(fit))
        self._ds64 = Ds64(riff=riff, data=data, samples=samples, table=entries)
        self._table = list(entries)
        if self._declared is None and self._form != b"RIFF" and riff:
            self._declared = riff + 8

    def _judged(self, chunk: Chunk) -> Chunk:
        """Find out how much of a chunk of sound there is; others are as long as they say."""
        is_sound = chunk.name in {b"data", b"SSND"} and self._kind != b"AVI "
        if not is_sound or any(one.name == chunk.name for one in self._found):
            return chunk
        room = self._size - chunk.start
        if chunk.declared > room:
            said = "sound" if chunk.declared == UNKNOWN else f"{chunk.declared:,} bytes of sound"
            self._note(f"promises {said} and holds {room:,} bytes of it; those were taken")
            return chunk
        return self._longer(chunk, room)

    def _longer(self, chunk: Chunk, room: int) -> Chunk:
        """Take what lies behind sound whose size was never filled in, or overflowed."""
        if chunk.size == room or self._followed(chunk):
            return chunk
        wrapped = chunk.size + ((room - chunk.size) >> 32 << 32)
        sizes = itertools.islice(range(wrapped, chunk.size, -(1 << 32)), _MOST_WRAPS)
        longer = (replace(chunk, size=size) for size in sizes)
        whole = next((each for each in longer if self._followed(each)), None)
        if whole is not None:
            self._note("holds more sound than its header has room to say; all of it was taken")
            return whole
        # A header whose sizes agree was finished, or is that of a recorder's last update.
        agrees = self._declared is not None and 0 <= self._declared - chunk.end <= 1
        if agrees and chunk.size and not self._goes_on(chunk.end):
            return chunk
        self._note(f"says {chunk.size:,} bytes of sound, and {room:,} are there; all were taken")
        return replace(chunk, size=room)

    def _goes_on(self, place: int) -> bool:
        """Say whether what lies behind the sound is more of it, and not a tag or reserved room."""
        head = _at(self._file, place, 4096, self._size)
        is_tag = head.startswith((b"ID3", b"TAG", b"APETAGEX"))
        return self._size - place >= _LEAST_SOUND and any(head) and not is_tag

    def _followed(self, chunk: Chunk) -> bool:
        """Say whether a chunk that fits into the file, or the file's end, lies behind this one."""
        return any(self._is_chunk(place) for place in self._ends(chunk))

    def _is_chunk(self, place: int) -> bool:
        if place == self._size:
            return True
        if self._form == b"riff":
            found = self._long(place)
            return found is not None and found.declared == found.size
        head = _at(self._file, place, 8, self._size)
        if len(head) < 8 or not _is_name(head[:4]):
            return False
        said = int(struct.unpack(f"{self._order}I", head[4:])[0])
        if head[:4] in _BEHIND_SOUND:
            return True
        return place + 8 + said <= self._size or (said == UNKNOWN and self._ds64 is not None)

    def _ends(self, chunk: Chunk) -> Iterator[int]:
        """Yield where the next chunk may begin: padded as it should be, or not."""
        if self._form == b"riff":
            yield min(chunk.start + (chunk.size + 7) // 8 * 8, self._size)
            return
        if chunk.size & 1:
            yield min(chunk.end + 1, self._size)
        yield chunk.end

    def _behind(self, chunk: Chunk) -> int:
        """Return where to go on; some writers leave out the byte that pads an odd size."""
        places = list(self._ends(chunk))
        return next((place for place in places if self._is_chunk(place)), places[0])
