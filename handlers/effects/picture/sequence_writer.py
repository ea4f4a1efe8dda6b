"""Writing image sequences: one image a frame, whole or not there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import OpenImageIO

from handlers.contract import TransientFailure
from handlers.effects.picture.clip_writer import writing
from handlers.effects.picture.colour_tags import put_tags, tags_for
from handlers.effects.picture.footage import SequenceSource, Source
from handlers.effects.picture.headers import header
from handlers.effects.picture.image_made import Made
from handlers.effects.picture.target import Target
from handlers.media.probe import ColourFacts
from handlers.media.source import shown

_MOST_FRAMES = 10**6
_SUFFIXES = {"openexr": ".exr", "dpx": ".dpx", "tiff": ".tif", "png": ".png"}


class SequenceWriter:
    """Writes a sequence's images into a folder, under the numbers of their source.

    A clip's images are numbered by its timecode, counted from midnight: so it survives in
    formats that have no place for it. Each image is written under another name and renamed, so
    that one which is there is whole; images may be written from several threads.
    """

    def __init__(self, folder: Path, source: Source, target: Target) -> None:
        self.folder = folder
        self._source, self._target = source, target
        self._timecode = source.probe.timecode
        self._about: dict[str, Any] = {
            "rate": source.video.rate,
            "reel": source.probe.reel,
            "aspect": source.video.pixel_aspect,
            "colour": target.colour,
            "recoloured": _named(target.colour) != _named(source.held.colour),
        }
        self._tags = tags_for(target.colour)
        if isinstance(source, SequenceSource) and self._keeps_words(source):
            self._about["colour"], self._tags = None, source.colours.tags
        folder.mkdir(parents=True, exist_ok=True)

    def _keeps_words(self, source: SequenceSource) -> bool:
        """Say whether what the images say of their colours can stay as they say it."""
        is_alike = _SUFFIXES.get(source.example.format) == self._target.kind.suffix
        return is_alike and not self._about["recoloured"]

    def path(self, number: int) -> Path:
        """Return where the image of a frame is, or will be."""
        return self.folder / f"{self._stem(number)}{self._target.kind.suffix}"

    def has(self, number: int) -> bool:
        """Say whether an image has been written, as before a restart."""
        return self.path(number).is_file()

    def write(self, number: int, made: Made) -> Path:
        """Write an image.

        Raises:
            TransientFailure: It cannot be written, as when the disk is full.
        """
        path = self.path(number)
        partial = path.with_name(f".{path.name}.{os.getpid()}.part{path.suffix}")
        # Images that say a timecode keep it; in others numbers alone would have been made up.
        timecode = self._timecode + number if self._timecode and not self._is_counted() else None
        spec = header(made, self._target, timecode=timecode, about=self._about)
        try:
            _write(partial, made, spec)
            if self._target.kind.suffix == ".png":
                self._tag(partial, spec)
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        return path

    def _tag(self, path: Path, spec: Any) -> None:
        """Say colours in a PNG, where no profile of the source's says them."""
        has_profile = spec.getattribute("ICCProfile") is not None
        if not self._tags or (has_profile and self._about["colour"] is not None):
            return
        with writing(path):
            put_tags(path, self._tags)

    def _is_counted(self) -> bool:
        """Say whether the timecode was only taken from the numbers in the names."""
        return isinstance(self._source, SequenceSource) and not self._source.says_timecode

    def _stem(self, number: int) -> str:
        source = self._source
        if isinstance(source, SequenceSource):
            known = source.files.get(source.number_in_name(number))
            if known is not None:
                return known.stem
            stem, digits = source.path.stem.rstrip("#"), source.path.stem.count("#")
            return f"{stem}{source.number_in_name(number):0{digits}d}"
        first = self._timecode.frames if self._timecode else 1
        width = max(4, len(str(first + (source.footage.frames or _MOST_FRAMES))))
        return f"{source.path.stem}.{first + number:0{width}d}"


def _named(colour: ColourFacts) -> tuple[str, str]:
    return colour.primaries, colour.transfer


def _write(path: Path, made: Made, spec: Any) -> None:
    output = OpenImageIO.ImageOutput.create(str(path))
    if output is None:
        raise TransientFailure(f"{shown(path)} cannot be written ({OpenImageIO.geterror()})")
    if not (output.open(str(path), spec) and output.write_image(made.samples)):
        said = output.geterror().rpartition(": ")[2].strip() or "no reason given"
        raise TransientFailure(f"{shown(path)} cannot be written ({said}); look at the disk")
    if not output.close():
        raise TransientFailure(f"{shown(path)} cannot be written to its end; look at the disk")
