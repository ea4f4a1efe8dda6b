"""Luma of a decoded frame at its native bit depth, without a copy where the format allows."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from handlers.analysis.curve import Scale, curve_of, scale
from handlers.media.probe import VideoFacts
from handlers.media.scaling import Scaler

Plane = NDArray[Any]

# Deeper pictures are judged in steps of a 12-bit scale.
_DEEPEST = 12


class LumaReader:
    """Gives each frame's luma plane.

    Planar YUV and gray pictures of native byte order are looked at where they lie.
    All others (RGB, packed, big-endian) are converted first; of RGB that is luma in full
    range, not the single channels.

    Args:
        video: What the picture is.
        gamma: The camera's own name of its transfer curve, if known.
    """

    def __init__(self, video: VideoFacts, gamma: str | None = None) -> None:
        self.curve = curve_of(video.colour.transfer, gamma)
        self._form = video.pixel_format
        self._interlaced = video.interlaced
        kind = av.VideoFormat(video.pixel_format)
        bits = max(component.bits for component in kind.components)
        self._convert = Scaler()
        full = video.colour.range == "pc" or video.pixel_format.startswith("yuvj")
        if not is_native(kind):
            bits = 8 if bits <= 8 else 16
            full = full or kind.is_rgb
            family = "gray" if kind.is_rgb else "yuv444p"
            self._form = family + ("16le" if bits > 8 else "")
        self.shift = max(0, bits - _DEEPEST)
        self._deep = bits > 8
        self.scale: Scale = scale(self.curve, bits - self.shift, full=full)
        self._range = "JPEG" if kind.is_rgb else None

    def __call__(self, frame: av.VideoFrame) -> Plane:
        """Return uint8 or uint16 [h, w]; of interlaced pictures the first field alone."""
        if frame.format.name != self._form:
            # Also a picture that changes its format in mid-clip: it is read like the first.
            frame = self._convert(frame, format=self._form, dst_color_range=self._range)
        plane = frame.planes[0]
        kind = np.uint16 if self._deep else np.uint8
        rows = np.frombuffer(plane, kind).reshape(plane.height, -1)[:, : plane.width]
        return rows[::2] if self._interlaced else rows


def is_native(kind: av.VideoFormat) -> bool:
    """Say whether a format's first plane is luma that numpy can read as it is."""
    name = kind.name
    if name.endswith("be") or max(component.bits for component in kind.components) > 16:
        return False
    return name.startswith(("yuv4", "yuvj4", "yuva4", "gray", "nv")) and _planar(kind)


def _planar(kind: av.VideoFormat) -> bool:
    """Packed 4:2:2 begins with "yuyv"; gray floats and one-plane YUV are no plane of luma."""
    return kind.name.startswith("gray") != kind.is_planar and "f32" not in kind.name
