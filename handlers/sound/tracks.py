"""One track of a clip or of a compressed recording, decoded by FFmpeg to its exact length."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.stream import Discard

from handlers.analysis.laid import Laid
from handlers.contract import UnusableMedia
from handlers.media import boxes
from handlers.media.probe import raise_if_passing, usable
from handlers.media.source import advice, open_media, picture_stream, shown, sound_streams
from handlers.sound.essence import Format, Values, floating, pcm

# FFmpeg's names of speakers, in the order of the bits of a channel mask.
_SPEAKERS = (
    "FL FR FC LFE BL BR FLC FRC BC SL SR TC TFL TFC TFR TBL TBC TBR".split()  # noqa: SIM905
)
_ENCRYPTED = frozenset({b"drms", b"drmi", b"enca", b"aavd"})
# Planar frames of more channels than this are read wrongly by PyAV.
_MOST_PLANAR = 8
# The last frame of a codec reaches at most so far beyond the end that the container gives.
_LONGEST_FRAME = 8192


class TrackSource:
    """One sound track of a file, from frame 0 of its picture or from its own first sample on.

    What comes before frame 0 is cut off; a late start and gaps become silence, so that it stays
    beside the picture. Samples that only fill up an encoder's first and last frame are left out.

    Args:
        path: The file.
        track: Which of its sound tracks, from 0.

    Raises:
        UnusableMedia: It has no such track, or that is encrypted or does not decode.
    """

    def __init__(self, path: Path, track: int) -> None:
        refuse_encrypted(path)
        self.path, self._track = path, track
        self.notes: list[str] = []
        with self._opened() as (container, stream):
            self.rate, self.channels = int(stream.rate), int(stream.channels)
            self.mask = speaker_mask(stream.layout)
            self.format = _format(stream.codec_context)
            self.container = container.format.name
            self.is_lossy = not stream.codec_context.codec.lossless
            self.tracks = len(sound_streams(container))
            self.has_picture = picture_stream(container) is not None
            self.title = str(stream.metadata.get("title", ""))

    @cached_property
    def samples(self) -> int:
        """How many there are of each channel; it decodes the track to know."""
        return sum(len(block) for block in self.values(1 << 16))

    def values(self, size: int) -> Iterator[Values]:
        """Yield the samples in order, [≤ size, channels], on their own scale."""
        for piece in self._pieces():
            for first in range(0, len(piece), size):
                yield piece[first : first + size]

    @contextlib.contextmanager
    def _opened(self) -> Iterator[tuple[Any, Any]]:
        with usable(self.path), open_media(self.path) as container:
            streams = sound_streams(container)
            if not streams:
                raise UnusableMedia(f"{shown(self.path)} holds no sound: there is nothing to do.")
            if not 0 <= self._track < len(streams):
                raise UnusableMedia(
                    f"{shown(self.path)} has {len(streams)} tracks of sound, and no track "
                    f"{self._track + 1}; name one that it has."
                )
            yield container, streams[self._track]

    def _pieces(self) -> Iterator[Values]:
        with self._opened() as (container, stream):
            for other in container.streams:
                if other.index != stream.index:
                    other.discard = Discard.all
            picture = picture_stream(container)
            first = stream if picture is None else picture
            origin = None if first.start_time is None else _start(first)
            end = self._end(container, stream, origin)
            yield from self._laid(container, stream, origin, end)

    def _end(self, container: Any, stream: Any, origin: Fraction | None) -> _End:
        """Return the end of the track by its edit list, where it has one."""
        if not container.format.name.startswith("mov") or not stream.duration:
            return _End()
        since = _start(stream) - (origin or 0)
        seconds = since + Fraction(stream.duration * stream.time_base)
        with contextlib.suppress(ValueError):
            ticks = boxes.clock(self.path)
            slack = self.rate // ticks + 1 if 0 < ticks < self.rate else 0
            return _End(edit=round(seconds * self.rate), slack=slack)
        return _End()

    def _laid(
        self, container: Any, stream: Any, origin: Fraction | None, end: _End
    ) -> Iterator[Values]:
        laid = Laid(self.rate, self.channels, _Raw(self.format, self.channels))
        lost = 0
        for frame, until in self._decoded(container, stream):
            if isinstance(frame, int):
                # Too short a gap for the clock to tell: sound behind it would come early.
                lost, laid.end = lost + 1, laid.end + frame
                if origin is None and until is not None:
                    origin = until - Fraction(frame, self.rate)
                yield np.zeros((frame, self.channels), self._dtype)
                continue
            at = None if frame.pts is None else frame.pts * Fraction(frame.time_base)
            origin = at if origin is None else origin
            since = None if at is None or origin is None else at - origin
            if until is not None and origin is not None and self.container.startswith("mov"):
                end.packets = round((until - origin) * self.rate)
            before = laid.end
            for piece in laid(frame, since):
                kept = end.cut(piece, before)
                before += len(piece)
                yield kept.astype(self._dtype, copy=False)
        if not laid.end:
            raise UnusableMedia(
                f"{shown(self.path)} holds no samples that can be decoded; {advice(self.path)}"
            )
        self._tell(lost, laid)

    @property
    def _dtype(self) -> Any:
        return np.int32 if self.format.kind == "int" else np.dtype(f"f{self.format.width}")

    def _decoded(self, container: Any, stream: Any) -> Iterator[tuple[Any, Fraction | None]]:
        """Yield frames, each with the time at which the packet that gave it ends.

        In place of a packet that does not decode comes its length in samples.
        """
        packets, until = iter(container.demux(stream)), None
        while True:
            try:
                packet = next(packets, None)
            except FFmpegError as error:
                raise_if_passing(self.path, error)
                return
            if packet is None:
                return
            length = (packet.duration or 0) * Fraction(packet.time_base or 0)
            if packet.pts is not None and length:
                until = packet.pts * Fraction(packet.time_base) + length
            try:
                for frame in packet.decode():
                    yield frame, until
            except FFmpegError:
                yield min(_LONGEST_FRAME, round(length * self.rate)), until

    def _tell(self, lost: int, laid: Laid) -> None:
        found = []
        if lost:
            found.append(f"{lost:,} packets of sound do not decode; silence stands for them")
        if laid.late:
            found.append(f"its sound sets in {laid.late:,} samples late; silence stands before it")
        if laid.gaps:
            found.append(f"its sound has {len(laid.gaps)} gaps; silence fills them")
        self.notes = [f"{shown(self.path)}: {each}." for each in found]


@dataclass(slots=True)
class _End:
    """Where a track of a MOV or MP4 ends, in samples from its first one on.

    ``edit`` is by the edit list, whose clock may be ``slack`` samples coarse; ``packets`` by the
    length of the packets so far, the last of which may be shorter than what it decodes to.
    """

    edit: int | None = None
    slack: int = 0
    packets: int | None = None

    def cut(self, piece: Values, first: int) -> Values:
        """Leave out what fills up the last frame; more than a frame is sound all the same."""
        stop = first + len(piece)
        if self.packets is not None and 0 < stop - self.packets < _LONGEST_FRAME:
            stop = self.packets
        if self.edit is not None and self.slack < stop - self.edit < _LONGEST_FRAME:
            stop = self.edit
        return piece[: max(0, stop - first)]


def refuse_encrypted(path: Path) -> None:
    """Stop at protected sound, which FFmpeg would take for damaged.

    Raises:
        UnusableMedia: A track of an MP4 or M4A is encrypted.
    """
    with path.open("rb") as file:
        head = file.read(8)
    if not boxes.looks_like_boxes(head):
        return
    with contextlib.suppress(ValueError):
        if any(track.codec in _ENCRYPTED for track in boxes.tracks(path)):
            raise UnusableMedia(
                f"{shown(path)} is encrypted (DRM), so nobody but its shop's player may play it; "
                "ask for a file without copy protection."
            )


def speaker_mask(layout: Any) -> int:
    """Return a bit for each speaker of a layout, or 0 where a WAV cannot name them in its order."""
    names = [channel.name for channel in layout.channels]
    if any(name not in _SPEAKERS for name in names):
        return 0
    places = [_SPEAKERS.index(name) for name in names]
    return sum(1 << place for place in places) if places == sorted(set(places)) else 0


def speakers(mask: int) -> list[str]:
    """Return FFmpeg's names of a mask's speakers, in order."""
    return [name for place, name in enumerate(_SPEAKERS) if mask >> place & 1]


def _start(stream: Any) -> Fraction:
    return (stream.start_time or 0) * Fraction(stream.time_base)


def _format(context: Any) -> Format:
    kind = context.format.name.rstrip("p")
    if kind == "dbl":
        return floating(64)
    if kind == "flt":
        return floating(32)
    return pcm({"u8": 8, "s16": 16}.get(kind) or _depth(context))


def _depth(context: Any) -> int:
    """Return the bits that a codec of up to 32 was given; FFmpeg's frames do not say."""
    extra = bytes(context.extradata or b"")
    if context.name == "alac" and len(extra) >= 18:
        found = extra[17]
    elif context.name == "flac" and len(extra) >= 14:
        found = ((extra[12] & 1) << 4 | extra[13] >> 4) + 1
    else:
        found = 32 if "32" in context.name else 24
    return 32 if found > 24 else 24


class _Raw:
    """Makes samples of decoded frames, on the scale of ``form``."""

    def __init__(self, form: Format, channels: int) -> None:
        self._form, self._channels = form, channels
        self._packer: av.AudioResampler | None = None

    def __call__(self, frame: av.AudioFrame) -> Values:
        channels = frame.layout.nb_channels
        if frame.format.is_planar and channels > _MOST_PLANAR:
            frame = self._packed(frame)
        made: Any = frame.to_ndarray()
        made = made.T if frame.format.is_planar else made.reshape(-1, channels)
        kind = frame.format.name.rstrip("p")
        if self._form.kind == "float":
            return np.asarray(made)
        if kind == "u8":
            return np.asarray(made.astype(np.int32) - 128)
        return np.asarray(made.astype(np.int32) >> (frame.format.bits - self._form.bits))

    def _packed(self, frame: av.AudioFrame) -> av.AudioFrame:
        if self._packer is None:
            self._packer = av.AudioResampler(format=frame.format.packed, layout=frame.layout)
        frame.pts = None
        return self._packer.resample(frame)[0]
