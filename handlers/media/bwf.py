"""What a sound recorder wrote into a WAV file: bext (EBU Tech 3285) and iXML chunks."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from handlers.media import chunks, safexml
from handlers.media.source import shown, shown_text
from handlers.media.timecode import Timecode, can_drop, snap

UNREAD = "its iXML is damaged, so nothing of it counts: no track names, no timecode rate"
"""What is said of one that is no XML: some recorders write a bare "&" in names."""

_LARGEST_CHUNK = 16 << 20
Words = dict[str, str]
_NAMED = re.compile(r"^[a-z]?([A-Z_0-9]{3,16})=(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One track's place in the file, from 1, and its name on the recorder."""

    channel: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What a recorder says of a file; each None or "" where it does not say.

    ``start`` is the first sample since midnight, at ``sample_rate`` hertz; ``samples`` is the
    length; ``rate`` is what the timecode counts at; ``words`` are iXML's and bext's own, by
    their names (SCENE, TAKE, TAPE, NOTE, CIRCLED, ...). ``notes`` tell what contradicts itself.
    """

    sample_rate: int
    samples: int
    start: int | None = None
    date: str = ""
    time: str = ""
    originator: str = ""
    rate: Fraction | None = None
    drop_frame: bool = False
    words: dict[str, str]
    tracks: tuple[Track, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def timecode(self) -> Timecode | None:
        """The timecode of the first sample, where the recorder says at which rate it counts."""
        if self.start is None or self.rate is None or not self.sample_rate:
            return None
        frames = int(Fraction(self.start, self.sample_rate) * self.rate)
        return Timecode(frames=frames, rate=self.rate, drop_frame=self.drop_frame)

    @property
    def end(self) -> int | None:
        """The first sample after the last one, since midnight."""
        return None if self.start is None else self.start + self.samples


def read(path: Path) -> Recording | None:
    """Read a WAV's own words, or None where it is no WAV.

    Raises:
        OSError: It cannot be read from the storage.
    """
    with path.open("rb") as file:
        layout = chunks.parse(file, shown(path))
        if layout is None or layout.kind != b"WAVE":
            return None
        names = (b"fmt ", b"bext", b"iXML")
        bodies = {name: chunks.body(file, layout.find(name), _LARGEST_CHUNK) for name in names}
    if len(bodies[b"fmt "]) < 16:
        return None
    _, _, rate, _, block = struct.unpack_from("<HHIIH", bodies[b"fmt "])
    samples = layout.data.size // block if layout.data and block else 0
    found = read_bodies(path, bodies, rate, samples)
    return replace(found, notes=(*layout.notes, *found.notes))


def read_bodies(path: Path, bodies: Mapping[bytes, bytes], rate: int, samples: int) -> Recording:
    """Read the bodies of bext and iXML, wherever they were found, of so many samples at ``rate``.

    ``path`` is the file that notes speak of.
    """
    fixed = bodies.get(b"bext", b"")
    bext = _Bext(fixed) if len(fixed) >= _Bext.SIZE else None
    described = bodies.get(b"iXML", b"").strip(b"\0 \r\n")
    root = safexml.parse(described)
    first, second = (bext.words() if bext else {}), (_words(root) if root is not None else {})
    words = first | second
    told = _stamp(root) if root is not None else None
    own = bext.time_reference if bext else None
    numbers, drop = _rate(words)
    made = Recording(
        sample_rate=rate,
        samples=samples,
        start=own if own is not None else told,
        date=bext.date if bext else "",
        time=bext.time if bext else "",
        originator=bext.originator if bext else "",
        rate=numbers,
        drop_frame=drop,
        words=words,
        tracks=tuple(_tracks(root)) if root is not None else (),
    )
    unread = [f"{shown(path)}: {UNREAD}."] if described and root is None else []
    notes = (*unread, *_starts(path, made, told), *_rates(path, rate, first, second))
    return replace(made, notes=notes)


class _Bext:
    """The fixed part of a bext chunk."""

    SIZE = 602

    def __init__(self, body: bytes) -> None:
        self.description = _ascii(body[:256])
        self.originator = _ascii(body[256:288])
        self.date, self.time = _ascii(body[320:330]), _ascii(body[330:338])
        self.time_reference: int = struct.unpack_from("<Q", body, 338)[0]

    def words(self) -> dict[str, str]:
        """Return what recorders write into the description, as in "sSCENE=12A"."""
        return {key: shown_text(value.strip()) for key, value in _NAMED.findall(self.description)}


def _ascii(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "replace").replace("\r\n", "\n").strip()


def _words(root: Any) -> dict[str, str]:
    """Return iXML's single values by name, those inside SPEED included."""
    inner = safexml.find(root, "SPEED")
    elements = [*root, *(inner if inner is not None else ())]
    return {
        safexml.name(each): shown_text(str(each.text).strip())
        for each in elements
        if not len(each) and each.text and each.text.strip()
    }


