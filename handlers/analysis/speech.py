"""When somebody speaks: the voice network on each channel of a stream, at 16 kHz."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Protocol

import av
import numpy as np
from numpy.typing import NDArray

from handlers.analysis.laid import Samples
from handlers.media.probe import AudioFacts

RATE, WINDOW = 16000, 512
CHANNELS = 8
"""So many channels of a stream are listened to; recorders put the mix and the boom first."""


class Listener(Protocol):
    """Hears one stream; ``models.voice.windows.Listener`` is one."""

    def push(self, samples: Samples) -> None:
        """Take the next samples at 16 kHz, float32 [n, channels]."""

    def finish(self) -> Samples:
        """Return probabilities, float32 [windows of 512 samples, channels]."""
        ...


class Voice(Protocol):
    """Makes listeners; ``models.voice.windows.VoiceJudge`` is one."""

    def listener(self, channels: int) -> Listener:
        """Return a listener for so many channels."""
        ...


class Ear:
    """Brings one stream's sound to 16 kHz, half a second at a time, and has it judged."""

    def __init__(self, facts: AudioFacts, voice: Voice) -> None:
        self._rate = facts.rate
        self._channels = min(CHANNELS, facts.channels)
        self._listener = voice.listener(self._channels)
        # One for each channel: there is no layout for any number of them.
        self._resamplers: list[Any] = [
            av.AudioResampler(format="flt", layout="mono", rate=RATE) for _ in range(self._channels)
        ]
        self._pieces: list[Samples] = []
        self._waiting = 0

    def push(self, piece: Samples) -> None:
        """Take the next samples, float32 [n, channels], at the stream's own rate."""
        self._pieces.append(piece[:, : self._channels])
        self._waiting += len(piece)
        if self._waiting >= self._rate // 2:
            self._hand_on()

    def finish(self, rows: int, rate: Fraction) -> NDArray[np.float32]:
        """Return the probability of speech in the middle of each frame, in any channel."""
        if self._waiting:
            self._hand_on()
        self._listener.push(self._resampled(None))
        heard = self._listener.finish().max(axis=1, initial=0)
        middle = (np.arange(rows) + 0.5) * float(RATE / WINDOW / rate)
        beyond = max(0, int(middle[-1:].max(initial=0)) + 1 - len(heard))
        made: NDArray[np.float32] = np.pad(heard, (0, beyond))[middle.astype(int)]
        return made

    def _hand_on(self) -> None:
        together = np.concatenate(self._pieces)
        self._pieces, self._waiting = [], 0
        self._listener.push(self._resampled(together))

    def _resampled(self, samples: Samples | None) -> Samples:
        columns = [
            self._one(resampler, None if samples is None else samples[:, channel])
            for channel, resampler in enumerate(self._resamplers)
        ]
        return np.stack(columns, axis=1)

    def _one(self, resampler: Any, samples: Samples | None) -> Samples:
        frame = None
        if samples is not None:
            packed = np.ascontiguousarray(samples[np.newaxis])
            frame = av.AudioFrame.from_ndarray(packed, "flt", "mono")
            frame.sample_rate = self._rate
        made = [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
        return np.concatenate(made) if made else np.zeros(0, np.float32)
