"""What is told of a match or a refusal, in sentences for an assistant editor."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from handlers.media.source import shown
from handlers.sync.clock import Placing
from handlers.sync.fine import Evidence
from handlers.sync.records import Clip, Recording

UNDATED = "a file has no date, so it may be another day's"
_RATES = frozenset({8000, 16000, 22050, 32000, 44100, 48000, 88200, 96000, 176400, 192000})
# Drift below this moves nothing that anyone sees or hears, in parts of a million.
_NOTABLE = 10


def off_speed(clip: Clip) -> str:
    """Say that a clip plays at another speed than it was shot."""
    shot = float(clip.sensor_rate or 0)
    return (
        f"{shown(clip.path)} was shot at {shot:.6g} frames a second and plays at "
        f"{float(clip.rate):.6g}: sound cannot run with it."
    )


def no_recordings(clip: Clip) -> str:
    """Say that there is nothing to choose from."""
    return f"{shown(clip.path)}: there are no recordings to match; put them into the audio folder."


def nothing_fits(clip: Clip, count: int, doubts: Sequence[str], *, heard: bool) -> str:
    """Say why none of the recordings is given to a clip."""
    name = shown(clip.path)
    if doubts:
        return f"{name} is left without sound: {'; '.join(doubts)}."
    how = "sounds like it" if heard else "overlaps it in timecode, and it has no sound to go by"
    clock = "" if clip.timecode or not heard else " and it has no timecode"
    return f"{name}: none of {count} recordings {how}{clock}; match it by hand if there is one."


def two_places(recording: Recording, best: Evidence, rival: Evidence) -> str:
    """Say that a recording fits as well at another place."""
    return (
        f"{shown(recording.path)} sounds alike at {_time(best.offset)} and at {_time(rival.offset)}"
    )


def one_place(recording: Recording) -> str:
    """Say that too little of it agrees."""
    return f"{shown(recording.path)} sounds like it for a few seconds only, which may be chance"


def other_day(recording: Recording) -> str:
    """Say that only the time of day fits."""
    return (
        f"the timecode of {shown(recording.path)} overlaps, but it was recorded on another day "
        "and its sound does not agree"
    )


def same_stretch(recording: Recording, rival: Clip) -> str:
    """Say that another clip has the same sound, and was not shot at the same time."""
    return (
        f"the same stretch of {shown(recording.path)} sounds like {shown(rival.path)} too, and "
        "nothing says that two cameras shot it"
    )


def sounds_like_another(recording: Recording, rival: Clip) -> str:
    """Say that timecode puts a recording here, and its sound with another time's clip."""
    return (
        f"{shown(recording.path)} overlaps it in timecode, but sounds like {shown(rival.path)} "
        "there: check its clock"
    )


def other_camera(rival: Clip) -> str:
    """Say that another camera's clip has the same sound."""
    return f"{shown(rival.path)} of another camera has the same stretch of it"


def not_together(recording: Recording, rival: Recording) -> str:
    """Say that two recordings fit alike and were not made at the same time."""
    return (
        f"{shown(recording.path)} and {shown(rival.path)} both sound like it and were not made at "
        "the same time"
    )


def other_recorder(rival: Recording) -> str:
    """Say that another recording sounds like it as well."""
    return f"{shown(rival.path)} sounds like it too; no timecode says whether both ran with it"


def sounds_alike(clip: Path, reasons: Sequence[str]) -> str:
    """Say that all that fits a clip fits something else as well."""
    why = "; ".join(dict.fromkeys(reasons))
    return f"{shown(clip)} is left without sound: {why}. Match it by hand, or jam timecode."


def sound_agrees(evidence: Evidence) -> str:
    """Say how well the sound fits."""
    places = "place" if evidence.spans == 1 else "places"
    spread = f", within {max(evidence.spread, 1e-4) * 1e3:.1f} ms" if evidence.agreeing > 1 else ""
    return f"the sound agrees in {evidence.agreeing} of {evidence.spans} {places}{spread}"


def timecode_agrees(apart: float, clip: Clip) -> str:
    """Say how far timecode lies from the sound, in frames."""
    frames = abs(apart) * float(clip.rate)
    if frames < 0.05:
        return "timecode agrees to the frame"
    side = "late" if apart > 0 else "early"
    return f"timecode agrees, {frames:.1f} frames {side}; the sound was followed"


def clocks_contradict(
    clip: Clip, recording: Recording, evidence: Evidence, places: Sequence[Placing]
) -> str:
    """Say that timecode speaks against what the sound says; "" where it says nothing."""
    if clip.timecode is None or recording.start is None:
        return ""
    clocks = f"clip {clip.timecode}, recording {_time(float(recording.start))}"
    what = f"by their timecodes ({clocks}) they do not overlap"
    if places:
        apart = abs(float(places[0].seconds) - evidence.offset)
        what = f"timecode ({clocks}) puts it {_time(apart)} elsewhere"
    return f"{what}: the sound was followed, check both clocks"


def starts_contradict(bext: Fraction, told: Fraction) -> str:
    """Say that a recording's two chunks begin at different times, in seconds since midnight."""
    return (
        f"its bext begins at {_time(float(bext))} and its iXML at {_time(float(told))}; "
        "bext was followed"
    )


def unconfirmed(*, heard: bool) -> str:
    """Say why timecode stands alone."""
    return "their sound does not bear it out" if heard else "there is no sound to confirm it"


def pulled(pull: Fraction, recording: Recording) -> str:
    """Say that a sample rate is not what the file calls it; "" where it is."""
    if pull == 1:
        return odd_rate(recording)
    true = round(recording.rate * pull)
    way = "slow" if pull > 1 else "fast"
    return (
        f"it plays 0.1 % {way} against the picture, as if made at {true:,} Hz "
        f"and named {recording.rate:,}"
    )


def odd_rate(recording: Recording) -> str:
    """Say that a file names a rate of pull-up or pull-down; "" where it is a common one."""
    if recording.rate in _RATES:
        return ""
    return f"its header names {recording.rate:,} Hz; check how the project plays that"


def drifts(drift: float, clip: Clip) -> str:
    """Say how far the clocks run apart over the take; "" where that is nothing."""
    if abs(drift) < _NOTABLE:
        return ""
    frames = abs(drift) * 1e-6 * float(clip.duration * clip.rate)
    return f"the clocks drift by {drift:+.0f} ppm, {frames:.1f} frames over the take"


def _time(seconds: float) -> str:
    sign, whole = "-" if seconds < 0 else "", round(abs(seconds), 2)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{sign}{int(hours)}:{int(minutes):02d}:{left:05.2f}"
