"""From a measured programme to its target: one gain, a limiter where peaks need it.

The gain aims at the middle of the target's tolerance. Where the limiter takes loudness away, the
gain is raised again, measured each time, at most three times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from handlers.analysis.findings import Finding
from handlers.sound.layout import Layout
from handlers.sound.limiter import Limiter
from handlers.sound.loudness import Dialogue, Loudness, Region, Samples, measure
from handlers.sound.targets import Target, aim

Read = Callable[[], Iterator[Samples]]
"""Reads the programme from its beginning, each time it is called."""

# Meters of other makers read up to so much higher, in dB: Tech 3341 allows them 0.2.
_BELOW_LIMIT = 0.1
# Nearer than this, in LU, is there: meters show a tenth.
_THERE = 0.05
_PASSES = 3
# By how many LU a decibel of gain still raises what is limited, at the least.
_LEAST_EFFECT = 0.25
# What is raised or limited by more, in dB, should be listened to.
_LOUD_NOISE, _HARD = 20.0, 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """What is done to all channels alike.

    ``db`` is the static gain; ``ceiling`` in dBTP is what the limiter keeps, None without one.
    ``reasons`` are sentences that say how it came about.
    """

    db: float
    ceiling: float | None = None
    reasons: tuple[str, ...] = ()

    @property
    def needs_limiter(self) -> bool:
        """Whether peaks would be too high without one."""
        return self.ceiling is not None

    def limiter(self, rate: int, channels: int) -> Limiter | None:
        """Return a new limiter for one way through, None where none is needed."""
        return None if self.ceiling is None else Limiter(rate, channels, self.ceiling)


def plan(measured: Loudness, target: Target, regions: Iterable[Region] | None = None) -> Gain:
    """Choose the gain that brings a programme to its target, before any limiting.

    Args:
        measured: The programme as it is.
        target: What to deliver at.
        regions: Where there is speech, [start, end) in samples; None: nobody has looked.
    """
    found = aim(measured, target, _dialogue(measured, regions))
    if found.level is None:
        return Gain(db=0.0, reasons=(*measured.notes, "Without a loudness there is no gain."))
    db = found.wanted - found.level
    if abs(db) < _THERE:
        db = 0.0
    reasons = [*found.reasons, f"The {found.gate} has {found.level:.1f} LUFS: {db:+.1f} dB."]
    if db > _LOUD_NOISE:
        reasons.append("That is much: its noise comes up as well.")
    peak = measured.true_peak
    if peak is None or peak + db <= target.true_peak:
        return Gain(db=db, reasons=tuple(reasons))
    reasons.append(f"Peaks would reach {peak + db:.1f} dBTP and are limited.")
    return Gain(db=db, ceiling=target.true_peak - _BELOW_LIMIT, reasons=tuple(reasons))


def apply(
    blocks: Iterable[Samples], gain: Gain, limiter: Limiter | None = None
) -> Iterator[Samples]:
    """Yield the sound at its gain: as many samples, of the same kind, none late.

    Args:
        blocks: float32 or float64 [n, channels] of any length.
        gain: What is done.
        limiter: ``gain.limiter(...)``; it can be asked afterwards what it did.
    """
    louder = blocks if gain.db == 0 else (_scaled(block, gain.db) for block in blocks)
    yield from louder if limiter is None else limiter(louder)


def settle(
    read: Read, measured: Loudness, layout: Layout, target: Target, *,
    regions: Iterable[Region] | None = None,
) -> Gain:  # fmt: skip
    """Return the gain with which the programme measures as its target after limiting.

    Reads the programme only where there is something to limit. What cannot be reached is
    approached as far as it goes; `targets.judge` says so of the finished file.

    Args:
        read: Reads the programme from its beginning.
        measured: The programme as it is.
        layout: What its channels are.
        target: What to deliver at.
        regions: Where there is speech, [start, end) in samples; None: nobody has looked.

    Raises:
        ValueError: a sample is no number.
    """
    marked = None if regions is None else list(regions)
    gain = plan(measured, target, marked)
    if not gain.needs_limiter:
        return gain
    tried: list[tuple[float, float]] = []
    for _ in range(_PASSES):
        missing = _missing(read, gain, measured, layout, target, marked)
        tried.append((gain.db, missing))
        if abs(missing) < _THERE:
            break
        gain = replace(gain, db=gain.db + missing / _effect(tried))
    db, _ = min(tried, key=lambda one: abs(one[1]))
    if db == tried[0][0]:
        return replace(gain, db=db)
    reason = f"Limiting makes it quieter: {db:+.1f} dB after {len(tried)} trials."
    return replace(gain, db=db, reasons=(*gain.reasons, reason))


def remarks(limiter: Limiter | None) -> Iterator[Finding]:
    """Yield what should be listened to after limiting; ``value`` in dB."""
    if limiter is not None and limiter.deepest > _HARD:
        text = f"The limiter took off up to {limiter.deepest:.1f} dB: listen to the loudest "
        yield Finding(kind="limited_hard", severity="warning", start=None, end=None,
                      text=text + "passages.", value=limiter.deepest, threshold=_HARD)  # fmt: skip


def _missing(
    read: Read, gain: Gain, measured: Loudness, layout: Layout, target: Target,
    regions: list[Region] | None,
) -> float:  # fmt: skip
    """Return by how many LU the programme is too quiet at a gain; measures it as it will be."""
    limiter = gain.limiter(measured.rate, len(layout.names))
    made = measure(apply(read(), gain, limiter), measured.rate, layout, peaks=False)
    found = aim(made, target, _dialogue(made, regions))
    return 0.0 if found.level is None else found.wanted - found.level


def _effect(tried: list[tuple[float, float]]) -> float:
    """Return by how many LU the last decibel of gain has raised the loudness; 1 at first."""
    if len(tried) < 2:
        return 1.0
    (before, missed), (now, missing) = tried[-2:]
    return float(np.clip((missed - missing) / (now - before), _LEAST_EFFECT, 1.0))


def _dialogue(measured: Loudness, regions: Iterable[Region] | None) -> Dialogue | None:
    return None if regions is None else measured.dialogue(regions)


def _scaled(block: Samples, db: float) -> Samples:
    made: Samples = block * block.dtype.type(10 ** (db / 20))
    return made
