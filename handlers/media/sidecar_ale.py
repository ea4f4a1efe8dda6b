"""Avid Log Exchange files beside clips, as cameras, DIT software and script departments write them.

Every line but the three headings is tab-separated: "Heading", "Column" with the names, "Data".
Columns are free, so each program names them in its own way; the names below are those that
cameras (ARRI, RED, Sony), Silverstack, Resolve and Scriptation are known to write.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from handlers.media.said import Said, cdl, clean, say
from handlers.media.source import shown

_LARGEST = 64 << 20
# What may name the clip: its file, or its name in the bin.
_NAMES = (
    "source file", "source file name", "filename", "file name", "clip", "clip name", "clipname",
    "name", "original file", "source file path", "uncpath", "unc",
)  # fmt: skip
_COLUMNS = {
    "scene": "scene", "take": "take", "tk": "take", "shottake": "take", "shot": "shot",
    "circle": "circled", "circled": "circled", "circle take": "circled", "circled take": "circled",
    "good take": "circled", "good": "circled",
    "comments": "notes", "comment": "notes", "description": "notes", "notes": "notes",
    "note": "notes", "director notes": "notes", "script notes": "notes",
    "tape": "reel", "reel": "reel", "reel name": "reel", "reelname": "reel", "tapename": "reel",
    "camera": "camera", "camera model": "camera", "camera type": "camera",
    "camera manufacturer": "maker", "manufacturer": "maker",
    "camera index": "camera_index", "camera id": "camera_index", "cam": "camera_index",
    "camera letter": "camera_index", "camera #": "camera_index", "camroll": "reel",
    "camera roll": "reel", "roll card #": "reel", "reel number": "reel",
    "lens": "lens", "lens type": "lens", "lens model": "lens", "lens name": "lens",
    "iso": "iso", "asa": "iso", "ei": "iso", "exposure index": "iso", "exposure index asa": "iso",
    "white balance": "white_balance", "wb": "white_balance", "color temp": "white_balance",
    "colour temperature": "white_balance", "color temperature": "white_balance",
    "white balance kelvin": "white_balance", "white point (kelvin)": "white_balance",
    "shutter": "shutter", "shutter angle": "shutter", "shutter speed": "shutter",
    "gamma": "gamma", "gamma space": "gamma", "look space": "gamma", "log curve": "gamma",
    "gamma notes": "gamma",
    "lens squeeze": "squeeze", "squeeze": "squeeze", "anamorphic": "squeeze",
    "lens squeeze factor": "squeeze",
    "frame line": "frame_lines", "frame lines": "frame_lines", "frame line file 1": "frame_lines",
    "framelines": "frame_lines", "frameline": "frame_lines", "frame line 1": "frame_lines",
    "frame line name": "frame_lines", "frame line 1 name": "frame_lines",
    "lut": "look", "look": "look", "look name": "look", "lut file": "look", "3d lut": "look",
    "lut name": "look", "lut used": "look", "lut file name": "look", "lut used on set": "look",
    "lut 1": "look", "look burned in": "look_burned_in",
    "sensor fps": "sensor_rate", "shoot fps": "sensor_rate", "capture fps": "sensor_rate",
    "camera fps": "sensor_rate",
    "project fps": "project_rate", "fps": "project_rate",
    "start": "start",
}  # fmt: skip
# Where one row says a thing in two columns, these are the better ones.
_BETTER = frozenset({
    "camera index", "exposure index", "exposure index asa", "ei", "lut file", "lut file name",
})  # fmt: skip
_SOP, _SAT = ("asc sop", "cdl sop", "sop"), ("asc sat", "cdl sat", "sat")
_REFUSED = frozenset({"ng", "no good"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ale:
    """One log: the rate of its heading in frames a second, and its rows by column."""

    path: Path
    rate: Fraction | None
    rows: tuple[dict[str, str], ...]


def read(path: Path) -> Ale | None:
    """Read a log, or None where it is none.

    Raises:
        OSError: It cannot be read from the storage.
    """
    info = path.stat()
    return _load(path, info.st_mtime_ns) if info.st_size <= _LARGEST else None


@functools.lru_cache(maxsize=4)
def _load(path: Path, _modified: int) -> Ale | None:
    """One log speaks of each clip of a card: it is read once."""
    lines = _text(path.read_bytes()).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    places = {line.strip().lower(): at for at, line in reversed(list(enumerate(lines)))}
    if not {"column", "data"} <= places.keys():
        return None
    names = next((line for line in lines[places["column"] + 1 :] if line.strip()), "").split("\t")
    keys = [_key(name) for name in names]
    rows = [line.split("\t") for line in lines[places["data"] + 1 :] if line.strip()]
    return Ale(
        path=path,
        rate=_heading_rate(lines[: places["column"]]),
        rows=tuple(
            {key: value.strip() for key, value in zip(keys, row, strict=False) if key and value}
            for row in rows
        ),
    )


def _text(data: bytes) -> str:
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Avid on a Mac wrote what the Mac did.
        return data.decode("mac-roman", "replace")


def _key(name: str) -> str:
    return " ".join(name.replace("_", " ").lower().split())


def _heading_rate(lines: list[str]) -> Fraction | None:
    for line in lines:
        key, _, value = line.partition("\t")
        if key.strip().upper() == "FPS":
            rate: Fraction | None = clean("project_rate", value)
            return rate
    return None


def about(ale: Ale, clip: Path, start: str | None) -> list[Said]:
    """Return what a log says of a clip, found by its file's name, then by its start timecode."""
    rows = [row for row in ale.rows if _names(row, clip)]
    if len(rows) > 1 and start:
        rows = [row for row in rows if _digits(row.get("start", "")) == _digits(start)] or rows
    if len(rows) != 1:
        return []
    (row,), source = rows, shown(ale.path)
    said: list[Said] = []
    for column in sorted(row, key=lambda name: name not in _BETTER):
        field = _COLUMNS.get(column)
        # Cameras and Resolve write No for every take that nobody judged.
        if field and (field != "circled" or _judged(row[column])):
            said += say(field, row[column], source)
    if ale.rate and not any(each.field == "project_rate" for each in said):
        said += say("project_rate", ale.rate, source)
    decision = cdl(_first(row, _SOP), _first(row, _SAT))
    return said + (say("cdl", decision, source) if decision else [])


def _judged(text: str) -> bool:
    return bool(clean("circled", text)) or text.lower() in _REFUSED


def _first(row: dict[str, str], columns: tuple[str, ...]) -> str:
    return next((row[column] for column in columns if column in row), "")


def _digits(timecode: str) -> str:
    return timecode.replace(";", ":")


def _names(row: dict[str, str], clip: Path) -> bool:
    wanted = {clip.name.lower(), clip.stem.lower()}
    values = (row[name].replace("\\", "/").rpartition("/")[2].lower() for name in _NAMES
              if name in row)  # fmt: skip
    return any(value in wanted or value.rpartition(".")[0] in wanted for value in values)
