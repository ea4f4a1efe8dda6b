"""What was found in one clip, in the form that every artifact is written from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from handlers.edit.onepass import PassResult
from handlers.edit.shots import Shot
from handlers.media.probe import AudioFacts, Probe, SoundFile, VideoFacts
from handlers.media.source import shown
from handlers.media.timecode import Timecode


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedShot:
    """A shot on the timeline of the edit rate.

    ``start`` and ``end`` are frames after the clip's first, end exclusive;
    ``source_in`` and ``source_out`` the same as timecode. Where the rate is
    variable, ``decoded`` tells which pictures those are, counted from 0.
    ``transition_start`` to ``transition_end`` are the frames of the transition into the
    shot, end exclusive: equal for a cut, and where only "gradual" is known an estimate.
    """

    index: int
    start: int
    end: int
    source_in: Timecode
    source_out: Timecode
    transition_in: str
    confidence: float
    decoded: tuple[int, int]
    transition_start: int = 0
    transition_end: int = 0

    @property
    def frames(self) -> int:
        """The length in frames of the edit rate."""
        return self.end - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One clip and its shots; ``frames`` is the clip's length on the edit rate.

    ``name`` is the source's file name as people read it; ``start_source`` is
    "file", or "none" where the file carries no timecode and 00:00:00:00 stands in.
    ``sound_files`` hold those streams of ``audio`` that are not in the source itself.
    """

    source: Path
    name: str
    stem: str
    reel: str | None
    rate: Fraction
    start: Timecode
    start_source: str
    frames: int
    shots: tuple[PlacedShot, ...]
    video: VideoFacts
    audio: tuple[AudioFacts, ...]
    vfr: bool
    proxy: str | None = None
    files: tuple[Path, ...] = ()
    sound_files: tuple[SoundFile, ...] = ()

    @property
    def drop_frame(self) -> bool:
        """Say whether timecode counts drop-frame."""
        return self.start.drop_frame


def start_of(source: Probe, rate: Fraction) -> tuple[Timecode, str]:
    """Return the timecode of frame 0, and where it comes from: "file" or "none"."""
    if source.timecode is not None:
        return source.timecode, "file"
    return Timecode(frames=0, rate=rate), "none"


def of_pass(
    path: Path,
    source: Probe,
    found: PassResult,
    *,
    stem: str,
    reel: str | None = None,
    proxy: str | None = None,
) -> Edit:
    """Put what one pass over a clip found on the grid of its edit rate.

    Args:
        path: The clip.
        source: What it is; it has a picture.
        found: Of the pass.
        stem: The artifacts' stem.
        reel: The clip's reel, where it is known.
        proxy: The proxy's file name, if one was made.
    """
    video, decoder = source.video, found.decoder
    assert video is not None  # noqa: S101 - a pass decodes pictures
    start, start_source = start_of(source, video.rate)
    times = decoder.times if decoder.vfr else None
    return Edit(
        source=path.absolute(),
        name=shown(path),
        stem=stem,
        reel=reel,
        rate=video.rate,
        start=start,
        start_source=start_source,
        frames=grid(found.frames, video.rate, times, decoder.end),
        shots=place(found.shots, start, times, decoder.end),
        video=video,
        audio=source.audio,
        vfr=decoder.vfr,
        proxy=proxy,
        files=tuple(file.absolute() for file in source.files),
        sound_files=tuple(replace(file, path=file.path.absolute()) for file in source.sound_files),
    )


def place(
    shots: Sequence[Shot],
    start: Timecode,
    times: Sequence[float] | None = None,
    end: float = 0.0,
) -> tuple[PlacedShot, ...]:
    """Put shots, counted in pictures, on the grid of the edit rate.

    Args:
        shots: As the detector found them.
        start: Timecode of frame 0.
        times: Seconds of each picture after the first, when the rate is variable.
        end: When the last of them ends.
    """
    return tuple(_placed(shot, start, times, end) for shot in shots)


def _placed(shot: Shot, start: Timecode, times: Sequence[float] | None, end: float) -> PlacedShot:
    first, last, into, out_of = (
        grid(picture, start.rate, times, end)
        for picture in (shot.start, shot.end, shot.transition_start, shot.transition_end)
    )
    last = max(last, first + 1)
    return PlacedShot(
        index=shot.index,
        start=first,
        end=last,
        source_in=start + first,
        source_out=start + last,
        transition_in=str(shot.transition_in),
        confidence=round(float(shot.confidence), 4),
        decoded=(shot.start, shot.end),
        transition_start=into,
        transition_end=out_of,
    )


def grid(picture: int, rate: Fraction, times: Sequence[float] | None, end: float = 0.0) -> int:
    """Return the frame of the edit rate at which a picture stands; past the last, the end."""
    if times is None:
        return picture
    if picture < len(times):
        return round(times[picture] * rate)
    # The last picture is shown at all, however little its file says of that.
    return max((round(times[-1] * rate) if times else 0) + 1, round(end * rate))


def to_json(edit: Edit, times: Sequence[float] | None = None) -> dict[str, Any]:
    """Return shots.json's content; ``source_out`` is exclusive, as in an edit list."""
    made: dict[str, Any] = {
        "schema": "fxd.shots/1",
        "source": edit.name,
        "reel": edit.reel,
        "rate": f"{edit.rate.numerator}/{edit.rate.denominator}",
        "drop_frame": edit.drop_frame,
        "frames": edit.frames,
        "start_timecode": str(edit.start),
        "start_timecode_source": edit.start_source,
        "vfr": edit.vfr,
        "shots": [_shot_json(shot, vfr=edit.vfr) for shot in edit.shots],
    }
    if times is not None:
        made["frame_times"] = [round(time, 6) for time in times]
    return made


def _shot_json(shot: PlacedShot, *, vfr: bool) -> dict[str, Any]:
    made: dict[str, Any] = {
        "index": shot.index,
        "start": shot.start,
        "end": shot.end,
        "source_in": str(shot.source_in),
        "source_out": str(shot.source_out),
        "transition_in": shot.transition_in,
        "transition_start": shot.transition_start,
        "transition_end": shot.transition_end,
        "confidence": shot.confidence,
    }
    if vfr:
        made["decoded_start"], made["decoded_end"] = shot.decoded
    return made
