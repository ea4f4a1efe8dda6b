"""Reading the structure of MP4 and MOV files without decoding them (ISO/IEC 14496-12).

FFmpeg opens a file whose second half has not arrived yet. Its sample tables
say where each picture should be, which shows whether the bytes are there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

_CONTAINERS = frozenset({b"moov", b"trak", b"edts", b"mdia", b"minf", b"stbl"})
_KNOWN = frozenset(
    {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"moof", b"pnot", b"uuid", b"sidx"}
)
# The boxes of a track that are read.
_READ = frozenset({b"hdlr", b"mdhd", b"elst", b"stsd", b"stsz", b"stsc", b"stco", b"co64", b"stts"})
# What stands outermost in a clip; a camera maker's own bytes behind it may look like any other.
_OUTERMOST = _KNOWN | {b"styp", b"mfra", b"meta", b"meco", b"udta", b"emsg", b"prft", b"ssix"}
# A table larger than this belongs to no real clip; reading it would only cost memory.
_LARGEST_TABLE = 1 << 28

Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One box: its type, and where its body lies in the file, in bytes."""

    kind: bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimecodeEntry:
    """How a timecode track counts: numbers a second as a nominal count, and its flags.

    ``skipped`` are the seconds that its edit list leaves out at its beginning;
    ``lengths`` the frames that each of its entries stands for, for runs of entries.
    """

    rate: Fraction
    nominal: int
    drop_frame: bool
    skipped: Fraction = Fraction(0)
    lengths: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One track's samples, or chunks of samples of one size: offsets and sizes in bytes."""

    handler: bytes
    codec: bytes
    offsets: Offsets
    sizes: Offsets
    timecode: TimecodeEntry | None

    @property
    def end(self) -> int:
        """Return the first byte after the last one that any sample needs."""
        return int((self.offsets + self.sizes).max()) if self.offsets.size else 0


def looks_like_boxes(head: bytes) -> bool:
    """Say whether a file's first 8 bytes start an MP4 or MOV file."""
    return head[4:8] in _KNOWN


def top_level(path: Path) -> list[Box]:
    """List the outermost boxes; an end beyond the file's size means that bytes are missing."""
    with path.open("rb") as file:
        return list(_boxes(file, 0, path.stat().st_size, clip=False))


def is_fragmented(path: Path) -> bool:
    """Say whether the pictures lie in fragments, each with an index of its own."""
    with path.open("rb") as file:
        return any(box.kind == b"moof" for box in _boxes(file, 0, path.stat().st_size, clip=False))


def cut(found: list[Box], size: int) -> Box | None:
    """Return the outermost box that does not all lie in a file of ``size`` bytes, or None.

    Behind a whole index and whole media only a known box counts: some cameras append
    bytes of their own, whose "length" can be anything.
    """
    inside = {box.kind for box in found if box.end <= size}
    over = (box for box in found if box.end > size)
    if {b"moov", b"mdat"} <= inside:
        over = (box for box in over if box.kind in _OUTERMOST)
    return next(over, None)


def tracks(path: Path) -> list[Track]:
    """Read every track's sample table.

    Raises:
        ValueError: The index is damaged.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        moov = [box for box in _boxes(file, 0, size, clip=False) if box.kind == b"moov"]
        found = [
            box for top in moov for box in _boxes(file, top.start, top.end) if box.kind == b"trak"
        ]
        try:
            return [_track(file, box) for box in found]
        except (struct.error, IndexError, KeyError) as error:
            raise ValueError("its index is damaged") from error


def clock(path: Path) -> int:
    """Return in how many ticks a second edit lists count, or 0 where the file does not say."""
    size = path.stat().st_size
    with path.open("rb") as file:
        for top in _boxes(file, 0, size, clip=False):
            if top.kind != b"moov":
                continue
            for box in _boxes(file, top.start, top.end):
                if box.kind == b"mvhd":
                    file.seek(box.start)
                    head = file.read(min(24, box.end - box.start)).ljust(24, b"\0")
                    return int(struct.unpack_from(">I", head, 20 if head[0] else 12)[0])
    return 0


def _boxes(file: BinaryIO, start: int, end: int, *, clip: bool = True) -> Iterator[Box]:
    """List boxes; inside the index (``clip``) they end with it, and zeros are damage."""
    position = start
    while position + 8 <= end:
        file.seek(position)
        head = file.read(16)
        if len(head) < 8:
            return
        length, kind = struct.unpack(">I4s", head[:8])
        body = position + 8
        if length == 1 and len(head) == 16:
            length, body = struct.unpack(">Q", head[8:])[0], position + 16
        stop = end if length == 0 else position + length
        if stop < body or kind == b"\0\0\0\0":
            if not clip:
                return
            raise ValueError("its index is damaged")
        yield Box(kind=kind, start=body, end=min(stop, end) if clip else stop)
        position = stop


def _leaves(file: BinaryIO, box: Box) -> Iterator[Box]:
    for inner in _boxes(file, box.start, box.end):
        if inner.kind in _CONTAINERS:
            yield from _leaves(file, inner)
        else:
            yield inner


def _track(file: BinaryIO, trak: Box) -> Track:
    bodies: dict[bytes, bytes] = {}
    for leaf in _leaves(file, trak):
        if leaf.kind in _READ:
            file.seek(leaf.start)
            # A QuickTime track has a second "hdlr" for its data; the first one is the media's.
            bodies.setdefault(leaf.kind, file.read(min(leaf.end - leaf.start, _LARGEST_TABLE)))
    offsets, sizes = _samples(bodies)
    described = bodies.get(b"stsd", b"")
    return Track(
        handler=bodies.get(b"hdlr", b"")[8:12],
        codec=described[12:16],
        offsets=offsets,
        sizes=sizes,
        timecode=_timecode_entry(described, bodies),
    )


def _samples(bodies: dict[bytes, bytes]) -> tuple[Offsets, Offsets]:
    """Work out each sample's offset from chunks, as section 8.7 of the standard lays down."""
    chunks = _chunk_offsets(bodies)
    fixed, sizes = _sizes(bodies.get(b"stsz", b""))
    if not chunks.size or not (fixed or sizes.size):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    if not chunks.all():
        raise ValueError("its index is damaged")
    counts = _samples_per_chunk(bodies[b"stsc"], chunks.size)
    if fixed:
        # Sound has millions of samples of one size: a whole chunk stands for one.
        return chunks[: counts.size], counts * fixed
    if counts.sum() > 2 * sizes.size:
        raise ValueError("its index is damaged")
    chunk_of = np.repeat(np.arange(counts.size), counts)[: sizes.size]
    sizes = sizes[: chunk_of.size]
    before = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    firsts = np.concatenate(([0], np.cumsum(counts)[:-1]))
    inside = before - before[np.minimum(firsts, sizes.size - 1)][chunk_of]
    return chunks[chunk_of] + inside, sizes


