"""Gathering what is known of a clip: its own metadata, the camera's side-cars, logs, its name.

Each source says what it says; the most trusted one counts for each field, and where another
says something else, that is told. Nothing outside the card is read, whatever a file names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any

from handlers.media import bwf, filenames, sidecar_ale, sidecar_xml, tags
from handlers.media.probe import Probe
from handlers.media.said import Cdl, Said, say
from handlers.media.source import shown

_LOOKS = frozenset({".cube", ".3dl", ".aml", ".alf4", ".lut", ".dat"})
_DECISIONS = (".cdl", ".cc", ".ccc")
_MOST_LISTED = 4000
# Fields in which sources complete each other and cannot contradict.
_ADDED = frozenset({"notes"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipMetadata:
    """What is known of a clip beside its pictures; None where nobody says.

    ``iso`` is the exposure index; ``white_balance`` as in "5600 K"; ``shutter`` an angle
    ("180°") or a time ("1/48 s"); ``squeeze`` how often the lens narrows; ``look`` the LUT file
    on the card and ``look_name`` what it is called, ``look_burned_in`` whether the camera
    recorded the pictures with it; ``sensor_rate`` and ``project_rate`` are in frames a second.
    ``sources`` says for each field who said it; ``findings`` are contradictions, one sentence
    each.
    """

    scene: str | None = None
    take: str | None = None
    circled: bool | None = None
    notes: str | None = None
    reel: str | None = None
    camera: str | None = None
    camera_index: str | None = None
    lens: str | None = None
    iso: int | None = None
    white_balance: str | None = None
    shutter: str | None = None
    gamma: str | None = None
    squeeze: Fraction | None = None
    frame_lines: str | None = None
    look: Path | None = None
    look_name: str | None = None
    look_burned_in: bool | None = None
    cdl: Cdl | None = None
    sensor_rate: Fraction | None = None
    project_rate: Fraction | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[str, ...] = ()

    @property
    def off_speed(self) -> bool:
        """Say whether the sensor ran at another rate than the clip plays: no sound fits it."""
        rates = self.sensor_rate, self.project_rate
        return None not in rates and rates[0] != rates[1]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; fractions become "numerator/denominator"."""
        made = {each.name: _plain(getattr(self, each.name)) for each in fields(self)}
        return {"schema": "fxd.metadata/1", **made, "off_speed": self.off_speed}


def _plain(value: Any) -> Any:
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if isinstance(value, Cdl):
        return {each.name: getattr(value, each.name) for each in fields(value)}
    if isinstance(value, Path):
        return shown(value)
    return dict(value) if isinstance(value, Mapping) else value


def harvest(clip: Path, source: Probe | None = None, *, top: Path | None = None) -> ClipMetadata:
    """Gather what is known of a clip or recording.

    Args:
        clip: The file, the first of several parts, or the name of a sequence.
        source: Its probe, against which timecode, reel and rate of other sources are held.
        top: The card or folder that side-cars may lie in, the clip's own by default. Nothing
            outside is looked at.
    """
    top = clip.parent if top is None else top
    said = [
        *_embedded(clip, source),
        *_recorder(clip),
        *(each for file in side_cars(clip, top) for each in _from_file(file, clip, source)),
        *filenames.about(clip),
    ]
    return merge(_with_makers(said), clip, source, top)


def _embedded(clip: Path, source: Probe | None) -> list[Said]:
    if source is not None and source.files and not clip.exists():
        return tags.of_image(source.files[0])
    return tags.about(clip)


def side_cars(clip: Path, top: Path) -> tuple[Path, ...]:
    """List the files that may speak of a clip, beside it and above, the nearest first."""
    found = [*_own(clip), *_panasonic(clip)]
    folder = clip.parent
    while folder.is_relative_to(top):
        found += [path for path in _listed(folder) if _is_log(path)]
        if folder == top:
            break
        folder = folder.parent
    return tuple(path for path in dict.fromkeys(found) if _inside(path, top))


