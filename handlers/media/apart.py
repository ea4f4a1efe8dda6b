"""Sound that lies in files of its own beside the picture, as one clip with it.

Panasonic P2 ties CONTENTS/AUDIO/0001AB00.MXF, 0001AB01.MXF, ... to CONTENTS/VIDEO/0001AB.MXF by
name. What Avid and others write as OP-Atom (SMPTE ST 390) has a file for each track, in one
folder, and all of them carry the identifier (UMID) of the one material package that they make.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
from av.error import FFmpegError

from handlers.contract import OP_ATOM_TRACK, TransientFailure, UnusableMedia
from handlers.media import start
from handlers.media.decode import AudioSink, Decoder
from handlers.media.probe import (
    AudioFacts,
    Probe,
    SoundFile,
    VideoFacts,
    probe,
    probe_container,
    raise_if_passing,
    usable,
)
from handlers.media.source import open_media, picture_stream, shown, sound_streams
from handlers.media.timecode import Timecode

_OP_ATOM = "060e2b34.04010102.0d010201.10"
_UMID_BYTES = 32
# The material package is described at the very beginning of a file.
_HEAD = 1 << 16
# The package's identifier among its properties: tag and length, then the UMID (SMPTE ST 377-1).
_PACKAGE = re.compile(rb"\x44\x01\x00\x20(.{%d})" % _UMID_BYTES, re.DOTALL)
# Files of sound count from here on, behind whatever streams the picture's file has.
_FIRST = 1000
# How far sound is read ahead of the picture, in seconds.
_AHEAD = 0.5
# Sound that ends so many seconds before its file says it does has lost something.
_SHORT = Fraction(1, 10)


def beside(picture: Path) -> tuple[Path, ...]:
    """Return the files that look as if they hold a clip's sound, in order; few are opened.

    Raises:
        UnusableMedia: The clip cannot be opened.
        OSError: Its folder cannot be read.
    """
    if picture.suffix.lower() != ".mxf":
        return ()
    if (folder := _p2_sound(picture)) is not None:
        name = re.compile(re.escape(picture.stem) + r"\d\d\.mxf", re.IGNORECASE)
        return tuple(file for file in _files(folder) if name.fullmatch(file.name))
    umid = _material(picture)
    others = (file for file in _files(picture.parent) if file.suffix.lower() == ".mxf")
    return tuple(file for file in others if umid and file != picture and _says(file, umid, picture))


def namesakes(picture: Path) -> list[Path]:
    """Return the files that are named as a picture's sound, whatever they are.

    Raises:
        OSError: Its folder cannot be read.
    """
    return [path for path in _files(picture.parent) if _is_namesake(path, picture)]


def complete(picture: Path, found: Probe) -> Probe:
    """Return a clip's probe with the sound that lies beside it.

    Sound that cannot be read is told of in its notes and in ``lost``, and left out.

    Raises:
        TransientFailure: A file of its sound cannot be reached now.
    """
    if found.video is None:
        return found
    lost: dict[Path, str] = {}
    heard, copies = _told_apart(list(_heard(picture, found.video.rate, lost)))
    files: list[SoundFile] = []
    facts: list[AudioFacts] = []
    notes: list[str] = []
    for index, (path, own, code, _) in enumerate(heard, _FIRST):
        files.append(SoundFile(path=path, stream=index, duration=own.duration or Fraction(0)))
        facts.append(dataclasses.replace(own.audio[0], index=index))
        notes += _contradiction(picture, found.timecode, path, code)
    notes += [_copy(picture, path, first) for path, first in copies]
    known = [each.path for each in heard] + [path for path, _ in copies]
    notes += _strangers(picture, known, lost)
    return dataclasses.replace(
        found,
        audio=(*found.audio, *facts),
        sound_files=tuple(files),
        notes=(*found.notes, *notes, *lost.values()),
        lost=tuple(lost.values()),
    )


class _Sound(NamedTuple):
    """A file of a clip's sound: what it is, its timecode on the clip's rate, its own identifier."""

    path: Path
    facts: Probe
    code: Timecode | None
    package: str


def _heard(picture: Path, rate: Fraction, lost: dict[Path, str]) -> Iterator[_Sound]:
    for path in _reached(picture):
        try:
            sound = _sound(path, picture, rate)
        except UnusableMedia as error:
            lost[path] = _broken(picture, path, error)
            continue
        if sound is not None:
            yield sound


def _sound(path: Path, picture: Path, rate: Fraction) -> _Sound | None:
    with usable(path), open_media(path) as container:
        if picture_stream(container) is not None:
            return None
        own = probe_container(container, path)
        code = start.read(container, path, rate).timecode
        said = [each.metadata.get("file_package_umid", "") for each in container.streams]
    if not own.audio or not _belongs(path, picture):
        return None
    # On a P2 card the names tell one track from the other.
    package = "".join(said) if path.parent == picture.parent else ""
    return _Sound(path, own, code, package or os.fspath(path))


def _broken(picture: Path, path: Path, error: UnusableMedia) -> str:
    return (
        f"{shown(path)} is named as the sound of {shown(picture)} and cannot be read, so it was "
        f"not laid ({error}). Copy it again."
    )


def _told_apart(every: Sequence[_Sound]) -> tuple[list[_Sound], list[tuple[Path, Path]]]:
    """Return each sound once, and each copy with what it is a copy of."""
    first: dict[str, _Sound] = {}
    # A copy is seldom named as a track.
    for each in sorted(every, key=lambda one: not OP_ATOM_TRACK.fullmatch(one.path.name)):
        first.setdefault(each.package, each)
    heard = [each for each in every if first[each.package] is each]
    copies = [(one.path, first[one.package].path) for one in every if one not in heard]
    return heard, copies


def _copy(picture: Path, path: Path, first: Path) -> str:
    return (
        f"{shown(path)} is a copy of {shown(first)}, the sound of {shown(picture)}; "
        "it was not laid. Remove it."
    )


def _reached(picture: Path) -> tuple[Path, ...]:
    try:
        return beside(picture)
    except OSError as error:
        raise TransientFailure(
            f"the sound of {shown(picture)} cannot be reached now ({error.strerror}); "
            "look at the storage"
        ) from error


def _strangers(picture: Path, known: Sequence[Path], lost: dict[Path, str]) -> Iterator[str]:
    """Name what bears the name of a picture's sound and is none: nobody else would tell of it."""
    for path in (path for path in namesakes(picture) if path not in (*known, *lost)):
        try:
            probe(path)
        except UnusableMedia as error:
            lost[path] = _broken(picture, path, error)
        else:
            yield (
                f"{shown(path)} is named as the sound of {shown(picture)}, but is of another "
                "material; it was not laid. Give it another name if it is a clip of its own."
            )


