"""Laying recordings under a clip, exact to the sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any

from handlers.turnover.model import Clip, Gap, Item, Media, TimelineError


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """A recording and where it lies under a clip.

    ``offset`` says which of its samples sounds at the clip's frame 0, below 0 where it begins
    later; ``speed`` is how many of its seconds last one second of the clip.
    """

    media: Media
    offset: Fraction
    speed: Fraction = Fraction(1)

    def __post_init__(self) -> None:
        if self.media.sound is None or self.media.sound.samples is None:
            raise TimelineError(f"{self.media.name}: its length in samples is not known")

    @property
    def samples(self) -> int:
        """Its length."""
        sound = self.media.sound
        return (sound.samples or 0) if sound else 0

    @property
    def rate(self) -> int:
        """Samples a second."""
        return self.media.sound.rate if self.media.sound else 1

    def at(self, seconds: Fraction) -> Fraction:
        """Return which sample sounds so long after the clip's frame 0."""
        return self.offset + seconds * self.rate * self.speed


def fill(
    parts: Sequence[Laid], begin: Fraction, frames: int, rate: Fraction, **about: Any
) -> tuple[Item, ...]:
    """Return what fills a stretch of a track of sound: recordings, each in its place, and gaps.

    Where a recording starts after the stretch, ends before it, or the next one goes on, whole
    frames are left empty; what is there keeps its place to the sample.

    Args:
        parts: Recordings that do not overlap, in order: one, or the parts of one.
        begin: Where the stretch begins, in seconds after the clip's frame 0.
        frames: Its length, at least one.
        rate: Frames a second of the timeline.
        about: More that is said of each clip: channels, role, link, said.
    """
    items: list[Item] = []
    at = 0
    for first, clip in _heard(parts, begin, frames, rate, about):
        if first > at:
            items.append(Gap(frames=first - at))
        items.append(clip)
        at = first + clip.frames
    if at < frames:
        items.append(Gap(frames=frames - at))
    return tuple(items)


def _heard(
    parts: Sequence[Laid], begin: Fraction, frames: int, rate: Fraction, about: dict[str, Any]
) -> Iterator[tuple[int, Clip]]:
    """Yield each recording that sounds, with the frame of the stretch at which it begins."""
    free = 0
    for part in parts:
        first = max(free, ceil(-part.at(begin) / (part.rate * part.speed / rate)))
        sample = part.at(begin + first / rate)
        # A timeline plays it at its own speed from there on.
        length = min(frames - first, floor((part.samples - sample) * rate / part.rate))
        if length > 0:
            start = sample / part.rate * part.media.rate
            yield first, Clip(media=part.media, start=start, frames=length, **about)
            free = first + length
