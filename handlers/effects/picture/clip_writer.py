"""Writing clips in segments, each whole or not there, that are joined without encoding again.

Each segment begins with a picture that needs no other, and no codec reorders pictures: so the
packets of one follow those of the other, and their times are counted.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
from av.error import FFmpegError
from av.video.reformatter import ColorPrimaries, ColorRange, ColorTrc

from handlers.contract import TransientFailure
from handlers.effects.picture.fields import Fields, order_of
from handlers.effects.picture.footage import SPANNED_TICK, Source
from handlers.effects.picture.target import Target
from handlers.media.probe import MATRICES, ColourFacts, usable
from handlers.media.scaling import Scaler
from handlers.media.source import open_media, picture_stream, shown

FORMATS = {".mov": "mov", ".mkv": "matroska"}
_UNSPECIFIED = 2
_RANGES = {"pc": ColorRange.JPEG, "tv": ColorRange.MPEG}
# Where DNxHR's header (SMPTE ST 2019-1) says the matrix, and what it says there.
_DNX_COLOUR, _DNX_BT2020 = 0x2C, 0b010


class SegmentWriter:
    """Writes some consecutive frames of a clip; a context manager that gives up on an error."""

    def __init__(self, path: Path, source: Source, target: Target) -> None:
        self.path = path
        self._target = target
        self._tick = tick_of(source)
        self._order = order_of(source)
        self._fields = Fields(self._order, target)
        self._aspect = source.video.pixel_aspect
        self._convert = Scaler()
        self._first: int | None = None
        self._partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            form = FORMATS[target.kind.suffix]
            self._container: Any = av.open(str(self._partial), "w", format=form)
            self._stream: Any = self._add_stream(source.video.rate)

    def _add_stream(self, rate: Fraction) -> Any:
        target = self._target
        options = dict(target.kind.options) | _parameters(target, rate) | self._fields.options
        stream = self._container.add_stream(target.kind.codec, rate=rate, options=options)
        stream.width, stream.height = target.size
        stream.pix_fmt = _encoders_format(target)
        context = stream.codec_context
        context.time_base = self._tick
        context.sample_aspect_ratio = self._aspect
        context.field_order = self._order
        # Whole pictures in parallel are faster than parts of them, where an encoder can.
        context.thread_type = "AUTO"
        tag(context, target.colour)
        return stream

    def write(self, frame: av.VideoFrame, time: Fraction) -> None:
        """Write the next frame, which is shown ``time`` seconds after the clip's frame 0.

        Raises:
            TransientFailure: It cannot be written, as when the disk is full.
        """
        place = round(time / self._tick)
        if self._first is None:
            self._first = place
            self._container.metadata["comment"] = str(place)
        frame = self._ready(frame)
        frame.pts, frame.time_base = place - self._first, self._tick
        frame = self._fields(frame)
        # An encoder would otherwise repeat the choice of the source's.
        frame.pict_type = 0
        tag(frame, self._target.colour)
        with writing(self.path):
            self._mux(self._stream.encode(frame))

    def _ready(self, frame: av.VideoFrame) -> av.VideoFrame:
        wanted = _encoders_format(self._target)
        if frame.format.name.replace("yuvj", "yuv") != wanted:
            frame = self._convert(frame, format=wanted)
        return frame

    def _mux(self, packets: list[Any]) -> None:
        colour = self._target.colour
        is_silent = self._target.kind.codec == "dnxhd" and colour.matrix == "bt2020nc"
        for packet in packets:
            self._container.mux(_dnx_said(packet) if is_silent else packet)

    def close(self) -> None:
        """Finish the segment; only then it has its name."""
        try:
            with writing(self.path):
                self._mux(self._stream.encode(None))
                self._container.close()
                self._partial.replace(self.path)
        except TransientFailure:
            self.give_up()
            raise

    def give_up(self) -> None:
        """Leave nothing behind."""
        with contextlib.suppress(FFmpegError, OSError):
            self._container.close()
        self._partial.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.give_up()


def tick_of(source: Source) -> Fraction:
    """Return the unit of the times that are written, in seconds: a frame, where all are as long.

    Raises:
        UnusableMedia: The source cannot be opened.
    """
    if not source.video.vfr:
        return 1 / source.video.rate
    if source.probe.files:
        return SPANNED_TICK
    with usable(source.path), open_media(source.path) as container:
        stream: Any = picture_stream(container)
        return Fraction(stream.time_base)


def tag(tagged: Any, colour: ColourFacts) -> None:
    """Say on a picture, or on an encoder, how its values are to be read; silence stays silence."""
    tagged.color_range = _RANGES.get(colour.range, ColorRange.UNSPECIFIED)
    tagged.colorspace = MATRICES.get(colour.matrix, _UNSPECIFIED)
    tagged.color_primaries = _code(ColorPrimaries, colour.primaries)
    tagged.color_trc = _code(ColorTrc, colour.transfer)


def _code(kind: Any, name: str) -> int:
    return int(getattr(kind, name.upper(), kind.UNSPECIFIED))


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what FFmpeg says of a file that is being written into a sentence.

    Raises:
        TransientFailure: It cannot be written; that may pass.
    """
    try:
        yield
    except (FFmpegError, OSError) as error:
        said = error.strerror or str(error)
        raise TransientFailure(
            f"{shown(path)} cannot be written ({said}); look at the disk"
        ) from error


def _parameters(target: Target, rate: Fraction) -> dict[str, str]:
    """Return the options of an encoder that depend on what is encoded."""
    # A picture a second that needs no other is enough to find one's way.
    distance = max(1, round(rate))
    if target.kind.codec == "libx264":
        return {"g": str(distance)}
    if target.kind.codec == "libx265":
        said = f"bframes=0:keyint={distance}:open-gop=0:log-level=error"
        return {"x265-params": said}
    if target.kind.codec == "ffv1":
        return {"slices": str(_slices(target))}
    if target.kind.codec == "prores_ks" and not target.alpha:
        return {"alpha_bits": "0"}
    return {}


def _slices(target: Target) -> int:
    """Return into how many slices FFV1 divides such a picture; it refuses some for odd sizes."""
    for count in (16, 4):
        with contextlib.suppress(FFmpegError):
            context: Any = av.CodecContext.create("ffv1", "w")
            context.width, context.height = target.size
            context.pix_fmt, context.time_base = _encoders_format(target), Fraction(1, 24)
            context.options = dict(target.kind.options) | {"slices": str(count)}
            context.open()
            return count
    return 1


# What the encoder of FFV1 calls 8-bit RGB; the others take planes.
_PACKED = {"gbrp": "bgr0", "gbrap": "bgra"}


def _encoders_format(target: Target) -> str:
    name = target.require_coding().layout.name
    return _PACKED.get(name, name) if target.kind.codec == "ffv1" else name


def _dnx_said(packet: Any) -> Any:
    """Return a DNxHR packet whose header says BT.2020, where its encoder leaves BT.709."""
    data = bytearray(bytes(packet))
    data[_DNX_COLOUR] |= _DNX_BT2020
    made = av.Packet(bytes(data))
    made.pts, made.dts, made.duration = packet.pts, packet.dts, packet.duration
    made.time_base, made.stream, made.is_keyframe = packet.time_base, packet.stream, True
    return made
