"""One decode of a clip that feeds everything: shots, analysis, proxy, certificate.

Detector and meter work in threads of their own, a few frames behind: they would otherwise
hold up the decoder, which does not get on while nobody takes its pictures.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import av

from handlers.contract import UnusableMedia
from handlers.edit.shots import Shot
from handlers.media.clip import open_decoder
from handlers.media.decode import FrameSource
from handlers.media.probe import Probe
from handlers.media.proxy import ProxyWriter
from handlers.media.source import advice, shown

# Often enough for a person who cancels, seldom enough to cost nothing.
_EVERY = 32
# How many frames a thread may be behind. Each is a whole decoded picture.
_BEHIND = 4


class Detector(Protocol):
    """Finds shots in frames that it is given one after the other."""

    def push(self, frame: av.VideoFrame) -> Any:
        """Take the next frame."""

    def finish(self) -> list[Shot]:
        """Return the shots of all frames pushed."""


class Meter(Protocol):
    """Measures pictures and sound; ``handlers.analysis.meter.Meter`` is one."""

    def begin(self, origin: Fraction) -> None:
        """Take the time of frame 0, in seconds of the source's clock."""

    def push(self, frame: av.VideoFrame | None) -> None:
        """Take the next frame; None where the one before stands in for a lost one."""

    def sound(self, index: int, frame: av.AudioFrame, seconds: Fraction | None) -> None:
        """Take some sound of the stream ``index``, and when it is heard on that clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassResult:
    """What one pass found: shots counted in frames, how many frames, and the decode's record."""

    shots: list[Shot]
    frames: int
    decoder: FrameSource


def decode_once(
    path: Path,
    source: Probe,
    detector: Detector,
    proxy: ProxyWriter | None,
    tell: Callable[[int], None],
    meter: Meter | None = None,
) -> PassResult:
    """Decode a clip once.

    A frame that is lost is stood in for by the one before it, for the detector
    and the proxy alike, so that every later frame keeps its number.

    Args:
        path: The clip.
        source: What it is.
        detector: Gets every frame.
        proxy: Gets every frame and all sound, or None.
        tell: Called every few frames with how many there were.
        meter: Gets every frame and all sound, or None.

    Raises:
        UnusableMedia: No frame decodes.
    """
    threads = [_Apart("detector"), _Apart("meter")]
    try:
        made = _decode(path, source, _Feed(detector, meter, proxy, tell, threads), proxy)
    finally:
        for thread in threads:
            thread.stop()
    for thread in threads:
        thread.check()
    return PassResult(shots=detector.finish(), frames=made[0], decoder=made[1])


def _decode(
    path: Path, source: Probe, feed: _Feed, proxy: ProxyWriter | None
) -> tuple[int, FrameSource]:
    decoder = open_decoder(
        path, source, on_audio=lambda index, frame: feed.sound(index, frame, decoder)
    )
    for number, frame in decoder:
        feed.begin(decoder)
        feed.picture(number, frame, decoder.times[-1] if decoder.times else 0.0)
    if feed.last is None:
        raise UnusableMedia(f"{shown(path)}: none of its frames can be decoded; {advice(path)}")
    if not decoder.vfr:
        feed.fill(decoder.facts.frames or 0)
    if proxy is not None:
        proxy.close(decoder.end)
    return feed.count, decoder


class _Apart:
    """Does work in a thread of its own, in order; what it raises comes out here."""

    def __init__(self, name: str) -> None:
        self._work: queue.Queue[Callable[[], Any] | None] = queue.Queue(_BEHIND)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, work: Callable[[], Any]) -> None:
        """Hand on some work, once there is room for it."""
        self.check()
        self._work.put(work)

    def stop(self) -> None:
        """Wait until all work has been done."""
        self._work.put(None)
        self._thread.join()

    def check(self) -> None:
        """Raise what the work raised."""
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            if self._error is None:
                try:
                    work()
                except BaseException as error:  # noqa: BLE001 - raised again by the other thread
                    self._error = error


class _Feed:
    """Gives detector, meter and proxy one frame for each number, the latter two all sound."""

    def __init__(
        self,
        detector: Detector,
        meter: Meter | None,
        proxy: ProxyWriter | None,
        tell: Callable[[int], None],
        threads: list[_Apart],
    ) -> None:
        self.count = 0
        self.last: av.VideoFrame | None = None
        self._detector, self._meter, self._proxy = detector, meter, proxy
        self._detecting, self._measuring = threads
        self._tell = tell
        self._begun = False

    def begin(self, decoder: FrameSource) -> None:
        """Say when frame 0 is, once that is known."""
        if self._begun:
            return
        self._begun = True
        origin = decoder.origin or Fraction(0)
        if self._proxy is not None:
            self._proxy.start(origin)
        if self._meter is not None:
            self._measuring.put(partial(self._meter.begin, origin))

    def sound(self, index: int, frame: av.AudioFrame, decoder: FrameSource) -> None:
        """Take sound; without meter and proxy it has only been decoded."""
        if decoder.origin is not None:
            self.begin(decoder)
        if self._meter is not None:
            # Said now: the proxy takes the frame's time away.
            seconds = None if frame.pts is None else frame.pts * Fraction(frame.time_base)
            self._measuring.put(partial(self._meter.sound, index, frame, seconds))
        if self._proxy is not None:
            self._proxy.add_sound(index, frame)

    def picture(self, number: int, frame: av.VideoFrame, seconds: float) -> None:
        """Take the frame of a number; the numbers left out get the one before it."""
        if self.last is None:
            # The first pictures were lost: the first good one stands for them.
            self.last = frame
        self.fill(number)
        self.last = frame
        self._give(frame, seconds)

    def fill(self, number: int) -> None:
        """Repeat the last frame until ``number`` frames have been given."""
        while self.last is not None and self.count < number:
            self._give(self.last, 0.0, decoded=False)

    def _give(self, frame: av.VideoFrame, seconds: float, *, decoded: bool = True) -> None:
        self._detecting.put(partial(self._detector.push, frame))
        if self._meter is not None:
            self._measuring.put(partial(self._meter.push, frame if decoded else None))
        if self._proxy is not None:
            self._proxy.add_picture(self.count, frame, seconds)
        self.count += 1
        if not self.count % _EVERY:
            self._tell(self.count)
