"""The bext chunk (EBU Tech 3285): its coding history (EBU R 98), UMID and loudness."""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass
from pathlib import Path

from handlers.media import chunks
from handlers.media.source import shown
from handlers.sound.essence import Format

FIXED = 602
_VERSION, _UMID, _LOUDNESS = 346, slice(348, 412), slice(412, 422)
_UNKNOWN_LOUDNESS = struct.pack("<h", 0x7FFF) * 5
# SMPTE ST 330: material not identified, number made from a UUID; what follows is 19 bytes long.
_UMID_LABEL = bytes.fromhex("060a2b340101010501010f2013")
_MODES = {1: "mono", 2: "stereo"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What made new sound of old: ``by`` as history names it, and the new sound's identity."""

    by: str = "fxd"
    identity: uuid.UUID

    @property
    def umid(self) -> bytes:
        """A basic UMID of 32 bytes, and as many zeros where a signature would be."""
        return (_UMID_LABEL + bytes(3) + self.identity.bytes).ljust(64, b"\0")

    @property
    def file_uid(self) -> str:
        """What iXML calls the file."""
        return self.identity.hex.upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class Loudness:
    """What bext version 2 holds: LUFS, LU, dBTP, LUFS, LUFS."""

    value: float
    range: float
    true_peak: float
    momentary: float
    short_term: float

    def pack(self) -> bytes:
        """Return the five numbers as the chunk has them, in hundredths."""
        said = (self.value, self.range, self.true_peak, self.momentary, self.short_term)
        return struct.pack("<5h", *(_hundredths(each) for each in said))


def _hundredths(value: float) -> int:
    """Silence has no loudness: what cannot be written is "unknown", as the standard has it."""
    return round(value * 100) if -327 < value < 327 else 0x7FFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A chunk's new body, and which of its fields changed or were dropped."""

    body: bytes
    changed: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


def renew(body: bytes, line: str, process: Process) -> Edited:
    """Give a bext to new sound: a line more of history, a new UMID, no loudness.

    The old UMID stays in the history. What is too short for a bext is left as it is.
    """
    if len(body) < FIXED:
        return Edited(body=body)
    fixed, changed, dropped = bytearray(body[:FIXED]), ["coding history"], []
    if any(fixed[_UMID]):
        line += f"; from UMID {_shown_umid(bytes(fixed[_UMID]))}"
        fixed[_UMID] = process.umid
        changed.append("UMID")
    version = struct.unpack_from("<H", fixed, _VERSION)[0]
    if version >= 2 and bytes(fixed[_LOUDNESS]) not in {bytes(10), _UNKNOWN_LOUDNESS}:
        fixed[_LOUDNESS] = _UNKNOWN_LOUDNESS
        dropped.append("loudness")
    whole = bytes(fixed) + continued(body[FIXED:], line)
    return Edited(body=whole, changed=tuple(changed), dropped=tuple(dropped))


def _shown_umid(umid: bytes) -> str:
    """Write a UMID as text, its second half only where that says anything."""
    return (umid if any(umid[32:]) else umid[:32]).hex().upper()


def continued(history: bytes, line: str) -> bytes:
    """Return a history with one more line; it takes the room of zeros that pad the old one."""
    told = history.rstrip(b"\0")
    if told and not told.endswith(b"\n"):
        told += b"\r\n"
    return (told + line.encode("ascii", "replace") + b"\r\n").ljust(len(history), b"\0")


def history_line(form: Format, channels: int, rate: int, process: Process) -> str:
    """Return a line of coding history; its text has no commas, which would end it."""
    text = process.by.replace(",", ";").replace("\r", " ").replace("\n", " ")
    return f"A=PCM,F={rate},W={form.valid},M={_MODES.get(channels, 'multi')},T={text}"


def make(*, line: str, description: str, originator: str, reference: str = "", date: str = "",
         time: str = "", start: int | None = None) -> bytes:  # fmt: skip
    """Return a bext of version 1 that says what is known; ``start`` is in samples since midnight.

    ``date`` is YYYY-MM-DD, ``time`` HH:MM:SS; what is unknown stays empty.
    """
    texts = ((description, 256), (originator, 32), (reference, 32), (date, 10), (time, 8))
    head = b"".join(_text(text, room) for text, room in texts)
    counted = struct.pack("<QH", start if start and 0 < start < 1 << 64 else 0, 1)
    return (head + counted).ljust(FIXED, b"\0") + continued(b"", line)


def _text(text: str, room: int) -> bytes:
    return text.encode("ascii", "replace")[:room].ljust(room, b"\0")


def write_loudness(path: Path, loudness: Loudness) -> bool:
    """Write measured loudness into a finished file's bext of version 2; say whether it has one.

    Raises:
        OSError: It cannot be read or written.
    """
    with path.open("r+b") as file:
        layout = chunks.parse(file, shown(path))
        chunk = layout.find(b"bext") if layout else None
        body = chunks.body(file, chunk, FIXED)
        if chunk is None or len(body) < FIXED or struct.unpack_from("<H", body, _VERSION)[0] < 2:
            return False
        file.seek(chunk.start + _LOUDNESS.start)
        file.write(loudness.pack())
    return True
