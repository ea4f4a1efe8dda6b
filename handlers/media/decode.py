"""Decoding a clip in one pass: pictures numbered exactly, sound beside them, errors counted.

A picture's number is its place on the grid of the edit rate, by its presentation
time. In a sound file of constant rate that is the count of pictures before it;
in a damaged one every later picture still keeps its own number, where counting
would shift all that follows. Pictures of a variable rate are counted, and their
times kept, so that a shot can be placed on the grid; which of them were lost shows
in the times of the data that made no picture.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from handlers.media.probe import Probe, VideoFacts, raise_if_passing, usable
from handlers.media.source import open_media, picture_stream, sound_streams

AudioSink = Callable[[int, av.AudioFrame], None]

# Where a file does not say how long it is, a jump further ahead than this, in seconds, is a
# break in its clock and not lost pictures.
_LONGEST_GAP = 60
# Sound this far ahead of the first picture, in seconds, says that pictures were lost there.
_LONGEST_WAIT = 10
MOST_ERRORS = 1000
"""So many errors are kept one by one; the others are counted."""
_ROUNDING = Fraction(1, 4)
# How far before a wanted picture to start reading, in seconds; a container's clock starts at 0.
_STEPS_BACK = (0, 2, 15, 1 << 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeError:
    """Something that did not decode: the frame number (or None for sound) and what was said."""

    frame: int | None
    message: str


class FrameSource(ABC):
    """One pass over a clip's pictures; iterate it once.

    Yields (number, frame): numbers rise; where pictures are lost, a number is
    missing and ``errors`` says so. ``error_count`` goes on where the list of
    errors stops growing; ``decoded`` counts pictures; ``times`` holds each
    picture's time in seconds after the first one's, in order of presentation. Where the
    rate is variable, ``end`` is when the last one ends. ``origin`` is the time of frame 0 on
    the clock of pictures and sound, in seconds, once it is known.
    """

    def __init__(self, path: Path, facts: VideoFacts) -> None:
        self.path = path
        self.facts = facts
        self.decoded = 0
        self.error_count = 0
        self.errors: list[DecodeError] = []
        self.times = array("d")
        self.end = 0.0
        self.origin: Fraction | None = None
        self.vfr = facts.vfr

    @abstractmethod
    def __iter__(self) -> Iterator[tuple[int, av.VideoFrame]]:
        """Yield each picture with its number."""

    def _note(self, number: int | None, message: str) -> None:
        self.error_count += 1
        if len(self.errors) < MOST_ERRORS:
            self.errors.append(DecodeError(frame=number, message=message))


class Decoder(FrameSource):
    """One pass over a file.

    ``start`` is when the container says that the picture begins, known before the first one
    has decoded.
    """

    def __init__(self, path: Path, facts: VideoFacts, *, on_audio: AudioSink | None = None) -> None:
        super().__init__(path, facts)
        self.on_audio = on_audio
        self.start: Fraction | None = None
        self._length: Fraction | None = None
        self._said = ""
        # Of a variable rate alone: when each piece of data and each picture is presented.
        self._sent, self._seen = array("q"), array("q")
        self._grid = Grid(facts.grid_rate, facts.frames)

    def __iter__(self) -> Iterator[tuple[int, av.VideoFrame]]:
        with usable(self.path), open_media(self.path) as container:
            picture: Any = picture_stream(container)
            picture.thread_type = "AUTO"
            unit = picture.time_base
            self.start = picture.start_time * unit if picture.start_time is not None else None
            self._length = picture.duration * unit if picture.duration else None
            streams = [picture, *(sound_streams(container) if self.on_audio else ())]
            for packet in self._packets(container, streams):
                if packet.stream is picture:
                    yield from self._pictures(packet)
                else:
                    self._sound(packet)
            self._finish(unit)

    def _finish(self, unit: Fraction) -> None:
        if not self.vfr:
            self._note_lost(self._grid.next, self.facts.frames or 0)
            return
        if self._said or self.decoded < (self.facts.frames or 0):
            self._note_unseen(unit)
        if self._length is not None and self.times:
            self.end = max(self.end, float(self._length))

    def _packets(self, container: Any, streams: list[Any]) -> Iterator[Any]:
        try:
            yield from container.demux(*streams)
        except FFmpegError as error:
            raise_if_passing(self.path, error)
            self._said = f"the file cannot be read on: {error.strerror}"
            # What the decoder still holds comes out with an empty packet.
            flush = av.Packet()
            flush.stream, flush.time_base = streams[0], streams[0].time_base
            yield flush

    def _pictures(self, packet: Any) -> Iterator[tuple[int, av.VideoFrame]]:
        if self.vfr and packet.pts is not None and not packet.is_discard:
            self._sent.append(packet.pts)
        try:
            frames = packet.decode()
        except FFmpegError as error:
            # Decoding runs in threads: which picture it was shows in the numbers that follow.
            self._said = str(error.strerror)
            return
        for frame in frames:
            expected = self._grid.next
            number = self._place(frame)
            if self._said or self.facts.frames is not None:
                self._note_lost(expected, number)
            if frame.is_corrupt:
                self._note(number, "damaged")
            self.decoded += 1
            yield number, frame

    def _sound(self, packet: Any) -> None:
        try:
            frames = packet.decode()
        except FFmpegError as error:
            self._note(None, f"sound not decoded: {error.strerror}")
            return
        for frame in frames:
            if self.origin is None:
                self._wait_no_longer(frame)
            if self.on_audio is not None:
                self.on_audio(packet.stream.index, frame)

    def _wait_no_longer(self, sound: Any) -> None:
        """Sound that is far ahead of a picture cannot be held back for it: frame 0 is lost."""
        if self.start is None or sound.pts is None:
            return
        if sound.pts * sound.time_base - self.start > _LONGEST_WAIT:
            self.origin = self.start

    def _place(self, frame: Any) -> int:
        if frame.pts is None:
            return self._grid.take(None)
        seconds = frame.pts * frame.time_base
        if self.origin is None:
            self.origin = self._first(seconds)
        since = seconds - self.origin
        self.times.append(float(since))
        if not self.vfr:
            return self._grid.take(since)
        self.end = float(since + (frame.duration or 0) * frame.time_base)
        self._seen.append(frame.pts)
        return self._grid.take(None)

    def _first(self, seconds: Fraction) -> Fraction:
        """Return the time of frame 0: the stream's start, when its first pictures were lost."""
        if self._said and self.start is not None:
            return min(seconds, self.start)
        return seconds

    def _note_unseen(self, unit: Fraction) -> None:
        """Name what of a variable rate made no picture, by its place on the edit rate."""
        origin = self.origin or Fraction(0)
        unseen = np.setdiff1d(np.array(self._sent), np.array(self._seen)).tolist()
        for pts in unseen:
            place = round((pts * unit - origin) * self.facts.rate)
            self._note(max(0, place), f"not decoded ({self._said or 'its data is damaged'})")
        missing = (self.facts.frames or 0) - self.decoded - len(unseen)
        if missing > 0:
            self._note(None, f"{missing} pictures that the file promises are not in it")

    def _note_lost(self, first: int, end: int) -> None:
        for number in range(first, end):
            self._note(number, f"not decoded ({self._said or 'its data is missing'})")


