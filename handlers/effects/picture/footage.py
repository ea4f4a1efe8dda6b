"""Footage as effects see it: its facts, and its pictures one after another, numbered exactly.

A clip's picture that does not decode is held: the one before it stands in its place (at the very
beginning the first that decodes), so that sound stays in sync. An image that is missing from a
sequence stays missing, but where the sequence becomes a clip. Both are named.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import Future
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from handlers.contract import UnusableMedia
from handlers.effects.effect import Footage
from handlers.effects.picture import image
from handlers.effects.picture.chroma import Site
from handlers.effects.picture.colour_tags import Colours, colours_of
from handlers.effects.picture.convert import MATRICES, Coding
from handlers.effects.picture.image import ImageNative, lossy_compression
from handlers.effects.picture.layout import UnknownLayout, layout_of, planar
from handlers.effects.picture.native import ClipNative, Native
from handlers.effects.picture.target import Held
from handlers.media.clip import is_sequence, open_decoder
from handlers.media.decode import DecodeError, FrameSource
from handlers.media.imagefile import facts_of
from handlers.media.picture import made_colour
from handlers.media.probe import Probe, VideoFacts
from handlers.media.scaling import Scaler
from handlers.media.sequence import NO_IMAGE, first_readable, numbered, read_ahead, taken
from handlers.media.source import shown
from handlers.media.viewing import space_of

SPANNED_TICK = Fraction(1, 90_000)
"""The unit of times of a variable rate that goes on from file to file, in seconds."""


class Source(ABC):
    """Footage that is open for effects.

    ``footage`` is what effects are told; ``held`` what a format has to hold. ``holds`` says that
    what does not decode is held; images that become a clip need it, too. After a pass, ``errors``
    says which frames did not decode.
    """

    def __init__(self, path: Path, probe: Probe, video: VideoFacts) -> None:
        self.path = path
        self.probe = probe
        self.video = video
        self.errors: list[DecodeError] = []
        self.holds = not self.is_sequence
        self.notes: list[str] = []
        self.footage = self._footage()
        self.held = self._held()

    @property
    def is_sequence(self) -> bool:
        """Say whether it is made of images."""
        return isinstance(self, SequenceSource)

    def pictures(self, first: int = 0) -> Iterator[tuple[int, Native]]:
        """Yield (number, picture) from frame ``first`` on; numbers rise.

        Raises:
            UnusableMedia: Nothing decodes.
            TransientFailure: The file cannot be reached now.
        """
        last: Native | None = None
        expected = first
        for number, native in self._decoded(first):
            for lost in range(expected, number if self.holds else 0):
                yield lost, self._stand_in(last or native, lost)
            last = native
            if number >= first:
                yield number, native
                expected = number + 1
        if last is None:
            raise UnusableMedia(f"{shown(self.path)}: none of its pictures can be decoded.")
        for lost in range(expected, self._count() if self.holds else 0):
            yield lost, self._stand_in(last, lost)

    @abstractmethod
    def _decoded(self, first: int) -> Iterator[tuple[int, Native]]:
        """Yield the pictures that decode, from frame ``first`` on or from an earlier one."""

    def _count(self) -> int:
        """Return how many frames footage of constant rate promises; else none is missed."""
        return 0 if self.video.vfr else self.video.frames or 0

    def _stand_in(self, native: Native, number: int) -> Native:
        """Return a picture in the place of one that does not decode."""
        return dataclasses.replace(native, time=number / self.video.rate, held=True)

    @abstractmethod
    def _footage(self) -> Footage: ...

    @abstractmethod
    def _held(self) -> Held: ...


def open_footage(path: Path, probe: Probe) -> Source:
    """Return footage for effects.

    Args:
        path: The file, or the name of a sequence.
        probe: What :func:`handlers.media.clip.probe_clip` found.

    Raises:
        UnusableMedia: It has no picture, or one that nothing here can work on.
    """
    if probe.video is None:
        raise UnusableMedia(f"{shown(path)} holds sound but no picture; drop a clip.")
    kind = SequenceSource if is_sequence(path) else ClipSource
    return kind(path, probe, probe.video)


class ClipSource(Source):
    """A clip: one file, or several that a camera wrote as one."""

    def __init__(self, path: Path, probe: Probe, video: VideoFacts) -> None:
        self.coding = coding_of(path, video)
        super().__init__(path, probe, video)
        if self.coding.matrix == "bt2020c":
            self.notes.append(
                f"{shown(path)} has BT.2020 of constant luminance; it is read as that of "
                "non-constant luminance."
            )

    def _decoded(self, first: int) -> Iterator[tuple[int, ClipNative]]:  # noqa: ARG002
        # From the beginning, whatever the first one is: numbers are exact where seeking guesses,
        # and damage before it is named again.
        decoder = open_decoder(self.path, self.probe)
        scaler = Scaler()
        for number, frame in decoder:
            self._require_alike(frame, number)
            time = self._time(frame, decoder, number)
            made = planar(frame, scaler)
            yield number, ClipNative(frame=made, coding=self.coding, time=time)
        self.errors = list(decoder.errors)

    def _require_alike(self, frame: av.VideoFrame, number: int) -> None:
        video = self.video
        same_size = (frame.width, frame.height) == (video.width, video.height)
        if frame.format.name != video.pixel_format or not same_size:
            raise UnusableMedia(
                f"{shown(self.path)}: its picture changes its size or form at frame {number} "
                f"({frame.width} x {frame.height}, {frame.format.name}); transcode it first."
            )

    def _time(self, frame: av.VideoFrame, decoder: FrameSource, number: int) -> Fraction:
        if not self.video.vfr or frame.pts is None or decoder.origin is None:
            return number / self.video.rate
        if self.probe.files:
            return Fraction(round(decoder.times[-1] / SPANNED_TICK)) * SPANNED_TICK
        return Fraction(frame.pts * frame.time_base) - decoder.origin

    def _footage(self) -> Footage:
        layout, video = self.coding.layout, self.video
        return Footage(
            width=video.width,
            height=video.height,
            rate=video.rate,
            frames=video.frames,
            bits=layout.bits,
            floating=layout.floating,
            scene_linear=video.colour.transfer == "linear",
            space="Linear Rec.709 (sRGB)" if video.colour.transfer == "linear" else "display",
            colour=video.colour,
            has_alpha=layout.alpha,
            pixel_aspect=video.pixel_aspect,
        )

    def _held(self) -> Held:
        layout = self.coding.layout
        return Held(
            name=shown(self.path),
            codec=self.video.codec,
            bits=layout.bits,
            floating=layout.floating,
            alpha=layout.alpha,
            grey=layout.kind == "grey",
            luminance=layout.kind == "grey",
            scene_linear=self.footage.scene_linear,
            colour=self.video.colour,
            size=(self.video.width, self.video.height),
            coding=self.coding,
            timecode=str(self.probe.timecode or ""),
        )


def coding_of(path: Path, video: VideoFacts) -> Coding:
    """Return how a clip's planes code colours; what it does not say is taken as players take it.

    Raises:
        UnusableMedia: Nothing here reads its pixel format or its matrix.
    """
    try:
        layout = layout_of(video.pixel_format)
    except UnknownLayout as error:
        raise UnusableMedia(
            f"{shown(path)} has pictures of a form that no effect can be applied to "
            f"({video.pixel_format}); transcode it to ProRes 4444 or to images."
        ) from error
    if layout.kind != "yuv":
        return Coding(layout=layout, matrix="gbr", full=True)
    matrix = made_colour(video).matrix
    if matrix not in MATRICES:
        raise UnusableMedia(
            f"{shown(path)} is coded by a matrix that nothing here reads ({matrix}); transcode it "
            "to ProRes or to images."
        )
    full = video.colour.range == "pc" or video.pixel_format.startswith("yuvj")
    return Coding(layout=layout, matrix=matrix, full=full, siting=_siting(video))


def _siting(video: VideoFacts) -> tuple[Site, Site]:
    """Say where chroma is sited, by what each codec's standard says where it is silent."""
    if video.codec in {"mjpeg", "mpeg1video"}:
        return "between", "between"
    # HDR HEVC (ITU-T H.265 annex E for BT.2020) and PAL DV have it on the first line.
    if video.codec == "dvvideo" or (video.codec == "hevc" and video.colour.matrix == "bt2020nc"):
        return "cosited", "cosited"
    return "cosited", "between"


