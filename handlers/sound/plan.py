"""Which chunks a WAV of new sound gets, in the source's order, and what becomes of each."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from handlers.media import chunks
from handlers.media.source import shown
from handlers.sound import bext, ixml, synthesis
from handlers.sound.bext import Edited, Process, history_line
from handlers.sound.form import make_fmt, read_fmt
from handlers.sound.reader import Sound
from handlers.sound.riff import RESERVE
from handlers.sound.tracks import TrackSource

# Read whole to be edited, not more than so many bytes; the rest is copied piece by piece.
_EDITED = frozenset({b"bext", b"iXML", b"fact", b"PEAK", b"fmt ", b"ds64"})
_LARGEST = 16 << 20
# Envelope and checksum of the old sound.
_UNTRUE = frozenset({b"levl", b"MD5 "})
_DS64 = b"ds64"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A chunk to be written: ``body``, or ``size`` bytes of the source from ``start`` on."""

    name: bytes
    body: bytes | None = None
    start: int = 0
    size: int = 0

    @property
    def length(self) -> int:
        """The bytes of its body."""
        return self.size if self.body is None else len(self.body)


@dataclass(slots=True, kw_only=True)
class Plan:
    """The chunks of a file to be; one called "data" stands for the new sound."""

    form: bytes
    parts: list[Part] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)


def make_plan(sound: Sound, process: Process, limit: int) -> Plan:
    """Plan the file that new sound of a source gets.

    Args:
        sound: The source.
        process: What made the new sound.
        limit: From how many bytes on it has to be an RF64.
    """
    plan = Plan(form=b"RIFF")
    line = history_line(sound.written, sound.channels, sound.rate, process)
    if sound.layout is not None and sound.layout.kind == b"WAVE":
        plan.form = sound.layout.form if sound.layout.form != b"riff" else b"RIFF"
        parts = list(_of_source(sound.path, sound.layout, plan))
    else:
        parts = [Part(name=name, body=body) for name, body in sound.foreign]
    stale = [part for part in parts if part.length < _least(part.name, sound.channels)]
    plan.dropped += [f"{_said(part)} (too short)" for part in stale]
    parts = [part for part in parts if part not in stale]
    if parts:
        plan.parts = [_renewed(part, sound, line, process, plan) for part in parts]
    else:
        made = synthesis.chunks_for(sound, line, process)
        plan.parts = [Part(name=name, body=body) for name, body in made]
        plan.changed += [_said(part) for part in plan.parts]
    _frame(plan, sound)
    _reserve(plan, sound, limit)
    return plan


def _least(name: bytes, channels: int) -> int:
    """Return the bytes that what describes the sound needs to be put right; 0 of all else."""
    return {b"PEAK": 8 + 8 * channels, b"fact": 4}.get(name, 0)


def _said(part: Part) -> str:
    return part.name.decode("latin-1").strip()


def _of_source(path: Path, layout: chunks.Layout, plan: Plan) -> Iterator[Part]:
    """Yield the source's chunks that a WAV can have and that new sound leaves true."""
    if layout.rest:
        plan.dropped.append(f"{layout.rest:,} bytes behind the last chunk")
    with path.open("rb") as file:
        for chunk in layout.chunks:
            misplaced = chunk.name == _DS64 and (plan.form == b"RIFF" or chunk.header != 12)
            if chunk.name in _UNTRUE or len(chunk.name) != 4 or misplaced:
                plan.dropped.append(chunk.shown)
                continue
            part = Part(name=chunk.name, start=chunk.start, size=chunk.size)
            if chunk is layout.data:
                part = Part(name=b"data", body=b"")
            elif chunk.is_cut:
                plan.changed.append(f"{chunk.shown} (cut off in the source)")
            if chunk.name in _EDITED and chunk.size <= _LARGEST:
                part = replace(part, body=chunks.body(file, chunk, _LARGEST))
            yield part


def _renewed(part: Part, sound: Sound, line: str, process: Process, plan: Plan) -> Part:
    """Edit what belongs to the old sound, and write down what became of it."""
    if part.name == b"data" and part.body == b"":
        return part
    made = _edited(part, sound, line, process)
    name = _said(part)
    plan.changed += [f"{name}/{each}" if each else name for each in made.changed]
    plan.dropped += [f"{name}/{each}" for each in made.dropped]
    if not (made.changed or made.dropped) and part.name not in {b"PEAK", b"fact", _DS64}:
        plan.kept.append(name)
    return part if part.body is None else replace(part, body=made.body)


def _edited(part: Part, sound: Sound, line: str, process: Process) -> Edited:
    body = part.body or b""
    if part.name == b"bext":
        return bext.renew(body, line, process)
    if part.name == b"iXML":
        return ixml.renew(body, shown(sound.path), line, process)
    if part.name == b"fmt " and not _describes(body, sound):
        made = make_fmt(sound.written, sound.channels, sound.rate, sound.channel_mask)
        return Edited(body=made, changed=("",))
    return Edited(body=body)


def _describes(body: bytes, sound: Sound) -> bool:
    """Say whether a fmt chunk is true of what will be written."""
    header = read_fmt(body)
    if header is None or header.format is None:
        return False
    block, bits = struct.unpack_from("<HH", body, 12)
    width = sound.written.bits
    fits = width - 8 < bits <= width
    return fits and block == header.block and header.format == sound.written


def _frame(plan: Plan, sound: Sound) -> None:
    """Make sure of what no WAV can do without."""
    names = [part.name for part in plan.parts]
    if b"fmt " not in names:
        made = make_fmt(sound.written, sound.channels, sound.rate, sound.channel_mask)
        place = 1 if names[:1] == [_DS64] else 0
        plan.parts.insert(place, Part(name=b"fmt ", body=made))
    if b"data" not in names:
        plan.parts.append(Part(name=b"data", body=b""))
    if plan.form != b"RIFF":
        first = plan.parts[0]
        if first.name != _DS64:
            plan.parts.insert(0, Part(name=_DS64, body=bytes(RESERVE)))
        elif first.length < RESERVE:
            plan.parts[0] = Part(name=_DS64, body=bytes(RESERVE))


def _reserve(plan: Plan, sound: Sound, limit: int) -> None:
    """Make room for a ds64 chunk where the file may grow beyond what a RIFF can be."""
    if plan.form != b"RIFF":
        return
    first = plan.parts[0]
    has_room = first.name == b"JUNK" and first.length >= RESERVE
    # How long compressed sound is, only decoding it tells.
    unknown = isinstance(sound.source, TrackSource)
    if has_room or not (unknown or _size(plan, sound) > limit):
        return
    plan.parts.insert(0, Part(name=b"JUNK", body=bytes(RESERVE)))


def _size(plan: Plan, sound: Sound) -> int:
    heads = sum(8 + part.length + (part.length & 1) for part in plan.parts)
    return 12 + heads + sound.samples * sound.channels * sound.written.width + 1
