"""The timecode of the first frame and the reel, from wherever a file says them.

In order: the container's own tag (MXF, MOV, AVI), the sample of a QuickTime timecode track; of
a recording the chunks of its recorder. What contradicts itself is told.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.container import InputContainer

from handlers.media import boxes, bwf
from handlers.media.source import shown, shown_text
from handlers.media.timecode import (
    Timecode,
    TimecodeError,
    can_drop,
    nominal,
    parse,
    rescale,
    snap,
)

_REEL_KEYS = ("reel_name", "com.apple.proapps.reel", "com.apple.quicktime.reel", "reel")
_LONGEST_REEL = 64
# So many entries of a timecode track are compared; a break later than that is not seen.
_MOST_ENTRIES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """What a file says of its beginning; each None where it does not say."""

    timecode: Timecode | None
    reel: str | None
    notes: tuple[str, ...] = ()


def read(container: InputContainer, path: Path, rate: Fraction | None) -> Begin:
    """Read a file's start timecode and reel.

    Args:
        container: The open file.
        path: Its place.
        rate: Its edit rate in frames a second; None for a recording.
    """
    reel = _tag(container, _REEL_KEYS)
    if rate is None:
        return _recorded(path, reel)
    counting = _counting(container, path)
    return Begin(
        timecode=_timecode(container, path, rate, counting),
        reel=reel,
        notes=(*_contradictions(container, path), *_jumps(path, counting)),
    )


def _recorded(path: Path, reel: str | None) -> Begin:
    found = None
    with contextlib.suppress(OSError):
        found = bwf.read(path)
    if found is None:
        return Begin(timecode=None, reel=reel)
    tape = found.words.get("TAPE", "")[:_LONGEST_REEL]
    return Begin(timecode=found.timecode, reel=reel or tape or None, notes=found.notes)


def _contradictions(container: InputContainer, path: Path) -> Iterator[str]:
    """Tell where the tracks of one file begin at different timecodes."""
    said = list(dict.fromkeys(t["timecode"] for t in _tags(container) if t.get("timecode")))
    if len(said) > 1:
        told = " and ".join(shown_text(each) for each in said)
        yield f"{shown(path)} contradicts itself: its timecode is {told}; the first one counts."


def _jumps(path: Path, counting: boxes.TimecodeEntry | None) -> Iterator[str]:
    """Tell where the entries of a timecode track do not follow each other."""
    if counting is None:
        return
    with contextlib.suppress(ValueError, OSError, StopIteration):
        numbers = _entries(path, next(track for track in boxes.tracks(path) if track.timecode))
        runs = counting.lengths or ((numbers.size, 1),)
        entries = [min(entries, numbers.size) for entries, _ in runs]
        steps = np.repeat([length for _, length in runs], entries)[: max(0, numbers.size - 1)]
        wrong = np.flatnonzero(np.diff(numbers)[: steps.size] != steps)
        for at in wrong[:1]:
            due, found = (_counted(int(each), counting) for each in
                          (numbers[at] + steps[at], numbers[at + 1]))  # fmt: skip
            yield (
                f"{shown(path)}: its timecode jumps within the clip, {found} stands where {due} is "
                "due; it was counted on from the first frame."
            )


def _entries(path: Path, track: boxes.Track) -> boxes.Offsets:
    """Read the numbers in a timecode track, four bytes each, of one or several in a chunk."""
    numbers = []
    with path.open("rb") as file:
        for offset, size in zip(track.offsets[:_MOST_ENTRIES], track.sizes, strict=False):
            file.seek(int(offset))
            data = file.read(min(int(size), 4 * _MOST_ENTRIES))
            numbers.append(np.frombuffer(data[: len(data) // 4 * 4], ">i4").astype(np.int64))
    return np.concatenate(numbers) if numbers else np.zeros(0, np.int64)


def _tags(container: InputContainer) -> list[dict[str, str]]:
    """Return the tags of the file and its tracks; Matroska writes their names in capitals."""
    tagged = [container.metadata, *(stream.metadata for stream in container.streams)]
    return [{key.lower(): value for key, value in tags.items()} for tags in tagged]


def _tag(container: InputContainer, keys: tuple[str, ...]) -> str | None:
    tagged = _tags(container)
    values = (tags[key].strip() for key in keys for tags in tagged if key in tags)
    return next((shown_text(value)[:_LONGEST_REEL] for value in values if value), None)


def _timecode(
    container: InputContainer, path: Path, rate: Fraction, counting: boxes.TimecodeEntry | None
) -> Timecode | None:
    text = _tag(container, ("timecode",))
    found = (_read_tag(text, rate, counting) if text else None) or _read_sample(
        path, rate, counting
    )
    # FFmpeg does not say that the timecode track itself begins later.
    return found + round(counting.skipped * rate) if found and counting else found


def _counting(container: InputContainer, path: Path) -> boxes.TimecodeEntry | None:
    """Return how the file's own timecode track counts, if it has one."""
    if not container.format.name.startswith("mov"):
        return None
    with contextlib.suppress(ValueError, OSError):
        return next((track.timecode for track in boxes.tracks(path) if track.timecode), None)
    return None


def _read_tag(text: str, rate: Fraction, counting: boxes.TimecodeEntry | None) -> Timecode | None:
    own = snap(counting.rate) if counting else rate
    # Sixty pictures a second may carry thirty numbers a second.
    with contextlib.suppress(TimecodeError):
        return (
            rescale(parse(text, own), rate) if nominal(own) != nominal(rate) else parse(text, rate)
        )
    with contextlib.suppress(TimecodeError):
        return parse(text.replace(";", ":"), rate)
    return None


def _read_sample(
    path: Path, rate: Fraction, counting: boxes.TimecodeEntry | None
) -> Timecode | None:
    """Read the number in a timecode track's sample.

    FFmpeg gives no tag when the drop-frame flag contradicts the rate.
    """
    if counting is None:
        return None
    with contextlib.suppress(ValueError, OSError, StopIteration, IndexError):
        track = next(track for track in boxes.tracks(path) if track.timecode)
        with path.open("rb") as file:
            file.seek(int(track.offsets[0]))
            number = int.from_bytes(file.read(4), "big", signed=True)
        found = _counted(number, counting)
        return found if found.rate == rate else rescale(found, rate)
    return None


def _counted(number: int, counting: boxes.TimecodeEntry) -> Timecode:
    """Return what a number in a timecode track means."""
    own = snap(counting.rate)
    own = own if nominal(own) == counting.nominal else Fraction(counting.nominal)
    return Timecode(frames=number, rate=own, drop_frame=counting.drop_frame and can_drop(own))
