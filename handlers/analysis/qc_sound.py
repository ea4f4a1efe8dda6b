"""Checks of the sound: too loud, gone, broken, out of phase, too long or too short."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.ndimage import uniform_filter1d

from handlers.analysis.findings import Finding, Subject, count, groups, long_runs
from handlers.analysis.params import QcParams

_TOGETHER = 1.0
# A channel is alive above this level, dBFS.
_ALIVE = -60.0
# Sound on either side of a dropout, within so many frames.
_BESIDE = 2


def none(subject: Subject, _: QcParams) -> Iterator[Finding]:
    """No sound at all, or none that could be listened to."""
    if not subject.streams:
        text = f"{subject.name} has no sound."
        yield Finding(kind="no_sound", severity="info", start=None, end=None, text=text)
    elif not subject.speech_heard:
        text = "Speech was not looked for: fxd models install silero-vad"
        yield Finding(kind="no_voice_model", severity="info", start=None, end=None, text=text)


def clipping(subject: Subject, params: QcParams) -> Iterator[Finding]:
    """Samples that stand at full scale one after the other."""
    samples = subject.table["audio_clipped"]
    for channel in range(samples.shape[1]):
        marks = samples[:, channel] >= params.audio_clipped_samples
        for start, end in groups(marks, subject.frames(_TOGETHER)):
            number = int(samples[start:end, channel].sum())
            text = f"{subject.span(start, end)} channel {channel + 1} clips, "
            text += f"in {count(number, 'sample')}."
            yield Finding(kind="audio_clipping", severity="warning", start=start, end=end,
                          text=text, value=number, threshold=params.audio_clipped_samples,
                          channel=channel + 1)  # fmt: skip


def dropouts(subject: Subject, params: QcParams) -> Iterator[Finding]:
    """Digital zero, with sound on either side of it."""
    zero, level = subject.table["digital_zero"], subject.table["level_db"]
    most = subject.frames(params.dropout_seconds)
    for channel in range(zero.shape[1]):
        alive = level[:, channel] > _ALIVE
        for start, end in groups(zero[:, channel] > 0, 1):
            before = alive[max(0, start - _BESIDE) : start + 1].any()
            after = alive[end - 1 : end + _BESIDE].any()
            # A first or last frame may begin or end with the microphone's fader.
            inside = start > 0 and end < len(alive)
            if before and after and inside and end - start <= most:
                lost = float(zero[start:end, channel].sum()) / subject.rate
                text = f"{subject.span(start, end)} channel {channel + 1} drops out "
                text += f"for {1000 * lost:.0f} ms."
                yield Finding(kind="dropout", severity="error", start=start, end=end, text=text,
                              value=lost, threshold=0, channel=channel + 1)  # fmt: skip


def silence(subject: Subject, params: QcParams) -> Iterator[Finding]:
    """Channels without sound: all of them for a while, or one while others live."""
    level = subject.table["level_db"]
    quiet = (level < params.silence_db).all(axis=1)
    if quiet.all():
        text = f"{subject.name} has {count(level.shape[1], 'channel')} and no sound in any of them."
        yield Finding(kind="silence", severity="warning", start=None, end=None, text=text,
                      value=float(level.max()), threshold=params.silence_db)  # fmt: skip
        return
    for start, end in long_runs(quiet, subject.frames(params.silence_seconds)):
        text = f"{subject.span(start, end)} there is no sound in any channel."
        yield Finding(kind="silence", severity="info", start=start, end=end, text=text,
                      value=float(level[start:end].max()), threshold=params.silence_db)  # fmt: skip
    loudest = level.max(axis=0)
    for channel in np.flatnonzero(loudest < params.dead_db).tolist():
        text = f"Channel {channel + 1} is dead while others have sound."
        yield Finding(kind="dead_channel", severity="warning", start=None, end=None, text=text,
                      value=float(loudest[channel]), threshold=params.dead_db,
                      channel=channel + 1)  # fmt: skip


def phase(subject: Subject, params: QcParams) -> Iterator[Finding]:
    """Two channels that cancel each other when they are summed."""
    correlation = subject.table["phase"]
    known = ~np.isnan(correlation)
    size = subject.frames(params.phase_seconds)
    weight = uniform_filter1d(known.astype(float), size, mode="nearest")
    total = uniform_filter1d(np.where(known, correlation, 0).astype(float), size, mode="nearest")
    usual = np.divide(total, weight, out=np.zeros_like(total), where=weight > 1 / (2 * size))
    for start, end in long_runs(known & (usual < params.phase), size):
        least = float(usual[start:end].min())
        text = f"{subject.span(start, end)} channels 1 and 2 are out of phase."
        yield Finding(kind="out_of_phase", severity="warning", start=start, end=end, text=text,
                      value=least, threshold=params.phase)  # fmt: skip


def lengths(subject: Subject, params: QcParams) -> Iterator[Finding]:
    """Sound that ends before or after the picture, sets in late, or breaks off in between."""
    picture = len(subject.table) / subject.rate
    for number, stream in enumerate(subject.streams, start=1):
        over = stream.seconds - picture
        which = "The sound" if len(subject.streams) == 1 else f"Sound stream {number}"
        if abs(over) > params.length_seconds:
            kind, word = ("audio_longer", "longer") if over > 0 else ("audio_shorter", "shorter")
            text = f"{which} is {abs(over):.2f} s {word} than the picture."
            yield Finding(kind=kind, severity="warning", start=None, end=None, text=text,
                          value=over, threshold=params.length_seconds)  # fmt: skip
        if stream.late > params.length_seconds:
            text = f"{which} sets in {stream.late:.2f} s after the picture."
            yield Finding(kind="audio_late", severity="warning", start=None, end=None, text=text,
                          value=stream.late, threshold=params.length_seconds)  # fmt: skip
        yield from _gaps(subject, which, stream.gaps)


def _gaps(subject: Subject, which: str, gaps: Sequence[tuple[float, float]]) -> Iterator[Finding]:
    for begin, seconds in gaps:
        start = int(begin * subject.rate)
        end = max(start + 1, min(len(subject.table), round((begin + seconds) * subject.rate)))
        text = f"{subject.span(start, end)}, {seconds:.2f} s of sound are missing. {which} "
        text += "goes on after them."
        yield Finding(kind="audio_gap", severity="error", start=start, end=end, text=text,
                      value=seconds, threshold=0)  # fmt: skip


OF_SAMPLES = (clipping, dropouts, silence, phase)
"""These need sound."""
CHECKS = (none, lengths)
