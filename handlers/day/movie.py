"""The rough cut as a movie: proxies cut together, under them the sound that belongs to them.

Pictures are taken from the proxies, sound from the recorder where one was found, else from
the proxy. One picture and one stretch of sound are in memory at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from handlers.day.assemble import Heard, Piece, day_rate
from handlers.media.scaling import Scaler
from handlers.media.source import open_media
from handlers.media.timecode import Timecode

_RATE = 48_000
_CHANNELS = 2
_BITS = 160_000
_BLACK = (16, 128, 128)
# Seeking lands on a key frame before what is wanted; this far before at least, in seconds.
_EARLY = Fraction(1)

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Movie:
    """How the movie is made: (width, height) in pixels, x264 quality 0..51, first timecode."""

    size: tuple[int, int]
    crf: int
    start: Timecode


def write(
    path: Path,
    pieces: Sequence[Piece],
    heard: Mapping[Path, Sequence[Heard]],
    movie: Movie,
    tell: Callable[[float], None],
) -> int:
    """Write the movie; returns its length in frames.

    A take without a proxy is left out. ``tell`` gets the fraction done, and may raise to
    stop.
    """
    shown = [piece for piece in pieces if piece.take.proxy is not None]
    rate, _ = day_rate([piece.take for piece in pieces])
    done = 0
    with av.open(str(path), "w", format="mov", options={"movflags": "faststart"}) as container:
        writer = _Writer(container, movie, rate)
        for number, piece in enumerate(shown):
            frames = max(1, math.floor((piece.end - piece.start) / piece.take.rate * rate))
            for picture in _pictures(piece, frames, rate):
                writer.picture(picture)
            done += frames
            sounds = heard.get(piece.take.path, ())
            for block in _sound(piece, sounds[0] if sounds else None):
                if not writer.sound(block, done):
                    break
            writer.fill(done)
            tell((number + 1) / len(shown))
        writer.finish()
    return done


class _Writer:
    """Encodes pictures of one size and sound of one form."""

    def __init__(self, container: Any, movie: Movie, rate: Fraction) -> None:
        self._container = container
        self._rate = rate
        self._size = movie.size
        options = {"preset": "ultrafast", "crf": str(movie.crf)}
        self._video = container.add_stream("libx264", rate=rate, options=options)
        self._video.width, self._video.height = movie.size
        self._video.pix_fmt = "yuv420p"
        self._video.codec_context.time_base = 1 / rate
        self._video.codec_context.gop_size = max(1, round(rate))
        self._video.metadata["timecode"] = str(movie.start)
        self._audio = container.add_stream("aac", rate=_RATE, layout="stereo")
        self._audio.bit_rate = _BITS
        self._scaler = Scaler()
        self._frames = self._samples = 0

    def picture(self, picture: av.VideoFrame) -> None:
        """Encode the next picture; another shape is framed in black."""
        frame = _fitted(picture, self._size, self._scaler)
        frame.pts, frame.time_base = self._frames, 1 / self._rate
        frame.pict_type = 0
        self._frames += 1
        self._container.mux(self._video.encode(frame))

    def sound(self, block: Samples, until: int) -> bool:
        """Encode samples [n, 2], but none past the end of frame ``until`` - 1.

        Returns:
            Whether there is room for more.
        """
        room = self._at(until) - self._samples
        kept = np.ascontiguousarray(block[: max(0, room)])
        if len(kept):
            frame = av.AudioFrame.from_ndarray(kept.reshape(1, -1), "flt", "stereo")
            frame.sample_rate, frame.pts = _RATE, self._samples
            frame.time_base = Fraction(1, _RATE)
            self._samples += len(kept)
            self._container.mux(self._audio.encode(frame))
        return self._samples < self._at(until)

    def fill(self, until: int) -> None:
        """Fill up with silence where sound was too short, so that the next piece is in sync."""
        while (room := self._at(until) - self._samples) > 0:
            self.sound(np.zeros((min(room, _RATE), _CHANNELS), np.float32), until)

    def finish(self) -> None:
        """Write what the encoders still hold."""
        self._container.mux(self._video.encode())
        self._container.mux(self._audio.encode())

    def _at(self, frame: int) -> int:
        return round(frame / self._rate * _RATE)


def _fitted(picture: av.VideoFrame, size: tuple[int, int], scaler: Scaler) -> av.VideoFrame:
    scale = min(Fraction(size[0], picture.width), Fraction(size[1], picture.height))
    wide, high = (max(2, 2 * round(side * scale / 2)) for side in (picture.width, picture.height))
    small = scaler(picture, wide, high, "yuv420p")
    if (wide, high) == size:
        return small
    canvas = np.empty((size[1] * 3 // 2, size[0]), np.uint8)
    planes = small.to_ndarray()
    luma, chroma = planes[:high], planes[high:].reshape(2, high // 2, wide // 2)
    left, top = (size[0] - wide) // 4 * 2, (size[1] - high) // 4 * 2
    canvas[: size[1]] = _BLACK[0]
    canvas[top : top + high, left : left + wide] = luma
    sides = canvas[size[1] :].reshape(2, size[1] // 2, size[0] // 2)
    sides[:] = _BLACK[1]
    sides[:, top // 2 : (top + high) // 2, left // 2 : (left + wide) // 2] = chroma
    return av.VideoFrame.from_ndarray(canvas, "yuv420p")


def _pictures(piece: Piece, frames: int, rate: Fraction) -> Iterator[av.VideoFrame]:
    """Yield exactly ``frames`` pictures of a proxy, at the movie's rate."""
    begin = piece.start / piece.take.rate
    at, last = 0, None
    assert piece.take.proxy is not None  # noqa: S101 - write() left the others out
    for seconds, picture in _decoded(piece.take.proxy, "video", begin):
        # Each moment of the movie shows the picture that lasts through it.
        while last is not None and at < frames and begin + at / rate < seconds:
            yield last
            at += 1
        if at >= frames:
            return
        last = picture
    while last is not None and at < frames:
        yield last
        at += 1


