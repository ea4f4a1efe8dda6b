"""Runs a network over sound of any length: overlapped chunks, several of them in one batch.

A network that remembers is given some sound before the part that it is to clean, and one that
looks ahead some after it; what it makes of either is thrown away. Where two chunks meet they are
faded into each other. Nothing here knows a network, and nothing loads TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


class Denoiser(Protocol):
    """What cleans a stream of sound.

    ``rate`` is the sample rate in Hz that it takes and gives.
    """

    rate: int

    def denoise(self, blocks: Iterator[Samples], *, linked: bool) -> Iterator[Samples]:
        """Clean a stream.

        Args:
            blocks: Its samples, float32 [n, channels], full scale 1, in blocks of any size.
            linked: One filter, judged by the channels' mean, for all of them, so that stereo and
                surround images stay; else each channel by itself.

        Yields:
            Blocks of other sizes; altogether as many samples as came in, each at its place.
        """
        ...


class Filter(Protocol):
    """A network that judges one sound and filters others by that."""

    def __call__(self, heard: Samples, sound: Samples) -> Samples:
        """Filter chunks.

        Args:
            heard: What to judge, float32 [batch, length].
            sound: What to filter, float32 [batch, channels, length]. Alone channels come as
                batches of one channel, in which both are the same.

        Returns:
            The filtered sound, float32 [batch, channels, length], not delayed.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """How a stream is cut into chunks, in samples.

    Each chunk adds ``new`` samples. Before them lie ``before``, in which the network gets to
    know what came earlier; after them ``fade``, over which the next chunk takes over, and
    ``after``, what the network sees ahead. ``rows`` chunks of one channel are run at once.
    """

    new: int
    before: int
    fade: int
    after: int
    rows: int

    @property
    def length(self) -> int:
        """How many samples a chunk has."""
        return self.before + self.new + self.fade + self.after


class Fifo:
    """Samples that wait, float32 [n, channels]; what is no number counts as silence."""

    def __init__(self, channels: int) -> None:
        self._blocks = [np.zeros((0, channels), np.float32)]
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def push(self, block: Samples) -> None:
        """Take more samples; a copy is kept."""
        # One NaN would stay in a recurrent network's memory for good.
        kept = np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)
        self._blocks.append(kept.astype(np.float32, copy=False))
        self._count += len(block)

    def peek(self, count: int) -> Samples:
        """Return the next samples, silence where there are no more, and keep them."""
        self._blocks = [np.concatenate(self._blocks)]
        found = self._blocks[0][:count]
        return np.pad(found, ((0, count - len(found)), (0, 0)))

    def drop(self, count: int) -> None:
        """Forget the next samples, as far as there are any."""
        self._blocks = [np.concatenate(self._blocks)[count:]]
        self._count = len(self._blocks[0])


class Overlapped:
    """Runs a filter that keeps nothing between chunks.

    Args:
        run: The network.
        cut: How it wants its chunks.
        rate: Sample rate, Hz.
    """

    def __init__(self, run: Filter, cut: Cut, rate: int) -> None:
        self.rate = rate
        self._run = run
        self._cut = cut

    def denoise(self, blocks: Iterator[Samples], *, linked: bool) -> Iterator[Samples]:
        """Clean a stream, see :class:`Denoiser`."""
        stream = None
        for block in blocks:
            stream = stream or _Stream(self._run, self._cut, block.shape[1], linked=linked)
            yield from stream.push(block)
        if stream is not None:
            yield from stream.finish()


class _Stream:
    """One stream on its way.

    Chunk k begins at sample k * new. The first one is heard from its beginning on: there the
    network starts as it does on a file that is run whole.
    """

    def __init__(self, run: Filter, cut: Cut, channels: int, *, linked: bool) -> None:
        self._run, self._cut, self._linked = run, cut, linked
        self._waiting = Fifo(channels)
        self._came = self._gave = 0
        self._first = True
        self._tail = np.zeros((0, channels), np.float32)
        # A few channels share a batch; of many, a chunk each is run, group by group.
        self._chunks = max(1, cut.rows // max(channels, 1))
        rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(cut.fade) + 0.5) / max(cut.fade, 1))
        self._rise = rise.astype(np.float32)[:, None]

    def push(self, block: Samples) -> Iterator[Samples]:
        """Take a block, and give what is certain now."""
        self._waiting.push(block)
        self._came += len(block)
        while len(self._waiting) >= self._span(self._chunks):
            yield self._next(self._chunks)

    def finish(self) -> Iterator[Samples]:
        """Give the rest: behind the end there is silence."""
        while self._gave < self._came:
            missing = self._came - self._gave
            beyond = missing if self._gave else missing - self._cut.before
            chunks = min(self._chunks, max(1, -(-beyond // self._cut.new)))
            yield self._next(chunks)[:missing]

    def _span(self, chunks: int) -> int:
        return self._cut.length + (chunks - 1) * self._cut.new

    def _next(self, chunks: int) -> Samples:
        """Run the next chunks and return what they add, float32 [n, channels]."""
        new, length = self._cut.new, self._cut.length
        sound = self._waiting.peek(self._span(chunks)).T
        starts = range(0, chunks * new, new)
        made = self._filtered(np.stack([sound[:, at : at + length] for at in starts]))
        self._waiting.drop(chunks * new)
        added = np.concatenate([self._joined(chunk.T) for chunk in made])
        self._gave += len(added)
        return added

    def _filtered(self, sound: Samples) -> Samples:
        """Run chunks [chunks, channels, length], no more rows at once than the cut allows."""
        rows = self._cut.rows
        if self._linked:
            heard = sound.mean(axis=1)
            parts = [sound[:, at : at + rows] for at in range(0, sound.shape[1], rows)]
            return np.concatenate([self._run(heard, part) for part in parts], axis=1)
        alone = sound.reshape(-1, 1, sound.shape[-1])
        parts = [alone[at : at + rows] for at in range(0, len(alone), rows)]
        return np.concatenate([self._run(part[:, 0], part) for part in parts]).reshape(sound.shape)

    def _joined(self, chunk: Samples) -> Samples:
        """Fade a chunk in over the end of the last one; keep its own end for the next."""
        cut, fade = self._cut, len(self._tail)
        part = chunk[0 if self._first else cut.before : cut.before + cut.new + cut.fade].copy()
        part[:fade] = self._tail + self._rise[:fade] * (part[:fade] - self._tail)
        ready = len(part) - cut.fade
        self._tail, self._first = part[ready:], False
        return part[:ready]
