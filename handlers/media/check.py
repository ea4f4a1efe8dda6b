"""Whether what was dropped is all there: opened, measured, and its last frames decoded.

It is cheap and runs before any job, in a child without TensorFlow. A copier may
preallocate the whole size, so a file's length proves nothing: the sample tables
say where each picture lies, and a sample of those places must not be empty.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.error import FFmpegError

from handlers.contract import (
    CLIP_ENDINGS,
    RECORDING_ENDINGS,
    AssetKind,
    CheckReport,
    MediaFacts,
    UnusableMedia,
    Verdict,
)
from handlers.media import (
    apart,
    boxes,
    ebml,
    ending,
    examples,
    images,
    mxf,
    riff,
    sequence,
    spanned,
)
from handlers.media.imagefile import ImageFacts, Unreadable, facts_of, read_picture
from handlers.media.probe import Probe, probe_container
from handlers.media.source import (
    CameraRaw,
    NotMedia,
    UnknownCodec,
    open_media,
    picture_stream,
    refuse_raw,
    shown,
    sound_streams,
)

_HEAD = (1 << 16) + 64
_TAIL = 1 << 16
_SAMPLES = 48
# Uncompressed codecs write zeros for black; in all others zeros are bytes that never arrived.
_UNCOMPRESSED = frozenset({b"raw ", b"2vuy", b"yuv2", b"v210", b"v410", b"b64a", b"r210", b"UYVY"})


class _Incomplete(Exception):
    """Bytes are missing; the message says which, for a person."""


def check(path: Path, kind: AssetKind, members: tuple[Path, ...] = ()) -> CheckReport:
    """Look whether an asset is whole.

    Args:
        path: The file, or the folder of a card.
        kind: What it is.
        members: The files of a sequence or card, in order.

    Returns:
        WHOLE with what it is; INCOMPLETE while bytes are missing; CUT where they are missing
        of a recording whose sound so far can be read; UNUSABLE when it is no media at all; with
        one sentence that names the file.
    """
    if kind is AssetKind.FILE:
        return CheckReport(verdict=Verdict.WHOLE)
    try:
        return _CHECKS[kind](path, members)
    except _Incomplete as error:
        cut = _cut_recording(path, str(error)) if kind is AssetKind.RECORDING else None
        return cut or CheckReport(verdict=Verdict.INCOMPLETE, reason=str(error))
    except UnusableMedia as error:
        return CheckReport(verdict=Verdict.UNUSABLE, reason=str(error))
    except OSError as error:
        reason = f"{shown(path)} cannot be read: {error.strerror}"
        return CheckReport(verdict=Verdict.INCOMPLETE, reason=reason)


def _cut_recording(path: Path, reason: str) -> CheckReport | None:
    """Judge a recording whose header promises more than there is; None: there is no sound yet."""
    try:
        head = _head(path)
        if not riff.looks_like_riff(head) or _hole_at_end(path):
            return None
        with open_media(path) as container:
            facts = probe_container(container, path).facts()
            heard = next(container.decode(sound_streams(container)[0]), None)
    except (_Incomplete, FFmpegError, NotMedia, UnknownCodec, UnusableMedia, OSError, IndexError):
        return None
    return CheckReport(verdict=Verdict.CUT, reason=reason, facts=facts) if heard else None


def _check_clip(path: Path, parts: tuple[Path, ...]) -> CheckReport:
    """Look at a clip or recording; of one in several files, at each of them."""
    files = parts if len(parts) > 1 else (path,)
    pictures = [_check_file(file) for file in files]
    beside: list[Path] = []
    lacking: list[str] = []
    for file, found in zip(files, pictures, strict=True):
        if found.video is not None:
            beside += _sound_of(file, lacking)
    whole = spanned.probe_spanned(path, parts) if len(parts) > 1 else None
    facts = (whole or apart.complete(path, pictures[0])).facts()
    return _judged(facts, lacking, tuple(beside))


def _judged(facts: MediaFacts, lacking: list[str], beside: tuple[Path, ...] = ()) -> CheckReport:
    """Return the answer about a whole picture; ``lacking`` says what of its sound is not."""
    if not lacking:
        return CheckReport(verdict=Verdict.WHOLE, facts=facts, beside=beside)
    return CheckReport(
        verdict=Verdict.INCOMPLETE, reason=lacking[0], facts=facts, beside=beside, usable=True
    )


def _sound_of(path: Path, lacking: list[str]) -> list[Path]:
    """Return the files beside a picture that hold its sound, and note what is wrong with them."""
    sounds = apart.beside(path)
    named = [each for each in apart.namesakes(path) if each not in sounds]
    for sound in (*sounds, *named):
        try:
            _check_sound(sound)
        except _Incomplete as error:
            lacking.append(str(error))
        except UnusableMedia as error:
            # What is none of this clip's sound is only told.
            lacking += [str(error)] if sound in sounds else []
    return [*sounds, *named]


def _check_sound(path: Path) -> None:
    if not _shows(path):
        _check_file(path)


def _shows(path: Path) -> bool:
    """Say whether a file, whole or not, has a picture of its own: it is no other one's sound."""
    try:
        with open_media(path) as container:
            return picture_stream(container) is not None
    except (FFmpegError, NotMedia, UnknownCodec):
        return False


