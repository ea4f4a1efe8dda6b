"""The pixel aspect of a finished Matroska file (RFC 9559): PyAV cannot tell FFmpeg's muxer.

What is added to the track's description is taken from the empty space that FFmpeg leaves before
it, so that no picture moves; the two checksums on the way are made again.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

_SEGMENT, _SEEK_HEAD, _VOID, _INFO, _TRACKS = 0x18538067, 0x114D9B74, 0xEC, 0x1549A966, 0x1654AE6B
_TRACK, _VIDEO, _CHECKSUM, _SEEK, _SEEK_PLACE = 0xAE, 0xE0, 0xBF, 0x4DBB, 0x53AC
_WIDTH, _HEIGHT, _SHOWN_WIDTH, _SHOWN_HEIGHT, _UNIT = 0xB0, 0xBA, 0x54B0, 0x54BA, 0x54B2
_RATIO = 3
# More than any description of one picture and its sound.
_HEAD = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class _Element:
    kind: int
    body: bytes
    start: int
    end: int


def say_aspect(path: Path, aspect: Fraction) -> None:
    """Write the pixel aspect into a Matroska file that FFmpeg has just finished.

    Args:
        path: The file.
        aspect: Width over height of one stored pixel.

    Raises:
        ValueError: The file is not laid out as FFmpeg lays out what it writes.
        OSError: It cannot be written.
    """
    with path.open("r+b") as file:
        head = file.read(_HEAD)
        segment = next(each for each in _elements(head, 0) if each.kind == _SEGMENT)
        inside = {each.kind: each for each in _elements(head, segment.end - len(segment.body))}
        seek, void, tracks = inside[_SEEK_HEAD], inside[_VOID], inside[_TRACKS]
        between = head[void.end : tracks.start]
        made = _element(_TRACKS, _checked(_edited(tracks.body, aspect)), 2)
        grown = len(made) - (tracks.end - tracks.start)
        room = void.end - void.start - grown
        if room < 9 or seek.end != void.start:
            raise ValueError("there is no room in the head of a Matroska file")
        places = _element(_SEEK_HEAD, _checked(_moved(seek.body, grown)))
        file.seek(seek.start)
        file.write(places + _void(room) + between + made)


def _edited(body: bytes, aspect: Fraction) -> bytes:
    """Return the tracks with the shown size in the description of the picture."""

    def video(inside: bytes) -> bytes:
        size = {each.kind: int.from_bytes(each.body, "big") for each in _elements(inside, 0)}
        said = _shown(size[_WIDTH], size[_HEIGHT], aspect)
        kept = [each for each in _elements(inside, 0) if each.kind != _UNIT]
        at = next(place for place, each in enumerate(kept) if each.kind == _HEIGHT) + 1
        more = b"".join(_number(kind, value) for kind, value in said.items())
        before, after = (b"".join(inside[each.start : each.end] for each in part)
                         for part in (kept[:at], kept[at:]))  # fmt: skip
        return before + more + after

    return _within(body, _TRACK, lambda track: _within(track, _VIDEO, video))


def _shown(width: int, height: int, aspect: Fraction) -> dict[int, int]:
    """Return the shown size in pixels, or as a ratio where it is no whole number of them."""
    wide = width * aspect
    if wide.denominator == 1:
        return {_SHOWN_WIDTH: wide.numerator, _SHOWN_HEIGHT: height}
    ratio = wide / height
    return {_SHOWN_WIDTH: ratio.numerator, _SHOWN_HEIGHT: ratio.denominator, _UNIT: _RATIO}


def _moved(body: bytes, by: int) -> bytes:
    """Return a table of places in which what lies behind the empty space begins earlier."""

    def seek(inside: bytes) -> bytes:
        kind = next(each.body for each in _elements(inside, 0) if each.kind != _SEEK_PLACE)
        if int.from_bytes(kind, "big") not in {_INFO, _TRACKS}:
            return inside
        return _within(
            inside,
            _SEEK_PLACE,
            lambda place: (int.from_bytes(place, "big") - by).to_bytes(len(place), "big"),
        )

    return _within(body, _SEEK, seek)


def _within(body: bytes, kind: int, change: Callable[[bytes], bytes]) -> bytes:
    """Return a body in which the elements of a kind are changed; their checksum is left out."""
    made = b""
    for each in _elements(body, 0):
        if each.kind == _CHECKSUM:
            continue
        whole = body[each.start : each.end]
        width = len(whole) - len(each.body) - len(_name(kind))
        made += _element(kind, change(each.body), width) if each.kind == kind else whole
    return made


def _checked(body: bytes) -> bytes:
    return _element(_CHECKSUM, struct.pack("<I", zlib.crc32(body))) + body


def _number(kind: int, value: int) -> bytes:
    return _element(kind, value.to_bytes(max(1, -(-value.bit_length() // 8)), "big"))


def _void(length: int) -> bytes:
    """Return empty space of a length, at least nine bytes, its head included."""
    return b"\xec" + (1 << 56 | length - 9).to_bytes(8, "big") + bytes(length - 9)


def _name(kind: int) -> bytes:
    return kind.to_bytes(-(-kind.bit_length() // 8), "big")


def _element(kind: int, body: bytes, least: int = 1) -> bytes:
    """Return an element, its size written in at least so many bytes."""
    width = next(n for n in range(least, 9) if len(body) < (1 << 7 * n) - 1)
    return _name(kind) + (1 << 7 * width | len(body)).to_bytes(width, "big") + body


def _elements(data: bytes, at: int) -> list[_Element]:
    """Return the elements that stand one after another from a place on, as far as data goes."""
    found = []
    while at < len(data):
        start = at
        kind, at = _vint(data, at, keep=True)
        size, at = _vint(data, at, keep=False)
        found.append(
            _Element(
                kind=kind, body=data[at : at + size], start=start, end=min(at + size, len(data))
            )
        )
        at += size
    return found


def _vint(data: bytes, at: int, *, keep: bool) -> tuple[int, int]:
    """Return a number of variable length and where it ends; ``keep`` its marker for names."""
    width = 9 - data[at].bit_length() if at < len(data) else 1
    value = int.from_bytes(data[at : at + width], "big")
    at += width
    return value if keep else value & (1 << 7 * width) - 1, at