def _sound(piece: Piece, sound: Heard | None) -> Iterator[Samples]:
    """Yield a piece's sound [n, 2] at 48 kHz, from its first frame on; it may end early or late."""
    begin = piece.start / piece.take.rate
    if sound is None:
        assert piece.take.proxy is not None  # noqa: S101 - write() left the others out
        yield from _resampled(piece.take.proxy, begin)
        return
    at = sound.at(begin)
    for part in sound.files:
        late = part.begin - at
        if late > 0:
            yield from _silence(round(late / sound.rate * _RATE))
            at += late
        if at < part.begin + part.samples:
            yield from _resampled(part.path, (at - part.begin) / sound.rate)
            at = Fraction(part.begin + part.samples)


def _silence(count: int) -> Iterator[Samples]:
    """Yield so many samples a second at a time: a recorder may have begun an hour late."""
    for begin in range(0, count, _RATE):
        yield np.zeros((min(_RATE, count - begin), _CHANNELS), np.float32)


def _resampled(path: Path, begin: Fraction) -> Iterator[Samples]:
    resampler: Any = None
    skip: int | None = None
    for seconds, frame in _decoded(path, "audio", begin):
        # The layout stays what it is: recorders' files name none, and a mix of ten tracks is none.
        resampler = resampler or av.AudioResampler(format="flt", layout=frame.layout, rate=_RATE)
        if skip is None:
            early = round((begin - seconds) * _RATE)
            skip = max(0, early)
            yield from _silence(-early)
        frame.pts = None
        for part in resampler.resample(frame):
            block = _stereo(part)
            yield block[skip:]
            skip = max(0, skip - len(block))
    for part in resampler.resample(None) if resampler else ():
        yield _stereo(part)[skip or 0 :]


def _stereo(frame: av.AudioFrame) -> Samples:
    """Return samples [n, 2]: the first two channels, where recorders put a mix, or one twice."""
    samples = frame.to_ndarray().reshape(-1, len(frame.layout.channels))
    pair: Samples = samples[:, [0, min(1, samples.shape[1] - 1)]].astype(np.float32, copy=False)
    return pair


def _decoded(path: Path, kind: str, begin: Fraction) -> Iterator[tuple[Fraction, Any]]:
    """Yield (seconds on the file's clock, frame), from the one that lasts through ``begin``."""
    with open_media(path) as container:
        streams = getattr(container.streams, kind)
        if not streams:
            return
        stream = streams[0]
        stream.thread_type = "AUTO"
        target = max(Fraction(0), begin - _EARLY)
        container.seek(math.floor(target / stream.time_base), stream=stream)
        held: tuple[Fraction, Any] | None = None
        for frame in container.decode(stream):
            if frame.pts is None:
                continue
            seconds = frame.pts * Fraction(frame.time_base)
            if seconds <= begin:
                held = seconds, frame
                continue
            if held is not None:
                yield held
                held = None
            yield seconds, frame
        if held is not None:
            yield held
