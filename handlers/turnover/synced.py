"""Laying a recording under a clip, exact to the sample."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

from handlers.turnover.model import Clip, Gap, Item, Media, TimelineError


def lay(
    recording: Media,
    offset_samples: Fraction | float,
    clip: Clip,
    *,
    channels: tuple[int, ...] = (),
    role: str = "",
    link: int | None = None,
) -> tuple[Item, ...]:
    """Return what fills the time of ``clip`` on a track of sound: the recording, and gaps.

    Where the recording starts after the clip, or ends before it, whole frames are left
    empty; what is there keeps its place to the sample.

    Args:
        recording: A recording whose length in samples is known.
        offset_samples: Which of its samples sounds at the start of frame 0 of the clip's
            media; before its first sample it is negative.
        clip: The picture on the timeline, at the timeline's rate.
        channels: Which of its channels play; none for all.
        role: What the sound is to the editor.
        link: The clip's link, where they shall move together.

    Raises:
        TimelineError: The recording's length in samples is not known.
    """
    sound = recording.sound
    if sound is None or sound.samples is None:
        raise TimelineError(f"{recording.name}: its length in samples is not known")
    a_frame = sound.rate / clip.media.rate
    # A match may come as a float; beyond a thousandth of a sample nothing is heard.
    at_zero = Fraction(round(Fraction(offset_samples) * 1000), 1000)
    first = at_zero + clip.start * a_frame
    before = min(clip.frames, max(0, ceil(-first / a_frame)))
    begin = first + before * a_frame
    heard = min(clip.frames - before, max(0, floor((sound.samples - begin) / a_frame)))
    if not heard:
        return (Gap(frames=clip.frames),)
    made = Clip(
        media=recording,
        start=begin / sound.rate * recording.rate,
        frames=heard,
        channels=channels,
        role=role,
        link=link,
    )
    gaps = (before, clip.frames - before - heard)
    leading, trailing = ((Gap(frames=each),) if each else () for each in gaps)
    return (*leading, made, *trailing)
