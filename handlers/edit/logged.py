"""What a clip's metadata file says, as columns of the log that turnovers carry."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from fractions import Fraction
from typing import Any

_COLUMNS = {
    "Lens": "lens",
    "ISO": "iso",
    "White Balance": "white_balance",
    "Shutter": "shutter",
    "Gamma": "gamma",
    "LUT": "look_name",
    "Frame Lines": "frame_lines",
}


def columns(said: Mapping[str, Any]) -> dict[str, str]:
    """Return what is logged beside scene, take and notes, by the names of an ALE's columns.

    Args:
        said: Metadata as ``metadata.json`` holds it. What a person wrote into it that is no
            number where one belongs is left out.
    """
    made = {name: str(said[key]) for name, key in _COLUMNS.items() if said.get(key) is not None}
    with suppress(ValueError, ZeroDivisionError):
        if said.get("squeeze"):
            made["Lens Squeeze"] = f"{float(Fraction(str(said['squeeze']))):.4g}"
    with suppress(KeyError, TypeError, ValueError):
        made |= _asc(said["cdl"])
    return made


def _asc(cdl: Mapping[str, Any]) -> dict[str, str]:
    """Return a correction as the ASC has it in ALE and EDL, so that colour stays with its clip."""
    groups = (
        " ".join(f"{float(each):.6f}" for each in cdl[name])
        for name in ("slope", "offset", "power")
    )
    sop = "".join(f"({group})" for group in groups)
    return {"ASC_SOP": sop, "ASC_SAT": f"{float(cdl['saturation']):.6f}"}
