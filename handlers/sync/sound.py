"""Reading sound at one low rate, whole or in spans, on the clock of frame 0 or of sample 0.

What tells one place of a recording from another lies below 4 kHz, so everything here works at
8 kHz: an hour of one channel is read in seconds. What was written in several files, one after the
other or side by side, is read as one.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
import numpy.typing as npt
from av.error import FFmpegError
from av.stream import Discard

from handlers.contract import UnusableMedia
from handlers.media.probe import raise_if_passing, usable
from handlers.media.source import open_media, picture_stream, shown, sound_streams

RATE = 8000
"""Samples a second of all sound that is compared."""

Samples = npt.NDArray[np.float32]

_BLOCK = 10 * RATE
# Shorter breaks than this, in seconds, are rounding of the container's clock, not lost sound.
_GAP = 0.05
# Longer ones (in samples) are a broken clock: filling them would make silence for hours.
_LONGEST_GAP = 3600 * RATE
# Codecs need some packets before the one that is wanted.
_LEAD = Fraction(1, 5)
# After a seek in these, the time of a packet is an estimate.
_NO_SEEK = frozenset({"mp3", "aac", "ac3", "eac3", "loas"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Files that sound together from ``begin`` on, in seconds of the whole.

    ``seconds`` is how long, where that is known.
    """

    files: tuple[Path, ...]
    begin: Fraction = Fraction(0)
    seconds: Fraction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What sounds as one clip or recording, known by ``path``: its parts, in order of time."""

    path: Path
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, path: Path) -> Source:
        """Return what a single file is."""
        return cls(path=path, parts=(Part(files=(path,)),))

    @property
    def files(self) -> tuple[Path, ...]:
        """All files."""
        return tuple(file for part in self.parts for file in part.files)


class _Track:
    """One sound stream on its way to the low rate, placed by its time stamps."""

    def __init__(self, stream: Any, origin: Fraction) -> None:
        self.channels: int = stream.channels
        self._origin = float(origin)
        self.restart(0)

    def restart(self, at: int) -> None:
        """Forget everything; what is held begins at sample ``at`` from now on."""
        self._pieces: list[Samples] = []
        self.held, self.position = 0, at
        self._resampler: av.AudioResampler | None = None
        self._fifo = av.AudioFifo()
        self._form: tuple[str, str, int] | None = None
        # Seconds from the origin at which the next frame should begin.
        self._next = 0.0
        self._skip = 0

    def add(self, frame: av.AudioFrame) -> None:
        """Take a decoded frame; sound before what is wanted is dropped, gaps become silence."""
        form = frame.format.name, frame.layout.name, frame.sample_rate
        begins = self._next
        if frame.pts is not None:
            begins = frame.pts * float(frame.time_base) - self._origin
        if form != self._form or abs(begins - self._next) > _GAP:
            self._begin(begins, form)
        self._next += frame.samples / frame.sample_rate
        frame.pts = None
        self._fifo.write(frame)
        # Small frames cost more to handle than to decode.
        if self._fifo.samples >= frame.sample_rate:
            self._resample()

    def flush(self) -> None:
        """Take what the resampler still holds."""
        if self._resampler is not None:
            self._resample()
            self._hold(self._resampler.resample(None))
            self._resampler = None

    def take(self, count: int) -> Samples:
        """Give away the next samples, [channels, count]; silence after the end."""
        joined = np.concatenate([*self._pieces, np.zeros((0, self.channels), np.float32)])
        given = joined[:count]
        self._pieces = [joined[count:]]
        self.held = len(joined) - len(given)
        self.position += count
        return np.pad(given, ((0, count - len(given)), (0, 0))).T

    def _begin(self, begins: float, form: tuple[str, str, int]) -> None:
        self.flush()
        missing = round(begins * RATE) - self.position - self.held
        if 0 < missing < _LONGEST_GAP:
            self._pieces.append(np.zeros((missing, self.channels), np.float32))
            self.held += missing
        self._skip = max(0, -missing)
        self._form, self._next = form, begins
        self._fifo = av.AudioFifo()
        self._resampler = av.AudioResampler(format="flt", layout=form[1], rate=RATE)

    def _resample(self) -> None:
        frame = self._fifo.read()
        if frame is not None and self._resampler is not None:
            frame.pts = None
            self._hold(self._resampler.resample(frame))

    def _hold(self, frames: list[av.AudioFrame]) -> None:
        for frame in frames:
            samples = _packed(frame, self.channels)
            skipped = min(self._skip, len(samples))
            self._skip -= skipped
            self._pieces.append(samples[skipped:])
            self.held += len(samples) - skipped


def _packed(frame: av.AudioFrame, channels: int) -> Samples:
    """Return a packed frame as [samples, channels] of the stream's own count."""
    samples = frame.to_ndarray().reshape(frame.samples, -1)[:, :channels]
    if samples.shape[1] < channels:
        samples = np.pad(samples, ((0, 0), (0, channels - samples.shape[1])))
    return np.asarray(samples, np.float32)


