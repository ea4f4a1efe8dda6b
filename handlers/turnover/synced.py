"""Laying a recording under a picture, exact to the sample."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import Any

from handlers.turnover.model import Clip, Gap, Item, Media, TimelineError


def lay(
    recording: Media, sample: Fraction | float, frames: int, rate: Fraction, **more: Any
) -> tuple[Item, ...]:
    """Return what fills some frames of a track of sound: a recording, and gaps.

    Where the recording starts later, or ends before, whole frames are left empty; what is
    there keeps its place to the sample.

    Args:
        recording: A recording whose length in samples is known.
        sample: Which of its samples sounds at the start of the first frame; before its first
            sample it is negative.
        frames: How many frames are to be filled.
        rate: The timeline's rate.
        more: What else the clip says: its name, role, channels, link.

    Raises:
        TimelineError: The recording's length in samples is not known.
    """
    sound = recording.sound
    if sound is None or sound.samples is None:
        raise TimelineError(f"{recording.name}: its length in samples is not known")
    a_frame = sound.rate / rate
    # A match may come as a float; beyond a thousandth of a sample nothing is heard.
    first = Fraction(round(Fraction(sample) * 1000), 1000)
    before = min(frames, max(0, ceil(-first / a_frame)))
    begin = first + before * a_frame
    heard = min(frames - before, max(0, floor((sound.samples - begin) / a_frame)))
    if not heard:
        return (Gap(frames=frames),)
    made = Clip(media=recording, start=begin / sound.rate * recording.rate, frames=heard, **more)
    gaps = (before, frames - before - heard)
    leading, trailing = ((Gap(frames=each),) if each else () for each in gaps)
    return (*leading, made, *trailing)
