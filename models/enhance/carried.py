"""Runs NSNet2 and DTLN over sound of any length: what they remember goes from piece to piece.

Six seconds of sound before a chunk leave NSNet2 up to -16 dB of full scale, and DTLN -32 dB, away
from what it makes of the whole. So they start once, as :mod:`models.enhance.pieces` says, and no
seam can be. Nothing here loads TensorFlow before a network is traced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.enhance.pieces import Fifo, Samples

Memory = NDArray[np.float32]
Run = Callable[[Samples, Samples, Memory], tuple[Samples, Memory]]

# Sixty decibels above full scale: garbage beyond that would fill the memory with infinities.
_LOUDEST = 1000.0
_FEWEST_FRAMES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """How a network wants its sound, in samples; and how much of it at once.

    Frames of ``window`` samples begin every ``hop``. ``memory`` is the shape of what the network
    remembers of one sound. ``together`` frames of all channels are run at once.
    """

    window: int
    hop: int
    memory: tuple[int, int]
    together: int

    @property
    def lead(self) -> int:
        """Samples of a frame that the one before it has as well."""
        return self.window - self.hop


class Carried:
    """Cleans streams with a network that remembers; see :class:`models.enhance.pieces.Denoiser`.

    Args:
        run: The network, as :func:`traced` gives it.
        frames: How it wants its sound.
        rate: Sample rate, Hz.
    """

    def __init__(self, run: Run, frames: Frames, rate: int) -> None:
        self.rate = rate
        self._run = run
        self._frames = frames

    def denoise(self, blocks: Iterator[Samples], *, linked: bool) -> Iterator[Samples]:
        """Clean a stream, see :class:`models.enhance.pieces.Denoiser`."""
        stream = None
        for block in blocks:
            stream = stream or _Stream(self._run, self._frames, block.shape[1], linked=linked)
            yield from stream.push(block)
        if stream is not None:
            yield from stream.finish()


class _Stream:
    """One stream on its way. Silence is put before it, so that every sample is in all frames."""

    def __init__(self, run: Run, frames: Frames, channels: int, *, linked: bool) -> None:
        self._run, self._frames, self._linked = run, frames, linked
        self._waiting = Fifo(channels)
        self._waiting.push(np.zeros((frames.lead, channels), np.float32))
        self._memory = np.zeros((1 if linked else channels, *frames.memory), np.float32)
        # What the frames so far say about samples that later frames say something about as well.
        self._tail = np.zeros((channels, frames.lead), np.float32)
        self._together = max(_FEWEST_FRAMES, frames.together // max(channels, 1))
        # The first samples are the silence before.
        self._owed, self._unwanted = 0, frames.lead

    def push(self, block: Samples) -> Iterator[Samples]:
        """Take a block, and give what is certain now."""
        self._waiting.push(block)
        self._owed += len(block)
        piece = self._together * self._frames.hop
        while len(self._waiting) >= self._frames.lead + piece:
            yield self._next(self._together)

    def finish(self) -> Iterator[Samples]:
        """Give the rest: behind the end there is silence."""
        while self._owed:
            frames = -(-(self._owed + self._unwanted) // self._frames.hop)
            yield self._next(min(self._together, frames))

    def _next(self, frames: int) -> Samples:
        """Run the next frames and return what they complete, float32 [n, channels]."""
        new = frames * self._frames.hop
        made = self._filtered(self._waiting.peek(self._frames.lead + new).T)
        self._waiting.drop(new)
        made[:, : self._frames.lead] += self._tail
        self._tail = made[:, new:].copy()
        ready = made[:, self._unwanted : new][:, : self._owed].T
        self._unwanted = max(0, self._unwanted - new)
        self._owed -= len(ready)
        return ready

    def _filtered(self, sound: Samples) -> Samples:
        """Run frames over sound [channels, n]."""
        heard = sound.mean(axis=0, keepdims=True) if self._linked else sound
        heard = np.clip(heard, -_LOUDEST, _LOUDEST)
        groups = sound.reshape(len(heard), -1, sound.shape[-1])
        made, self._memory = self._run(heard, groups, self._memory)
        return made.reshape(sound.shape).copy()


def traced(forward: Callable[[Any, Any, Any], tuple[Any, Any]], frames: Frames) -> Run:
    """Compile a network; eager Keras would run it at about real time.

    Args:
        forward: Takes ``heard`` [batch, frames, window], ``sound`` [batch, channels, frames,
            window] and the memory [batch, *frames.memory]; returns filtered frames and memory.
        frames: How sound is cut up for it.

    Returns:
        The same for sound in a row, [batch, n] and [batch, channels, n], n being the lead and
        whole hops; what comes back is summed up over the frames of this call.
    """
    import tensorflow as tf  # noqa: PLC0415 - handlers import this without TensorFlow

    def whole(heard: Any, sound: Any, memory: Any) -> tuple[Any, Any]:
        heard, sound = (tf.signal.frame(x, frames.window, frames.hop) for x in (heard, sound))
        cleaned, after = forward(heard, sound, memory)
        return tf.signal.overlap_and_add(cleaned, frames.hop), after

    shapes = [(None, None), (None, None, None), (None, *frames.memory)]
    signature = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    compiled = tf.function(whole, input_signature=signature, jit_compile=False)

    def run(heard: Samples, sound: Samples, memory: Memory) -> tuple[Samples, Memory]:
        cleaned, after = compiled(heard, sound, memory)
        return cleaned.numpy(), after.numpy()

    return run
