"""Sound of any file as a stream of blocks, with what the file says about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from handlers.contract import UnusableMedia
from handlers.media import bwf, chunks
from handlers.media.probe import probe
from handlers.media.source import shown
from handlers.media.timecode import Timecode
from handlers.sound import flac
from handlers.sound.essence import Format, Values, pcm, scaled
from handlers.sound.form import read_fmt
from handlers.sound.sources import PcmSource, SndfileSource, Source, header_of
from handlers.sound.tracks import TrackSource

MOST_CHANNELS = 64
LOWEST_RATE, HIGHEST_RATE = 8_000, 192_000
BLOCK = 1 << 15
# What a file begins with, what people call it, and the endings of its name.
_KINDS = (
    ((b"RIFF", b"RF64", b"BW64"), "WAV", {".wav", ".wave", ".bwf", ".rf64", ".bw64", ".avi"}),
    ((b"riff",), "Wave64", {".w64"}),
    ((b"FORM",), "AIFF", {".aif", ".aiff", ".aifc"}),
    ((b"fLaC",), "FLAC", {".flac"}),
    ((b"OggS",), "Ogg", {".ogg", ".oga", ".opus", ".ogv", ".spx"}),
    ((b"\xff\xfb", b"\xff\xfa", b"\xff\xf3", b"\xff\xf2"), "MP3", {".mp3", ".mp2"}),
    ((b"ID3",), "MP3", {".mp3", ".mp2", ".aac", ".flac"}),
    ((b"\xff\xf1", b"\xff\xf9"), "AAC", {".aac"}),
    ((b"caff",), "CAF", {".caf"}),
    ((b"ftyp",), "MPEG-4", {".mp4", ".m4a", ".m4b", ".m4v", ".mov", ".3gp", ".m4p"}),
    ((b"\x1aE\xdf\xa3",), "Matroska", {".mkv", ".mka", ".webm"}),
)


@dataclass(kw_only=True)
class Sound:
    """One file's sound, or one track of a clip's.

    ``samples`` counts those of each channel, for compressed tracks by decoding them;
    ``channel_mask`` has a bit for each speaker in the order of the channels, 0 where the file
    names none; ``names`` are the recorder's of each channel, "" where it has none; ``start`` is
    the first sample since midnight, at ``rate`` hertz, or None. ``recording`` is all that a
    recorder says, ``foreign`` the chunks that a FLAC carries. ``replaced`` counts samples that
    were no finite numbers in the latest pass.
    """

    path: Path
    source: Source
    track: int = 0
    tracks: int = 1
    channel_mask: int = 0
    names: tuple[str, ...] = ()
    start: int | None = None
    timecode: Timecode | None = None
    reel: str = ""
    layout: chunks.Layout | None = None
    recording: bwf.Recording | None = None
    foreign: tuple[tuple[bytes, bytes], ...] = ()
    replaced: int = 0
    said: list[str] = field(default_factory=list)

    @property
    def rate(self) -> int:
        """Samples a second."""
        return self.source.rate

    @property
    def channels(self) -> int:
        """How many channels."""
        return self.source.channels

    @property
    def samples(self) -> int:
        """How many samples each channel has."""
        return self.source.samples

    @property
    def written(self) -> Format:
        """How a WAV of the same resolution is written; what has none of its own gets 24 bits."""
        form = self.source.format
        return pcm(24) if self.source.is_lossy and form.kind == "float" else form.as_wav()

    @property
    def subtype(self) -> str:
        """The name of its sample format, as libsndfile has it."""
        return self.source.format.subtype

    @property
    def notes(self) -> tuple[str, ...]:
        """What somebody should know of the file, in sentences; more may come as it is read."""
        told = [*self.said, *self.source.notes]
        if self.replaced:
            told.append(
                f"{shown(self.path)} has {self.replaced:,} samples that are no numbers (NaN or "
                "infinite); they count as 0."
            )
        return tuple(dict.fromkeys(told))

    def values(self, size: int = BLOCK) -> Iterator[Values]:
        """Yield the samples as the file has them, [≤ size, channels], on their own scale."""
        return self.source.values(size)

    def blocks(self, size: int = BLOCK, dtype: Any = np.float32) -> Iterator[Values]:
        """Yield the samples in order, [≤ size, channels], full scale 1; as often as wanted.

        Args:
            size: The most samples of a block.
            dtype: float32, or float64 where 32 bits are to be kept whole.

        Raises:
            UnusableMedia: Nothing of it decodes.
        """
        self.replaced = 0
        for values in self.source.values(size):
            made, bad = scaled(values, self.source.format, dtype)
            self.replaced += bad
            yield made


def open_sound(path: Path, track: int | None = None) -> Sound:
    """Look at a file's sound; nothing of it is read yet.

    Args:
        path: The file.
        track: Which track of a clip, from 0; the first where it is None.

    Raises:
        UnusableMedia: It holds no sound that can be used; the sentence says why.
        TransientFailure: The storage could not be reached.
        OSError: It cannot be read from the storage.
    """
    layout = chunks.read(path)
    sound = _plain(path, layout, track) or _decoded(path, layout, track)
    sound.said[:0] = [*_misnamed(path), *(layout.notes if layout else ())]
    _require_usable(sound)
    return sound


def _plain(path: Path, layout: chunks.Layout | None, track: int | None) -> Sound | None:
    """Open what the chunks describe, None where they do not or the samples are compressed."""
    if layout is None or layout.kind == b"AVI " or track:
        return None
    header = header_of(path, layout)
    if header is None or layout.data is None:
        lacking = "sound" if header else "description of its sound"
        raise UnusableMedia(
            f"{shown(path)} holds no {lacking}, its header alone; copy it again from the recorder."
        )
    if header.format is None or not header.block:
        return None
    _require_limits(path, header.channels, header.rate)
    source = PcmSource(path, layout, header, header.format)
    found = bwf.read(path)
    return _described(Sound(path=path, source=source, layout=layout), found)


def _decoded(path: Path, layout: chunks.Layout | None, track: int | None) -> Sound:
    compressed = None if track else SndfileSource.open(path)
    if compressed is None:
        return _of_track(path, track or 0, layout)
    chunks_of_wav = tuple(flac.foreign(path))
    sound = Sound(path=path, source=compressed, foreign=chunks_of_wav, layout=layout)
    header = read_fmt(dict(chunks_of_wav).get(b"fmt ", b""))
    compressed.mask = (header.mask if header else 0) or compressed.mask
    found = bwf.read_bodies(path, dict(chunks_of_wav), compressed.rate, compressed.samples)
    return _described(sound, bwf.read(path) or found)


def _of_track(path: Path, track: int, layout: chunks.Layout | None) -> Sound:
    source = TrackSource(path, track)
    sound = Sound(
        path=path,
        source=source,
        track=track,
        tracks=source.tracks,
        channel_mask=source.mask,
        names=(source.title,) if source.title and source.channels == 1 else (),
    )
    if source.has_picture:
        clip = probe(path)
        sound.timecode, sound.reel = clip.timecode, clip.reel or ""
        if clip.timecode is not None:
            seconds = Fraction(clip.timecode.frames) / clip.timecode.rate
            sound.start = round(seconds * source.rate)
    elif layout is not None and layout.kind == b"WAVE":
        sound.layout = layout
        return _described(sound, bwf.read(path))
    return sound


def _described(sound: Sound, found: bwf.Recording | None) -> Sound:
    """Take over what a recorder says."""
    sound.channel_mask = sound.source.mask
    if found is None:
        return sound
    names = {track.channel: track.name for track in found.tracks}
    if names:
        sound.names = tuple(names.get(place + 1, "") for place in range(sound.channels))
    sound.start, sound.timecode, sound.recording = found.start, found.timecode, found
    sound.said.extend(found.notes)
    return sound


def _require_limits(path: Path, channels: int, rate: int) -> None:
    if not 1 <= channels <= MOST_CHANNELS:
        raise UnusableMedia(
            f"{shown(path)} has {channels:,} channels, and 1 to {MOST_CHANNELS} can be processed; "
            "split it into several files."
        )
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise UnusableMedia(
            f"{shown(path)} says that it has {rate:,} samples a second; {LOWEST_RATE:,} to "
            f"{HIGHEST_RATE:,} can be processed, so convert it."
        )


def _require_usable(sound: Sound) -> None:
    _require_limits(sound.path, sound.channels, sound.rate)
    # What is compressed is counted only by decoding it; whoever reads it finds out.
    if not isinstance(sound.source, TrackSource) and not sound.samples:
        raise UnusableMedia(
            f"{shown(sound.path)} holds no samples at all; copy it again from the recorder."
        )


def _misnamed(path: Path) -> Iterator[str]:
    """Tell of a file that is not what its name says; it is read as what it is."""
    with path.open("rb") as file:
        head = file.read(8)
    head = head[4:] if head[4:] == b"ftyp" else head
    for starts, kind, endings in _KINDS:
        if head.startswith(starts) and path.suffix.lower() not in endings:
            yield f"{shown(path)} is {kind} by its content, and was read as that."
