"""Fields of interlaced footage: written as they are stored, both woven into a picture."""

from __future__ import annotations

from typing import Any

import av

from handlers.effects.picture.footage import Source
from handlers.effects.picture.target import Target
from handlers.media.probe import usable
from handlers.media.source import open_media, picture_stream

# FFmpeg's numbers of the orders of fields, by which is shown first.
_TOP, _BOTTOM = frozenset({2, 5}), frozenset({3, 4})
# Encoders of which the container says it, however they code.
_TOLD = frozenset({"ffv1", "prores_ks"})
# Encoders that code fields apart, what they need to be told, and of what height they do it.
_CODERS = {"prores_ks": ("+ildct", 2), "libx264": ("+ildct+ilme", 4)}


def order_of(source: Source) -> int:
    """Return which field of a picture is shown first, as FFmpeg numbers it; 0 is not said."""
    if source.is_sequence or not source.video.interlaced:
        return 0
    path = source.probe.files[0] if source.probe.files else source.path
    with usable(path), open_media(path) as container:
        stream: Any = picture_stream(container)
        return int(stream.codec_context.field_order)


def is_lost(order: int, target: Target) -> bool:
    """Say whether a source says which field is first, and what is written does not."""
    said = target.kind.codec in _TOLD or _are_coded(order, target)
    return order in _TOP | _BOTTOM and not said


def _are_coded(order: int, target: Target) -> bool:
    if target.kind.codec not in _CODERS or order not in _TOP | _BOTTOM:
        return False
    _, height = _CODERS[target.kind.codec]
    return target.size[1] % height == 0


class Fields:
    """Says on pictures which field is shown first: encoders take it from there.

    Args:
        order: As :func:`order_of` gives it.
        target: What is written.
    """

    def __init__(self, order: int, target: Target) -> None:
        codec = target.kind.codec
        self._first = "tff" if order in _TOP else "bff"
        self.options = {"flags": _CODERS[codec][0]} if _are_coded(order, target) else {}
        if self.options and codec == "libx264":
            # It takes its headers from what it was told at the start.
            self.options["x264-params"] = f"{self._first}=1"
        self._graph: Any = None

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return the same samples, with it said where the encoder wants to know."""
        if not self.options:
            return frame
        if self._graph is None:
            self._graph = self._made(frame)
        self._graph.vpush(frame)
        said: av.VideoFrame = self._graph.vpull()
        return said

    def _made(self, frame: av.VideoFrame) -> Any:
        graph = av.filter.Graph()
        unit = frame.time_base
        buffer = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=unit
        )
        graph.link_nodes(buffer, graph.add("setfield", self._first), graph.add("buffersink"))
        graph.configure()
        return graph
