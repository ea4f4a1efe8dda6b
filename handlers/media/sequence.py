"""Image sequences as clips: DPX, EXR, TIFF, PNG, JPEG and the rest that OpenImageIO reads.

A frame's number is the number in its name, less that of the first one. A number without an
image is a lost frame; no other frame moves because of it.
"""

from __future__ import annotations

import itertools
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import av
from av.video.reformatter import ColorRange

from handlers.contract import TransientFailure, UnusableMedia
from handlers.media.decode import FrameSource
from handlers.media.imagefile import ImageFacts, Unreadable, facts_of, read_picture
from handlers.media.probe import ColourFacts, Probe, VideoFacts
from handlers.media.source import CameraRaw, refuse_raw, shown
from handlers.media.timecode import (
    Timecode,
    TimecodeError,
    can_drop,
    is_standard,
    nominal,
    parse,
    rescale,
    snap,
)

DEFAULT_RATE = Fraction(24)
"""Frames a second of images that do not say: a parameter of whoever knows better."""
NO_IMAGE = "not decoded (there is no image of this number)"
"""Why a number is a lost frame where no file has it."""
T = TypeVar("T")
_NUMBER = re.compile(r"(\d+)\.[^.]+$")
# Images read ahead: as many as are worked on at once, each a whole picture in memory.
_AHEAD = 2
# More numbers without an image than this share make no clip: they are single photographs.
_MOST_MISSING = 0.5
# SMPTE ST 12-1 counts to thirty; above, each number may stand for two pictures.
_FASTEST_COUNTING = 30


def numbered(members: Sequence[Path]) -> dict[int, Path]:
    """Return the images by the number in their names, rising."""
    found = {
        int(match[1]): path for path in members if (match := _NUMBER.search(path.name)) is not None
    }
    return dict(sorted(found.items()))


def probe_sequence(
    path: Path, members: Sequence[Path], *, default_rate: Fraction = DEFAULT_RATE
) -> Probe:
    """Read what a sequence is from the headers of its first and last image.

    Args:
        path: The sequence's name, with "#" for digits.
        members: Its images.
        default_rate: Frames a second where the images state none; the probe's ``notes`` say so.

    Raises:
        UnusableMedia: No image can be read, or most of the numbers have none.
    """
    try:
        refuse_raw(path)
    except CameraRaw as error:
        raise UnusableMedia(str(error)) from error
    files = numbered(members)
    if not files:
        raise UnusableMedia(f"{shown(path)} holds no numbered image; export it again.")
    _require_run(path, files)
    facts = _first_facts(path, files)
    rate = snap(facts.rate) if facts.rate else default_rate
    first, last = min(files), max(files)
    count = last - first + 1
    start, notes = _start(files, facts, rate)
    return Probe(
        container=facts.format,
        duration=count / rate,
        video=_video(facts, rate, count),
        audio=(),
        timecode=start,
        reel=facts.reel,
        files=tuple(files.values()),
        notes=(*_rate_notes(path, facts, rate), *_gaps(path, files), *_light(path, facts), *notes),
    )


def _require_run(path: Path, files: dict[int, Path]) -> None:
    span = max(files) - min(files) + 1
    if span - len(files) > span * _MOST_MISSING:
        raise UnusableMedia(
            f"{shown(path)}: {len(files)} images between the numbers {min(files)} and {max(files)} "
            "are no run of frames; drop a whole sequence, numbered without gaps."
        )


def _first_facts(path: Path, files: dict[int, Path]) -> ImageFacts:
    return first_readable(path, files, facts_of)


def first_readable(path: Path, files: dict[int, Path], read: Callable[[Path], T]) -> T:
    """Return what the first image gives that can be read; a damaged first one is a lost frame.

    Args:
        path: The sequence's name.
        files: Its images.
        read: Reads one.

    Raises:
        UnusableMedia: None of the first ones can be read.
        TransientFailure: The storage does not answer.
    """
    said = ""
    for file in itertools.islice(files.values(), 5):
        try:
            return read(file)
        except Unreadable as error:
            said = said or f"{shown(file)}: {error}"
        except OSError as error:
            raise _unreachable(file, error) from error
    raise UnusableMedia(
        f"{shown(path)} cannot be read as images ({said}); export the sequence again."
    )


