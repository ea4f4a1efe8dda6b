"""Writing a CMX 3600 edit decision list that relinks.

An editing system finds the media by reel, clip name and source timecode. No path may
stand in a comment: some systems then refuse the list. The list holds cuts of the
first picture track.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from handlers.media.timecode import Timecode, frames_per_day, nominal, parse
from handlers.turnover.limits import CannotExpressError, rate_text, require_one_rate
from handlers.turnover.model import Clip, Colour, Kind, Marker, Timeline, Track
from handlers.turnover.reels import SHORT, edl_reels

# SMPTE ST 12-1 numbers no more frames in a second; readers refuse a larger frame number.
_HIGHEST_RATE = 60
# Locators know fewer colours than markers do.
_LOCATOR = {
    Colour.ORANGE: Colour.YELLOW,
    Colour.PINK: Colour.MAGENTA,
    Colour.PURPLE: Colour.MAGENTA,
}

# A correction, as the ASC puts it into a list's comments.
_CORRECTION = ("ASC_SOP", "ASC_SAT")


def write(timeline: Timeline, path: Path) -> tuple[str, ...]:
    """Write the list; return what it leaves out.

    Raises:
        CannotExpressError: There is no timecode for the rate, or there are two rates.
    """
    path.write_text(edl(timeline), encoding="utf-8", newline="\n")
    return tuple(_left_out(timeline))


def edl(timeline: Timeline, reel_length: int = SHORT) -> str:
    """Return the list; the record side starts where the timeline does.

    Where it would pass midnight it starts at one o'clock: record time only rises. The
    source side is the source's timecode always, which starts again at midnight. Lists
    of more than 999 events number on with four digits.

    Args:
        timeline: What to list.
        reel_length: The longest reel name, 8 for CMX 3600, 32 for readers of File32 lists.

    Raises:
        CannotExpressError: There is no timecode for the rate, or there are two rates.
    """
    if nominal(timeline.rate) > _HIGHEST_RATE:
        raise CannotExpressError(
            f"An EDL numbers at most {_HIGHEST_RATE} frames in a second, not "
            f"{rate_text(timeline.rate)}; use the OTIO or FCPXML."
        )
    require_one_rate(timeline, "An EDL")
    videos = timeline.of_kind(Kind.VIDEO)
    if not videos or not any(videos[0].placed()):
        raise CannotExpressError("An EDL lists cuts of the picture, and there is none.")
    return "\n".join(_lines(timeline, videos[0], reel_length)) + "\n"


def _left_out(timeline: Timeline) -> Iterator[str]:
    first, *others = timeline.of_kind(Kind.VIDEO)
    names = [track.name for track in others if any(track.placed())]
    if names:
        yield f"The EDL holds the first picture track only, not {', '.join(names)}."
    shown = [range(at, at + clip.frames) for at, clip in first.placed()]
    lost = [each for each in timeline.markers if not any(each.frame in span for span in shown)]
    if lost:
        lie, are = ("lies", "it is") if len(lost) == 1 else ("lie", "they are")
        many = f"{len(lost)} marker{'s' if len(lost) > 1 else ''}"
        yield f"{many} {lie} on no cut, so {are} not in the EDL."


def _lines(timeline: Timeline, track: Track, reel_length: int) -> Iterator[str]:
    yield f"TITLE: {timeline.name}"
    yield f"FCM: {'' if timeline.drop_frame else 'NON-'}DROP FRAME"
    reels = edl_reels((clip.media for _, clip in track.placed()), reel_length)
    start = _record_start(timeline, track)
    for number, (at, clip) in enumerate(track.placed(), 1):
        yield ""
        yield _event(number, reels[clip.media.path], clip, start + at)
        yield f"* FROM CLIP NAME: {clip.name}"
        columns = clip.media.logged.columns
        yield from (f"*{name} {columns[name]}" for name in _CORRECTION if name in columns)
        for frame, marker in _markers(timeline.markers, clip, at):
            yield _locator(start + frame, marker)


def _event(number: int, reel: str, clip: Clip, record: Timecode) -> str:
    # A dissolve is in the pictures themselves, so each event is a cut.
    source = clip.media.start + int(clip.start)
    times = f"{source} {source + clip.frames} {record} {record + clip.frames}"
    return f"{number:03d}  {reel:<8} V     C        {times}"


def _markers(above: Iterable[Marker], clip: Clip, at: int) -> list[tuple[int, Marker]]:
    """Return what an event carries, by frame of the timeline: its clip's, and those above it."""
    own = ((marker.frame - int(clip.start) + at, marker) for marker in clip.markers)
    every = [*own, *((marker.frame, marker) for marker in above)]
    inside = [each for each in every if at <= each[0] < at + clip.frames]
    return sorted(inside, key=lambda each: each[0])


def _locator(at: Timecode, marker: Marker) -> str:
    colour = _LOCATOR.get(marker.colour, marker.colour).upper()
    # What looks like a path makes some systems refuse the list.
    text = marker.text.translate({ord("/"): "-", ord("\\"): "-"})
    return f"* LOC: {at} {colour:<7} {text}"


def _record_start(timeline: Timeline, track: Track) -> Timecode:
    """Return the timeline's start, else one o'clock, else midnight: what leaves room for all."""
    begin = timeline.start
    hour = parse(f"01:00:00{';' if begin.drop_frame else ':'}00", begin.rate)
    day = frames_per_day(begin.rate, drop=begin.drop_frame)
    if track.frames >= day:
        raise CannotExpressError("An EDL's record side holds less than a day; split the timeline.")
    # An end at midnight itself would be written as 00:00:00:00, before its start.
    fitting = (start for start in (begin, hour) if start.frames + track.frames < day)
    return next(fitting, replace(begin, frames=0))
