"""How a clip wants to be shown: turned, and on which display it was mastered.

FFmpeg's muxer is told neither by PyAV, so both are written into a finished MOV: its index stands
at the end, where nothing follows that would have to move.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from av.sidedata.sidedata import Type

from handlers.effects.picture.footage import Source
from handlers.media import boxes
from handlers.media.decode import Decoder

# Fixed point: 1 stands as 16.16, in the last column as 2.30 (ISO/IEC 14496-12, 8.3.2).
_UPRIGHT = (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
_RATIONALS = struct.Struct("=20i2i")
_LIGHT = struct.Struct("=2I")
# SMPTE ST 2086 counts chromaticity in 0.00002 and luminance in 0.0001 cd/m2.
_PLACE, _CANDELA = 50_000, 10_000
_VISUAL_ENTRY = 86
"""Bytes of a sample entry before the boxes that extend it, its own size and kind included."""
_PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownAs:
    """``matrix`` turns the stored picture (nine integers, as tkhd has them), None where upright.

    ``mastering`` and ``light`` are the bodies of the boxes mdcv and clli, empty where not said.
    """

    matrix: tuple[int, ...] | None = None
    mastering: bytes = b""
    light: bytes = b""

    def __bool__(self) -> bool:
        return self.matrix is not None or bool(self.mastering or self.light)


def of(source: Source) -> ShownAs:
    """Read it from a clip's first picture; nothing for images."""
    if source.is_sequence:
        return ShownAs()
    path = source.probe.files[0] if source.probe.files else source.path
    for _, frame in Decoder(path, source.video):
        return ShownAs(matrix=_matrix(frame), mastering=_mastering(frame), light=_light(frame))
    return ShownAs()


def _body(frame: Any, kind: Type) -> bytes:
    found = frame.side_data.get(kind)
    return b"" if found is None else bytes(found)


def _matrix(frame: Any) -> tuple[int, ...] | None:
    body = _body(frame, Type.DISPLAYMATRIX)
    if len(body) != struct.calcsize("=9i"):
        return None
    matrix = struct.unpack("=9i", body)
    return None if matrix == _UPRIGHT else matrix


def _mastering(frame: Any) -> bytes:
    """Return FFmpeg's record of a mastering display as an mdcv box has it: green, blue, red."""
    body = _body(frame, Type.MASTERING_DISPLAY_METADATA)
    if len(body) < _RATIONALS.size:
        return b""
    *numbers, has_primaries, has_luminance = _RATIONALS.unpack(body[: _RATIONALS.size])
    if not (has_primaries and has_luminance):
        return b""
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    values = [Fraction(over, under or 1) for over, under in pairs]
    red, green, blue, white = (values[at : at + 2] for at in (0, 2, 4, 6))
    places = [round(each * _PLACE) for each in (*green, *blue, *red, *white)]
    least, most = (round(each * _CANDELA) for each in values[8:10])
    return struct.pack(">8H2I", *places, most, least)


def _light(frame: Any) -> bytes:
    body = _body(frame, Type.CONTENT_LIGHT_LEVEL)
    if len(body) < _LIGHT.size:
        return b""
    return struct.pack(">2H", *(min(value, 0xFFFF) for value in _LIGHT.unpack(body[: _LIGHT.size])))


def say(path: Path, shown: ShownAs) -> None:
    """Write it into a MOV that fxd wrote.

    Raises:
        ValueError: Its index is not its last box.
        OSError: It cannot be written.
    """
    last = boxes.top_level(path)[-1]
    if last.kind != b"moov":
        raise ValueError("the index of a MOV stands where it cannot grow")
    with path.open("r+b") as file:
        file.seek(last.start)
        made = _index(bytearray(file.read(last.end - last.start)), shown)
        file.seek(last.start - 8)
        file.write(struct.pack(">I4s", len(made) + 8, b"moov") + made)


def _index(body: bytearray, shown: ShownAs) -> bytes:
    """Return the body of a moov box with what is said of its first picture track."""
    for kind, start, end in _children(body, 0, len(body)):
        if kind == b"trak" and b"vmhd" in body[start:end]:
            made = _track(body[start:end], shown)
            return bytes(body[: start - 8]) + _box(b"trak", made) + bytes(body[end:])
    return bytes(body)


def _track(body: bytearray, shown: ShownAs) -> bytes:
    made = b""
    for kind, start, end in _children(body, 0, len(body)):
        inside = body[start:end]
        if kind == b"tkhd" and shown.matrix is not None:
            # Before width and height, which are the last eight bytes.
            inside[-44:-8] = struct.pack(">9i", *shown.matrix)
        elif kind in _PARENTS:
            inside = bytearray(_track(inside, shown))
        elif kind == b"stsd":
            inside = bytearray(inside[:8] + _entry(inside[8:], shown))
        made += _box(kind, bytes(inside))
    return made


def _entry(body: bytearray, shown: ShownAs) -> bytes:
    """Return a table of one sample entry with boxes added, before the zeros that may end it."""
    size = struct.unpack(">I", body[:4])[0]
    tail = b"\0\0\0\0" if size > _VISUAL_ENTRY and body[size - 4 : size] == b"\0\0\0\0" else b""
    more = b"".join(
        _box(kind, part)
        for kind, part in ((b"mdcv", shown.mastering), (b"clli", shown.light))
        if part
    )
    entry = bytes(body[4 : size - len(tail)]) + more + tail
    return struct.pack(">I", len(entry) + 4) + entry + bytes(body[size:])


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, kind) + body


def _children(body: bytearray, start: int, end: int) -> list[tuple[bytes, int, int]]:
    """Return (kind, start, end) of each box inside; FFmpeg writes none of 64-bit size here."""
    found = []
    while start + 8 <= end:
        size, kind = struct.unpack(">I4s", body[start : start + 8])
        if size < 8:
            break
        found.append((kind, start + 8, start + size))
        start += size
    return found