def _video(facts: ImageFacts, rate: Fraction, frames: int) -> VideoFacts:
    shown_as = "iec61966_2_1" if facts.linear or facts.colour == "sRGB" else "unknown"
    return VideoFacts(
        rate=rate,
        grid_rate=rate,
        frames=frames,
        width=facts.size[0],
        height=facts.size[1],
        pixel_aspect=facts.pixel_aspect,
        rotation=facts.rotation,
        pixel_format=facts.pixel_format,
        codec=facts.format,
        interlaced=False,
        vfr=False,
        colour=ColourFacts(
            primaries="bt709" if shown_as != "unknown" else "unknown",
            transfer=shown_as,
            matrix="gbr",
            range="pc",
        ),
    )


def _start(
    files: dict[int, Path], facts: ImageFacts, rate: Fraction
) -> tuple[Timecode, tuple[str, ...]]:
    """Return the timecode of frame 0 from the header, or from the number in its name."""
    first, last = min(files), max(files)
    named, told = shown(files[first]), _last_facts(files)
    own = _counting(facts, told, last - first, rate)
    timecode = _read(facts, own)
    if timecode is None:
        counted = Timecode(frames=first, rate=rate)
        what = "has no timecode" if facts.timecode is None else "has a timecode that cannot be"
        return counted, (f"{named} {what}; its number {first} was taken as {counted}.",)
    then = _read(told, own) if told else None
    step = Fraction(last - first) * nominal(own) / nominal(rate)
    jumps = then is not None and abs(then.frames - (timecode + round(step)).frames) > (own != rate)
    timecode = timecode if own == rate else rescale(timecode, rate)
    if jumps:
        said = (
            f"The timecode jumps: {named} says {timecode} and {shown(files[last])} says {then}, "
            f"{last - first} frames later; the first one counts."
        )
        return timecode, (said,)
    return timecode, ()


def _last_facts(files: dict[int, Path]) -> ImageFacts | None:
    with suppress(Unreadable, OSError):
        return facts_of(files[max(files)])
    return None


def _counting(facts: ImageFacts, told: ImageFacts | None, frames: int, rate: Fraction) -> Fraction:
    """Return the rate that the headers count at: fast pictures may carry every number twice."""
    begin, end = _read(facts, rate / 2), _read(told, rate / 2) if told else None
    if rate <= _FASTEST_COUNTING or begin is None or end is None or frames < 2:
        return rate
    return rate / 2 if abs(end.frames - begin.frames - frames / 2) <= 1 else rate


def _read(facts: ImageFacts, rate: Fraction) -> Timecode | None:
    if facts.timecode is None:
        return None
    hours, minutes, seconds, frame = facts.timecode
    drop = ";" if facts.drop_frame and can_drop(rate) else ":"
    text = f"{hours:02d}:{minutes:02d}:{seconds:02d}{drop}{frame:02d}"
    with suppress(TimecodeError):
        return parse(text, rate)
    return None


def _rate_notes(path: Path, facts: ImageFacts, rate: Fraction) -> tuple[str, ...]:
    if facts.rate is None:
        return (f"{shown(path)} states no frame rate; {float(rate):g} frames a second were taken.",)
    if not is_standard(facts.rate):
        return (f"{shown(path)} states an unusual frame rate, {float(rate):g} a second.",)
    return ()


def _gaps(path: Path, files: dict[int, Path]) -> tuple[str, ...]:
    missing = max(files) - min(files) + 1 - len(files)
    if not missing:
        return ()
    return (f"{shown(path)} lacks {missing} of {missing + len(files)} frames: {_listed(files)}.",)


