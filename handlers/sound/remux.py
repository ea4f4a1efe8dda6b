"""A clip's own picture, untouched, beside new sound: a MOV of copied packets and PCM."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from handlers.contract import UnusableMedia
from handlers.media.probe import Probe, probe, usable
from handlers.media.source import open_media, picture_stream, shown
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
        if picture is None:
            raise UnusableMedia(f"{shown(clip)} holds no picture to put beside the sound.")
        target: Any = opened.enter_context(av.open(str(out), "w", format="mov"))
        copy = _picture(target, picture, clip, probe(clip))
        tracks = [_Track(target, open_sound(wav)) for wav in wavs]
        _interleave(_packets(source, picture, copy), tracks, target)


def _picture(target: Any, picture: Any, clip: Path, facts: Probe) -> Any:
    try:
        copy = target.add_stream_from_template(picture)
    except (ValueError, FFmpegError) as error:
        raise UnusableMedia(
            f"{shown(clip)} has a picture ({picture.codec_context.name}) that no MOV can hold; "
            "take the WAV beside it."
        ) from error
    if facts.timecode is not None:
        copy.metadata["timecode"] = str(facts.timecode)
    if facts.reel:
        copy.metadata["reel_name"] = facts.reel
    return copy


def _packets(source: Any, picture: Any, copy: Any) -> Iterator[Any]:
    """Yield the picture's packets for the new file, frame 0 at time 0."""
    begin = picture.start_time or 0
    for packet in source.demux(picture):
        if packet.dts is None:
            continue
        packet.pts = None if packet.pts is None else packet.pts - begin
        packet.dts -= begin
        packet.stream = copy
        yield packet


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