def _is_namesake(path: Path, picture: Path) -> bool:
    """Say whether a file is named as a picture's sound."""
    own, match = (OP_ATOM_TRACK.fullmatch(each.name) for each in (picture, path))
    # Avid's names have no head: they say nothing of what belongs together.
    if own is None or match is None or not own["head"]:
        return False
    alike = match["head"].casefold() == own["head"].casefold()
    return alike and (own["kind"].upper(), match["kind"].upper()) == ("V", "A")


def _contradiction(
    picture: Path, own: Timecode | None, path: Path, code: Timecode | None
) -> Iterator[str]:
    if own is not None and code is not None and own != code:
        yield (
            f"{shown(path)} begins at {code} and its picture {shown(picture)} at {own}; they are "
            "one material, so both were laid from their first frame on."
        )


def _p2_sound(picture: Path) -> Path | None:
    """Return the folder of sound of a P2 card, for a picture that lies on one."""
    contents = picture.parent.parent
    if picture.parent.name.upper() != "VIDEO" or contents.name.upper() != "CONTENTS":
        return None
    # Where there is no such folder, the card's own holds no file of such a name.
    return next((each for each in _entries(contents) if each.name.upper() == "AUDIO"), contents)


def is_p2_sound(path: Path) -> bool:
    """Say whether a file lies where a P2 card keeps sound."""
    places = path.parent.name, path.parent.parent.name
    return tuple(place.upper() for place in places) == ("AUDIO", "CONTENTS")


def _entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.is_symlink())


def _files(folder: Path) -> list[Path]:
    return [path for path in _entries(folder) if path.is_file() and path.name[0] != "."]


def _says(path: Path, umid: bytes, picture: Path) -> bool:
    """Say whether a file carries an identifier."""
    try:
        return umid in _packages(path)
    except OSError:
        # Only what is named as the picture's sound is worth waiting for.
        if _is_namesake(path, picture):
            raise
        return False


def _packages(path: Path) -> frozenset[bytes]:
    """Return the identifiers of the packages that a file describes."""
    said = path.stat()
    version = said.st_size, said.st_mtime_ns, said.st_ino
    # A file that says nothing may still arrive, and not all storage dates each write.
    return _read_packages(path, version) or _read_packages.__wrapped__(path, version)


