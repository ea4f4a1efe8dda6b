"""One way to read any clip: a file, several files of one clip, or an image sequence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av

from handlers.contract import UnusableMedia
from handlers.media import apart, decode, sequence, spanned
from handlers.media.decode import AudioSink, FrameSource
from handlers.media.probe import Probe, probe
from handlers.media.source import shown


def is_sequence(path: Path) -> bool:
    """Say whether a path names an image sequence: "#" stands for its digits."""
    return "#" in path.name and not path.exists()


def probe_clip(
    path: Path, members: Sequence[Path] = (), *, default_rate: Fraction = sequence.DEFAULT_RATE
) -> Probe:
    """Read what a clip is, whatever it consists of, with the sound that lies beside it.

    Args:
        path: The file, or the name of a sequence.
        members: The images of a sequence, or the parts of a spanned clip, in order.
        default_rate: Frames a second of a sequence whose images state none.

    Raises:
        UnusableMedia: It is no media, or none of its pictures decodes.
    """
    if is_sequence(path):
        return sequence.probe_sequence(path, members, default_rate=default_rate)
    if len(members) > 1:
        return spanned.probe_spanned(path, members)
    return apart.complete(path, probe(path))


def open_decoder(path: Path, source: Probe, *, on_audio: AudioSink | None = None) -> FrameSource:
    """Return one pass over the clip that ``source`` is the probe of.

    Raises:
        UnusableMedia: It holds no picture.
    """
    if source.video is None:
        raise UnusableMedia(f"{shown(path)} holds sound but no picture; drop a clip.")
    if is_sequence(path):
        return sequence.SequenceDecoder(path, source)
    if source.files:
        return spanned.SpannedDecoder(path, source, on_audio=on_audio)
    return apart.decoder(path, source.video, source.sound_files, on_audio)


def frames_at(path: Path, source: Probe, numbers: list[int]) -> Iterator[av.VideoFrame | None]:
    """Decode only the pictures of the given frames; see :func:`handlers.media.decode.frames_at`."""
    if is_sequence(path):
        return sequence.sequence_frames_at(source, numbers)
    if source.files:
        return spanned.spanned_frames_at(source, numbers)
    return decode.frames_at(path, source, numbers)
