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


def shown(path: Path | str) -> str:
    """Return the file name as one line of valid Unicode, for messages, labels and JSON."""
    name = os.fsencode(Path(path).name).decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name)


def open_media(path: Path) -> InputContainer:
    """Open a media file; nothing but that one local file is ever read.

    Raises:
        av.error.FFmpegError: FFmpeg cannot open it.
        NotMedia: It opens, but as text or a playlist, or holds no stream.
    """
    # An absolute path cannot be taken for a protocol, as "day:01.mov" could.
    name = os.path.abspath(path)
    container: InputContainer = av.open(name, options=dict(_OPTIONS), metadata_errors="replace")
    if container.format.name in _NO_MEDIA or not (_videos(container) or container.streams.audio):
        container.close()
        raise NotMedia(f"{shown(path)} holds neither pictures nor sound")
    return container


def picture_stream(container: InputContainer) -> Any | None:
    """Return the main video stream, or None; a cover image is no video."""
    videos = _videos(container)
    return max(videos, key=lambda video: video.width * video.height) if videos else None


def _videos(container: InputContainer) -> list[Any]:
    cover = av.stream.Disposition.attached_pic
    return [
        video
        for video in container.streams.video
        if video.codec_context is not None and not video.disposition & cover
    ]