def _listed(files: dict[int, Path]) -> str:
    runs = [
        f"{before + 1}" if after - before == 2 else f"{before + 1} to {after - 1}"
        for before, after in itertools.pairwise(files)
        if after - before > 1
    ]
    return ", ".join(runs[:5]) + (f" and {len(runs) - 5} more gaps" if len(runs) > 5 else "")


def _light(path: Path, facts: ImageFacts) -> tuple[str, ...]:
    if not facts.linear:
        return ()
    return (f"{shown(path)} holds scene-linear light and is shown as sRGB with soft highlights.",)


def _unreachable(path: Path, error: OSError) -> TransientFailure:
    return TransientFailure(
        f"{shown(path)} cannot be reached now ({error.strerror}); look at the storage"
    )


class SequenceDecoder(FrameSource):
    """One pass over a sequence.

    Frames are rgb24, or rgb48le where the images are deeper. A few images are read ahead in
    threads of their own.
    """

    def __init__(self, path: Path, source: Probe) -> None:
        if source.video is None:
            raise UnusableMedia(f"{shown(path)} holds no picture; export it again.")
        super().__init__(path, source.video)
        self._files = numbered(source.files)
        self._lost = 0

    def __iter__(self) -> Iterator[tuple[int, av.VideoFrame]]:
        first, expected = min(self._files), 0
        facts = _first_facts(self.path, self._files)
        for number, result in read_ahead(self._files, lambda file: read_picture(file, facts)):
            self._note_missing(expected, number - first)
            expected = number - first + 1
            frame = self._taken(number - first, result)
            if frame is not None:
                yield number - first, frame
        self._note_missing(expected, self.facts.frames or 0)

    def _taken(self, number: int, result: Future[av.VideoFrame]) -> av.VideoFrame | None:
        frame, why = taken(self.path, result)
        if frame is None:
            self._note(number, why)
            return None
        _stamp(frame, number, self.facts.rate)
        self.origin = Fraction(0)
        self.times.append(float(number / self.facts.rate))
        self.decoded += 1
        return frame

    def _note_missing(self, first: int, end: int) -> None:
        for number in range(first, end):
            self._note(number, NO_IMAGE)


def taken(path: Path, result: Future[T]) -> tuple[T | None, str]:
    """Return what an image gave, or None and why it is a lost frame.

    Raises:
        TransientFailure: The storage does not answer.
    """
    try:
        return result.result(), ""
    except Unreadable as error:
        return None, f"not decoded ({error})"
    except FileNotFoundError:
        return None, "not decoded (its image is gone)"
    except OSError as error:
        raise _unreachable(path, error) from error


def read_ahead(
    files: dict[int, Path], read: Callable[[Path], T]
) -> Iterator[tuple[int, Future[T]]]:
    """Yield each image's number and what it gives; a few are read in threads meanwhile."""
    waiting: deque[tuple[int, Future[T]]] = deque()
    with ThreadPoolExecutor(_AHEAD, thread_name_prefix="images") as pool:
        try:
            for number, file in files.items():
                waiting.append((number, pool.submit(read, file)))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft()
            while waiting:
                yield waiting.popleft()
        finally:
            # Whoever stops half way shall not wait for images that nobody looks at.
            pool.shutdown(wait=True, cancel_futures=True)


def _stamp(frame: Any, number: int, rate: Fraction) -> None:
    frame.pts, frame.time_base = number, 1 / rate
    frame.color_range = ColorRange.JPEG


def sequence_frames_at(source: Probe, numbers: Sequence[int]) -> Iterator[av.VideoFrame | None]:
    """Yield the image of each number, the next one that decodes in its place, or None."""
    files = numbered(source.files)
    if source.video is None or not files:
        return
    facts = _first_facts(source.files[0], files)
    first = min(files)
    for number in numbers:
        later = (file for at, file in files.items() if at >= number + first)
        frame = next(filter(None, (_or_none(file, facts) for file in later)), None)
        if frame is not None:
            _stamp(frame, number, source.video.rate)
        yield frame


def _or_none(path: Path, facts: ImageFacts) -> av.VideoFrame | None:
    with suppress(Unreadable, OSError):
        return read_picture(path, facts)
    return None
