"""One decode of a clip that feeds everything: shots, proxy, certificate.

The detector works in a thread of its own, a few frames behind: it would otherwise hold up
the decoder, which does not get on while nobody takes its pictures.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av

from handlers.contract import UnusableMedia
from handlers.edit.shots import Shot
from handlers.media.clip import FrameSource, open_decoder
from handlers.media.probe import Probe
from handlers.media.proxy import ProxyWriter
from handlers.media.source import advice, shown

# Often enough for a person who cancels, seldom enough to cost nothing.
_EVERY = 32
# How many frames the detector may be behind. Each is a whole decoded picture.
_BEHIND = 4


class Detector(Protocol):
    """Finds shots in frames that it is given one after the other."""

    def push(self, frame: av.VideoFrame) -> Any:
        """Take the next frame."""

    def finish(self) -> list[Shot]:
        """Return the shots of all frames pushed."""


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

    Raises:
        UnusableMedia: No frame decodes.
    """
    apart = _Apart(detector)
    try:
        made = _decode(path, source, _Feed(apart.push, proxy, tell), proxy)
    finally:
        apart.stop()
    return PassResult(shots=apart.result(), frames=made[0], decoder=made[1])


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
    """Has a detector take frames in a thread of its own; what it raises comes out here."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._frames: queue.Queue[av.VideoFrame | None] = queue.Queue(_BEHIND)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="detector", daemon=True)
        self._thread.start()

    def push(self, frame: av.VideoFrame) -> None:
        """Hand on a frame, once there is room for it."""
        if self._error is not None:
            raise self._error
        self._frames.put(frame)

    def stop(self) -> None:
        """Wait until every frame has been taken."""
        self._frames.put(None)
        self._thread.join()

    def result(self) -> list[Shot]:
        """Return the shots, once stopped."""
        if self._error is not None:
            raise self._error
        return self._detector.finish()

    def _run(self) -> None:
        while (frame := self._frames.get()) is not None:
            if self._error is None:
                try:
                    self._detector.push(frame)
                except BaseException as error:  # noqa: BLE001 - raised again by the other thread
                    self._error = error


class _Feed:
    """Gives detector and proxy one frame for each number, and the proxy all sound."""

    def __init__(
        self,
        push: Callable[[av.VideoFrame], None],
        proxy: ProxyWriter | None,
        tell: Callable[[int], None],
    ) -> None:
        self.count = 0
        self.last: av.VideoFrame | None = None
        self._push = push
        self._proxy = proxy
        self._tell = tell
        self._begun = False

    def begin(self, decoder: FrameSource) -> None:
        """Say when frame 0 is, once that is known."""
        if not self._begun and self._proxy is not None:
            self._proxy.start(decoder.origin or Fraction(0))
        self._begun = True

    def sound(self, index: int, frame: av.AudioFrame, decoder: FrameSource) -> None:
        """Take sound; without a proxy it has only been decoded."""
        if self._proxy is None:
            return
        if decoder.origin is not None:
            self.begin(decoder)
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
            self._give(self.last, 0.0)

    def _give(self, frame: av.VideoFrame, seconds: float) -> None:
        self._push(frame)
        if self._proxy is not None:
            self._proxy.add_picture(self.count, frame, seconds)
        self.count += 1
        if not self.count % _EVERY:
            self._tell(self.count)
