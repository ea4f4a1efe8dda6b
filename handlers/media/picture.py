"""Making decoded pictures upright, progressive, square-pixelled and small."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
from av.error import BlockingIOError as NothingYet
from av.error import EOFError as Finished
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from handlers.media.look import Look
from handlers.media.probe import MATRICES, ColourFacts, VideoFacts
from handlers.media.scaling import Scaler

# The clock of the filter graph, in ticks a second.
_CLOCK = 90_000
# From this height on, players take a picture that does not say for BT.709.
_HD_HEIGHT = 720
# The scaler's names of the matrices that it knows.
_SPACES = {
    "bt709": Colorspace.ITU709,
    "fcc": Colorspace.FCC,
    "bt470bg": Colorspace.ITU601,
    "smpte170m": Colorspace.ITU601,
    "smpte240m": Colorspace.SMPTE240M,
    "bt2020nc": Colorspace.BT2020,
    "bt2020c": Colorspace.BT2020,
}
_TURNS = {90: "transpose=cclock", 180: "hflip,vflip", 270: "transpose=clock"}


def display_size(video: VideoFacts, height: int) -> tuple[int, int]:
    """Return the even (width, height) in pixels of a picture shown upright, at most ``height``."""
    wide, high = Fraction(video.width) * video.pixel_aspect, Fraction(video.height)
    if video.rotation in {90, 270}:
        wide, high = high, wide
    target = min(Fraction(height), high)
    return _even(wide * target / high), _even(target)


def upright(
    frame: av.VideoFrame, video: VideoFacts, height: int, look: Look | None = None
) -> av.VideoFrame:
    """Return one picture as :class:`Preparer` makes it, at most ``height`` pixels high."""
    prepare = Preparer(video, display_size(video, height), look)
    return [*prepare(frame, 0), *prepare.finish()][0]


def made_colour(video: VideoFacts, look: Look | None = None) -> ColourFacts:
    """Return how a prepared picture's values are to be read: as the source's, in limited range.

    A source that does not say is taken by players for what its height suggests; what is made
    of it is smaller, so it has to say what they would have taken the source for. A look
    makes pictures for a Rec. 709 display.
    """
    if look is not None:
        return ColourFacts(primaries="bt709", transfer="bt709", matrix="bt709", range="tv")
    colour = video.colour
    usual = "bt709" if video.height >= _HD_HEIGHT or is_rgb(video) else "smpte170m"
    matrix = colour.matrix if colour.matrix not in {"gbr", "unknown"} else usual
    return dataclasses.replace(colour, matrix=matrix, range="tv")


def tag_colour(tagged: Any, colour: ColourFacts) -> None:
    """Say on a picture, or on an encoder, how its values are to be read."""
    tagged.color_range = ColorRange.JPEG if colour.range == "pc" else ColorRange.MPEG
    tagged.colorspace = MATRICES[colour.matrix]
    tagged.color_primaries = _code(ColorPrimaries, colour.primaries)
    tagged.color_trc = _code(ColorTrc, colour.transfer)


def _code(kind: Any, name: str) -> int:
    return int(getattr(kind, name.upper(), kind.UNSPECIFIED))


def is_rgb(video: VideoFacts) -> bool:
    """Say whether the stored picture is RGB and not luma and chroma."""
    return video.colour.matrix == "gbr" or av.VideoFormat(video.pixel_format).is_rgb


def _even(length: Fraction) -> int:
    return max(2, 2 * round(length / 2))


class Preparer:
    """Turns decoded frames into yuv420p, limited range, of one size.

    Progressive upright pictures go straight through the scaler; a filter graph
    is built only where a picture has to be turned or its fields joined. A picture that needs
    nothing comes out itself, unless the pictures shall be ``owned``, to be written into.
    """

    def __init__(
        self,
        video: VideoFacts,
        size: tuple[int, int],
        look: Look | None = None,
        *,
        owned: bool = False,
    ) -> None:
        self._video = video
        self._look = look
        self._owned = owned
        self._size = size
        self._scaler, self._second = Scaler(), Scaler()
        self._graph: Any = None
        self._filtered = bool(video.rotation) or video.interlaced
        self._colour = _conversion(video) if look is None else _to_look(video)
        self._made = made_colour(video, look)

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
        if self._look is None:
            made = self._scaler(frame, width, height, "yuv420p", **self._colour)
        else:
            made = self._shown(frame, self._look)
        if made is frame and self._owned:
            made = av.VideoFrame.from_ndarray(frame.to_ndarray(), "yuv420p")
        tag_colour(made, self._made)
        made.pts = pts
        return made

    def _shown(self, frame: av.VideoFrame, look: Look) -> av.VideoFrame:
        """Scale first: a look costs by the pixel, and a proxy has few."""
        width, height = self._size
        recorded: Any = self._scaler(frame, width, height, "rgb48le", **self._colour)
        made = av.VideoFrame.from_ndarray(look(recorded.to_ndarray()), "rgb24")
        return self._second(
            made, format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range="MPEG"
        )


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


def _to_look(video: VideoFacts) -> dict[str, Any]:
    """Say how values as recorded become R'G'B' in full range, the form that looks are made for."""
    full = video.colour.range == "pc" or video.pixel_format.startswith("yuvj") or is_rgb(video)
    return {
        "src_colorspace": _SPACES.get(made_colour(video).matrix, Colorspace.ITU709),
        "src_color_range": "JPEG" if full else "MPEG",
        "dst_color_range": "JPEG",
    }
