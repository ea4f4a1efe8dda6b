"""Whether a RIFF file (WAV, BWF, RF64, AVI) is as long as its own header says."""

from __future__ import annotations

from pathlib import Path

from handlers.media import chunks


def looks_like_riff(head: bytes) -> bool:
    """Say whether a file's first 12 bytes start a RIFF file."""
    return head[:4] in {b"RIFF", b"RF64", b"BW64"}


def missing(path: Path) -> str:
    """Return what is missing from the file, or "" when nothing is."""
    layout = chunks.read(path)
    if layout is None:
        return "it ends inside its header"
    # Recorders write a length of zero, or all ones, and fill it in when they stop.
    if layout.declared is None:
        return "its header has not been finished"
    # Some writers leave out the pad byte of an odd last chunk, which is harmless.
    if layout.declared > layout.size + 1:
        return f"it has {layout.size:,} of {layout.declared:,} bytes"
    return _missing_data(layout) if layout.kind == b"WAVE" else ""


def _missing_data(layout: chunks.Layout) -> str:
    data = layout.data
    if data is None:
        return "its sound has not arrived yet"
    if data.declared in {0, chunks.UNKNOWN} and layout.size > data.start:
        return "its header has not been finished"
    if not data.declared:
        return "it is a header with no sound behind it"
    if data.is_cut:
        return f"it has {data.size:,} of {data.declared:,} bytes of sound"
    return ""