class Reader:
    """An open clip or recording, read at 8 kHz, all channels of all its sound streams.

    Time 0 is frame 0 of the picture, or the first sample where there is no picture. Where one part
    ends before the next begins there is silence; what goes on beyond that is left out.

    Raises:
        UnusableMedia: It cannot be opened, holds no sound, or its parts differ in channels.
    """

    def __init__(self, source: Path | Source) -> None:
        source = source if isinstance(source, Source) else Source.of(source)
        self.path = source.path
        self._files = contextlib.ExitStack()
        with contextlib.ExitStack() as opened:
            self._parts = [
                [opened.enter_context(contextlib.closing(_File(file))) for file in part.files]
                for part in source.parts
            ]
            self._check(source)
            self._files = opened.pop_all()
        self._begins = [round(part.begin * RATE) for part in source.parts]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._files.close()

    def _check(self, source: Source) -> None:
        """Refuse parts that do not go on where the first left off."""
        for files, part in zip(self._parts, source.parts, strict=True):
            count = sum(file.channels for file in files)
            if count != self.channels:
                raise UnusableMedia(
                    f"{shown(part.files[0])} goes on {shown(self.path)} with {count} channels of "
                    f"sound instead of {self.channels}; give the parts the same count."
                )

    @property
    def channels(self) -> int:
        """Return the count of channels over all streams."""
        return sum(file.channels for file in self._parts[0])

    def blocks(self) -> Iterator[Samples]:
        """Yield all sound in order, float32 [channels, ≤ 10 s], from time 0; once."""
        ends = [*self._begins[1:], None]
        for files, begin, end in zip(self._parts, self._begins, ends, strict=True):
            yield from _limited(_side_by_side(files), None if end is None else end - begin)

    def span(self, start: int, count: int) -> Samples:
        """Return samples ``start`` to ``start + count``, float32 [channels, count].

        Silence where there is none. Spans are read fastest in order of time.
        """
        # Before the first part and after the last one lies silence that is theirs.
        edges = [start, *(min(max(each, start), start + count) for each in self._begins[1:])]
        pieces = [
            np.concatenate([file.span(low - begin, high - low) for file in files])
            for files, begin, (low, high) in zip(
                self._parts, self._begins, itertools.pairwise([*edges, start + count]), strict=True
            )
            if high > low
        ]
        return np.concatenate([np.zeros((self.channels, 0), np.float32), *pieces], axis=1)


def _side_by_side(files: Sequence[_File]) -> Iterator[Samples]:
    """Yield the blocks of files that sound together; one that ends early is silent then."""
    for blocks in itertools.zip_longest(*(file.blocks() for file in files)):
        width = max(block.shape[1] for block in blocks if block is not None)
        yield np.concatenate(
            [_wide(block, file.channels, width) for file, block in zip(files, blocks, strict=True)]
        )


def _wide(block: Samples | None, channels: int, width: int) -> Samples:
    if block is None:
        return np.zeros((channels, width), np.float32)
    return np.pad(block, ((0, 0), (0, width - block.shape[1])))


