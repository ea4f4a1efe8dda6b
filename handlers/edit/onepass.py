"""One decode of a clip that feeds everything: shots, proxy, certificate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av

from handlers.contract import UnusableMedia
from handlers.edit.shots import Shot
from handlers.media.decode import Decoder
from handlers.media.probe import VideoFacts
from handlers.media.proxy import ProxyWriter
from handlers.media.source import shown

# Often enough for a person who cancels, seldom enough to cost nothing.
_EVERY = 32


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
    decoder: Decoder


def decode_once(
    path: Path,
    video: VideoFacts,
    detector: Detector,
    proxy: ProxyWriter | None,
    tell: Callable[[int], None],
) -> PassResult:
    """Decode a clip once.

    A frame that is lost is stood in for by the one before it, for the detector
    and the proxy alike, so that every later frame keeps its number.

    Args:
        path: The clip.
        video: What its picture is.
        detector: Gets every frame.
        proxy: Gets every frame and all sound, or None.
        tell: Called every few frames with how many there were.

    Raises:
        UnusableMedia: No frame decodes.
    """
    decoder = Decoder(path, video, on_audio=proxy.add_sound if proxy else None)
    feed = _Feed(detector)
    for number, frame in decoder:
        feed(number, frame)
        if proxy is not None:
            if decoder.decoded == 1:
                proxy.start(decoder.origin or Fraction(0))
            proxy.add_picture(number, frame, decoder.times[-1] if decoder.times else 0.0)
        if not number % _EVERY:
            tell(number)
    if feed.last is None:
        raise UnusableMedia(
            f"{shown(path)}: none of its frames can be decoded; "
            "copy it again from the camera original."
        )
    if not decoder.vfr:
        feed.fill(video.frames or 0)
    if proxy is not None:
        proxy.close(feed.count)
    return PassResult(shots=detector.finish(), frames=feed.count, decoder=decoder)


class _Feed:
    """Gives the detector one frame for each number."""

    def __init__(self, detector: Detector) -> None:
        self.count = 0
        self.last: av.VideoFrame | None = None
        self._push = detector.push

    def __call__(self, number: int, frame: av.VideoFrame) -> None:
        if self.last is None:
            # The first pictures were lost: the first good one stands for them.
            self.last = frame
        self.fill(number)
        self.last = frame
        self.count += 1
        self._push(frame)

    def fill(self, number: int) -> None:
        """Repeat the last frame until ``number`` frames have been pushed."""
        while self.last is not None and self.count < number:
            self.count += 1
            self._push(self.last)
