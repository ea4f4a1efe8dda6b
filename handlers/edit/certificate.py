"""The decode certificate: which frames of a clip decode, and whether it is the file it was."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from handlers.media import mhl
from handlers.media.decode import FrameSource
from handlers.media.source import shown
from handlers.media.timecode import Timecode


def certificate(
    path: Path, decoder: FrameSource, start: Timecode, examined: Sequence[mhl.Examined]
) -> dict[str, Any]:
    """Return verified.json's content for a clip that ``decoder`` has read to its end.

    ``verdict`` is "whole" when each frame that the file promises decoded, and the
    hash is the manifest's where there is one; else "damaged" or "changed". A clip of several
    files has an entry for each in ``files``.
    """
    listing = [_file(each) for each in examined]
    about = listing[0] if len(listing) == 1 else _together(listing)
    return {
        "schema": "fxd.verified/1",
        "source": shown(path),
        "verdict": _verdict(decoder, about["mhl"]),
        **{name: about[name] for name in ("size", "hashes", "mhl", "files") if name in about},
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


def _file(examined: mhl.Examined) -> dict[str, Any]:
    return {
        "name": shown(examined.path),
        "size": examined.size,
        "hashes": {name: examined.hashes[name] for name in ("xxh3", "xxh64")},
        "mhl": _compared(examined),
    }


def _together(listing: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Sum up several files: what any manifest says against one of them is said of all."""
    results = {each["mhl"]["result"] for each in listing}
    summed = results.pop() if len(results) == 1 else "failed" if "failed" in results else "partly"
    size = sum(each["size"] for each in listing)
    return {"size": size, "hashes": {}, "mhl": {"result": summed}, "files": list(listing)}


def _compared(examined: mhl.Examined) -> dict[str, Any]:
    listed = examined.listed
    if listed is None:
        return {"result": "none"}
    return {
        "result": examined.result,
        "manifest": shown(listed.manifest),
        "algorithm": listed.algorithm,
        "expected": listed.expected,
        "found": examined.hashes[listed.algorithm],
    }


def _verdict(decoder: FrameSource, compared: dict[str, Any]) -> str:
    if compared["result"] == "failed":
        return "changed"
    promised = decoder.facts.frames
    short = promised is not None and decoder.decoded < promised
    return "damaged" if decoder.error_count or short else "whole"