@functools.lru_cache(maxsize=4096)
def _read_packages(path: Path, _version: tuple[int, int, int]) -> frozenset[bytes]:
    """Read on once for all clips of a folder; only a change of the file makes it read again."""
    with path.open("rb") as file:
        return frozenset(_PACKAGE.findall(file.read(_HEAD)))


def _belongs(path: Path, picture: Path) -> bool:
    """Say whether both are of one material; on a P2 card the names have said so."""
    return path.parent != picture.parent or _material(path) == _material(picture)


def _material(path: Path) -> bytes:
    """Return the identifier of the material that an OP-Atom file is a track of; else nothing."""
    with usable(path), open_media(path) as container:
        said = dict(container.metadata)
    if not said.get("operational_pattern_ul", "").startswith(_OP_ATOM):
        return b""
    with contextlib.suppress(ValueError):
        umid = bytes.fromhex(said.get("material_package_umid", "").removeprefix("0x"))
        # All zeros would be everybody's.
        return umid if len(umid) == _UMID_BYTES and any(umid) else b""
    return b""


def decoder(
    path: Path, facts: VideoFacts, sound: Sequence[SoundFile], on_audio: AudioSink | None
) -> Decoder:
    """Return one pass over a file of pictures and the sound beside it."""
    if not sound or on_audio is None:
        return Decoder(path, facts, on_audio=on_audio)
    return ApartDecoder(path, facts, sound, on_audio=on_audio)


class ApartDecoder(Decoder):
    """One pass over a picture's file and over its files of sound, which keep up with it."""

    def __init__(
        self, path: Path, facts: VideoFacts, sound: Sequence[SoundFile], *, on_audio: AudioSink
    ) -> None:
        super().__init__(path, facts, on_audio=on_audio)
        self._apart = sound
        self._give = on_audio

    def __iter__(self) -> Iterator[tuple[int, av.VideoFrame]]:
        with contextlib.ExitStack() as stack:
            tracks = [_Track(self._heard(file)) for file in self._apart]
            for track in tracks:
                stack.callback(track.close)
            for number, frame in super().__iter__():
                yield number, frame
                reached = self.times[-1] if self.times else 0.0
                for track in tracks:
                    track.read_to(reached + _AHEAD)
            for track in tracks:
                track.read_to(float("inf"))

    def _heard(self, file: SoundFile) -> Iterator[float]:
        """Give a file's sound; yields after each piece how far it has come, in seconds."""
        with usable(file.path), open_media(file.path) as container:
            stream = sound_streams(container)[0]
            first = (stream.start_time or 0) * Fraction(stream.time_base)
            since = Fraction(0)
            for frame in self._pieces(file, container.demux(stream)):
                if frame.pts is not None:
                    since = frame.pts * Fraction(frame.time_base) - first
                # On the picture's clock, frame 0 of which is where the sound begins.
                frame.time_base = Fraction(1, frame.sample_rate)
                frame.pts = round(((self.origin or 0) + since) * frame.sample_rate)
                since += Fraction(frame.samples, frame.sample_rate)
                reached = float(since)
                self._give(file.stream, frame)
                yield reached
        if since < file.duration - _SHORT:
            self._tell(file, f"ends after {float(since):.2f} of {float(file.duration):.2f} s")

    def _pieces(self, file: SoundFile, packets: Iterator[Any]) -> Iterator[av.AudioFrame]:
        try:
            for packet in packets:
                yield from self._decoded(file, packet)
        except FFmpegError as error:
            raise_if_passing(file.path, error)
            self._tell(file, f"cannot be read on: {error.strerror}")

    def _decoded(self, file: SoundFile, packet: Any) -> list[av.AudioFrame]:
        try:
            return list(packet.decode())
        except FFmpegError as error:
            self._tell(file, f"not decoded: {error.strerror}")
            return []

    def _tell(self, file: SoundFile, what: str) -> None:
        self._note(None, f"{shown(file.path)}: sound {what}")


class _Track:
    """How far a file of sound has been read."""

    def __init__(self, heard: Iterator[float]) -> None:
        self._heard = heard
        self._reached: float | None = 0.0

    def read_to(self, seconds: float) -> None:
        """Read on until the sound is so far, or to its end."""
        while self._reached is not None and self._reached < seconds:
            self._reached = next(self._heard, None)

    def close(self) -> None:
        """Close the file."""
        self._heard.close()  # type: ignore[attr-defined]
