"""Writing a proxy: a small H.264 MOV with the source's frames, sound and timecode.

Each source frame is one proxy frame of the same number, so that picture, sound and
timecode stay together. Pixels become square and the picture upright.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.codec.context import Flags

from handlers.media.burn_in import BurnIn, BurnInSettings
from handlers.media.look import Look
from handlers.media.picture import Preparer, display_size, made_colour, tag_colour
from handlers.media.probe import Probe, VideoFacts
from handlers.media.sound import SoundTrack
from handlers.media.timecode import Timecode

# A key frame this often, in seconds, keeps scrubbing smooth.
_KEY_SECONDS = 1
# Variable-rate pictures keep their own times, on this clock in ticks a second.
_VFR_CLOCK = 90_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """How a proxy is made: its largest height in pixels, x264 preset and quality (0..51).

    ``look`` is how pictures are shown, ``burn_in`` what is written into them; None copies.
    """

    height: int = 540
    preset: str = "ultrafast"
    crf: int = 23
    look: Look | None = None
    burn_in: BurnInSettings | None = None


class ProxyWriter:
    """Encodes pictures and sound as they are decoded, holding no more than a few.

    Args:
        path: The MOV file to write.
        source: What the source is; it has video.
        start: Timecode of frame 0.
        settings: Size, preset and quality.
    """

    def __init__(
        self, path: Path, source: Probe, video: VideoFacts, start: Timecode, settings: ProxySettings
    ) -> None:
        self.frames = 0
        self._video = video
        self._container: Any = av.open(
            str(path), "w", format="mov", options={"movflags": "faststart"}
        )
        self._stream = _picture_stream(self._container, video, settings)
        self._stream.metadata["timecode"] = str(start)
        if source.reel:
            self._stream.metadata["reel_name"] = source.reel
        size = display_size(video, settings.height)
        owned = settings.burn_in is not None
        self._prepare = Preparer(video, size, settings.look, owned=owned)
        self._burn_in = BurnIn(settings.burn_in, size, start) if settings.burn_in else None
        self._tracks = {facts.index: SoundTrack(self._container, facts) for facts in source.audio}
        self._early: list[tuple[int, av.AudioFrame]] | None = []
        self._origin = Fraction(0)
        # Of a variable rate each picture waits for the next, which says how long it lasts.
        self._held: tuple[av.VideoFrame, int] | None = None
        # How long each picture lasts that is on its way through the filters.
        self._durations: dict[int, int] = {}

    def start(self, origin: Fraction) -> None:
        """Say when frame 0 is, in seconds of the source's clock; sound is laid against it."""
        self._origin = origin
        early, self._early = self._early or [], None
        for index, frame in early:
            self.add_sound(index, frame)

    def add_picture(self, number: int, frame: av.VideoFrame, seconds: float) -> None:
        """Encode one picture; numbers come without a gap.

        ``seconds`` after frame 0 places it when the source's rate is variable.
        """
        if not self._video.vfr:
            self._encode(frame, number)
            return
        ticks = round(seconds * _VFR_CLOCK)
        self._encode_held(ticks)
        self._held = frame, ticks

    def add_sound(self, index: int, frame: av.AudioFrame) -> None:
        """Encode some sound of the source's stream ``index``."""
        if self._early is not None:
            self._early.append((index, frame))
            return
        self._tracks[index].add(frame, self._origin)

    def close(self, end: float) -> None:
        """Finish the file; ``end`` is when the last picture ends, in seconds after frame 0."""
        self._encode_held(round(end * _VFR_CLOCK))
        for prepared in self._prepare.finish():
            self._mux(prepared)
        self._container.mux(self._stream.encode())
        for track in self._tracks.values():
            track.finish()
        self._container.close()

    def abandon(self) -> None:
        """Close the file as it is, after a failure; it is no proxy."""
        self._container.close()

    def _encode_held(self, until: int) -> None:
        if self._held is not None:
            frame, ticks = self._held
            self._encode(frame, ticks, max(0, until - ticks))

    def _encode(self, frame: av.VideoFrame, pts: int, duration: int = 1) -> None:
        self.frames += 1
        self._durations[pts] = duration
        for prepared in self._prepare(frame, pts):
            self._mux(prepared)

    def _number(self, pts: int) -> int:
        """Return the frame of the edit rate that a picture is shown at."""
        return round(pts * self._video.rate / _VFR_CLOCK) if self._video.vfr else pts

    def _mux(self, frame: av.VideoFrame) -> None:
        frame.time_base = self._stream.codec_context.time_base
        frame.duration = self._durations.pop(frame.pts, 1)
        # The source's own key frames must not force the proxy's.
        frame.pict_type = 0
        if self._burn_in is not None:
            frame = self._burn_in.draw(frame, self._number(frame.pts))
        self._container.mux(self._stream.encode(frame))


def _picture_stream(container: Any, video: VideoFacts, settings: ProxySettings) -> Any:
    options = {"preset": settings.preset, "crf": str(settings.crf)}
    stream = container.add_stream("libx264", rate=video.rate, options=options)
    stream.width, stream.height = display_size(video, settings.height)
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.time_base = Fraction(1, _VFR_CLOCK) if video.vfr else 1 / video.rate
    context.gop_size = max(1, round(video.rate * _KEY_SECONDS))
    # Else the last picture of a variable rate would be shown for no time at all.
    context.flags |= Flags.frame_duration
    tag_colour(context, made_colour(video, settings.look))
    return stream
