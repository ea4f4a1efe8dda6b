"""What a person sees of a day: its page, its contact sheet, and the markers on its timelines."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from handlers.day import sheet
from handlers.day.hear import Sound
from handlers.day.load import Material, Take
from handlers.media.timecode import Timecode
from handlers.report.load import pictures
from handlers.report.records import Clock, DayClip, DayPage, Movie, SyncRow
from handlers.report.write import write_day_page
from handlers.turnover.model import Marker
from handlers.turnover.suggestions import markers


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The rough cut's movie: its file beside the page, its first timecode, its length."""

    file: str
    start: Timecode
    frames: int


def write(
    folder: Path,
    home: Path,
    name: str,
    material: Material,
    sound: Sound,
    cut: Cut | None,
) -> None:
    """Write ``report.html`` and ``contact-sheet.jpg`` into ``folder``.

    ``home`` is where they will stand: links to the clips' own pages lead from there.
    """
    seen = {take.path: _picture(take) for take in material.takes}
    at, clips = 0, []
    for take in material.takes:
        clips.append(_clip(take, home, seen[take.path], at))
        at += take.frames
    clock = None if cut is None else Clock(start=cut.start, frames=cut.frames)
    page = DayPage(
        title=name,
        clips=tuple(clips),
        sync=tuple(_sync(row) for row in sound.rows),
        synced=len(sound.heard),
        movie=Movie(file=cut.file, clock=clock, name="Rough cut") if cut and clock else None,
        notes=(*material.missing, *material.findings, *sound.broken),
    )
    write_day_page(folder, page)
    cells = [
        sheet.Cell(
            picture=seen[take.path], first=_heading(take), second=f"{take.start}  {take.name}"
        )
        for take in material.takes
    ]
    sheet.write_sheet(folder / "contact-sheet.jpg", f"{name}   {len(cells)} takes", cells)


def _heading(take: Take) -> str:
    if not take.scene:
        return take.name
    circled = " (circled)" if take.circled else ""
    return f"{take.scene} / {take.take or '?'}{circled}"


def _picture(take: Take) -> bytes | None:
    """Return the picture of the shot that the middle of the take lies in."""
    found = pictures(take.folder / "contact-sheet.jpg")
    middle = sum(take.trimmed) // 2
    numbers = [
        shot["index"] + 1
        for shot in take.shots.get("shots", ())
        if shot["start"] <= middle < shot["end"]
    ]
    return next((found[number] for number in numbers if number in found), None)


def _clip(take: Take, home: Path, picture: bytes | None, at: int) -> DayClip:
    findings = Counter(each["severity"] for each in take.findings.get("findings", ()))
    return DayClip(
        name=take.name,
        folder=Path(os.path.relpath(take.folder, home)).as_posix(),
        clock=Clock(start=take.start, frames=take.frames),
        scene=take.scene or None,
        take=take.take or None,
        circled=take.circled,
        notes=_text(take.said, "notes"),
        camera=_text(take.said, "camera"),
        reel=take.reel,
        findings=findings,
        picture=picture,
        placed=(at, at + take.frames),
    )


def _text(said: Mapping[str, Any], name: str) -> str | None:
    found = said.get(name)
    return None if found is None else str(found)


def _sync(row: Mapping[str, Any]) -> SyncRow:
    pull = row.get("pull")
    return SyncRow(
        clip=row.get("clip") or "",
        recording=row.get("recording"),
        method=row.get("method"),
        offset=row.get("offset_samples"),
        sample_rate=row.get("sample_rate"),
        drift=row.get("drift_ppm"),
        pull=None if pull is None or Fraction(pull) == 1 else str(pull),
        confidence=row.get("confidence"),
        reasons=tuple(row.get("reasons", ())),
        refusal=row.get("refusal"),
    )


def remarks(take: Take) -> Sequence[Marker]:
    """Return a take's markers: where the slate is, what to use, what is wrong."""
    return markers(take.selects, take.findings)
