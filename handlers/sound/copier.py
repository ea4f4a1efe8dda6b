"""New sound in the place of the old: a WAV with every chunk of its source.

What describes the sound itself is made again or dropped, and listed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from handlers.media.chunks import UNKNOWN
from handlers.sound.bext import Process
from handlers.sound.essence import Merger, Values
from handlers.sound.plan import Part, Plan, make_plan
from handlers.sound.reader import BLOCK, Sound
from handlers.sound.riff import LARGEST_RIFF, RiffWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What became of a source's chunks, by name, of a field of one as "bext/UMID".

    ``samples`` counts those of each channel; ``altered`` those of all channels that differ from
    the source's, ``clipped`` those that full scale cut.
    """

    kept: tuple[str, ...]
    changed: tuple[str, ...]
    dropped: tuple[str, ...]
    samples: int
    altered: int
    clipped: int


def write_sound(
    sound: Sound,
    blocks: Iterable[Values],
    path: Path,
    *,
    process: Process,
    seed: int = 0,
    dithers: bool = True,
    limit: int = LARGEST_RIFF,
) -> Copied:
    """Write a WAV of the source's format with new sound in it; memory is that of a few blocks.

    A sample that is as it was stays the same bit for bit; see :class:`Merger` for the others.

    Args:
        sound: The source; it is read once more meanwhile.
        blocks: The new sound, float32 or float64 [n, channels], as long as the source's.
        path: The file to write; it is whole when this returns.
        process: What made the new sound.
        seed: Decides the dither.
        dithers: Whether there is any; without it silence in the new sound is silence.
        limit: From how many bytes on a RIFF becomes an RF64.

    Raises:
        ValueError: The new sound is not as long as the source's, or not of its channels.
        UnusableMedia: The source does not decode.
        OSError: Something cannot be read or written.
    """
    plan = make_plan(sound, process, limit)
    with sound.path.open("rb") as source, RiffWriter(path, plan.form, limit) as writer:
        merge = Merger(sound.source.format, sound.written, seed if dithers else None)
        return _Pour(sound, plan, writer, merge).run(blocks, source)


class _Pour:
    """One file on its way."""

    def __init__(self, sound: Sound, plan: Plan, writer: RiffWriter, merge: Merger) -> None:
        self._sound, self._plan, self._writer = sound, plan, writer
        self._merge = merge
        self._peaks = Peaks(sound.channels, sound.written.scale)
        # Where what is known only at the end has to go.
        self._late: dict[bytes, tuple[int, bytes]] = {}
        self._samples = 0

    def run(self, blocks: Iterable[Values], source: BinaryIO) -> Copied:
        """Write everything."""
        is_written = False
        for part in self._plan.parts:
            if part.name == b"data" and part.body == b"" and not is_written:
                is_written = True
                self._pour(blocks)
            else:
                self._copy(part, source)
        self._fill_in()
        form = self._writer.finish(self._samples)
        if form != self._plan.form:
            self._promoted()
        plan = self._plan
        return Copied(
            kept=tuple(plan.kept),
            changed=tuple(dict.fromkeys(plan.changed)),
            dropped=tuple(plan.dropped),
            samples=self._samples,
            altered=self._merge.changed,
            clipped=self._merge.clipped,
        )

    def _copy(self, part: Part, source: BinaryIO) -> None:
        if part.body is None:
            self._writer.copy(part.name, source, part.start, part.size)
            return
        place = self._writer.chunk(part.name, part.body)
        self._late.setdefault(part.name, (place, part.body))

    def _pour(self, blocks: Iterable[Values]) -> None:
        self._writer.begin_data()
        old = _Old(self._sound.values(BLOCK))
        for new in blocks:
            values = self._merge(old.take(len(new)), new)
            self._peaks.push(values)
            self._writer.data(self._sound.written.pack(values))
            self._samples += len(new)
        if old.has_more():
            raise ValueError(f"new sound ends after {self._samples} samples, before the old")
        self._writer.end_data()

    def _fill_in(self) -> None:
        # All ones say that ds64 has the count.
        ones, said = struct.pack("<I", UNKNOWN), self._late.get(b"fact", (0, b""))[1][:4]
        counted = ones if said == ones else struct.pack("<I", min(self._samples, UNKNOWN))
        self._again(b"fact", counted, 0)
        self._again(b"PEAK", self._peaks.pack(), 8)
        if b"ds64" in self._late:
            self._plan.changed.append("ds64")

    def _again(self, name: bytes, made: bytes, skipped: int) -> None:
        """Write a field over that of the old sound, where there is such a chunk."""
        place, body = self._late.get(name, (0, b""))
        if not place:
            return
        shown = name.decode()
        if body[skipped : skipped + len(made)] == made:
            self._plan.kept.append(shown)
        else:
            self._writer.patch(place + skipped, made)
            self._plan.changed.append(shown)

    def _promoted(self) -> None:
        self._plan.changed.append("JUNK (now ds64)")
        if "JUNK" in self._plan.kept:
            self._plan.kept.remove("JUNK")


class _Old:
    """The source's own samples, in pieces of any length."""

    def __init__(self, values: Iterator[Values]) -> None:
        self._values = values
        self._held: list[Values] = []

    def take(self, count: int) -> Values:
        """Return the next samples, fewer at the end."""
        have, pieces = 0, []
        while have < count:
            piece = self._held.pop() if self._held else next(self._values, None)
            if piece is None:
                break
            fit = count - have
            if len(piece) > fit:
                self._held.append(piece[fit:])
            pieces.append(piece[:fit])
            have += len(pieces[-1])
        if have < count:
            raise ValueError(f"new sound has {count - have} samples more than the old")
        return np.concatenate(pieces) if pieces else np.zeros((0, 0))

    def has_more(self) -> bool:
        """Say whether anything is left."""
        return bool(self._held) or next(self._values, None) is not None


class Peaks:
    """Each channel's highest sample and its place, as a PEAK chunk has them."""

    def __init__(self, channels: int, scale: float) -> None:
        self._scale = scale
        self._highest = np.full(channels, -1.0)
        self._places = np.zeros(channels, np.int64)
        self._passed = 0

    def push(self, values: Values) -> None:
        """Take samples [n, channels] on their own scale."""
        if len(values):
            sizes = np.abs(values.astype(np.float64)) / self._scale
            places = sizes.argmax(axis=0)
            highest = sizes[places, np.arange(sizes.shape[1])]
            higher = highest > self._highest
            self._highest[higher] = highest[higher]
            self._places[higher] = places[higher] + self._passed
        self._passed += len(values)

    def pack(self) -> bytes:
        """Return a float and a place for each channel."""
        pairs = zip(np.maximum(self._highest, 0), self._places, strict=True)
        return b"".join(struct.pack("<fI", peak, min(place, UNKNOWN)) for peak, place in pairs)
