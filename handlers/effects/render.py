"""Footage through a chain of effects: decoding ahead, effects, encoding behind, in a thread each.

Two ways make the same pictures. Over whole pictures in float goes any chain; where each effect
looks at single pixels alone and has a processor, planes go to planes by bands of rows.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av

from handlers.effects.bands import BandPath, cores
from handlers.effects.chain import Chain, Numbered
from handlers.effects.effect import Picture
from handlers.effects.picture.convert import Coding, from_alpha, to_alpha
from handlers.effects.picture.footage import SequenceSource, Source
from handlers.effects.picture.layout import Plane, planes_of
from handlers.effects.picture.native import ClipNative, Encodable, Native, merged, to_picture
from handlers.effects.picture.target import Target
from handlers.effects.stills import Stills, View
from handlers.media.ahead import ahead
from handlers.media.behind import Behind

# From this many pixels on, nothing is made ahead: a picture in float has twelve bytes a pixel.
_LARGE = 4096 * 2304
# Enough to go on while a segment is ended, or pictures for the page are drawn.
_PLANES_WAIT = 4
# So many images that do not decode, just before where a render goes on, do no harm.
_SPARE = 16


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rendered:
    """One frame on its way out, shown ``time`` seconds after frame 0.

    ``encode`` makes what is written, ``pictures`` before and after.
    """

    number: int
    time: Fraction
    encode: Callable[[], Encodable]
    pictures: Callable[[], tuple[Picture, Picture]]


class Renderer:
    """Renders footage, from any frame on.

    Args:
        source: The footage.
        chain: What is done; it has begun.
        target: What is written.
        fast: Whether the way by bands may be taken where it can.
        skipped: Gets the number of each frame that is only decoded, on the way to where a render
            goes on: that may take long. It is called from the thread that decodes.
    """

    def __init__(
        self,
        source: Source,
        chain: Chain,
        target: Target,
        *,
        fast: bool = True,
        skipped: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._source = source
        self._skipped = skipped
        # A clip has a picture for each frame, a sequence an image for each that there was.
        source.holds = source.holds or not target.is_sequence
        self._chain = chain
        self._target = target
        self._depth = 0 if is_large(*target.size) else 1
        planes = not (source.is_sequence or target.is_sequence or source.held.floating)
        self._processors = chain.processors() if fast and planes else None

    @property
    def by_bands(self) -> bool:
        """Whether planes go to planes."""
        return bool(self._processors)

    @property
    def waiting(self) -> int:
        """How many frames may wait to be encoded: planes are small, pictures in float are not."""
        return _PLANES_WAIT if self.by_bands and self._depth else 1

    @property
    def passes(self) -> int:
        """How many times all pictures are seen before the first one is made."""
        return len(self._chain.studying)

    def study(self) -> Iterator[tuple[int, int]]:
        """Let effects see all pictures beforehand; yield which pass it is, and each number."""
        for turn, place in enumerate(self._chain.studying):
            with closing(self._read(0)) as read:
                pictures = ((number, picture) for number, _, picture in read)
                for number in self._chain.study(place, pictures):
                    yield turn, number

    def over(self, start: int) -> Iterator[Rendered]:
        """Yield every frame from ``start`` on; each is encoded by whoever takes it."""
        way = self._by_bands if self.by_bands else self._by_pictures
        for made in way(self._back(start)):
            if made.number >= start:
                yield made

    def _back(self, start: int) -> int:
        """Return where to begin so that the chain has seen all that frame ``start`` depends on."""
        reach, source = self._chain.reach, self._source
        if not reach or source.holds or not isinstance(source, SequenceSource):
            return max(0, start - reach)
        # Windows are of pictures that there are; some of these may turn out not to decode.
        before = [number - source.first for number in source.files if number - source.first < start]
        return before[-reach - _SPARE] if len(before) >= reach + _SPARE else 0

    def _natives(self, start: int) -> Iterator[tuple[int, Native]]:
        if self._source.is_sequence:
            yield from self._source.pictures(start)
            return
        # A clip is decoded from its beginning, whatever is wanted of it.
        for number, native in self._source.pictures():
            if number >= start:
                yield number, native
            else:
                self._skipped(number)

    def _read(self, start: int) -> Any:
        pictures = ((number, one, to_picture(one)) for number, one in self._natives(start))
        return ahead(pictures, self._depth) if self._depth else pictures

    def _by_pictures(self, start: int) -> Iterator[Rendered]:
        kept: deque[tuple[Native, Picture]] = deque()
        with closing(self._read(start)) as read:
            for number, after in self._chain.over(_kept(read, kept)):
                yield self._whole(number, *kept.popleft(), after)

    def _time(self, number: int, native: Native) -> Fraction:
        return native.time if isinstance(native, ClipNative) else number / self._source.video.rate

    def _whole(self, number: int, native: Native, before: Picture, after: Picture) -> Rendered:
        return Rendered(
            number=number,
            time=self._time(number, native),
            encode=lambda: merged(native, before, after, self._target),
            pictures=lambda: (before, after),
        )

    def _by_bands(self, start: int) -> Iterator[Rendered]:
        path: BandPath | None = None
        coding = self._target.require_coding()
        with ExitStack() as held:
            pool = held.enter_context(ThreadPoolExecutor(cores(), thread_name_prefix="bands"))
            read = held.enter_context(closing(ahead(self._natives(start), 1)))
            for number, native in read:
                assert isinstance(native, ClipNative)  # noqa: S101 - sequences go the other way
                if path is None or path.source != native.coding:
                    path = BandPath(self._processors or (), native.coding, coding, pool)
                yield _banded(number, native, _made(path, native, coding), coding)


def _kept(read: Iterable[Any], kept: deque[tuple[Native, Picture]]) -> Iterator[Numbered]:
    for number, native, picture in read:
        kept.append((native, picture))
        yield number, picture


def _made(path: BandPath, native: ClipNative, coding: Coding) -> av.VideoFrame:
    height, width = native.planes[0].shape
    frame = av.VideoFrame(width, height, coding.layout.name)
    planes = planes_of(frame, coding.layout)
    path(native.planes, planes)
    if coding.layout.alpha:
        planes[-1][...] = _alpha(native, coding)
    return frame


def _alpha(native: ClipNative, coding: Coding) -> Plane | int:
    """Return the source's own alpha as the target codes it, or full cover."""
    own, layout = native.coding.layout, coding.layout
    if not own.alpha:
        return layout.peak
    plane = native.planes[-1]
    return plane if own.bits == layout.bits else from_alpha(to_alpha(plane, own), layout)


