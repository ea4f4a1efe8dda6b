"""What a file's header says of its samples: the fmt chunk of WAV, the COMM chunk of AIFF."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from handlers.sound.essence import Format, floating, pcm

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
# A subformat's GUID: its tag, then one of these (Microsoft's, and that of B-format).
_GUIDS = frozenset(
    {bytes.fromhex("000000001000800000aa00389b71"), bytes.fromhex("00002107d3118644c8c1ca000000")}
)
_AIFC = {
    b"NONE": ("int", True), b"twos": ("int", True), b"in24": ("int", True), b"in32": ("int", True),
    b"sowt": ("int", False), b"fl32": ("float", True), b"FL32": ("float", True),
    b"fl64": ("float", True), b"FL64": ("float", True), b"raw ": ("offset", True),
}  # fmt: skip
_AIFC_BITS = {b"in24": 24, b"in32": 32, b"fl32": 32, b"FL32": 32, b"fl64": 64, b"FL64": 64}


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a header says: channels, hertz, the bytes of all channels' samples together.

    ``format`` is None where the samples are compressed; ``mask`` has a bit for each speaker
    (WAVEFORMATEXTENSIBLE), 0 where it says none. ``frames`` is what AIFF counts.
    """

    channels: int
    rate: int
    block: int
    bits: int
    format: Format | None
    mask: int = 0
    byte_rate: int = 0
    frames: int | None = None


def read_fmt(body: bytes) -> Header | None:
    """Read a fmt chunk, None where it is too short."""
    if len(body) < 16:
        return None
    tag, channels, rate, byte_rate, block, bits = struct.unpack_from("<HHIIHH", body)
    valid = mask = 0
    if tag == EXTENSIBLE and len(body) >= 40:
        valid, mask = struct.unpack_from("<HI", body, 18)
        tag = struct.unpack_from("<H", body, 24)[0] if body[26:40] in _GUIDS else EXTENSIBLE
    width = _width(channels, block, bits)
    return Header(
        channels=channels,
        rate=rate,
        block=channels * width,
        bits=valid or bits,
        format=_format(tag, width, valid or bits),
        mask=mask,
        byte_rate=byte_rate,
    )


def _width(channels: int, block: int, bits: int) -> int:
    """Return the bytes of one sample; a block that is too small for the bits is a lie."""
    least = (bits + 7) // 8
    if channels and block % channels == 0 and least <= block // channels <= 8:
        return block // channels
    return least


def _format(tag: int, width: int, bits: int) -> Format | None:
    if tag == FLOAT and width in {4, 8}:
        return floating(8 * width)
    if tag == PCM and 1 <= width <= 4:
        valid = bits if 0 < bits <= 8 * width else 8 * width
        return Format(kind="int", width=width, valid=valid, offset=width == 1)
    return None


def make_fmt(form: Format, channels: int, rate: int, mask: int) -> bytes:
    """Return the fmt chunk for samples of a WAV: extensible where speakers are to be named."""
    tag = FLOAT if form.kind == "float" else PCM
    block = channels * form.width
    extended = (mask and channels > 2) or form.valid != form.bits
    head = struct.pack(
        "<HHIIHH", EXTENSIBLE if extended else tag, channels, rate, rate * block, block, form.bits
    )
    if extended:
        guid = struct.pack("<H", tag) + bytes.fromhex("000000001000800000aa00389b71")
        return head + struct.pack("<HHI", 22, form.valid, mask) + guid
    return head + (b"\0\0" if tag == FLOAT else b"")


def read_comm(body: bytes) -> Header | None:
    """Read a COMM chunk of AIFF or AIFF-C, None where it is too short."""
    if len(body) < 18:
        return None
    channels, frames, bits = struct.unpack_from(">HIH", body)
    coding = body[18:22] if len(body) >= 22 else b"NONE"
    kind, big = _AIFC.get(coding, ("", True))
    bits = _AIFC_BITS.get(coding, bits)
    width = (bits + 7) // 8
    form = None
    if kind == "float":
        form = floating(bits, big_endian=True)
    elif kind and 1 <= width <= 4:
        made = pcm(8 * width, valid=bits, big_endian=big and width > 1)
        form = made.as_wav() if kind == "offset" and width == 1 else made
    return Header(
        channels=channels,
        rate=_extended(body[8:18]),
        block=channels * width,
        bits=bits,
        format=form,
        frames=frames,
    )


def _extended(data: bytes) -> int:
    """Read a rate written in 80 bits, 0 where it is no rate."""
    exponent, mantissa = struct.unpack(">HQ", data)
    shift = 63 - (exponent - 16383)
    return int(mantissa + (1 << shift >> 1)) >> shift if 40 <= shift <= 63 else 0
