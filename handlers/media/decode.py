"""Decoding a clip in one pass: pictures numbered exactly, sound beside them, errors counted.

A picture's number is its place on the grid of the edit rate, by its presentation
time. In a sound file of constant rate that is the count of pictures before it;
in a damaged one every later picture still keeps its own number, where counting
would shift all that follows. Pictures of a variable rate are counted, and their
times kept, so that a shot can be placed on the grid.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

from handlers.media.probe import Probe, VideoFacts, usable
from handlers.media.source import open_media, picture_stream, sound_streams

AudioSink = Callable[[int, av.AudioFrame], None]

# A jump further ahead than this, in seconds, is a break in the file's clock, not lost pictures.
_LONGEST_GAP = 60
_MOST_ERRORS = 1000
_ROUNDING = Fraction(1, 4)
# How far before a wanted picture to start reading, in seconds; a container's clock starts at 0.
_STEPS_BACK = (0, 2, 15, 1 << 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeError:
    """Something that did not decode: the frame number (or None for sound) and what was said."""

    frame: int | None
    message: str


class Decoder:
    """One pass over a clip; iterate it once.

    Yields (number, frame): numbers rise; where pictures are lost, a number is
    missing and ``errors`` says so. ``error_count`` goes on where the list of
    errors stops growing; ``decoded`` counts pictures; ``times`` holds each
    picture's time in seconds after the first one's, in order of presentation.
    """

    def __init__(self, path: Path, facts: VideoFacts, *, on_audio: AudioSink | None = None) -> None:
        self.path = path
        self.facts = facts
        self.on_audio = on_audio
        self.decoded = 0
        self.error_count = 0
        self.errors: list[DecodeError] = []
        self.times = array("d")
        self.origin: Fraction | None = None
        self.vfr = facts.vfr
        self._start: int | None = None
        self._said = ""
        self._grid = Grid(facts.grid_rate, facts.frames)

    def __iter__(self) -> Iterator[tuple[int, av.VideoFrame]]:
        with usable(self.path), open_media(self.path) as container:
            picture: Any = picture_stream(container)
            picture.thread_type = "AUTO"
            self._start = picture.start_time
            streams = [picture, *(sound_streams(container) if self.on_audio else ())]
            for packet in self._packets(container, streams):
                if packet.stream is picture:
                    yield from self._pictures(packet)
                else:
                    self._sound(packet)
        self._note_lost(self._grid.next, self.facts.frames or 0)

    def _packets(self, container: Any, streams: list[Any]) -> Iterator[Any]:
        try:
            yield from container.demux(*streams)
        except FFmpegError as error:
            self._said = f"the file cannot be read on: {error.strerror}"
            # What the decoder still holds comes out with an empty packet.
            flush = av.Packet()
            flush.stream = streams[0]
            yield flush

    def _pictures(self, packet: Any) -> Iterator[tuple[int, av.VideoFrame]]:
        try:
            frames = packet.decode()
        except FFmpegError as error:
            # Decoding runs in threads: which picture it was shows in the numbers that follow.
            self._said = str(error.strerror)
            return
        for frame in frames:
            expected = self._grid.next
            number = self._place(frame)
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
            if self.on_audio is not None:
                self.on_audio(packet.stream.index, frame)

    def _place(self, frame: Any) -> int:
        if frame.pts is None:
            return self._grid.take(None)
        time_base = Fraction(frame.time_base)
        seconds = frame.pts * time_base
        if self.origin is None:
            self.origin = self._first(seconds, time_base)
        since = seconds - self.origin
        self.times.append(float(since))
        return self._grid.take(None if self.vfr else since)

    def _first(self, seconds: Fraction, time_base: Fraction) -> Fraction:
        """Return the time of frame 0: the stream's start, when its first pictures were lost."""
        if self._said and self._start is not None:
            return min(seconds, self._start * time_base)
        return seconds

    def _note_lost(self, first: int, end: int) -> None:
        for number in range(first, end):
            self._note(number, f"not decoded ({self._said or 'its data is missing'})")

    def _note(self, number: int | None, message: str) -> None:
        self.error_count += 1
        if len(self.errors) < _MOST_ERRORS:
            self.errors.append(DecodeError(frame=number, message=message))


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
        place = (since - self._shift) * self.rate
        ahead = place - self.next
        if -_ROUNDING < ahead < _ROUNDING:
            return self.next
        if self._is_gap(ahead):
            return round(place)
        # The clock was set back, or far ahead: count on from here.
        self._shift = since - self.next / self.rate
        return self.next

    def _is_gap(self, ahead: Fraction) -> bool:
        number = round(self.next + ahead)
        inside = self.frames is None or number < self.frames
        return inside and ahead >= 1 - _ROUNDING and ahead <= _LONGEST_GAP * self.rate


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
