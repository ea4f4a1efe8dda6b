"""A clip's own sound on timelines: in its file, or in files of its own beside the picture."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor

from handlers.media.probe import AudioFacts, SoundFile
from handlers.media.source import shown
from handlers.media.timecode import Timecode
from handlers.turnover.model import Clip, Item, Media, Sound
from handlers.turnover.synced import Laid, fill


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One stream of a clip's sound: ``channels`` of the clip's file, or the files in ``apart``."""

    channels: tuple[int, ...] = ()
    apart: tuple[Laid, ...] = ()

    def items(self, clip: Clip, rate: Fraction) -> tuple[Item, ...]:
        """Return what fills the time of ``clip`` on a track for this stream.

        Args:
            clip: Picture and sound as one, on a timeline of ``rate``.
            rate: Frames a second.
        """
        if not self.apart:
            return (replace(clip, channels=self.channels),)
        begin = clip.start / clip.media.rate
        return fill(self.apart, begin, clip.frames, rate, link=clip.link, role=clip.role)


def own_sound(audio: Sequence[AudioFacts], files: Sequence[SoundFile]) -> Sound | None:
    """Return the sound that is in the clip's file itself."""
    within = _within(audio, files)
    if not within:
        return None
    return Sound(streams=tuple(each.channels for each in within), rate=within[0].rate)


def streams(
    audio: Sequence[AudioFacts], files: Sequence[SoundFile], start: Timecode, reel: str | None
) -> list[Stream]:
    """Return each stream of a clip's sound.

    Args:
        audio: The streams.
        files: Which files hold those that are not in the clip's own.
        start: Timecode of the clip's frame 0; its files of sound carry the same.
        reel: The clip's reel.
    """
    ends = itertools.accumulate((each.channels for each in _within(audio, files)), initial=0)
    own = [Stream(channels=tuple(range(a + 1, b + 1))) for a, b in itertools.pairwise(ends)]
    facts = {each.index: each for each in audio}
    apart: dict[int, list[Laid]] = {}
    for file in files:
        laid = _laid(file, facts[file.stream], start, reel)
        apart.setdefault(file.stream, []).append(laid)
    return [*own, *(Stream(apart=tuple(parts)) for parts in apart.values())]


def _within(audio: Sequence[AudioFacts], files: Sequence[SoundFile]) -> list[AudioFacts]:
    outside = {file.stream for file in files}
    return [each for each in audio if each.index not in outside]


def _laid(file: SoundFile, facts: AudioFacts, start: Timecode, reel: str | None) -> Laid:
    samples = floor(file.duration * facts.rate)
    media = Media(
        path=file.path.absolute(),
        name=shown(file.path),
        start=start + round(file.begin * start.rate),
        frames=max(1, floor(file.duration * start.rate)),
        reel=reel,
        sound=Sound(streams=(facts.channels,), rate=facts.rate, samples=samples),
    )
    return Laid(media=media, offset=-file.begin * facts.rate)