class SequenceSource(Source):
    """An image sequence, read at its own depth with all its channels."""

    def __init__(self, path: Path, probe: Probe, video: VideoFacts) -> None:
        self.files = numbered(probe.files)
        self.first = min(self.files)
        self.example, self.colours = first_readable(path, self.files, _read)
        self.canvas = image.around(self.example, list(self.files.values()))
        super().__init__(path, probe, video)
        self.notes += _told(path, self.example.spec)

    def _decoded(self, first: int) -> Iterator[tuple[int, ImageNative]]:
        self.errors = []
        # One more, to be held where the first one is missing.
        start = max((n for n in self._numbers() if n <= first), default=0) if self.holds else first
        wanted = {n - self.first: file for n, file in self.files.items() if n - self.first >= start}
        expected = start
        for number, result in read_ahead(wanted, lambda file: image.read(file, self.canvas)):
            self._note_missing(expected, number)
            expected = number + 1
            native = self._taken(number, result)
            if native is not None:
                yield number, native
        self._note_missing(expected, self.video.frames or 0)

    def _numbers(self) -> Iterator[int]:
        return (number - self.first for number in self.files)

    def number_in_name(self, number: int) -> int:
        """Return the number in the name of a frame's image."""
        return self.first + number

    @property
    def says_timecode(self) -> bool:
        """Say whether the images say their timecode, which else was taken from their numbers."""
        return self.example.spec.getattribute("smpte:TimeCode") is not None

    def _taken(self, number: int, result: Future[ImageNative]) -> ImageNative | None:
        found = taken(self.path, result)
        native, why = found
        if native is None:
            self._note(number, why)
            return None
        if not self._is_alike(native):
            self._note(number, "left out (its size or its channels are not those of the others)")
            return None
        return dataclasses.replace(native, time=number / self.video.rate)

    def _is_alike(self, native: ImageNative) -> bool:
        one = self.example
        return (
            native.samples.dtype == one.samples.dtype
            and native.bits == one.bits
            and native.spec.channelnames == one.spec.channelnames
            and (native.spec.full_width, native.spec.full_height)
            == (one.spec.full_width, one.spec.full_height)
        )

    def _note(self, number: int, message: str) -> None:
        self.errors.append(DecodeError(frame=number, message=message))

    def _note_missing(self, first: int, end: int) -> None:
        for number in range(first, end):
            self._note(number, NO_IMAGE)

    def _footage(self) -> Footage:
        native = self.example
        linear = native.floating
        space = space_of(native.spec.getattribute("chromaticities")) if linear else "display"
        return Footage(
            width=self.canvas[2],
            height=self.canvas[3],
            rate=self.video.rate,
            frames=self.video.frames,
            bits=native.bits,
            floating=native.floating,
            scene_linear=linear,
            space=space,
            colour=self.colours.facts,
            has_alpha=native.alpha is not None,
            pixel_aspect=self.video.pixel_aspect,
        )

    def _held(self) -> Held:
        native = self.example
        return Held(
            name=shown(self.path),
            codec=native.format,
            bits=native.bits,
            floating=native.floating,
            alpha=native.alpha is not None,
            grey=native.grey,
            luminance=native.luminance,
            scene_linear=native.floating,
            colour=self.colours.facts,
            size=(self.canvas[2], self.canvas[3]),
            dtype=native.samples.dtype,
            further=native.further,
            timecode=str(self.probe.timecode) if self.says_timecode else "",
        )


def _told(path: Path, spec: Any) -> Iterator[str]:
    parts = spec.get_int_attribute("oiio:subimages")
    if parts > 1:
        yield f"{shown(path)} has {parts} parts in each image; only the first is kept."
    if lossy := lossy_compression(spec):
        yield f"{shown(path)} is compressed with loss ({lossy}); what is written is not."


def _read(file: Path) -> tuple[ImageNative, Colours]:
    """Read an image that memory can hold, and what it says of its colours."""
    facts_of(file)
    native = image.read(file)
    return native, colours_of(native)
