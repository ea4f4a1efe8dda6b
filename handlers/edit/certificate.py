"""The decode certificate: which frames of a clip decode, and whether it is the file it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from handlers.media import mhl
from handlers.media.decode import Decoder
from handlers.media.source import shown
from handlers.media.timecode import Timecode


def certificate(
    path: Path,
    decoder: Decoder,
    start: Timecode,
    *,
    use_mhl: bool,
    tell: Callable[[float], None],
) -> dict[str, Any]:
    """Return verified.json's content for a clip that ``decoder`` has read to its end.

    ``verdict`` is "whole" when each frame that the file promises decoded, and the
    hash is the manifest's where there is one; else "damaged" or "changed".
    """
    listed = mhl.listed(path) if use_mhl else None
    hashes = mhl.digests(path, listed.algorithm if listed else None, tell)
    compared = _compare(listed, hashes)
    return {
        "schema": "fxd.verified/1",
        "source": shown(path),
        "verdict": _verdict(decoder, compared),
        "size": path.stat().st_size,
        "hashes": {name: hashes[name] for name in ("xxh3", "xxh64")},
        "mhl": compared,
        "frames": {"expected": decoder.facts.frames, "decoded": decoder.decoded},
        "vfr": decoder.vfr,
        "error_count": decoder.error_count,
        "errors": [
            {
                "frame": error.frame,
                "timecode": None if error.frame is None else str(start + error.frame),
                "message": error.message,
            }
            for error in decoder.errors
        ],
    }


def _compare(listed: mhl.Listed | None, hashes: dict[str, str]) -> dict[str, Any]:
    if listed is None:
        return {"result": "none"}
    found = hashes[listed.algorithm]
    same = found == listed.expected or found.lower() == listed.expected.lower()
    return {
        "result": "verified" if same else "failed",
        "manifest": shown(listed.manifest),
        "algorithm": listed.algorithm,
        "expected": listed.expected,
        "found": found,
    }


def _verdict(decoder: Decoder, compared: dict[str, Any]) -> str:
    if compared["result"] == "failed":
        return "changed"
    promised = decoder.facts.frames
    short = promised is not None and decoder.decoded < promised
    return "damaged" if decoder.error_count or short else "whole"
