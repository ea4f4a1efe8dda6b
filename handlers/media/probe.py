"""What a clip or recording is, read from the file and from its first frame."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import itertools
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.reformatter import ColorPrimaries, ColorRange, ColorTrc

from handlers.contract import MediaFacts, TransientFailure, UnusableMedia
from handlers.media import boxes, start
from handlers.media.source import (
    NotMedia,
    advice,
    open_media,
    picture_stream,
    shown,
    sound_streams,
)
from handlers.media.timecode import STANDARD_RATES, Timecode, is_standard, snap

# Pictures further than this from the grid of a constant rate, in frames, make a rate variable.
_OFF_GRID = 0.25
_SAMPLED, _REORDERED = 300, 20
# What the storage says, not the file: a share that hiccups, a file that is renamed just now.
_PASSING = frozenset(
    {errno.EIO, errno.ESTALE, errno.ENOENT, errno.EACCES, errno.ETIMEDOUT, errno.ENODEV}
)
# Beyond this a header is broken: no lens squeezes more.
_MOST_SQUEEZED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFacts:
    """One audio stream: its index, sampling rate in hertz, channel count and layout, codec."""

    index: int
    rate: int
    channels: int
    layout: str
    codec: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourFacts:
    """How the pixel values are to be read, in FFmpeg's names; "unknown" where not said."""

    primaries: str
    transfer: str
    matrix: str
    range: str

    def __str__(self) -> str:
        return f"{self.primaries}/{self.transfer}/{self.matrix}/{self.range}"

    def or_else(self, other: ColourFacts) -> ColourFacts:
        """Return these facts, and those of another where these say nothing."""
        own, theirs = dataclasses.asdict(self), dataclasses.asdict(other)
        return ColourFacts(
            **{name: theirs[name] if value == "unknown" else value for name, value in own.items()}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFacts:
    """The picture of a clip.

    ``rate`` is the edit rate in frames a second; ``grid_rate`` the one at which the
    pictures really lie, which a file may state with rounding; ``frames`` what the file promises
    to present (edit lists applied), or None where it does not say; only decoding
    it proves it. ``rotation`` is what turns the stored picture upright, in degrees
    counter-clockwise; ``pixel_aspect`` is width over height of one stored pixel.
    """

    rate: Fraction
    grid_rate: Fraction
    frames: int | None
    width: int
    height: int
    pixel_aspect: Fraction
    rotation: int
    pixel_format: str
    codec: str
    interlaced: bool
    vfr: bool
    colour: ColourFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFile:
    """A file beside the picture that holds one stream of a clip's sound.

    ``stream`` is the index of that stream among the clip's; ``begin`` and ``duration`` are in
    seconds: it sounds from ``begin`` after the clip's frame 0 on. ``part`` says beside which of a
    spanned clip's files it lies, from 0.
    """

    path: Path
    stream: int
    duration: Fraction
    begin: Fraction = Fraction(0)
    part: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a clip or recording is; ``duration`` is in seconds, ``timecode`` that of frame 0.

    ``files`` are those that it consists of when there are several: a sequence's images, or a
    spanned clip's parts. ``sound_files`` hold those of its streams that are not in the picture's
    file. ``notes`` are sentences about what was assumed or contradicts itself; those about sound
    that should belong to it and cannot be read are also in ``lost``.
    """

    container: str
    duration: Fraction | None
    video: VideoFacts | None
    audio: tuple[AudioFacts, ...]
    timecode: Timecode | None
    reel: str | None
    files: tuple[Path, ...] = ()
    sound_files: tuple[SoundFile, ...] = ()
    notes: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()

    @property
    def drop_frame(self) -> bool:
        """Say whether the start timecode counts drop-frame."""
        return self.timecode is not None and self.timecode.drop_frame

    def every_file(self, path: Path) -> tuple[Path, ...]:
        """Return all files of the clip at ``path``, those of its sound last."""
        return (*(self.files or (path,)), *(file.path for file in self.sound_files))

    def facts(self) -> MediaFacts:
        """Return what the daemon records about an asset."""
        return MediaFacts(
            rate=self.video.rate if self.video else None,
            duration=self.duration,
            frames=self.video.frames if self.video else None,
            start_timecode=str(self.timecode) if self.timecode else None,
            reel=self.reel,
            channels=sum(stream.channels for stream in self.audio),
            colour=str(self.video.colour) if self.video else None,
        )


def probe(path: Path) -> Probe:
    """Read what a file is; decodes one frame.

    Raises:
        UnusableMedia: It is no media file, or none of its pictures decodes.
    """
    with usable(path), open_media(path) as container:
        return probe_container(container, path)


@contextlib.contextmanager
def usable(path: Path) -> Iterator[None]:
    """Turn what FFmpeg says about a file into one sentence for a person."""
    try:
        yield
    except NotMedia as error:
        raise UnusableMedia(str(error)) from error
    except FFmpegError as error:
        raise_if_passing(path, error)
        raise UnusableMedia(
            f"{shown(path)} cannot be read ({error.strerror}); {advice(path)}"
        ) from error


def raise_if_passing(path: Path, error: FFmpegError) -> None:
    """Tell what the storage says apart from what the file holds.

    Raises:
        TransientFailure: The file could not be reached; that may pass.
    """
    if error.errno in _PASSING:
        raise TransientFailure(
            f"{shown(path)} cannot be reached now ({error.strerror}); look at the storage"
        ) from error


def probe_container(container: InputContainer, path: Path) -> Probe:
    """Read what an open file is; see :func:`probe`."""
    stream = picture_stream(container)
    video = _video(container, stream, path) if stream else None
    begun = start.read(container, path, video.rate if video else None)
    return Probe(
        container=container.format.name,
        duration=_duration(container),
        video=video,
        audio=tuple(_audio(audio) for audio in sound_streams(container)),
        timecode=begun.timecode,
        reel=begun.reel,
        notes=begun.notes,
    )


def _duration(container: InputContainer) -> Fraction | None:
    return None if container.duration is None else Fraction(container.duration, av.time_base)


def _audio(stream: Any) -> AudioFacts:
    return AudioFacts(
        index=stream.index,
        rate=stream.rate or 0,
        channels=stream.channels or 0,
        layout=stream.layout.name,
        codec=stream.codec_context.name,
    )


def _video(container: InputContainer, stream: Any, path: Path) -> VideoFacts:
    said = _colour(stream.codec_context)
    frame = _first_frame(container, stream, path)
    stamps = _presented(container, stream, path)
    rate = _edit_rate(stream)
    seen = stamps or (array("q") if frame.interlaced_frame else _next_stamps(container, stream))
    own = Fraction(stream.average_rate or rate)
    drifts, wanders = (_leaves_grid(seen, stream.time_base, each) for each in (rate, own))
    vfr = drifts and wanders
    if vfr and not is_standard(own):
        rate = _nearest_rate(seen, stream.time_base)
    return VideoFacts(
        rate=rate,
        grid_rate=own if drifts and not wanders else rate,
        frames=_promised(container, stream, path, stamps, rate),
        width=frame.width,
        height=frame.height,
        pixel_aspect=_pixel_aspect(stream),
        rotation=_rotation(frame),
        pixel_format=frame.format.name,
        codec=stream.codec_context.name,
        interlaced=bool(frame.interlaced_frame),
        vfr=vfr,
        colour=_colour(frame).or_else(said),
    )


def _pixel_aspect(stream: Any) -> Fraction:
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    return aspect if 1 <= max(aspect, 1 / aspect) <= _MOST_SQUEEZED else Fraction(1)


def _rotation(frame: av.VideoFrame) -> int:
    """An empty matrix turns by no angle at all, which FFmpeg gives as a huge number."""
    return round(frame.rotation / 90) * 90 % 360 if abs(frame.rotation) <= 360 else 0


def _first_frame(container: InputContainer, stream: Any, path: Path) -> av.VideoFrame:
    try:
        for packet in container.demux(stream):
            with contextlib.suppress(FFmpegError):
                for frame in packet.decode():
                    return frame
    except FFmpegError as error:
        raise_if_passing(path, error)
    raise UnusableMedia(
        f"{shown(path)}: none of its pictures can be decoded ({stream.codec_context.name}); "
        f"{advice(path)}"
    )


def _presented(container: InputContainer, stream: Any, path: Path) -> array[int]:
    """List the decoding times of the pictures that a MOV or MP4 presents.

    Only these containers index every picture; edit lists are already applied. In one
    that was recorded in fragments, the index holds those of the first ones alone.
    """
    if not container.format.name.startswith("mov") or boxes.is_fragmented(path):
        return array("q")
    # Eight bytes each, where a list would take five times as much.
    kept = (entry.timestamp for entry in stream.index_entries if not entry.is_discard)
    return array("q", kept)


def _next_stamps(container: InputContainer, stream: Any) -> array[int]:
    """List the times of some pictures of a container that has no index of them, in order.

    The last ones are left out: pictures are stored out of order.
    """
    with contextlib.suppress(FFmpegError):
        container.seek(0)
        packets = itertools.islice(container.demux(stream), _SAMPLED)
        stamps = sorted(packet.pts for packet in packets if packet.pts is not None)
        return array("q", stamps[:-_REORDERED])
    return array("q")


def _edit_rate(stream: Any) -> Fraction:
    for rate in (stream.average_rate, stream.base_rate, stream.guessed_rate):
        if rate and is_standard(rate):
            return snap(rate)
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate or Fraction(25)
    return Fraction(rate).limit_denominator(100_000)


def _nearest_rate(stamps: array[int], time_base: Fraction) -> Fraction:
    """Return the standard rate at which most pictures of a variable rate follow each other."""
    interval = float(np.median(np.diff(stamps)) * float(time_base))
    return min(STANDARD_RATES, key=lambda rate: abs(float(rate) * interval - 1))


def _promised(
    container: InputContainer, stream: Any, path: Path, stamps: array[int], rate: Fraction
) -> int | None:
    """Return how many pictures the file says that it has."""
    if container.format.name.startswith("mov") and boxes.is_fragmented(path):
        return None
    return len(stamps) or stream.frames or _frames_by_time(container, stream, rate)


def _frames_by_time(container: InputContainer, stream: Any, rate: Fraction) -> int | None:
    if stream.duration and container.format.name == "mxf":
        return round(Fraction(stream.duration * stream.time_base) * rate)
    return None


def _leaves_grid(stamps: array[int], time_base: Fraction, rate: Fraction) -> bool:
    if len(stamps) < 2:
        return False
    position = (np.array(stamps, np.int64) - stamps[0]) * float(time_base * rate)
    return bool(np.abs(position - np.arange(len(stamps))).max() > _OFF_GRID)


def _colour(tagged: Any) -> ColourFacts:
    """Return what a picture says, or a codec context: before it decodes, what the file says."""
    return ColourFacts(
        primaries=_enum_name(ColorPrimaries, tagged.color_primaries),
        transfer=_enum_name(ColorTrc, tagged.color_trc),
        matrix=_MATRIX_NAMES.get(int(tagged.colorspace), "unknown"),
        range=_RANGES.get(int(tagged.color_range), "unknown"),
    )


MATRICES = {
    "gbr": 0, "bt709": 1, "fcc": 4, "bt470bg": 5, "smpte170m": 6, "smpte240m": 7,
    "ycgco": 8, "bt2020nc": 9, "bt2020c": 10, "ictcp": 14,
}  # fmt: skip
"""FFmpeg's names to code points of ISO/IEC 23091-2."""
_MATRIX_NAMES = {code: name for name, code in MATRICES.items()}
_RANGES = {int(ColorRange.MPEG): "tv", int(ColorRange.JPEG): "pc"}


def _enum_name(kind: Any, value: int) -> str:
    name = next((item.name for item in kind if int(item) == int(value)), "unknown").lower()
    return "unknown" if name in {"unspecified", "reserved", "reserved0"} else name
