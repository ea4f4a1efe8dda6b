"""What an image file says of its colours: PNG's chunks, DPX's header, an ICC profile's name.

Also how a PNG is told what OpenImageIO neither reads nor writes.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handlers.media.probe import ColourFacts
from handlers.media.viewing import space_of

if TYPE_CHECKING:
    from handlers.effects.picture.image import ImageNative

Said = tuple[str, str]
"""Primaries and transfer, FFmpeg's names, each "unknown" where not said."""

_UNKNOWN = "unknown"
_NOTHING: Said = (_UNKNOWN, _UNKNOWN)
_PNG = b"\x89PNG\r\n\x1a\n"
# ITU-T H.273, which cICP's bytes are numbers of.
_PRIMARIES = {1: "bt709", 5: "bt470bg", 6: "smpte170m", 9: "bt2020", 11: "smpte431", 12: "smpte432"}
_TRANSFERS = {
    1: "bt709", 4: "gamma22", 5: "gamma28", 6: "smpte170m", 8: "linear", 13: "iec61966-2-1",
    14: "bt2020-10", 15: "bt2020-12", 16: "smpte2084", 18: "arib-std-b67",
}  # fmt: skip
# "Linear" is what programs write that do not care.
_DPX_TRANSFERS = {
    "Printing density": "log100",
    "Logarithmic": "log100",
    "ITU-R 709-4": "bt709",
    "SMPTE 274M": "bt709",
    "ITU-R 601-5 system B or G": "smpte170m",
    "ITU-R 601-5 system M": "smpte170m",
}
_DPX_PRIMARIES = {
    "ITU-R 709-4": "bt709",
    "SMPTE 274M": "bt709",
    "ITU-R 601-5 system B or G": "bt470bg",
    "ITU-R 601-5 system M": "smpte170m",
}
# What OpenColorIO calls linear spaces of primaries that FFmpeg has a name for.
_SPACES = {
    "Linear Rec.709 (sRGB)": "bt709",
    "Linear Rec.2020": "bt2020",
    "Linear P3-D65": "smpte432",
}
_SRGB: Said = ("bt709", "iec61966-2-1")
# What the descriptions of profiles in common use begin with or hold.
_PROFILES: dict[str, Said] = {
    "srgb": _SRGB,
    "display p3": ("smpte432", "iec61966-2-1"),
    "rec. 709": ("bt709", "bt709"),
    "rec709": ("bt709", "bt709"),
    "itu-r bt.709": ("bt709", "bt709"),
    "rec2020": ("bt2020", _UNKNOWN),
    "bt.2020": ("bt2020", _UNKNOWN),
}
_GAMMA_22 = 45455  # of gAMA: 100,000 / 2.2
# Red's and white's x of cHRM, in 100,000ths.
_CHROMATICITIES = {
    (64000, 31270): "bt709",
    (70800, 31270): "bt2020",
    (68000, 31270): "smpte432",
    (68000, 31400): "smpte431",
}
_KEPT = (b"cICP", b"mDCV", b"cLLI", b"sRGB", b"gAMA", b"cHRM")
_HEADER = len(_PNG) + 25
"""Where a PNG's first chunk after its header begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Colours:
    """What an image says: ``facts``, and of a PNG the chunks that say it, whole, as ``tags``."""

    facts: ColourFacts
    tags: bytes


def colours_said(path: Path, spec: Any) -> Said:
    """Return the primaries and the transfer that an image of integers says.

    cICP goes before a profile, a profile before sRGB, that before gAMA (W3C PNG, third edition).

    Args:
        path: The image; of a PNG the chunks before its pixels are read.
        spec: Its header as OpenImageIO gives it.

    Raises:
        OSError: It cannot be read.
    """
    chunks = _chunks(path)
    coded = chunks.get(b"cICP", b"")
    if len(coded) >= 2:
        return _PRIMARIES.get(coded[0], _UNKNOWN), _TRANSFERS.get(coded[1], _UNKNOWN)
    profile = str(spec.get_string_attribute("ICCProfile:profile_description")).casefold()
    if profile:
        return next((said for name, said in _PROFILES.items() if name in profile), _NOTHING)
    if b"sRGB" in chunks:
        return _SRGB
    if chunks.keys() & {b"gAMA", b"cHRM"}:
        return _primaries(chunks.get(b"cHRM", b"")), _gamma(chunks.get(b"gAMA", b""))
    if spec.get_int_attribute("Exif:ColorSpace") == 1:
        return _SRGB
    transfer = _DPX_TRANSFERS.get(spec.get_string_attribute("dpx:Transfer"), _UNKNOWN)
    return _DPX_PRIMARIES.get(spec.get_string_attribute("dpx:Colorimetric"), _UNKNOWN), transfer


def _primaries(body: bytes) -> str:
    if len(body) != 32:
        return _UNKNOWN
    white, _, red, *_ = struct.unpack(">8I", body)
    near = (name for (x, w), name in _CHROMATICITIES.items() if abs(red - x) + abs(white - w) < 50)
    return next(near, _UNKNOWN)


def _gamma(body: bytes) -> str:
    near = len(body) == 4 and abs(int.from_bytes(body) - _GAMMA_22) < 500
    return "gamma22" if near else _UNKNOWN


def colours_of(native: ImageNative) -> Colours:
    """Return how the values of an image are to be read, by what it says itself.

    What has floats is scene-linear light, of the primaries that its header names. Names are those
    that a clip's are given by.

    Raises:
        OSError: The file cannot be read.
    """
    if native.floating:
        space = space_of(native.spec.getattribute("chromaticities"))
        primaries, transfer = _SPACES.get(space, _UNKNOWN), "linear"
    else:
        primaries, transfer = colours_said(native.path, native.spec)
        transfer = "log" if transfer == "log100" else transfer.replace("-", "_")
    chunks = _chunks(native.path)
    return Colours(
        facts=ColourFacts(primaries=primaries, transfer=transfer, matrix="gbr", range="pc"),
        tags=b"".join(_chunk(name, chunks[name]) for name in _KEPT if name in chunks),
    )


def tags_for(colour: ColourFacts) -> bytes:
    """Return a chunk cICP that says such colours, nothing where one of both is not known."""
    primaries = _number(_PRIMARIES, colour.primaries)
    transfer = _number(_TRANSFERS, colour.transfer)
    if not primaries or not transfer:
        return b""
    # Red, green and blue of full range.
    return _chunk(b"cICP", bytes([primaries, transfer, 0, 1]))


def _number(table: dict[int, str], name: str) -> int:
    wanted = name.replace("_", "-")
    return next((number for number, one in table.items() if one == wanted), 0)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def put_tags(path: Path, tags: bytes) -> None:
    """Put chunks into a PNG, right after its header.

    Raises:
        OSError: It cannot be read or written.
    """
    made = path.read_bytes()
    path.write_bytes(made[:_HEADER] + tags + made[_HEADER:])


def _chunks(path: Path) -> dict[bytes, bytes]:
    """Return the small chunks of a PNG before its pixels by name; nothing of another file."""
    found: dict[bytes, bytes] = {}
    with path.open("rb") as file:
        if file.read(len(_PNG)) != _PNG:
            return found
        while len(head := file.read(8)) == 8 and head[4:] != b"IDAT":
            size = int.from_bytes(head[:4])
            if size <= 64:
                found[head[4:]] = file.read(size)
                file.seek(4, 1)
            else:
                file.seek(size + 4, 1)
    return found