def _check_file(path: Path) -> Probe:
    _refuse_raw(path)
    head = _head(path)
    _require(path, _missing(path, head))
    try:
        with open_media(path) as container:
            found = probe_container(container, path)
            _require(path, ending.missing(container))
    except UnknownCodec as error:
        raise UnusableMedia(str(error)) from error
    except (FFmpegError, NotMedia, UnusableMedia) as error:
        raise _what_it_is(path, head) from error
    return found


def _check_card(path: Path, members: tuple[Path, ...]) -> CheckReport:
    endings = CLIP_ENDINGS | RECORDING_ENDINGS
    media = [member for member in members if _ending(member) in endings]
    lacking: list[str] = []
    facts, unusable = _usable(media, lacking)
    for member in members:
        if member not in media:
            _require_readable(member)
    if not facts and unusable is not None:
        raise unusable
    if not facts:
        raise _Incomplete(f"{shown(path)} holds no clip yet")
    # Sound that lies in files of its own lasts no longer than its picture.
    counted = [one for one in facts if one.rate is not None] or facts
    durations = [one.duration for one in counted if one.duration is not None]
    said = MediaFacts(
        rate=next((one.rate for one in facts if one.rate), None),
        duration=sum(durations, Fraction(0)),
        reel=next((one.reel for one in facts if one.reel), None),
    )
    return _judged(said, lacking)


def _usable(media: list[Path], lacking: list[str]) -> tuple[list[MediaFacts], UnusableMedia | None]:
    """Return the facts of a card's good files, and what is wrong with the last bad one."""
    facts, unusable = [], None
    for member in media:
        try:
            facts.append(_check_file(member).facts())
        except UnusableMedia as error:
            unusable = error
        except _Incomplete as error:
            if not _is_sound(member):
                raise
            lacking.append(str(error))
    return facts, unusable


def _is_sound(member: Path) -> bool:
    """Say whether a file of a card holds sound, by its place or its name."""
    return _ending(member) in RECORDING_ENDINGS or apart.is_p2_sound(member)


def _ending(path: Path) -> str:
    return path.suffix.lower().lstrip(".")


def _check_sequence(path: Path, members: tuple[Path, ...]) -> CheckReport:
    if not members:
        raise _Incomplete(f"{shown(path)} holds no image yet")
    for member in members:
        if not member.stat().st_size:
            raise _Incomplete(f"{shown(member)} is empty")
    _refuse_raw(path)
    facts = _facts(members[0])
    for member in {members[0]: None, members[-1]: None}:
        _read_image(member, facts)
    return _judged(sequence.probe_sequence(path, members).facts(), [])


def _check_examples(path: Path, members: tuple[Path, ...]) -> CheckReport:
    return examples.check(path, members, _check_file, lambda file: _read_image(file, _facts(file)))


def _facts(path: Path) -> ImageFacts:
    head = _head(path)
    _require(path, images.missing(path, head))
    try:
        return facts_of(path)
    except Unreadable as error:
        raise _image_what_it_is(path, head) from error


_CHECKS: dict[AssetKind, Callable[[Path, tuple[Path, ...]], CheckReport]] = {
    AssetKind.CLIP: _check_clip,
    AssetKind.RECORDING: _check_clip,
    AssetKind.CARD: _check_card,
    AssetKind.SEQUENCE: _check_sequence,
    AssetKind.EXAMPLES: _check_examples,
}


