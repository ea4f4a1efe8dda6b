"""Whether the last frames of a clip or recording decode: what a copier writes last."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
from av.error import FFmpegError

from handlers.media.source import picture_stream, sound_streams

_LAST_SECONDS = 2
# How much further back to begin, in seconds, until a picture decodes. Each step is a few times
# the one before, so that at most a few times what had to be decoded is.
_STEPS_BACK = (0, 2, 15, 120, 900, 1 << 20)


def missing(container: Any) -> str:
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
