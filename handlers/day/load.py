"""What a day is given: its takes with everything that was found in them, and its recordings."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from handlers.contract import (
    RECORDING_ENDINGS,
    Asset,
    AssetKind,
    Input,
    UnusableMedia,
)
from handlers.edit import names
from handlers.edit.slate_names import parse_name
from handlers.edit.tables import read_json
from handlers.media import bwf, cards, mhl
from handlers.media.clip import probe_clip
from handlers.media.probe import Probe
from handlers.media.source import shown
from handlers.media.timecode import Timecode, parse

# What the edit handler made lies below this name.
_EDIT = "edit"
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """One clip of the day and what its edit found.

    ``folder`` holds its published results; ``frames`` and the ranges are frames of the edit rate
    from 0, end exclusive. ``said`` is its metadata by name.
    """

    path: Path
    source: Probe
    folder: Path
    stem: str
    start: Timecode
    frames: int
    reel: str | None
    shots: Mapping[str, Any]
    selects: Mapping[str, Any] = field(default_factory=dict)
    findings: Mapping[str, Any] = field(default_factory=dict)
    said: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The clip's file name as people read it."""
        return shown(self.path)

    @property
    def lost(self) -> list[str]:
        """What is wrong with files of its sound, in a sentence each with the file's name."""
        sounds = tuple(f"{shown(file.path)}: sound " for file in self.source.sound_files)
        found = read_json(self.folder / "verified.json").get("errors", ())
        said = [str(each.get("message") or "") for each in found]
        return [*self.source.lost, *(each for each in said if each.startswith(sounds))]

    @property
    def rate(self) -> Fraction:
        """The edit rate in frames a second."""
        return self.start.rate

    @property
    def proxy(self) -> Path | None:
        """Its proxy, if one was made."""
        path = self.folder / f"{self.stem}.mov"
        return path if path.is_file() else None

    @property
    def scene(self) -> str:
        """The scene, empty where nothing says it."""
        return str(self.said.get("scene") or "")

    @property
    def take(self) -> str:
        """The take's number, empty where nothing says it."""
        return str(self.said.get("take") or "")

    @property
    def circled(self) -> bool | None:
        """Whether the take is to be printed, None where nothing says it."""
        found = self.said.get("circled")
        return found if isinstance(found, bool) else None

    @property
    def trimmed(self) -> tuple[int, int]:
        """The take from "action" to "cut", as far as it was found; else all of the clip."""
        return _within(self.selects.get("take"), self.frames) or (0, self.frames)

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """The ranges worth using, best first."""
        found = (_within(each, self.frames) for each in self.selects.get("ranges", ()))
        return [each for each in found if each is not None]

    @property
    def score(self) -> float:
        """How good its best range is; below every score where nothing was ranked."""
        scores = [float(each.get("score") or 0.0) for each in self.selects.get("ranges", ())]
        return max(scores, default=-1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording of the day; ``parts`` are its files in order where the recorder split it."""

    path: Path
    parts: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        """The file's name as people read it."""
        return shown(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """All of a day.

    ``missing`` says in a sentence each what could not be used; ``findings`` what cards and media
    hash lists name and nobody delivered, and where a recording contradicts itself.
    """

    takes: tuple[Take, ...]
    recordings: tuple[Recording, ...]
    missing: tuple[str, ...]
    findings: tuple[str, ...] = ()


def load(inputs: Mapping[str, Input], top: Path | None = None) -> Material:
    """Return what a day's inputs hold, takes in the order in which people shot and count them.

    Args:
        inputs: What the daemon resolved for the day.
        top: The day's folder, in which media hash lists may name what is not there.
    """
    takes: list[Take] = []
    recordings: list[Recording] = []
    missing: list[str] = []
    findings: list[str] = []
    for name, item in inputs.items():
        if item.asset is None:
            continue
        recordings += _recordings(item.asset)
        if item.asset.kind is not AssetKind.RECORDING:
            found = list(_takes(name, item.asset, inputs))
            takes += [each for each in found if isinstance(each, Take)]
            missing += [each for each in found if isinstance(each, str)]
            missing += [said for each in found if isinstance(each, Take) for said in each.lost]
            missing += _why(item, found)
            findings += _listing(name, inputs).get("findings", ())
    findings += _undelivered(takes, top)
    findings += [note for each in recordings for note in _contradictions(each)]
    takes.sort(key=order)
    return Material(
        takes=tuple(takes),
        recordings=tuple(recordings),
        missing=tuple(missing),
        findings=tuple(dict.fromkeys(findings)),
    )


def _undelivered(takes: Sequence[Take], top: Path | None) -> Iterator[str]:
    """Say which files the hash lists of the takes' folders name that are not there."""
    folders = dict.fromkeys(
        folder
        for take in takes
        for folder in take.path.parents
        if top is not None and folder.is_relative_to(top)
    )
    for folder in folders:
        yield from mhl.missing(folder)


def _contradictions(recording: Recording) -> Iterator[str]:
    for path in recording.parts or (recording.path,):
        # One that cannot be read is told of where it would be listened to.
        with contextlib.suppress(OSError):
            found = bwf.read(path)
            yield from found.notes if found else ()


def _recordings(asset: Asset) -> list[Recording]:
    """Return an asset's recordings: itself, or those on a card."""
    if asset.kind is AssetKind.RECORDING:
        return [Recording(path=asset.path, parts=asset.members)]
    heard = asset.members if asset.kind is AssetKind.CARD else ()
    return [Recording(path=path) for path in heard if _ending(path) in RECORDING_ENDINGS]


def _ending(path: Path) -> str:
    return path.suffix.lower().lstrip(".")


def order(take: Take) -> tuple[Any, ...]:
    """Return what takes are sorted by: scene, take, then when they were shot, then name."""
    counted = natural(take.scene), natural(take.take)
    return (not take.scene, *counted, take.start.frames / take.rate, natural(take.name))


def natural(text: str) -> tuple[tuple[int, str], ...]:
    """Return a key by which 2 comes before 10, and 12 before 12A."""
    parts = _DIGITS.split(text.casefold())
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in parts if part)


def _why(item: Input, found: list[Take | str]) -> list[str]:
    if item.note:
        return [f"{shown(item.path)}: {item.note}"]
    return [] if found else [f"{shown(item.path)}: no handler made anything of it"]


def _takes(name: str, asset: Asset, inputs: Mapping[str, Input]) -> Iterator[Take | str]:
    """Yield the takes of an asset, or why one of them cannot be used."""
    files = {
        key.removeprefix(f"{name}/{_EDIT}/"): item.path
        for key, item in inputs.items()
        if key.startswith(f"{name}/{_EDIT}/")
    }
    if asset.kind is not AssetKind.CARD:
        if "shots.json" in files:
            yield _take(asset.path, asset.members, files["shots.json"].parent)
        return
    clips = cards.content(asset.path, asset.members).clips
    stems = names.unique_stems(clip.path for clip in clips)
    members = dict(zip(stems, clips, strict=True))
    for entry in _listing(name, inputs).get("clips", ()):
        if "unusable" in entry:
            yield str(entry["unusable"])
        elif (file := files.get(f"{entry['folder']}/shots.json")) is not None:
            clip = members.get(entry["folder"])
            yield (
                _take(clip.path, clip.parts, file.parent)
                if clip
                else f"{entry['source']} is not on the card"
            )


def _listing(name: str, inputs: Mapping[str, Input]) -> dict[str, Any]:
    """Return what the edit of a card says of it; nothing where there is no card."""
    found = inputs.get(f"{name}/{_EDIT}/card.json")
    return {} if found is None else dict(read_json(found.path))


def _take(path: Path, members: Sequence[Path], folder: Path) -> Take | str:
    shots = read_json(folder / "shots.json")
    rate = Fraction(shots["rate"])
    try:
        source = probe_clip(path, members, default_rate=rate)
    except UnusableMedia as error:
        return str(error)
    if source.video is None:
        return f"{shown(path)} holds no picture any more"
    return Take(
        path=path,
        source=source,
        folder=folder,
        stem=names.artifact_stem(path) if not _is_card(folder) else folder.name,
        start=parse(shots["start_timecode"], rate),
        frames=int(shots["frames"]),
        reel=shots.get("reel"),
        shots=shots,
        selects=read_json(folder / "selects.json"),
        findings=read_json(folder / "qc.json"),
        said=_slated(path, read_json(folder / "metadata.json")),
    )


def _slated(path: Path, said: dict[str, Any]) -> dict[str, Any]:
    """Take scene and take from the clip's name where nothing else says them."""
    named = None if said.get("scene") else parse_name(names.artifact_stem(path))
    if named is None:
        return said
    return said | {"scene": named.scene, "take": said.get("take") or named.take}


def _is_card(folder: Path) -> bool:
    return (folder.parent / "card.json").is_file()


def _within(found: Mapping[str, Any] | None, frames: int) -> tuple[int, int] | None:
    """Return a range if it is one and lies in the clip: a person may have edited the file."""
    if not found:
        return None
    start, end = max(0, int(found["start"])), min(frames, int(found["end"]))
    return (start, end) if start < end else None
