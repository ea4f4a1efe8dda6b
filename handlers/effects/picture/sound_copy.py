"""A clip's sound, packet for packet, on the clock of frame 0, for a new file."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

from handlers.effects.picture.footage import Source
from handlers.media import decode, spanned
from handlers.media.probe import Probe, probe, raise_if_passing, usable
from handlers.media.source import open_media, shown, sound_streams

_SAID = ("language", "title", "handler_name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Sound in one file: which of its streams go to which tracks, and where they sound.

    ``shift`` is what is added to its times, in seconds, to count from the clip's frame 0.
    """

    path: Path
    streams: tuple[int, ...]
    tracks: tuple[int, ...]
    shift: Fraction


def runs_of(source: Source) -> list[Run]:
    """Return where a clip's sound lies, in order; nothing for images.

    Raises:
        UnusableMedia: A part cannot be read.
    """
    if source.is_sequence or not source.probe.audio:
        return []
    own = [fact.index for fact in source.probe.audio]
    parts = source.probe.files or (source.path,)
    runs: list[Run] = []
    passed = Fraction(0)
    for number, part in enumerate(parts):
        found = source.probe if len(parts) == 1 else probe(part)
        runs += _inside(part, found, passed, len(own))
        runs += _beside(source.probe, number, own, passed)
        passed += spanned.length(found)
    return runs


def _inside(part: Path, found: Probe, passed: Fraction, most: int) -> Iterator[Run]:
    with usable(part), open_media(part) as container:
        streams = tuple(stream.index for stream in sound_streams(container))[:most]
    if streams:
        shift = passed - origin_of(part, found)
        yield Run(path=part, streams=streams, tracks=tuple(range(len(streams))), shift=shift)


def _beside(whole: Probe, number: int, own: Sequence[int], passed: Fraction) -> Iterator[Run]:
    for file in whole.sound_files:
        if file.part != number or file.stream not in own:
            continue
        with usable(file.path), open_media(file.path) as container:
            stream = sound_streams(container)[0]
            begin = (stream.start_time or 0) * Fraction(stream.time_base)
            place = stream.index
        yield Run(
            path=file.path,
            streams=(place,),
            tracks=(own.index(file.stream),),
            shift=passed - begin,
        )


def origin_of(part: Path, found: Probe) -> Fraction:
    """Return when frame 0 is shown on a file's own clock, in seconds."""
    if found.video is None:
        return Fraction(0)
    decoder = decode.Decoder(part, found.video)
    for _ in decoder:
        break
    return decoder.origin or Fraction(0)