def _chunk_offsets(bodies: dict[bytes, bytes]) -> Offsets:
    wide = b"co64" in bodies
    body = bodies.get(b"co64" if wide else b"stco", b"\0" * 8)
    count = struct.unpack(">I", body[4:8])[0]
    return _numbers(body[8:], ">u8" if wide else ">u4", count)


def _sizes(body: bytes) -> tuple[int, Offsets]:
    """Return the one size that all samples have, or 0 and each sample's."""
    if len(body) < 12:
        return 0, np.zeros(0, np.int64)
    fixed, count = struct.unpack(">II", body[4:12])
    return fixed, np.zeros(0, np.int64) if fixed else _numbers(body[12:], ">u4", count)


def _samples_per_chunk(body: bytes, chunks: int) -> Offsets:
    count = struct.unpack(">I", body[4:8])[0]
    runs = _numbers(body[8:], ">u4", 3 * count).reshape(-1, 3)
    starts = np.clip(np.append(runs[:, 0] - 1, chunks), 0, chunks)
    return np.repeat(runs[:, 1], np.clip(np.diff(starts), 0, None))[:chunks]


def _numbers(body: bytes, kind: str, count: int) -> Offsets:
    width = np.dtype(kind).itemsize
    if len(body) < count * width:
        raise ValueError("its index is cut short")
    return np.frombuffer(body, kind, count).astype(np.int64)


def _skipped(bodies: dict[bytes, bytes]) -> Fraction:
    """Return where in its media a track begins, in seconds, by its first edit that shows any."""
    listed, media = bodies.get(b"elst", b""), bodies.get(b"mdhd", b"")
    if len(listed) < 8 or len(media) < 24:
        return Fraction(0)
    scale = struct.unpack_from(">I", media, 20 if media[0] else 12)[0]
    entry = struct.Struct(">QqI" if listed[0] else ">IiI")
    count = min(struct.unpack_from(">I", listed, 4)[0], (len(listed) - 8) // entry.size)
    begins = (entry.unpack_from(listed, 8 + n * entry.size)[1] for n in range(count))
    return Fraction(next((begin for begin in begins if begin >= 0), 0), scale or 1)


def _timecode_entry(described: bytes, bodies: dict[bytes, bytes]) -> TimecodeEntry | None:
    """Read a ``tmcd`` sample description (QuickTime File Format, timecode media)."""
    if described[12:16] != b"tmcd" or len(described) < 42:
        return None
    flags, scale, duration, nominal = struct.unpack(">IIIB", described[28:41])
    rate = Fraction(scale, duration) if scale and duration else Fraction(nominal or 24)
    return TimecodeEntry(
        rate=rate,
        nominal=nominal,
        drop_frame=bool(flags & 1),
        skipped=_skipped(bodies),
        lengths=_lengths(bodies, rate),
    )


def _lengths(bodies: dict[bytes, bytes], rate: Fraction) -> tuple[tuple[int, int], ...]:
    """Return runs of entries and how many frames each of a run stands for."""
    table, media = bodies.get(b"stts", b""), bodies.get(b"mdhd", b"")
    if len(table) < 8 or len(media) < 24:
        return ()
    scale = struct.unpack_from(">I", media, 20 if media[0] else 12)[0] or 1
    count = min(struct.unpack_from(">I", table, 4)[0], (len(table) - 8) // 8)
    runs = struct.iter_unpack(">II", table[8 : 8 + 8 * count])
    return tuple((entries, round(Fraction(delta, scale) * rate)) for entries, delta in runs)