def _banded(number: int, native: ClipNative, made: Any, coding: Coding) -> Rendered:
    after = ClipNative(frame=made, coding=coding, time=native.time)
    return Rendered(
        number=number,
        time=native.time,
        encode=lambda: made,
        pictures=lambda: (to_picture(native), to_picture(after)),
    )


def deliver(
    frames: Iterable[Rendered],
    write: Callable[[int, Fraction, Encodable], None],
    stills: Stills,
    view: tuple[View, View],
    tell: Callable[[int], None],
    depth: int = 1,
) -> int:
    """Encode frames in a thread behind; return the number after the last one.

    Args:
        frames: What is to be written, in order.
        write: Takes each.
        stills: Keeps some of them.
        view: How pictures before and after are shown.
        tell: Gets the number of each frame that was handed on; what it raises ends the render.
        depth: So many frames may wait to be encoded.
    """

    def work(one: Rendered) -> None:
        if stills.wants(one.number):
            before, after = one.pictures()
            stills.keep(one.number, view[0](before), view[1](after))
        write(one.number, one.time, one.encode())

    end = 0
    with Behind(work, depth) as behind:
        for one in frames:
            behind.put(one)
            tell(one.number)
            end = one.number + 1
    return end


class Pace:
    """Says how far a render is, how fast it is, and how long it will take.

    Args:
        frames: How many there are in all, None where nobody knows.
        begun: The first one that is still to be made.
        tell: Gets a fraction of 0..1 and a message.
    """

    def __init__(self, frames: int | None, begun: int, tell: Callable[[float, str], None]) -> None:
        self._frames, self._begun, self._tell = frames, begun, tell
        self._start = time.monotonic()

    def __call__(self, number: int, share: tuple[float, float] = (0.0, 1.0)) -> None:
        """Take note of a frame that is done; ``share`` is which part of the whole this is."""
        passed = time.monotonic() - self._start
        rate = (number + 1 - self._begun) / max(1e-6, passed)
        low, high = share
        done = (number + 1) / self._frames if self._frames else 0.5
        self._tell(low + (high - low) * min(1.0, done), self._message(number + 1, rate))

    def _message(self, done: int, rate: float) -> str:
        if self._frames is None:
            return f"frame {done}, {rate:.3g} a second"
        left = max(0, self._frames - done) / max(1e-6, rate)
        return f"frame {done} of {self._frames}, {rate:.3g} a second, {_clock(left)} left"


def _clock(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def is_large(width: int, height: int) -> bool:
    """Say whether pictures are so large that nothing is made ahead."""
    return width * height > _LARGE
