"""Writing an Avid Log Exchange: one row a file, by which Avid logs it and relinks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from handlers.media.timecode import to_timecode
from handlers.turnover.limits import (
    CannotExpressError,
    rate_text,
    require_smpte,
)
from handlers.turnover.model import Media, Timeline

_COLUMNS = (
    "Name", "Tracks", "Start", "End", "Duration", "Tape", "FPS", "Scene", "Take", "Circled",
    "Camera", "Sound file", "Comments", "Image Size", "Source File",
)  # fmt: skip
_FORMATS = {1080: "1080", 720: "720", 576: "PAL", 486: "NTSC"}
_WIDEST_HD = 1920
_CIRCLED = {True: "Yes", False: "No", None: ""}


def write(timeline: Timeline, path: Path) -> tuple[str, ...]:
    """Write the log; return which files are not in it, since a log has one rate.

    Raises:
        CannotExpressError: There is no timecode for the rate, or no file of that rate.
    """
    require_smpte(timeline, "An ALE")
    media = timeline.media()
    kept = [each for each in media if each.rate == timeline.rate]
    if not kept:
        raise CannotExpressError("An ALE logs files of the timeline's rate, and there is none.")
    path.write_text(ale(timeline, kept), encoding="utf-8", newline="\r\n")
    rate = rate_text(timeline.rate)
    return tuple(
        f"The ALE logs files at {rate} only, not {each.name} at {rate_text(each.rate)}."
        for each in media
        if each.rate != timeline.rate
    )


def ale(timeline: Timeline, media: Sequence[Media]) -> str:
    """Return the log of ``media``, all of them at the timeline's rate; times as in Avid.

    ``End`` is exclusive. A recording's start is rounded down to a frame.
    """
    more = dict.fromkeys(key for each in media for key in each.logged.columns)
    columns = [*_COLUMNS, *(key for key in more if key not in _COLUMNS)]
    lines = [
        *("Heading", "FIELD_DELIM\tTABS", f"VIDEO_FORMAT\t{_format(timeline)}"),
        *(f"AUDIO_FORMAT\t{_sound_format(media)}", f"FPS\t{rate_text(timeline.rate)}"),
        *("", "Column", "\t".join(columns), "", "Data"),
    ]
    for each in media:
        row = _row(each)
        lines.append("\t".join(row.get(column, "") for column in columns))
    return "\n".join(lines) + "\n"


def _row(media: Media) -> dict[str, str]:
    logged, picture = media.logged, media.picture
    length = to_timecode(media.frames, media.rate, drop=media.start.drop_frame)
    return {
        **logged.columns,
        "Name": media.name,
        "Tracks": _tracks(media),
        "Start": str(media.start),
        "End": str(media.start + media.frames),
        "Duration": length,
        # Avid relinks by tape; a file without a reel is its own.
        "Tape": media.reel or Path(media.name).stem,
        "FPS": rate_text(media.rate),
        "Scene": logged.scene,
        "Take": logged.take,
        "Circled": _CIRCLED[logged.circled],
        "Camera": logged.camera,
        "Sound file": ", ".join(logged.sound_files),
        "Comments": logged.notes,
        "Image Size": f"{picture.width} x {picture.height}" if picture else "",
        "Source File": media.name,
    }


def _tracks(media: Media) -> str:
    channels = media.sound.channels if media.sound else 0
    sound = "".join(f"A{number}" for number in range(1, channels + 1))
    return f"{'V' if media.picture else ''}{sound}"


def _sound_format(media: Sequence[Media]) -> str:
    rate = next((each.sound.rate for each in media if each.sound), 48000)
    return f"{rate // 1000}khz"


def _format(timeline: Timeline) -> str:
    picture = timeline.picture
    return "CUSTOM" if picture.width > _WIDEST_HD else _FORMATS.get(picture.height, "CUSTOM")