class SoundCopy:
    """The sound tracks of a new file."""

    def __init__(self, source: Source, target: Any, notes: list[str]) -> None:
        self._runs = runs_of(source)
        self._target = target
        self._notes = notes
        self._tracks: dict[int, _Track] = {}
        for run in self._runs:
            self._add(run)

    def _add(self, run: Run) -> None:
        with usable(run.path), open_media(run.path) as container:
            for place, track in zip(run.streams, run.tracks, strict=True):
                if track not in self._tracks:
                    stream = container.streams[place]
                    self._tracks[track] = self._track(stream, run.path)

    def _track(self, stream: Any, path: Path) -> _Track:
        if _holds(self._target.format.name, stream):
            made = self._target.add_stream_from_template(stream)
            _say(made, stream)
            return _Track(made, coded=False)
        codec = _PCM.get(stream.format.packed.name, "pcm_s24le")
        self._notes.append(
            f"{self._target.format.name} cannot hold the sound of {shown(path)} as it is "
            f"({stream.codec_context.name}); it was written as PCM."
        )
        made = self._target.add_stream(codec, rate=stream.rate, layout=stream.layout.name)
        _say(made, stream)
        return _Track(made, coded=True)

    def packets(self) -> Iterator[tuple[Fraction, Any]]:
        """Yield (seconds, packet) of all tracks, by time.

        What overlaps is left out: coders of a next part begin before it, as AAC's do.
        """
        reached: dict[int, Fraction] = {}
        for at, packet in heapq.merge(*self._lines(), key=lambda each: each[0]):
            before = reached.get(packet.stream.index)
            if before is None or at > before:
                reached[packet.stream.index] = at
                yield at, packet
        for track in self._tracks.values():
            for packet in track.rest():
                yield _seconds(packet), packet

    def _lines(self) -> Iterator[Iterator[tuple[Fraction, Any]]]:
        """Yield the packets of each file's tracks, on through all parts that have the same ones.

        A next part is begun when the one before has ended: they share a track's encoder.
        """
        alike: dict[tuple[int, ...], list[Run]] = {}
        for run in self._runs:
            alike.setdefault(run.tracks, []).append(run)
        for runs in alike.values():
            yield itertools.chain.from_iterable(map(self._one, runs))

    def _one(self, run: Run) -> Iterator[tuple[Fraction, Any]]:
        with usable(run.path), open_media(run.path) as container:
            wanted = {
                container.streams[place]: self._tracks[track]
                for place, track in zip(run.streams, run.tracks, strict=True)
            }
            for packet in self._read(container, list(wanted), run.path):
                yield from self._timed(wanted[packet.stream].made(packet, run.shift), run.path)

    def _timed(self, packets: Iterable[Any], path: Path) -> Iterator[tuple[Fraction, Any]]:
        try:
            for packet in packets:
                yield _seconds(packet), packet
        except (FFmpegError, ValueError) as error:
            said = getattr(error, "strerror", None) or str(error)
            note = f"{shown(path)}: some of its sound does not decode and is left out ({said})."
            if note not in self._notes:
                self._notes.append(note)

    def _read(self, container: Any, streams: list[Any], path: Path) -> Iterator[Any]:
        try:
            for packet in container.demux(*streams):
                if packet.size and packet.dts is not None:
                    yield packet
        except FFmpegError as error:
            raise_if_passing(path, error)
            self._notes.append(f"{shown(path)}: its sound cannot be read on ({error.strerror}).")


def _seconds(packet: Any) -> Fraction:
    return Fraction(packet.dts * Fraction(packet.time_base))


def _holds(form: str, stream: Any) -> bool:
    """Say whether a container takes a track as it is: some refuse it with the header only."""
    try:
        with av.open(BytesIO(), "w", format=form) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (ValueError, FFmpegError):
        return False
    return True


# What PCM holds decoded samples of each of FFmpeg's formats without loss.
_PCM = {"u8": "pcm_s16le", "s16": "pcm_s16le", "s32": "pcm_s32le", "flt": "pcm_f32le",
        "dbl": "pcm_f64le"}  # fmt: skip


def _say(made: Any, stream: Any) -> None:
    for key in _SAID:
        if stream.metadata.get(key):
            made.metadata[key] = stream.metadata[key]


class _Track:
    """One track of the new file: packets as they are, or decoded and coded as PCM."""

    def __init__(self, stream: Any, *, coded: bool) -> None:
        self._stream, self._coded = stream, coded

    def made(self, packet: Any, shift: Fraction) -> Iterator[Any]:
        """Yield what a packet of the source becomes.

        Raises:
            FFmpegError: It does not decode.
            ValueError: It decodes to sound of another kind than the track's.
        """
        if not self._coded:
            yield self._moved(packet, shift)
            return
        for frame in packet.decode():
            begin = (frame.pts or 0) * Fraction(frame.time_base) + shift
            frame.pts = round(begin * frame.sample_rate)
            frame.time_base = Fraction(1, frame.sample_rate)
            yield from self._stream.encode(frame)

    def _moved(self, packet: Any, shift: Fraction) -> Any:
        unit = Fraction(packet.time_base)
        ticks = shift / unit
        # A tick of the file may be coarser than the clip's own shift: the sampling rate is not.
        finer = ticks.denominator
        packet.time_base = unit / finer
        for name in ("pts", "dts"):
            value = getattr(packet, name)
            if value is not None:
                setattr(packet, name, value * finer + ticks.numerator)
        packet.duration = (packet.duration or 0) * finer
        packet.stream = self._stream
        return packet

    def rest(self) -> Iterator[Any]:
        """Yield what an encoder still holds; to be called once, at the very end."""
        if self._coded:
            yield from self._stream.encode(None)
