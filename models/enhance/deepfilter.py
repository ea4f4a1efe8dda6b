"""Runs DeepFilterNet3 over sound of any length.

Its memory is long: started two seconds early instead of at the beginning, it still differs by a
tenth of full scale where the two meet. So it is never started anew. Sound runs through it piece by
piece, each piece overlaps the one before by the frames that filters reach back, and all that
recurrent units and running means remember is handed on. The seams are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.enhance.pieces import Fifo, Samples

RATE = 48000
HOP = 480
"""Samples that share one estimate of the noise, 10 ms."""

# Five seconds: long enough that starting an operation costs nothing beside running it, short
# enough that what lies between the layers takes some 150 MB.
_FRAMES = 500
_PIECE = _FRAMES * HOP
_LATE = 3 * HOP
# Channels in one batch, where there is a GPU, and channels that are filtered at once.
_BATCH, _GROUP = 8, 4
# Sixty decibels above full scale: garbage beyond that would fill the memory with infinities.
_LOUDEST = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """A piece of a cleaned stream.

    ``samples`` is float32 [n, channels]. ``snr`` is what the network takes for the local
    signal-to-noise ratio of each 10 ms of it, -15..35 dB, float32 [ceil(n / 480), channels], or
    [.., 1] where channels are linked. n is a multiple of 480 except at the end.
    """

    samples: Samples
    snr: Samples


class DeepFilter:
    """Cleans speech with DeepFilterNet3; a :class:`~models.enhance.pieces.Denoiser`.

    Args:
        model: The Keras model of the bundle ``deepfilternet3``.
    """

    rate = RATE

    def __init__(self, model: Any) -> None:
        self._network = _compiled(model)

    def denoise(self, blocks: Iterator[Samples], *, linked: bool) -> Iterator[Samples]:
        """Clean a stream, see :class:`~models.enhance.pieces.Denoiser`."""
        for cleaned in self.clean(blocks, linked=linked):
            yield cleaned.samples

    def clean(self, blocks: Iterator[Samples], *, linked: bool) -> Iterator[Cleaned]:
        """Clean a stream and tell how noisy it was.

        Args:
            blocks: As for :meth:`denoise`.
            linked: As for :meth:`denoise`.

        Yields:
            Pieces of at most five seconds.
        """
        stream = None
        for block in blocks:
            stream = stream or _Stream(self._network, block.shape[1], linked=linked)
            yield from stream.push(block)
        if stream is not None:
            yield from stream.finish()


class _Stream:
    """One stream on its way."""

    def __init__(self, network: _Network, channels: int, *, linked: bool) -> None:
        self._waiting = Fifo(channels)
        self._came = self._gave = 0
        self._late = _LATE
        self._filters = [
            _Filter(network, rows, channels if linked else 1)
            for rows in ([1] if linked else _shared_out(channels, network.batch))
        ]
        self._last_snr = np.zeros((1, 1 if linked else channels), np.float32)

    def push(self, block: Samples) -> Iterator[Cleaned]:
        """Take a block, and give what is certain now."""
        self._waiting.push(block)
        self._came += len(block)
        while len(self._waiting) >= _PIECE:
            yield self._next()

    def finish(self) -> Iterator[Cleaned]:
        """Give the rest: behind the end there is silence."""
        while self._gave < self._came:
            yield self._next()

    def _next(self) -> Cleaned:
        sound = self._waiting.peek(_PIECE).T
        self._waiting.drop(_PIECE)
        made, snr = [], []
        for each in self._filters:
            part, sound = sound[: each.channels], sound[each.channels :]
            cleaned, judged = each.step(part)
            made.append(cleaned)
            snr.append(judged)
        return self._trimmed(np.concatenate(made).T, np.concatenate(snr).T)

    def _trimmed(self, samples: Samples, snr: Samples) -> Cleaned:
        """Leave out what lies before the beginning and behind the end."""
        # A hop lies in two frames, the last of which came with this hop; the noisier one counts.
        frames = np.concatenate([self._last_snr, snr])
        snr, self._last_snr = np.minimum(frames[:-1], frames[1:]), frames[-1:]
        samples, snr = samples[self._late :], snr[self._late // HOP :]
        self._late = 0
        left = self._came - self._gave
        samples, snr = samples[:left], snr[: -(-left // HOP)]
        self._gave += len(samples)
        return Cleaned(samples=samples, snr=snr)


def _shared_out(channels: int, most: int) -> list[int]:
    """Share channels out over batches of at most so many."""
    return [min(most, channels - at) for at in range(0, channels, most)]


class _Filter:
    """Channels that are judged in one batch, and what is remembered of them.

    Args:
        network: What judges and filters.
        rows: How many sounds are judged.
        each: How many channels are filtered as each of them is.
    """

    def __init__(self, network: _Network, rows: int, each: int) -> None:
        self.channels = rows * each
        self._network = network
        self._shape = rows, each, -1
        self._judged = network.judged(rows)
        self._filtered = [network.filtered(rows, count) for count in _shared_out(each, _GROUP)]

    def step(self, sound: Samples) -> tuple[Samples, Samples]:
        """Clean a piece, [channels, n]; return it late, and the noise of each frame [rows, T]."""
        sound = sound.reshape(self._shape)
        heard = np.clip(sound.mean(axis=1), -_LOUDEST, _LOUDEST)
        said, self._judged = self._network.judge(heard, self._judged)
        made = []
        for number, memory in enumerate(self._filtered):
            group = sound[:, number * _GROUP : (number + 1) * _GROUP]
            cleaned, self._filtered[number] = self._network.apply(group, memory, said)
            made.append(cleaned.numpy())
        return np.concatenate(made, axis=1).reshape(self.channels, -1), said["snr"].numpy()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Network:
    """The network, compiled, and what it remembers at first."""

    judge: Callable[..., Any]
    apply: Callable[..., Any]
    judged: Callable[[int], Any]
    filtered: Callable[[int, int], Any]
    batch: int


def _compiled(model: Any) -> _Network:
    """Trace the network's two halves, once each."""
    import tensorflow as tf  # noqa: PLC0415 - handling pieces must not load TensorFlow

    from models.enhance import deepfilter_network as network  # noqa: PLC0415 - loads Keras
    from models.enhance import deepfilter_signal as signal  # noqa: PLC0415 - loads Keras
    from models.enhance.scan import scans_here  # noqa: PLC0415 - loads Keras

    judge, applied = model.get_layer("judge"), model.get_layer("applied")

    def hear(heard: Any, memory: Any) -> Any:
        said = judge(heard, memory)
        memory = said.pop("memory")
        return said, memory

    def apply(sound: Any, memory: Any, said: Any) -> Any:
        return applied(sound, memory, said)

    def given(*shape: int | None) -> Any:
        return tf.TensorSpec(shape, tf.float32)

    said = {
        "gains": given(None, _FRAMES, signal.BANDS),
        "deep": given(None, _FRAMES, signal.DEEP, signal.ORDER, 2),
        "snr": given(None, _FRAMES),
    }
    heard = given(None, _PIECE), given(None, network.JUDGED)
    sound = given(None, None, _PIECE), given(None, None, network.FILTERED), said
    return _Network(
        judge=tf.function(hear, input_signature=heard),
        apply=tf.function(apply, input_signature=sound),
        judged=lambda rows: tf.constant(network.nothing_judged(rows)),
        filtered=lambda rows, each: tf.zeros((rows, each, network.FILTERED)),
        # A processor gains nothing from more than one; the loop of a unit even loses.
        batch=1 if scans_here() else _BATCH,
    )
