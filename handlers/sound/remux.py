"""A clip's own picture, untouched, beside new sound: a MOV of copied packets and PCM."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from handlers.contract import UnusableMedia
from handlers.media.probe import Probe, VideoFacts, probe, usable
from handlers.media.source import copied_picture, open_media, picture_stream, shown
from handlers.sound.essence import Values
from handlers.sound.reader import Sound, open_sound
from handlers.sound.tracks import speakers

_CODECS = {"PCM_U8": "pcm_s16le", "PCM_S8": "pcm_s16le", "PCM_16": "pcm_s16le",
           "PCM_24": "pcm_s24le", "PCM_32": "pcm_s32le", "FLOAT": "pcm_f32le",
           "DOUBLE": "pcm_f64le"}  # fmt: skip
# FFmpeg's packed sample formats.
_FRAMES = {"pcm_s16le": "s16", "pcm_s24le": "s32", "pcm_s32le": "s32", "pcm_f32le": "flt",
           "pcm_f64le": "dbl"}  # fmt: skip
_SECONDS_AHEAD = Fraction(1, 2)


def remux(clip: Path, wavs: Sequence[Path], out: Path) -> None:
    """Write a MOV with a clip's picture, copied packet for packet, and one track for each WAV.

    Sound begins with frame 0, as :class:`TrackSource` reads it. Timecode and reel are kept.

    Args:
        clip: The clip.
        wavs: The new sound, in the order of its tracks.
        out: The MOV to write; it is whole when this returns.

    Raises:
        UnusableMedia: The clip has no picture, or one that no MOV can hold.
    """
    with contextlib.ExitStack() as opened:
        opened.enter_context(usable(clip))
        source: Any = opened.enter_context(open_media(clip))
        picture = picture_stream(source)
        facts = probe(clip)
        if picture is None or facts.video is None:
            raise UnusableMedia(f"{shown(clip)} holds no picture to put beside the sound.")
        target: Any = opened.enter_context(av.open(str(out), "w", format="mov"))
        copy = _picture(target, picture, clip, facts, facts.video)
        tracks = [_Track(target, open_sound(wav)) for wav in wavs]
        _begin(target, picture, clip)
        _interleave(_packets(source, picture, copy, facts.video), tracks, target)


def why_not(clip: Path) -> str | None:
    """Say why no MOV can hold a clip's picture, None where one can; nothing is written.

    An hour of sound is not to be lost to what can be known before.
    """
    try:
        with usable(clip), open_media(clip) as source, av.open(BytesIO(), "w", "mov") as target:
            picture, facts = picture_stream(source), probe(clip)
            if picture is not None and facts.video is not None:
                _picture(target, picture, clip, facts, facts.video)
                _begin(target, picture, clip)
    except UnusableMedia as error:
        return str(error)
    return None


def _picture(target: Any, picture: Any, clip: Path, facts: Probe, video: VideoFacts) -> Any:
    try:
        copy = copied_picture(target, picture)
    except (ValueError, FFmpegError) as error:
        raise _not_in_mov(picture, clip) from error
    # Without its rate no timecode track is made.
    copy.codec_context.framerate = video.rate
    if _is_coarse(picture, video):
        copy.time_base = 1 / (video.rate * video.rate.denominator)
    if facts.timecode is not None:
        copy.metadata["timecode"] = str(facts.timecode)
    if facts.reel:
        copy.metadata["reel_name"] = facts.reel
    return copy


def _begin(target: Any, picture: Any, clip: Path) -> None:
    """Write the header, where codecs are refused that belong into other containers."""
    try:
        target.start_encoding()
    except FFmpegError as error:
        raise _not_in_mov(picture, clip) from error


def _not_in_mov(picture: Any, clip: Path) -> UnusableMedia:
    return UnusableMedia(
        f"{shown(clip)} has a picture ({picture.codec_context.name}) that no MOV can hold; "
        "take the WAV beside it."
    )


def _is_coarse(picture: Any, video: VideoFacts) -> bool:
    """Say whether a container's clock rounds the times of a constant rate, as Matroska's does."""
    return not video.vfr and (1 / video.rate) % picture.time_base != 0


def _packets(source: Any, picture: Any, copy: Any, video: VideoFacts) -> Iterator[Any]:
    """Yield the picture's packets for the new file, frame 0 at time 0."""
    begin, tick = picture.start_time or 0, Fraction(picture.time_base)
    on_grid = _is_coarse(picture, video)
    step = round(1 / video.rate / tick)
    for packet in _dated(source.demux(picture), step):
        times = [None if each is None else each - begin for each in (packet.pts, packet.dts)]
        if on_grid:
            times = [each and round(each * tick * video.rate) for each in times]
            times = [each and each * video.rate.denominator for each in times]
            packet.time_base = copy.time_base
            packet.duration = video.rate.denominator
        packet.pts, packet.dts = times
        packet.stream = copy
        yield packet


def _dated(packets: Iterator[Any], step: int) -> Iterator[Any]:
    """Yield packets with decoding times: Matroska's first ones have none before reordering."""
    waiting = []
    for packet in packets:
        if not packet.size:
            continue
        waiting.append(packet)
        if packet.dts is None:
            continue
        for back, each in enumerate(reversed(waiting)):
            each.dts = packet.dts - back * step
        yield from waiting
        waiting = []
    yield from waiting


def _interleave(packets: Iterator[Any], tracks: list[_Track], target: Any) -> None:
    """Write picture and sound side by side, so that a player need not jump."""
    for packet in packets:
        at = packet.dts * Fraction(packet.time_base)
        for track in tracks:
            track.until(at + _SECONDS_AHEAD)
        target.mux(packet)
    for track in tracks:
        track.until(None)


class _Track:
    """One track of PCM on its way."""

    def __init__(self, target: Any, sound: Sound) -> None:
        self._target, self._sound = target, sound
        codec = _CODECS[sound.subtype]
        self._kind = _FRAMES[codec]
        self._layout = _layout(sound)
        self._stream = target.add_stream(codec, rate=sound.rate, layout=self._layout)
        if sound.names and sound.channels == 1 and sound.names[0]:
            self._stream.metadata["title"] = sound.names[0]
        self._values = sound.values(sound.rate // 4)
        self._done = 0

    def until(self, seconds: Fraction | None) -> None:
        """Write the sound up to a time, or all of it."""
        while seconds is None or Fraction(self._done, self._sound.rate) < seconds:
            values = next(self._values, None)
            if values is None:
                break
            self._write(values)
        if seconds is None:
            self._target.mux(self._stream.encode(None))

    def _write(self, values: Values) -> None:
        frame = av.AudioFrame.from_ndarray(self._packed(values), self._kind, self._layout)
        frame.sample_rate = self._sound.rate
        frame.pts, frame.time_base = self._done, Fraction(1, self._sound.rate)
        self._done += len(values)
        self._target.mux(self._stream.encode(frame))

    def _packed(self, values: Values) -> Values:
        """Return samples [1, n * channels] as FFmpeg has them: whole numbers at the top."""
        wide = {"s16": 16, "s32": 32}.get(self._kind, 0)
        if wide:
            form = self._sound.source.format
            values = (values << (wide - form.bits)).astype(f"i{wide // 8}")
        return np.ascontiguousarray(values).reshape(1, -1)


def _layout(sound: Sound) -> str:
    """Return FFmpeg's name of the channels: by the mask, else by their count alone."""
    names = speakers(sound.channel_mask)
    usual = {1: "mono", 2: "stereo"}
    if len(names) == sound.channels:
        return "+".join(names)
    return usual.get(sound.channels) or f"{sound.channels} channels"
