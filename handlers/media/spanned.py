"""Clips that a camera wrote as several files, as one: the frames count on from part to part."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av

from handlers.contract import UnusableMedia
from handlers.media import apart, bwf
from handlers.media.decode import MOST_ERRORS, AudioSink, Decoder, FrameSource, frames_at
from handlers.media.probe import Probe, SoundFile, probe
from handlers.media.source import shown


def probe_spanned(path: Path, parts: Sequence[Path]) -> Probe:
    """Read what a clip of several files is: the first one's facts, all parts' length.

    Raises:
        UnusableMedia: A part cannot be read, or differs from the first in picture or rate.
    """
    probes = [apart.complete(part, probe(part)) for part in parts]
    first = probes[0]
    for part, found in zip(parts[1:], probes[1:], strict=True):
        _require_alike(first, parts[0], found, part)
    lengths = [found.duration for found in probes]
    frames = [found.video.frames if found.video else None for found in probes]
    lost = tuple(itertools.chain.from_iterable(found.lost for found in probes))
    video = first.video and dataclasses.replace(
        first.video,
        # One variable part makes the whole clip one whose pictures are counted.
        vfr=any(found.video.vfr for found in probes if found.video),
        frames=None if None in frames else sum(count or 0 for count in frames),
    )
    return dataclasses.replace(
        first,
        duration=None
        if None in lengths
        else sum((each or Fraction(0) for each in lengths), Fraction(0)),
        video=video,
        files=tuple(parts),
        sound_files=tuple(_sound_files(probes)),
        notes=(*first.notes, *lost[len(first.lost) :], *_jumps(path, parts, probes)),
        lost=lost,
    )


def _require_alike(first: Probe, path: Path, found: Probe, part: Path) -> None:
    if _picture(first) != _picture(found) or len(first.audio) != len(found.audio):
        raise UnusableMedia(
            f"{shown(part)} does not continue {shown(path)}: its picture or its sound tracks "
            "are others; put the two clips into different folders."
        )


def _picture(source: Probe) -> tuple[object, ...]:
    video = source.video
    return () if video is None else (video.width, video.height, video.rate, video.codec)


def _sound_files(probes: Sequence[Probe]) -> Iterator[SoundFile]:
    """Lay each part's files of sound under their own part."""
    begin = Fraction(0)
    for part, found in enumerate(probes):
        for file in found.sound_files:
            yield dataclasses.replace(file, begin=begin, part=part)
        begin += length(found)


def length(part: Probe) -> Fraction:
    """Return how many seconds of the whole a part takes."""
    if part.video is not None and part.video.frames and not part.video.vfr:
        return part.video.frames / part.video.grid_rate
    return part.duration or Fraction(0)


def _jumps(path: Path, parts: Sequence[Path], probes: Sequence[Probe]) -> Iterator[str]:
    """Say where a part's own timecode is neither the first one's nor what follows it."""
    if probes[0].video is None:
        gaps = (bwf.continues(one, other) for one, other in itertools.pairwise(parts))
        yield from (f"{gap}." for gap in gaps if gap)
    begin, passed = probes[0].timecode, 0
    for part, before, found in zip(parts[1:], probes, probes[1:], strict=False):
        passed += (before.video.frames or 0) if before.video else 0
        # Some cameras give each part the timecode of the clip's beginning.
        if begin and found.timecode and found.timecode not in {begin, begin + passed}:
            yield (
                f"The timecode jumps in {shown(path)}: {shown(part)} begins at {found.timecode} "
                f"and not at {begin + passed}; counted on from the first part."
            )


class SpannedDecoder(FrameSource):
    """One pass over a clip of several files.

    Frame numbers and the clock of pictures and sound go on from part to part.
    """

    def __init__(self, path: Path, source: Probe, *, on_audio: AudioSink | None = None) -> None:
        if source.video is None:
            raise UnusableMedia(f"{shown(path)} holds no picture; copy it again.")
        super().__init__(path, source.video)
        self._parts = source.files
        self._apart = source.sound_files
        self._on_audio = on_audio
        self._decoder: Decoder | None = None
        # How many frames, and how many seconds, the parts before this one have.
        self._frames, self._passed = 0, Fraction(0)

    def __iter__(self) -> Iterator[tuple[int, av.VideoFrame]]:
        for number, part in enumerate(self._parts):
            sound = [file for file in self._apart if file.part == number]
            yield from self._part(part, sound)

    def _part(self, part: Path, sound: Sequence[SoundFile]) -> Iterator[tuple[int, av.VideoFrame]]:
        facts = probe(part).video
        if facts is None:
            raise UnusableMedia(f"{shown(part)} holds no picture; copy it again.")
        facts = dataclasses.replace(facts, vfr=self.vfr)
        decoder = apart.decoder(part, facts, sound, self._sound if self._on_audio else None)
        self._decoder, last = decoder, -1
        for number, frame in decoder:
            self.origin = decoder.origin if self.origin is None else self.origin
            self.times.append(float(self._passed) + (decoder.times[-1] if decoder.times else 0.0))
            self.decoded += 1
            last = number
            yield self._frames + number, frame
        self._take_errors(decoder)
        count = max(last + 1, 0 if decoder.vfr else facts.frames or 0)
        self._passed += Fraction(decoder.end) if decoder.vfr else count / facts.grid_rate
        self._frames += count
        self.end = float(self._passed)

    def _take_errors(self, decoder: Decoder) -> None:
        self.error_count += decoder.error_count
        room = MOST_ERRORS - len(self.errors)
        self.errors.extend(
            dataclasses.replace(
                error, frame=None if error.frame is None else error.frame + self._frames
            )
            for error in decoder.errors[:room]
        )

    def _sound(self, index: int, frame: av.AudioFrame) -> None:
        if self._on_audio is None or self._decoder is None:
            return
        # Sound may come before the part's first picture.
        own = self._decoder.start if self._decoder.origin is None else self._decoder.origin
        if frame.pts is not None and self._passed and own is not None and self.origin is not None:
            shift = self._passed - own + self.origin
            frame.pts += round(shift / Fraction(frame.time_base))
        self._on_audio(index, frame)


def spanned_frames_at(source: Probe, numbers: Sequence[int]) -> Iterator[av.VideoFrame | None]:
    """Decode only the pictures of the given frames, each in the part that holds it."""
    begin, wanted = 0, list(numbers)
    for place, part in enumerate(source.files):
        own = probe(part)
        count = _places(own)
        last = place == len(source.files) - 1
        inside = [number for number in wanted if last or number < begin + count]
        wanted = wanted[len(inside) :]
        yield from frames_at(part, own, [number - begin for number in inside])
        begin += count


def _places(source: Probe) -> int:
    """Return how many places of the edit rate a part takes: a variable rate's are not counted."""
    if source.video is None:
        return 0
    if source.video.vfr and source.duration is not None:
        return round(source.duration * source.video.rate)
    return source.video.frames or 0
