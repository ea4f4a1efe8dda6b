"""Whether what was dropped is all there: opened, measured, and its last frames decoded.

It is cheap and runs before any job, in a child without TensorFlow. A copier may
preallocate the whole size, so a file's length proves nothing: the sample tables
say where each picture lies, and a sample of those places must not be empty.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
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
from handlers.media import apart, boxes, ebml, images, mxf, riff, sequence, spanned
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
_LAST_SECONDS = 2
# How much further back to begin, in seconds, until a picture decodes. Each step is a few times
# the one before, so that at most a few times what had to be decoded is.
_STEPS_BACK = (0, 2, 15, 120, 900, 1 << 20)


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
        return CheckReport(verdict=Verdict.WHOLE, facts=_CHECKS[kind](path, members))
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


def _check_clip(path: Path, parts: tuple[Path, ...]) -> MediaFacts:
    """Look at a clip or recording; of one in several files, at each of them."""
    if len(parts) < 2:
        return _check_with_sound(path).facts()
    for part in parts:
        _check_with_sound(part)
    return spanned.probe_spanned(path, parts).facts()


def _check_with_sound(path: Path) -> Probe:
    """Look at a file, and at those beside it that hold its sound."""
    found = _check_file(path)
    if found.video is not None:
        sounds = apart.beside(path)
        for sound in sounds:
            _check_sound(sound)
        for named in apart.namesakes(path):
            # What is whole and none of this clip's sound is only told.
            with contextlib.suppress(UnusableMedia):
                if named not in sounds:
                    _check_sound(named)
    return apart.complete(path, found)


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
            _require(path, _end_missing(container))
    except UnknownCodec as error:
        raise UnusableMedia(str(error)) from error
    except (FFmpegError, NotMedia, UnusableMedia) as error:
        raise _what_it_is(path, head) from error
    return found


def _check_card(path: Path, members: tuple[Path, ...]) -> MediaFacts:
    endings = CLIP_ENDINGS | RECORDING_ENDINGS
    media = [member for member in members if member.suffix.lower().lstrip(".") in endings]
    facts, unusable = _usable(media)
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
    return MediaFacts(
        rate=next((one.rate for one in facts if one.rate), None),
        duration=sum(durations, Fraction(0)),
        reel=next((one.reel for one in facts if one.reel), None),
    )


def _usable(media: list[Path]) -> tuple[list[MediaFacts], UnusableMedia | None]:
    """Return the facts of a card's good files, and what is wrong with the last bad one."""
    facts, unusable = [], None
    for member in media:
        try:
            facts.append(_check_file(member).facts())
        except UnusableMedia as error:
            unusable = error
    return facts, unusable


def _check_sequence(path: Path, members: tuple[Path, ...]) -> MediaFacts:
    if not members:
        raise _Incomplete(f"{shown(path)} holds no image yet")
    for member in members:
        if not member.stat().st_size:
            raise _Incomplete(f"{shown(member)} is empty")
    _refuse_raw(path)
    head = _head(members[0])
    _require(members[0], images.missing(members[0], head))
    try:
        facts = facts_of(members[0])
    except Unreadable as error:
        raise _image_what_it_is(members[0], head) from error
    for member in {members[0]: None, members[-1]: None}:
        _read_image(member, facts)
    return sequence.probe_sequence(path, members).facts()


_CHECKS: dict[AssetKind, Callable[[Path, tuple[Path, ...]], MediaFacts]] = {
    AssetKind.CLIP: _check_clip,
    AssetKind.RECORDING: _check_clip,
    AssetKind.CARD: _check_card,
    AssetKind.SEQUENCE: _check_sequence,
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


def _end_missing(container: Any) -> str:
    """Decode the last frames; return why they are missing, or ""."""
    stream = picture_stream(container) or sound_streams(container)[0]
    length = Fraction(container.duration or 0, av.time_base)
    start = Fraction(container.start_time or 0, av.time_base)
    begin = start + max(Fraction(0), length - _LAST_SECONDS)
    reached, back = _decode_last(container, stream, begin)
    if reached is None:
        return "its last frames do not decode yet"
    own = Fraction(stream.duration * stream.time_base) if stream.duration else None
    early = start + (own or length) - reached
    if early <= 2 * _LAST_SECONDS:
        return ""
    if own is not None:
        return f"it ends {float(early):.0f} s early"
    # Without a length of its own, a picture may end before the sound, but not by nothing decoding.
    return "its last frames do not decode yet" if back else ""


def _decode_last(container: Any, stream: Any, begin: Fraction) -> tuple[Fraction | None, int]:
    """Decode from ``begin`` to the end, in seconds, or from further back where nothing decodes.

    A container without an index may land behind the last key picture.

    Returns:
        The end of the last frame, or None where the end does not decode; and how much
        further back the reading began, in seconds.
    """
    for back in _STEPS_BACK:
        _seek(container, stream, begin - back)
        try:
            reached = _decode_on(container, stream)
        except FFmpegError:
            break
        if reached is not None:
            return reached, back
    return None, 0


def _seek(container: Any, stream: Any, seconds: Fraction) -> None:
    try:
        container.seek(int(seconds / stream.time_base), stream=stream)
    except FFmpegError:
        container.seek(0)


def _decode_on(container: Any, stream: Any) -> Fraction | None:
    """Decode on to the end; return when the last frame ends, in seconds, None without a frame.

    Raises:
        av.error.FFmpegError: A packet does not decode although a key picture was there.
    """
    last: Fraction | None = None
    begun = False
    for packet in container.demux(stream):
        begun = begun or packet.is_keyframe
        for frame in _decoded(packet, strict=begun):
            if frame.pts is not None:
                end = (frame.pts + (frame.duration or 0)) * frame.time_base
                last = end if last is None else max(last, end)
    return last


def _decoded(packet: Any, *, strict: bool) -> list[Any]:
    """Decode a packet; unless ``strict``, one that does not decode gives no frame."""
    try:
        return list(packet.decode())
    except FFmpegError:
        if strict:
            raise
        return []


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
