"""What a timeline looks like where each channel of sound needs a track of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from handlers.turnover.model import Clip, Kind, Timeline, Track, channels_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A clip from frame ``at`` of the timeline on; ``channel`` is what it plays of the sound."""

    at: int
    clip: Clip
    channel: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A track of picture, or of one channel a clip; ``number`` counts from 1 for each kind."""

    kind: Kind
    number: int
    placed: tuple[Placed, ...]

    @property
    def name(self) -> str:
        """The name that editing systems give it: V1, A1."""
        return f"{'V' if self.kind is Kind.VIDEO else 'A'}{self.number}"


def lanes(timeline: Timeline) -> list[Lane]:
    """Return the tracks of picture, then one for each channel of each track of sound."""
    pictures = (
        [Placed(at=at, clip=clip) for at, clip in track.placed()]
        for track in timeline.of_kind(Kind.VIDEO)
    )
    channels = (each for track in timeline.of_kind(Kind.AUDIO) for each in _channels(track))
    return [
        Lane(kind=kind, number=number, placed=tuple(placed))
        for kind, tracks in ((Kind.VIDEO, pictures), (Kind.AUDIO, channels))
        for number, placed in enumerate(tracks, 1)
    ]


def _channels(track: Track) -> Iterator[list[Placed]]:
    heard = [(at, clip, channels_of(clip)) for at, clip in track.placed()]
    for index in range(max((len(channels) for _, _, channels in heard), default=0)):
        yield [
            Placed(at=at, clip=clip, channel=channels[index])
            for at, clip, channels in heard
            if index < len(channels)
        ]
