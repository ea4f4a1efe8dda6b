"""Pictures in another size or pixel format, by FFmpeg's swscale in one thread."""

from __future__ import annotations

from typing import Any

import av
from av.video.reformatter import VideoReformatter


class Scaler:
    """Scales and converts frames; one for a whole clip keeps its tables from frame to frame.

    In several threads swscale writes a wrong line of chroma, or of luma, where a thread's
    share of the picture begins, when it converts to more than 8 bits without scaling: another
    line from run to run. One thread does a 1080p picture in some milliseconds.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def __call__(
        self,
        frame: av.VideoFrame,
        width: int | None = None,
        height: int | None = None,
        format: str | None = None,  # noqa: A002 - as PyAV says it
        **options: Any,
    ) -> av.VideoFrame:
        """Return a frame in another size or format; itself where nothing changes.

        Args:
            frame: What is read.
            width: Pixels wide, as the frame where not given.
            height: Pixels high, as the frame where not given.
            format: FFmpeg's name of the pixel format, the frame's where not given.
            options: Colour spaces, ranges and the way of interpolation, by PyAV's names.
        """
        made: av.VideoFrame = self._reformatter.reformat(
            frame, width, height, format, threads=1, **options
        )
        return made
