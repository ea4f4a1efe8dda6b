"""What formats cannot express, and how a caller is told."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from handlers.media.timecode import nominal
from handlers.turnover.model import Clip, Kind, Timeline
from models.errors import FxdError

# Rates that SMPTE ST 12-1 gives a timecode; editing systems know no others.
_COUNTED = frozenset(
    [Fraction(number) for number in (24, 25, 30, 48, 50, 60)]
    + [Fraction(number * 1000, 1001) for number in (24, 30, 48, 60)]
)


class CannotExpressError(FxdError):
    """The format has no way to say this timeline; one sentence says why."""


def require_smpte(timeline: Timeline, name: str) -> None:
    """Refuse a rate that has no SMPTE timecode.

    Raises:
        CannotExpressError: The timeline runs at another rate.
    """
    if timeline.rate not in _COUNTED:
        raise CannotExpressError(
            f"{name} has no timecode at {rate_text(timeline.rate)} frames a second; "
            "use the OTIO or FCPXML."
        )


def require_one_rate(timeline: Timeline, name: str) -> None:
    """Refuse pictures of another rate than the timeline's.

    Raises:
        CannotExpressError: A picture runs at another rate; the first one is named.
    """
    for media in timeline.media():
        if media.picture and media.rate != timeline.rate:
            raise CannotExpressError(
                f"{name} knows one rate, and {media.name} runs at {rate_text(media.rate)} in a "
                f"timeline of {rate_text(timeline.rate)}; use the OTIO or FCPXML."
            )


def rate_text(rate: Fraction) -> str:
    """Return a rate as people write it: 23.976, 24, 59.94."""
    return f"{float(rate):.3f}".rstrip("0").rstrip(".")


def is_ntsc(rate: Fraction) -> bool:
    """Say whether a rate is a thousandth slower than its count of frame numbers."""
    return rate * 1001 == nominal(rate) * 1000


def whole_start(clip: Clip, rate: Fraction) -> int:
    """Return the frame of a rate at which a clip begins in its media, to the nearest."""
    return round(clip.start * rate / clip.media.rate)


def rounded(clips: Iterable[Clip], name: str, rate: Fraction | None = None) -> tuple[str, ...]:
    """Say for which clips a format that counts in frames moved the sound, and how far.

    Args:
        clips: All sound clips.
        name: The format.
        rate: At which it counts; None: at each file's own.
    """
    moved = (_moved(clip, rate or clip.media.rate) for clip in clips)
    off = [each for each in moved if each]
    if not off:
        return ()
    many = "1 sound clip" if len(off) == 1 else f"{len(off)} sound clips"
    most = float(max(off)) * 1000
    sentence = (
        f"{name} counts in frames: {many} moved by up to {most:.1f} ms; "
        "the OTIO and FCPXML are exact to the sample."
    )
    return (sentence,)


def _moved(clip: Clip, rate: Fraction) -> Fraction:
    """Return the seconds between a clip's start and the frame that stands for it."""
    return abs(clip.start / clip.media.rate - whole_start(clip, rate) / rate)


def sounds(timeline: Timeline) -> list[Clip]:
    """Return all sound clips."""
    return [clip for track in timeline.of_kind(Kind.AUDIO) for _, clip in track.placed()]
