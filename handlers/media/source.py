"""Opening media files, and writing their names so that people and JSON can read them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer

# Text, subtitles and playlists open in FFmpeg too; they are no camera or sound files, and a
# playlist would make it look for other files.
_NO_MEDIA = frozenset({"tty", "hls", "concat", "ass", "srt", "webvtt", "subviewer", "microdvd"})
_OPTIONS = {"protocol_whitelist": "file"}


class NotMedia(ValueError):
    """The file opens as something that holds neither pictures nor sound."""


class UnknownCodec(NotMedia):
    """The file is media, and nothing here can decode it."""


class CameraRaw(UnknownCodec):
    """The file is raw data of a camera, which only its maker's software can develop."""


# What the raw data of each ending is called, and what turns it into a clip.
_RAW = {
    ".r3d": ("REDCODE RAW", "REDCINE-X PRO or DaVinci Resolve"),
    ".braw": ("Blackmagic RAW", "DaVinci Resolve"),
    ".ari": ("ARRIRAW", "the ARRI Reference Tool or DaVinci Resolve"),
    ".arx": ("ARRIRAW HDE", "the ARRI Reference Tool or DaVinci Resolve"),
    ".crm": ("Canon Cinema RAW Light", "Canon's Cinema RAW Development or DaVinci Resolve"),
    ".nev": ("Nikon N-RAW", "NX Studio or DaVinci Resolve"),
}


def shown(path: Path | str) -> str:
    """Return the file name as one line of valid Unicode, for messages, labels and JSON."""
    return shown_text(os.fsencode(Path(path).name).decode("utf-8", "replace"))


def shown_text(text: str) -> str:
    """Return what a file says of itself as one line that any format can hold."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def advice(_path: Path) -> str:
    """Say what a person can do about a file that does not decode."""
    return "copy it again from the camera original."


def refuse_raw(path: Path) -> None:
    """Stop at a camera's raw file, which FFmpeg would take for damaged media.

    Raises:
        CameraRaw: The name has the ending of one.
    """
    if path.suffix.lower() in _RAW:
        kind, software = _RAW[path.suffix.lower()]
        raise CameraRaw(
            f"{shown(path)} is {kind}, which cannot be decoded here; "
            f"transcode it with {software} and drop the result."
        )


def open_media(path: Path) -> InputContainer:
    """Open a media file; nothing but that one local file is ever read.

    Raises:
        av.error.FFmpegError: FFmpeg cannot open it.
        NotMedia: It opens, but as text or a playlist, or holds no stream.
        CameraRaw: It is a camera's raw file.
        UnknownCodec: Its pictures cannot be decoded.
    """
    refuse_raw(path)
    # An absolute path cannot be taken for a protocol, as "day:01.mov" could.
    name = os.path.abspath(path)
    container: InputContainer = av.open(name, options=dict(_OPTIONS), metadata_errors="replace")
    try:
        _require_media(container, path)
    except NotMedia:
        container.close()
        raise
    return container


def picture_stream(container: InputContainer) -> Any | None:
    """Return the main video stream, or None; a cover image is no video."""
    videos = [video for video in _videos(container) if video.codec_context is not None]
    return max(videos, key=lambda video: video.width * video.height) if videos else None


def copied_picture(target: Any, picture: Any) -> Any:
    """Add to a container that is written a stream for the packets of a picture as they are.

    Raises:
        ValueError: The container cannot hold such a picture.
    """
    # Opaque: what is only copied needs no encoder.
    made = target.add_stream_from_template(picture, opaque=True)
    if picture.codec_context.name == "prores":
        # A MOV would call every kind of it 422 HQ.
        made.codec_context.codec_tag = picture.codec_context.codec_tag
    elif picture.codec_context.name == "hevc" and target.format.name == "mov":
        # QuickTime takes HEVC under this name only.
        made.codec_context.codec_tag = "hvc1"
    return made


def sound_streams(container: InputContainer) -> list[Any]:
    """Return the audio streams that can be decoded, without those that stayed empty."""
    return [
        audio
        for audio in container.streams.audio
        if audio.codec_context is not None and audio.channels and audio.rate
    ]


def _videos(container: InputContainer) -> list[Any]:
    cover = av.stream.Disposition.attached_pic
    return [video for video in container.streams.video if not video.disposition & cover]


def _require_media(container: InputContainer, path: Path) -> None:
    videos = _videos(container)
    if container.format.name in _NO_MEDIA or not (videos or container.streams.audio):
        raise NotMedia(
            f"{shown(path)} holds neither pictures nor sound; "
            "put a camera clip or a sound recording in its place."
        )
    readable = picture_stream(container) if videos else sound_streams(container)
    if not readable:
        raise UnknownCodec(
            f"{shown(path)} is recorded in a codec that cannot be decoded here; "
            "convert it with the camera maker's software."
        )
