"""Laying a source's sound under its proxy, sample for sample."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from handlers.media.probe import AudioFacts

_RATES = frozenset(
    {96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000}
)
_BY_COUNT = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}
_BITS_A_CHANNEL = 96_000
# Shorter breaks than this, in seconds, are rounding of the container's clock, not lost sound.
_GAP = Fraction(1, 20)
# Longer ones are a broken clock: filling them would write silence for hours.
_LONGEST = 3600


class SoundTrack:
    """One sound track of a proxy: AAC, or PCM where AAC has no such channel layout.

    Sound before frame 0 is cut off, a late start and gaps become silence.
    """

    def __init__(self, container: Any, facts: AudioFacts) -> None:
        rate = facts.rate if facts.rate in _RATES else 48000
        codec, layout = _codec(facts, rate)
        self._container = container
        self._stream = container.add_stream(codec, rate=rate, layout=layout)
        if codec == "aac":
            self._stream.bit_rate = _BITS_A_CHANNEL * facts.channels
        self._layout = layout
        self._channels = facts.channels
        self._rate = rate
        # Packed: PyAV reads beyond its memory in planar frames of more than eight channels.
        self._resampler = self._new_resampler()
        self._form: tuple[str, str, int] | None = None
        self._next = 0

    def add(self, frame: av.AudioFrame, origin: Fraction) -> None:
        """Encode a decoded frame; ``origin`` is the time of frame 0 in seconds of its clock."""
        wanted = None
        if frame.pts is not None:
            wanted = round((frame.pts * Fraction(frame.time_base) - origin) * self._rate)
            self._fill(wanted)
        skip = max(0, self._next - wanted) if wanted is not None and not self._next else 0
        frame.pts = None
        for piece in self._resampled(frame):
            skip = self._write(self._samples(piece), skip)

    def _new_resampler(self) -> av.AudioResampler:
        return av.AudioResampler(format="flt", layout=self._layout, rate=self._rate)

    def _resampled(self, frame: av.AudioFrame) -> list[av.AudioFrame]:
        """Broadcasts go from stereo to surround in the middle; the track stays what it began as."""
        form = frame.format.name, frame.layout.name, frame.sample_rate
        before: list[av.AudioFrame] = []
        if self._form not in {None, form}:
            before = self._resampler.resample(None)
            self._resampler = self._new_resampler()
        self._form = form
        return [*before, *self._resampler.resample(frame)]

    def finish(self) -> None:
        """Encode what the resampler and the encoder still hold."""
        for piece in self._resampler.resample(None):
            self._write(self._samples(piece), 0)
        self._container.mux(self._stream.encode())

    def _fill(self, wanted: int) -> None:
        late = wanted - self._next
        if late > _LONGEST * self._rate:
            return
        if late > 0 and (not self._next or late > _GAP * self._rate):
            second = np.zeros((self._rate, self._channels), np.float32)
            while self._next < wanted:
                self._write(second[: wanted - self._next], 0)

    def _samples(self, frame: av.AudioFrame) -> Any:
        """Return a packed frame as float32 [samples, channels]."""
        return frame.to_ndarray().reshape(-1, self._channels)

    def _write(self, samples: Any, skip: int) -> int:
        kept = samples[skip:]
        if len(kept):
            packed = np.ascontiguousarray(kept).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(packed, "flt", self._layout)
            frame.sample_rate = self._rate
            frame.pts, frame.time_base = self._next, Fraction(1, self._rate)
            self._next += len(kept)
            self._container.mux(self._stream.encode(frame))
        return max(0, skip - len(samples))


def _codec(facts: AudioFacts, rate: int) -> tuple[str, str]:
    """Choose codec and layout: the source's own layout in AAC, else the usual one of that count."""
    for layout in (facts.layout, _BY_COUNT.get(facts.channels)):
        if layout and _aac_takes(layout, rate):
            return "aac", layout
    return "pcm_s24le", facts.layout


def _aac_takes(layout: str, rate: int) -> bool:
    context = av.CodecContext.create("aac", "w")
    try:
        context.layout, context.sample_rate, context.format = layout, rate, "fltp"
        context.open()
    except (FFmpegError, ValueError):
        return False
    return True