def _refuse_raw(path: Path) -> None:
    try:
        refuse_raw(path)
    except CameraRaw as error:
        raise UnusableMedia(str(error)) from error


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        raise _Incomplete(f"{shown(path)} is empty")
    if not any(head):
        raise _Incomplete(f"{shown(path)}: its first bytes have not arrived yet")
    return head


def _require(path: Path, missing: str) -> None:
    if missing:
        raise _Incomplete(f"{shown(path)}: {missing}")


def _require_readable(path: Path) -> None:
    with path.open("rb") as file:
        file.read(1)


def _what_it_is(path: Path, head: bytes) -> Exception:
    """Tell a file that is still growing from one that is no media: by its first bytes."""
    if _known(head):
        return _Incomplete(f"{shown(path)}: its last frames do not decode yet")
    return UnusableMedia(
        f"{shown(path)} is no media file, or of a kind that cannot be read; "
        "check what was dropped, and drop it again."
    )


_SIGNATURES = (b"fLaC", b"OggS", b"FORM", b"caff", b"ID3", b"\0\0\1\xba", b"G@")


def _known(head: bytes) -> bool:
    return (
        boxes.looks_like_boxes(head)
        or riff.looks_like_riff(head)
        or mxf.looks_like_mxf(head)
        or ebml.looks_like_matroska(head)
        or head.startswith(_SIGNATURES)
    )


def _missing(path: Path, head: bytes) -> str:
    """Return what the container itself says is missing, without decoding."""
    if boxes.looks_like_boxes(head):
        return _boxes_missing(path)
    if mxf.looks_like_mxf(head):
        return mxf.unfinished(path)
    if riff.looks_like_riff(head):
        return riff.missing(path) or _hole_at_end(path)
    if ebml.looks_like_matroska(head):
        return ebml.missing(path, head) or _hole_at_end(path)
    return _hole_at_end(path)


def _boxes_missing(path: Path) -> str:
    size = path.stat().st_size
    found = boxes.top_level(path)
    cut = boxes.cut(found, size)
    if cut is not None:
        return f"it has {size:,} of {cut.end:,} bytes"
    if b"moov" not in {box.kind for box in found}:
        return "its index is not there yet"
    try:
        tracks = boxes.tracks(path)
    except ValueError as error:
        return f"{error} or has not arrived yet"
    end = max((track.end for track in tracks), default=0)
    if end > size:
        return f"its index needs {end:,} bytes and it has {size:,}"
    return _empty_samples(path, tracks)


def _empty_samples(path: Path, tracks: Iterable[boxes.Track]) -> str:
    """Look at samples spread over each picture track, the last one first."""
    with path.open("rb") as file:
        for track in tracks:
            if track.handler != b"vide" or track.codec in _UNCOMPRESSED or not track.sizes.size:
                continue
            chosen = np.linspace(track.sizes.size - 1, 0, min(_SAMPLES, track.sizes.size))
            for number in chosen.astype(int):
                file.seek(int(track.offsets[number]))
                length = min(int(track.sizes[number]), 256)
                if length and not any(file.read(length)):
                    return f"picture {number} of {track.sizes.size} has not arrived yet"
    return ""


def _hole_at_end(path: Path) -> str:
    """Find an end that was allocated and never written.

    Zeros alone may be digital silence, so the file system must call it a hole too.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _TAIL))
        if any(file.read()):
            return ""
        try:
            hole = os.lseek(file.fileno(), 0, os.SEEK_HOLE)
        except OSError:
            return ""
    return f"only {hole:,} of {size:,} bytes have arrived" if hole < size else ""


def _read_image(path: Path, facts: ImageFacts) -> None:
    head = _head(path)
    _require(path, images.missing(path, head))
    try:
        read_picture(path, facts)
    except Unreadable as error:
        raise _image_what_it_is(path, head) from error


def _image_what_it_is(path: Path, head: bytes) -> Exception:
    if images.known(head):
        return _Incomplete(f"{shown(path)} does not decode yet")
    return UnusableMedia(f"{shown(path)} is no image that can be read; export it again.")