class Grid:
    """Gives pictures their numbers: the place of their time on the edit rate."""

    def __init__(self, rate: Fraction, frames: int | None) -> None:
        self.rate = rate
        self.frames = frames
        self.next = 0
        self._shift = Fraction(0)

    def take(self, since: Fraction | None) -> int:
        """Return the number of a picture that many seconds after the first one."""
        number = self.next if since is None else self._place(since)
        self.next = number + 1
        return number

    def _place(self, since: Fraction) -> int:
        if not self._shift and self._is_next(since):
            return self.next
        place = (since - self._shift) * self.rate
        ahead = place - self.next
        if -_ROUNDING < ahead < _ROUNDING:
            return self.next
        if self._is_gap(ahead):
            return round(place)
        # The clock was set back, or far ahead: count on from here.
        self._shift = since - self.next / self.rate
        return self.next

    def _is_next(self, since: Fraction) -> bool:
        """Say whether a picture stands exactly where it should, as nearly all do; in integers."""
        there = since.numerator * self.rate.numerator
        return there == self.next * since.denominator * self.rate.denominator

    def _is_gap(self, ahead: Fraction) -> bool:
        if ahead < 1 - _ROUNDING:
            return False
        if self.frames is None:
            return ahead <= _LONGEST_GAP * self.rate
        return round(self.next + ahead) < self.frames


def frames_at(path: Path, source: Probe, numbers: list[int]) -> Iterator[av.VideoFrame | None]:
    """Decode only the pictures of the given frames, by seeking; numbers rise.

    Yields one for each: where a picture does not decode, the next one that does,
    or None at the end.
    """
    facts = source.video
    if facts is None:
        return
    with usable(path), open_media(path) as container:
        picture: Any = picture_stream(container)
        picture.thread_type = "AUTO"
        seeker = _Seeker(container, picture, facts.grid_rate)
        for number in numbers:
            yield seeker.find(number)


class _Seeker:
    """Reads on when the wanted picture is near, seeks when it is far."""

    def __init__(self, container: Any, stream: Any, rate: Fraction) -> None:
        self._container = container
        self._stream = stream
        self._rate = rate
        self._origin = (stream.start_time or 0) * stream.time_base
        self._frames: Iterator[Any] = iter(())
        self._last: tuple[int, Any] | None = None
        self._first: int | None = None

    def find(self, number: int) -> Any | None:
        if self._last is not None and number == self._last[0]:
            return self._last[1]
        near = self._last is not None and 0 < number - self._last[0] <= 2 * self._rate
        if near:
            return self._read_to(number)
        for back in _STEPS_BACK:
            self._seek(number / self._rate - back)
            found = self._read_to(number)
            # A container without an index may land behind the picture: start further back.
            if self._first is not None and self._first <= number:
                return found
        return found

    def _seek(self, seconds: Fraction) -> None:
        place = int((self._origin + seconds) / self._stream.time_base)
        self._container.seek(place, stream=self._stream)
        self._frames, self._first = self._decode(), None

    def _read_to(self, number: int) -> Any | None:
        for frame in self._frames:
            place = round((frame.pts * frame.time_base - self._origin) * self._rate)
            self._last = place, frame
            self._first = place if self._first is None else self._first
            if place >= number:
                return frame
        return None

    def _decode(self) -> Iterator[Any]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                for packet in packets:
                    yield from (frame for frame in packet.decode() if frame.pts is not None)
            except FFmpegError:
                continue
            return
