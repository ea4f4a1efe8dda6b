"""Chunks for sound whose source had none: bext and iXML, of what the source says and no more."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping

from av.error import FFmpegError

from handlers.media.source import NotMedia, open_media, shown_text
from handlers.sound import bext, ixml
from handlers.sound.bext import Process
from handlers.sound.reader import Sound

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(r"(?:^|T)(\d{2}:\d{2}:\d{2})")


def chunks_for(sound: Sound, line: str, process: Process) -> list[tuple[bytes, bytes]]:
    """Return a bext, and an iXML where the source names tracks, timecode, reel or a comment.

    Args:
        sound: The source.
        line: The first line of coding history.
        process: What made the new sound.
    """
    tags = _tags(sound)
    start = sound.start if sound.start is not None else _whole(tags.get("time_reference", ""))
    made = [
        (
            b"bext",
            bext.make(
                line=line,
                description=_first(tags, "description", "title", "comment"),
                originator=_first(tags, "originator", "author", "artist", "encoded_by"),
                reference=tags.get("originator_reference", ""),
                date=_date(tags),
                time=_time(tags),
                start=start,
            ),
        )
    ]
    note = tags.get("comment", "")
    if sound.names or sound.timecode or sound.reel or note:
        made.append((b"iXML", ixml.make(_facts(sound, note), sound.names, process)))
    return made


def _facts(sound: Sound, note: str) -> ixml.Facts:
    return ixml.Facts(
        rate=sound.rate, start=sound.start, timecode=sound.timecode, tape=sound.reel, note=note
    )


def _tags(sound: Sound) -> dict[str, str]:
    """Return the tags of the file and its track by lower-case name."""
    with contextlib.suppress(FFmpegError, NotMedia), open_media(sound.path) as container:
        tagged = [*(stream.metadata for stream in container.streams.audio), container.metadata]
        return {
            key.lower(): shown_text(value.strip()) for tags in tagged for key, value in tags.items()
        }
    return {}


def _first(tags: Mapping[str, str], *names: str) -> str:
    return next((tags[name] for name in names if tags.get(name)), "")


def _date(tags: Mapping[str, str]) -> str:
    found = _DATE.match(_first(tags, "origination_date", "date", "creation_time"))
    return found.group() if found else ""


def _time(tags: Mapping[str, str]) -> str:
    found = _TIME.search(_first(tags, "origination_time", "creation_time", "date"))
    return found.group(1) if found else ""


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