_LOGS = frozenset({".ale", ".xml", ".fcpxml"})
# What a camera writes for each single clip says nothing of the others.
_OF_ONE_CLIP = re.compile(r"m\d\d\.xml$", re.IGNORECASE)


def _is_log(path: Path) -> bool:
    one = path.parent.name.upper() == "CLIP" or _OF_ONE_CLIP.search(path.name)
    return path.suffix.lower() in _LOGS and not one


def _own(clip: Path) -> Iterator[Path]:
    """Yield what bears the clip's name: Sony writes C0001.MP4 and C0001M01.XML."""
    stem = clip.stem.lower()
    for path in _listed(clip.parent):
        name = path.name.lower()
        if name in {f"{stem}m01.xml", *(f"{stem}{ending}" for ending in (".xml", *_DECISIONS))}:
            yield path


def _panasonic(clip: Path) -> Iterator[Path]:
    """Yield P2's CONTENTS/CLIP/0001AB.XML of CONTENTS/VIDEO/0001AB.MXF."""
    if clip.parent.name.upper() == "VIDEO":
        for ending in ("XML", "xml"):
            yield clip.parent.parent / "CLIP" / f"{clip.stem}.{ending}"


def _listed(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.path for entry in entries if entry.is_file(follow_symlinks=False))
    except OSError:
        return []
    return [Path(name) for name in names[:_MOST_LISTED] if not Path(name).name.startswith(".")]


def _inside(path: Path, top: Path) -> bool:
    """Say whether a file is there and on the card; a link may lead out of it."""
    return path.is_file() and path.resolve().is_relative_to(top.resolve())


def _from_file(path: Path, clip: Path, source: Probe | None) -> list[Said]:
    try:
        if path.suffix.lower() == ".ale":
            start = str(source.timecode) if source and source.timecode else None
            log = sidecar_ale.read(path)
            return sidecar_ale.about(log, clip, start) if log else []
        if path.suffix.lower() in _DECISIONS:
            return sidecar_xml.decision(path)
        return sidecar_xml.about(path, clip, own=not _is_log(path) or path.stem == clip.stem)
    except OSError:
        return []


_WORDS = {"SCENE": "scene", "TAKE": "take", "TAPE": "reel", "NOTE": "notes", "CIRCLED": "circled"}


def _recorder(clip: Path) -> list[Said]:
    if clip.suffix.lower() not in {".wav", ".bwf", ".rf64"}:
        return []
    try:
        found = bwf.read(clip)
    except OSError:
        return []
    words = found.words if found else {}
    source = f"recorder's words in {shown(clip)}"
    said = [
        each
        for key, name in _WORDS.items()
        if key in words
        for each in say(name, words[key], source)
    ]
    # A recorder writes FALSE for every take that nobody judged.
    return [each for each in said if each.field != "circled" or each.value]


def _with_makers(said: Sequence[Said]) -> list[Said]:
    """Put the maker before the model, where one source says both."""
    makers = {each.source: str(each.value) for each in said if each.field == "maker"}
    made = []
    for each in said:
        maker = makers.get(each.source, "")
        if each.field == "camera" and maker.lower() not in str(each.value).lower():
            made += say("camera", f"{maker} {each.value}", each.source)
        else:
            made.append(each)
    return made


def merge(
    said: Sequence[Said], clip: Path, source: Probe | None = None, top: Path | None = None
) -> ClipMetadata:
    """Make one record of what sources say, the first that speaks counting for each field."""
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    findings = [] if source is None else [*source.notes, *_against(said, clip, source)]
    for each in said:
        if each.field not in _FIELDS:
            continue
        if each.field not in values:
            values[each.field], sources[each.field] = each.value, each.source
        elif each.field in _ADDED:
            if str(each.value) not in str(values[each.field]):
                values[each.field] = f"{values[each.field]}; {each.value}"
                sources[each.field] += f", {each.source}"
        elif each.source == sources[each.field]:
            continue  # An angle and a time of one shutter: two words for one thing.
        elif not _agree(each.field, values[each.field], each.value):
            findings.append(_contradiction(clip, each, values, sources))
    name = values.pop("look", None)
    look = _look(clip, top, name) or _look(clip, top, None)
    if name and look is None and _is_file(name):
        findings.append(
            f"{shown(clip)}: {sources['look']} names the look {name}, which is not on the card; "
            "put the LUT beside the clip."
        )
    return ClipMetadata(
        **values,
        look=look,
        look_name=name,
        sources=sources,
        findings=tuple(dict.fromkeys(findings)),
    )