def _stamp(root: Any) -> int | None:
    high, low = (
        safexml.text(root, "SPEED", f"TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_{part}")
        for part in ("HI", "LO")
    )
    upper, lower = whole(high), whole(low)
    return None if lower is None else ((upper or 0) << 32) + lower


def whole(text: str) -> int | None:
    """Read a whole number of at most 19 digits, as files from anywhere may have millions."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def ratio(text: str) -> Fraction | None:
    """Read a number above zero such as "24000/1001" or "023.976"; no power of ten."""
    with suppress(ValueError, ZeroDivisionError):
        if re.fullmatch(r"[0-9./]{1,40}", text):
            return Fraction(text) or None
    return None


def _rate(words: dict[str, str]) -> tuple[Fraction | None, bool]:
    """Read iXML's TIMECODE_RATE ("24000/1001") or bext's SPEED ("023.976-ND")."""
    said = words.get("TIMECODE_RATE") or words.get("SPEED", "").partition("-")[0]
    flag = words.get("TIMECODE_FLAG") or words.get("SPEED", "").partition("-")[2]
    stated = ratio(said)
    if stated is None or not 1 <= snap(stated) <= 1000:
        return None, False
    return snap(stated), flag.upper() in {"DF", "D"} and can_drop(snap(stated))


def _tracks(root: Any) -> Iterator[Track]:
    listed = safexml.find(root, "TRACK_LIST")
    for track in listed if listed is not None else ():
        place = whole(
            safexml.text(track, "INTERLEAVE_INDEX") or safexml.text(track, "CHANNEL_INDEX")
        )
        if place is not None:
            yield Track(channel=place, name=shown_text(safexml.text(track, "NAME")))


def _starts(path: Path, made: Recording, told: int | None) -> Iterator[str]:
    """Tell where the bext chunk begins at another sample than the iXML."""
    if made.start is None or told is None or made.start == told:
        return
    bext, ixml = (_began(replace(made, start=sample)) for sample in (made.start, told))
    yield (
        f"{shown(path)} contradicts itself: its bext chunk begins at {bext} and its iXML at "
        f"{ixml}; the bext chunk counts."
    )


def _began(made: Recording) -> str:
    sample = f"sample {made.start:,} since midnight"
    return f"{made.timecode} ({sample})" if made.timecode is not None else sample


def _rates(path: Path, rate: int, bext: Words, ixml: Words) -> Iterator[str]:
    """Tell where header, bext and iXML name different rates, of samples or of frames."""
    stated = whole((bext | ixml).get("FILE_SAMPLE_RATE", ""))
    if stated is not None and rate and stated != rate:
        yield (
            f"{shown(path)} contradicts itself: its header says {rate:,} Hz and its iXML "
            f"{stated:,} Hz; a pull-up or pull-down may be why."
        )
    first, second = _rate(bext), _rate(ixml)
    if first[0] and second[0] and first != second:
        one, other = (f"{float(each or 0):.6g}{' DF' * drop}" for each, drop in (first, second))
        yield (
            f"{shown(path)} contradicts itself: its bext chunk counts {one} frames a second and "
            f"its iXML {other}; the iXML counts."
        )


def continues(before: Path, after: Path) -> str:
    """Return why ``after`` does not go on where ``before`` ends, or "" when it does.

    A recorder that splits at 4 GB stamps each part with its own first sample.

    Raises:
        OSError: One of them cannot be read.
    """
    first, second = read(before), read(after)
    if first is None or second is None:
        return ""
    if first.sample_rate != second.sample_rate:
        return (
            f"{shown(after)} has {second.sample_rate:,} Hz, "
            f"{shown(before)} {first.sample_rate:,} Hz"
        )
    if first.end is None or second.start is None:
        return ""
    gap = second.start - first.end
    # Some recorders stamp all parts alike.
    if not gap or second.start == first.start:
        return ""
    side = "after" if gap > 0 else "before"
    return f"{shown(after)} begins {abs(gap):,} samples {side} the end of {shown(before)}"
