"""Making decoded pictures upright, progressive, square-pixelled and small."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
from av.error import BlockingIOError as NothingYet
from av.error import EOFError as Finished
from av.video.reformatter import VideoReformatter

from handlers.media.probe import VideoFacts

# The clock of the filter graph, in ticks a second.
_CLOCK = 90_000
_TURNS = {90: "transpose=cclock", 180: "hflip,vflip", 270: "transpose=clock"}


def display_size(video: VideoFacts, height: int) -> tuple[int, int]:
    """Return the even (width, height) in pixels of a picture shown upright, at most ``height``."""
    wide, high = Fraction(video.width) * video.pixel_aspect, Fraction(video.height)
    if video.rotation in {90, 270}:
        wide, high = high, wide
    target = min(Fraction(height), high)
    return _even(wide * target / high), _even(target)


def upright(frame: av.VideoFrame, video: VideoFacts, height: int) -> av.VideoFrame:
    """Return one picture as :class:`Preparer` makes it, at most ``height`` pixels high."""
    prepare = Preparer(video, display_size(video, height))
    return [*prepare(frame, 0), *prepare.finish()][0]


def is_rgb(video: VideoFacts) -> bool:
    """Say whether the stored picture is RGB and not luma and chroma."""
    return video.colour.matrix == "gbr" or av.VideoFormat(video.pixel_format).is_rgb


def _even(length: Fraction) -> int:
    return max(2, 2 * round(length / 2))


class Preparer:
    """Turns decoded frames into yuv420p, limited range, of one size.

    Progressive upright pictures go straight through the scaler; a filter graph
    is built only where a picture has to be turned or its fields joined.
    """

    def __init__(self, video: VideoFacts, size: tuple[int, int]) -> None:
        self._video = video
        self._size = size
        self._scaler = VideoReformatter()
        self._graph: Any = None
        self._filtered = bool(video.rotation) or video.interlaced
        self._colour = _conversion(video)

    def __call__(self, frame: av.VideoFrame, pts: int) -> Iterator[av.VideoFrame]:
        """Yield what is ready, each frame with the ``pts`` that it came with."""
        if not self._filtered:
            yield self._scale(frame, pts)
            return
        frame.pts = pts
        if self._graph is None:
            self._graph = _graph(frame, self._video)
        self._graph.vpush(frame)
        yield from self._pull()

    def finish(self) -> Iterator[av.VideoFrame]:
        """Yield what a filter still holds."""
        if self._graph is not None:
            self._graph.vpush(None)
            yield from self._pull()

    def _pull(self) -> Iterator[av.VideoFrame]:
        while True:
            try:
                frame = self._graph.vpull()
            except (NothingYet, Finished):
                return
            # A filter may count in another unit than it was given.
            yield self._scale(frame, round(frame.pts * frame.time_base * _CLOCK))

    def _scale(self, frame: av.VideoFrame, pts: int) -> av.VideoFrame:
        width, height = self._size
        made = self._scaler.reformat(frame, width, height, "yuv420p", **self._colour)
        made.pts = pts
        return made


def _graph(frame: av.VideoFrame, video: VideoFacts) -> Any:
    graph = av.filter.Graph()
    steps = ["yadif=mode=send_frame"] if video.interlaced else []
    steps += _TURNS.get(video.rotation, "").split(",") if video.rotation else []
    nodes = [
        graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=Fraction(1, _CLOCK),
        )
    ]
    for step in steps:
        name, _, arguments = step.partition("=")
        nodes.append(graph.add(name, arguments))
    nodes.append(graph.add("buffersink"))
    graph.link_nodes(*nodes).configure()
    return graph


def _conversion(video: VideoFacts) -> dict[str, Any]:
    """Say what the scaler must convert: full range to limited, RGB to BT.709."""
    wanted: dict[str, Any] = {}
    if video.colour.range == "pc" or video.pixel_format.startswith("yuvj"):
        wanted.update(src_color_range="JPEG", dst_color_range="MPEG")
    if is_rgb(video):
        wanted.update(dst_colorspace="ITU709", dst_color_range="MPEG")
    return wanted
