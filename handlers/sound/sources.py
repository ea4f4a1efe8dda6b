"""Where samples come from: PCM at the place that the chunks give, or what libsndfile decodes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import soundfile

from handlers.contract import UnusableMedia
from handlers.media import chunks
from handlers.media.source import advice, shown
from handlers.sound.essence import Format, Values, floating, pcm
from handlers.sound.form import Header, read_comm, read_fmt

_LARGEST_HEADER = 4096
# Lossy codecs of libsndfile that FFmpeg decodes to the exact length.
_FOR_FFMPEG = frozenset({"OPUS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III"})
_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_24": 24, "PCM_32": 32, "ALAC_20": 24, "ALAC_24": 24,
         "ALAC_32": 32, "DWVW_24": 24}  # fmt: skip
_PIECE = 4096
_MOST_SAMPLES = 1 << 40
# The speakers of a FLAC by its count of channels (RFC 9639, section 9.1.3).
_FLAC_MASKS = {3: 0x7, 4: 0x33, 5: 0x37, 6: 0x3F, 7: 0x70F, 8: 0x63F}


class Source(Protocol):
    """Samples of one file or track, on their own scale, as often as they are asked for."""

    format: Format
    rate: int
    channels: int
    mask: int
    is_lossy: bool
    notes: list[str]

    @property
    def samples(self) -> int:
        """How many there are of each channel."""
        ...

    def values(self, size: int) -> Iterator[Values]:
        """Yield them in order, [≤ size, channels]."""
        ...


class PcmSource:
    """Plain samples in a chunk of a file."""

    is_lossy = False

    def __init__(self, path: Path, layout: chunks.Layout, header: Header, form: Format) -> None:
        self.path, self.format = path, form
        self.rate, self.channels, self.mask = header.rate, header.channels, header.mask
        self.notes: list[str] = []
        self._start, self._block = 0, header.block
        size = 0
        if layout.data is not None:
            skipped = _skipped(path, layout)
            self._start = layout.data.start + skipped
            size = max(0, layout.data.size - skipped)
        self.samples, odd = divmod(size, self._block)
        counted = self.samples if header.frames is None else header.frames
        # Some writers of AIFF count the byte that pads the sound as sound.
        if 0 <= size - counted * self._block <= 1:
            self.samples, odd = counted, 0
        self._tell(header.frames, odd)

    def _tell(self, counted: int | None, odd: int) -> None:
        if odd:
            self.notes.append(
                f"{shown(self.path)} ends within a sample: its last {odd} bytes were left out."
            )
        if counted not in {None, self.samples}:
            self.notes.append(
                f"{shown(self.path)} says {counted:,} samples, and {self.samples:,} are there; "
                "those were taken."
            )

    def values(self, size: int) -> Iterator[Values]:
        """Yield the samples in order, [≤ size, channels]."""
        left = self.samples
        with self.path.open("rb") as file:
            file.seek(self._start)
            while left:
                data = file.read(min(size, left) * self._block)
                whole = len(data) // self._block
                if not whole:
                    return
                left -= whole
                yield self.format.unpack(data[: whole * self._block], self.channels)


def _skipped(path: Path, layout: chunks.Layout) -> int:
    """AIFF's sound begins with where its first sample lies."""
    if layout.form != b"FORM" or layout.data is None:
        return 0
    with path.open("rb") as file:
        head = chunks.body(file, layout.data, 8)
    return 8 + int.from_bytes(head[:4], "big") if len(head) == 8 else layout.data.size


def header_of(path: Path, layout: chunks.Layout) -> Header | None:
    """Read what a file's chunks say of its samples, None where they do not."""
    with path.open("rb") as file:
        if layout.form == b"FORM":
            return read_comm(chunks.body(file, layout.find(b"COMM"), _LARGEST_HEADER))
        return read_fmt(chunks.body(file, layout.find(b"fmt "), _LARGEST_HEADER))


class SndfileSource:
    """What libsndfile decodes: FLAC, CAF, AU and compressed WAV and AIFF."""

    def __init__(self, path: Path, opened: soundfile.SoundFile) -> None:
        self.path = path
        self.rate, self.channels = opened.samplerate, opened.channels
        self.mask = _FLAC_MASKS.get(opened.channels, 0) if opened.format == "FLAC" else 0
        self.samples: int = opened.frames
        self._promised = self.samples
        self.notes: list[str] = []
        self.is_lossy = opened.subtype == "VORBIS"
        if opened.subtype in {"FLOAT", "DOUBLE", "VORBIS"}:
            self.format = floating(64 if opened.subtype == "DOUBLE" else 32)
        else:
            self.format = pcm(_BITS.get(opened.subtype, 16))

    @classmethod
    def open(cls, path: Path) -> SndfileSource | None:
        """Return the source, or None where libsndfile cannot read the file exactly."""
        try:
            with soundfile.SoundFile(path) as opened:
                exact = opened.subtype not in _FOR_FFMPEG and 0 <= opened.frames < _MOST_SAMPLES
                return cls(path, opened) if exact else None
        except soundfile.LibsndfileError:
            return None

    def values(self, size: int) -> Iterator[Values]:
        """Yield the samples in order, [≤ size, channels], as far as they decode."""
        done = 0
        kind = "int32" if self.format.kind == "int" else f"float{self.format.bits}"
        try:
            with soundfile.SoundFile(self.path) as opened:
                # Always as much at once: where damage ends it must not depend on who asks.
                while len(block := opened.read(_PIECE, dtype=kind, always_2d=True)):
                    done += len(block)
                    made = block >> (32 - self.format.bits) if kind == "int32" else block
                    yield from (made[at : at + size] for at in range(0, len(made), size))
        except soundfile.LibsndfileError as error:
            self._broke_off(done, error)
        if done < self.samples:
            self._broke_off(done, None)

    def _broke_off(self, done: int, error: Exception | None) -> None:
        if not done:
            raise UnusableMedia(
                f"{shown(self.path)} does not decode; {advice(self.path)}"
            ) from error
        taken = f"{done:,} of {self._promised:,} samples"
        note = f"{shown(self.path)} is damaged: {taken} decode, and those were taken."
        if note not in self.notes:
            self.notes.append(note)
        # Whatever a header promised: nobody may make room for more than there is.
        self.samples = done