_FIELDS = {each.name for each in fields(ClipMetadata)} - {"sources", "findings", "look_name"}


def _contradiction(
    clip: Path, each: Said, values: Mapping[str, Any], sources: Mapping[str, str]
) -> str:
    label = each.field.replace("_", " ")
    kept = values[each.field]
    return (
        f"{shown(clip)}: {label} is {_told(kept)} by {sources[each.field]} and "
        f"{_told(each.value)} by {each.source}; {_told(kept)} was taken."
    )


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{float(value):g}" if isinstance(value, Fraction) else str(value)


def _agree(name: str, one: Any, other: Any) -> bool:
    if not isinstance(one, str) or not isinstance(other, str):
        return bool(one == other)
    first, second = (_bare(value) for value in (one, other))
    # A tape may be the reel alone or the reel with its clip; "A7S" and "Sony A7S" are one camera.
    loose = name in {"reel", "camera", "lens", "gamma"} and (first in second or second in first)
    return first == second or loose or (name == "reel" and _one_roll(first, second))


# Camera letter and roll, with which ARRI and RED begin both the clip's name and the reel's.
_ROLL = re.compile(r"[a-z]\d{3,4}(?!\d)")


def _one_roll(one: str, other: str) -> bool:
    """Say whether "A001C003_220101_R1AB" and "A001R1AB" are of one roll."""
    first, second = _ROLL.match(one), _ROLL.match(other)
    return first is not None and second is not None and first[0] == second[0]


def _is_file(look: str) -> bool:
    """Say whether a look's name is that of a file; the camera's own look never lies on a card."""
    suffix = PurePosixPath(look.replace("\\", "/")).suffix.lower()
    return suffix in _LOOKS and not look.lower().startswith("arri 709")


def _bare(value: str) -> str:
    return "".join(char for char in value.casefold() if char.isalnum()).lstrip("0")


def _against(said: Sequence[Said], clip: Path, source: Probe) -> Iterator[str]:
    """Tell where a side-car's timecode, reel or rate is not the clip's own."""
    for each in said:
        if each.field == "start" and source.timecode is not None:
            if _frame_digits(each.value) != _frame_digits(str(source.timecode)):
                yield (
                    f"{shown(clip)} starts at {source.timecode} and {each.source} says "
                    f"{each.value}; the clip's own timecode was taken."
                )
        elif each.field == "reel" and source.reel and not _agree("reel", source.reel, each.value):
            yield (
                f"{shown(clip)} is of reel {source.reel} and {each.source} says {each.value}; "
                "the clip's own reel was taken."
            )
        elif each.field == "project_rate" and source.video and each.value != source.video.rate:
            yield (
                f"{shown(clip)} plays at {float(source.video.rate):.6g} frames a second and "
                f"{each.source} says {float(each.value):.6g}; the clip's own rate was taken."
            )


def _frame_digits(timecode: str) -> str:
    return "".join(char for char in timecode if char.isdecimal())


def _look(clip: Path, top: Path | None, name: str | None) -> Path | None:
    """Find the LUT that is named, or that bears the clip's name, without leaving the card."""
    top = top or clip.parent
    wanted = PurePosixPath((name or clip.stem).replace("\\", "/")).name.lower()
    folder = clip.parent
    while folder.is_relative_to(top):
        for path in (found for place in ("", "LUT", "Look", "Looks", "LUTs", "AML")
                     for found in _listed(folder / place)):  # fmt: skip
            if path.suffix.lower() in _LOOKS and wanted in {path.name.lower(), path.stem.lower()}:
                return path
        if folder == top:
            return None
        folder = folder.parent
    return None
