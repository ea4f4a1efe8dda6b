"""What an image file says of its colours: PNG's chunks, DPX's header, an ICC profile's name."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

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
_DPX = {
    "Printing density": (_UNKNOWN, "log100"),
    "Logarithmic": (_UNKNOWN, "log100"),
    "Rec709": ("bt709", "bt709"),
    "SMPTE 274M": ("bt709", "bt709"),
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
    if len(chunks.get(b"gAMA", b"")) == 4:
        near = abs(struct.unpack(">I", chunks[b"gAMA"])[0] - _GAMMA_22) < 500
        return _UNKNOWN, "gamma22" if near else _UNKNOWN
    return _DPX.get(str(spec.get_string_attribute("dpx:Transfer")), _NOTHING)


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