def _limited(blocks: Iterator[Samples], count: int | None) -> Iterator[Samples]:
    """Yield exactly ``count`` samples of blocks, or all of them."""
    left, channels = count, 1
    for block in blocks:
        channels = len(block)
        kept = block if left is None else block[:, :left]
        left = None if left is None else left - kept.shape[1]
        if kept.shape[1]:
            yield kept
        if left == 0:
            return
    while left:
        yield np.zeros((channels, min(left, _BLOCK)), np.float32)
        left -= min(left, _BLOCK)


class _File:
    """One open file; see :class:`Reader`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with usable(path):
            self._container = open_media(path)
        self._streams = sound_streams(self._container)
        if not self._streams:
            self._container.close()
            raise UnusableMedia(
                f"{shown(path)} holds no sound; match it by timecode, or record a guide track."
            )
        picture = picture_stream(self._container)
        self._leave_out({stream.index for stream in self._streams})
        first = picture or self._streams[0]
        self._origin = (first.start_time or 0) * Fraction(first.time_base)
        self._tracks = {stream.index: _Track(stream, self._origin) for stream in self._streams}
        self._packets = self._demux()
        self._ended = False

    def close(self) -> None:
        """Close it."""
        self._container.close()

    @property
    def channels(self) -> int:
        """Return the count of channels over all streams."""
        return sum(track.channels for track in self._tracks.values())

    def blocks(self) -> Iterator[Samples]:
        """Yield all sound in order, float32 [channels, ≤ 10 s], from time 0; once."""
        while self._fill(_BLOCK):
            yield self._take(_BLOCK)
        left = max(track.held for track in self._tracks.values())
        if left > 0:
            yield self._take(left)

    def span(self, start: int, count: int) -> Samples:
        """Return samples ``start`` to ``start + count``, float32 [channels, count].

        Silence where there is none. Spans are read fastest in order of time.
        """
        place = max(0, start)
        self._go_to(place)
        self._fill(start + count - place)
        head = min(count, place - start)
        return np.pad(self._take(count - head), ((0, 0), (head, 0)))

    def _leave_out(self, kept: set[int]) -> None:
        """Pictures need not even be read from the disk."""
        for stream in self._container.streams:
            if stream.index not in kept:
                stream.discard = Discard.all

    def _demux(self) -> Iterator[Any]:
        return iter(self._container.demux(*self._streams))

    def _go_to(self, place: int) -> None:
        at = self._position
        near = at <= place < at + 2 * _BLOCK
        if near or (place >= at and self._container.format.name in _NO_SEEK):
            self._drop(place - at)
            return
        stream = self._streams[0]
        seconds = max(Fraction(0), Fraction(place, RATE) - _LEAD)
        if self._container.format.name in _NO_SEEK:
            seconds = Fraction(0)
        self._container.seek(
            int((seconds + self._origin) / Fraction(stream.time_base)), stream=stream
        )
        for track in self._tracks.values():
            track.restart(place)
        self._packets, self._ended = self._demux(), False

    @property
    def _position(self) -> int:
        return next(iter(self._tracks.values())).position

    def _drop(self, count: int) -> None:
        while count > 0:
            step = min(count, _BLOCK)
            self._fill(step)
            self._take(step)
            count -= step

    def _take(self, count: int) -> Samples:
        return np.concatenate([track.take(count) for track in self._tracks.values()])

    def _fill(self, count: int) -> bool:
        """Read until every track holds ``count`` samples; say whether one of them does."""
        tracks = self._tracks.values()
        while not self._ended and min(track.held for track in tracks) < count:
            # A track that ended long before the others must not hold them all back.
            if max(track.held for track in tracks) >= count + 6 * _BLOCK:
                break
            self._read_packet()
        return max(track.held for track in tracks) >= count

    def _read_packet(self) -> None:
        try:
            packet = next(self._packets, None)
            if packet is None:
                self._end()
                return
            track = self._tracks[packet.stream.index]
            for frame in packet.decode():
                track.add(frame)
        except FFmpegError as error:
            raise_if_passing(self.path, error)

    def _end(self) -> None:
        self._ended = True
        for track in self._tracks.values():
            track.flush()
