"""How the samples of a decoded frame lie in memory, and the frame's planes as arrays.

Whatever is packed, semi-planar or big-endian is first moved into the planar form of the same
depth and sampling: swscale only moves the bits of such pairs, which a test holds for each.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import av
import numpy as np
from numpy.typing import NDArray

from handlers.media.scaling import Scaler

Kind = Literal["yuv", "rgb", "grey"]
Plane = NDArray[Any]

PLANAR = {
    "nv12": "yuv420p", "nv21": "yuv420p", "nv16": "yuv422p", "nv24": "yuv444p", "nv42": "yuv444p",
    "nv20le": "yuv422p10le", "p010le": "yuv420p10le", "p012le": "yuv420p12le",
    "p016le": "yuv420p16le", "p210le": "yuv422p10le", "p212le": "yuv422p12le",
    "p216le": "yuv422p16le", "p410le": "yuv444p10le", "p412le": "yuv444p12le",
    "p416le": "yuv444p16le", "yuyv422": "yuv422p", "uyvy422": "yuv422p", "yvyu422": "yuv422p",
    "y210le": "yuv422p10le", "y212le": "yuv422p12le", "y216le": "yuv422p16le",
    "xv30le": "yuv444p10le", "v30xle": "yuv444p10le", "xv36le": "yuv444p12le",
    "xv48le": "yuv444p16le", "vuyx": "yuv444p", "vyu444": "yuv444p", "vuya": "yuva444p",
    "ayuv": "yuva444p", "uyva": "yuva444p", "ayuv64le": "yuva444p16le", "rgb24": "gbrp",
    "bgr24": "gbrp", "rgb0": "gbrp", "bgr0": "gbrp", "0rgb": "gbrp", "0bgr": "gbrp",
    "rgba": "gbrap", "bgra": "gbrap", "argb": "gbrap", "abgr": "gbrap", "rgb48le": "gbrp16le",
    "rgb48be": "gbrp16le", "bgr48le": "gbrp16le", "bgr48be": "gbrp16le", "rgba64le": "gbrap16le",
    "rgba64be": "gbrap16le", "bgra64le": "gbrap16le", "bgra64be": "gbrap16le",
    "x2rgb10le": "gbrp10le", "x2bgr10le": "gbrp10le", "ya8": "gbrap",
}  # fmt: skip
"""FFmpeg's pixel formats that are not planar, and the planar ones that hold the same bits."""
_PLANAR = re.compile(
    r"(?P<kind>yuvj?|yuva|gbrp|gbrap|gray)(?P<sampling>4\d\d)?p?(?P<float>f)?(?P<bits>\d\d?)?"
    r"(?P<order>le|be)?"
)
# log2 of how many times fewer chroma samples there are across and down.
_SAMPLING = {"444": (0, 0), "422": (1, 0), "420": (1, 1), "440": (0, 1), "411": (2, 0),
             "410": (2, 2)}  # fmt: skip


class UnknownLayout(ValueError):
    """A pixel format that nothing here reads; the message is its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A planar pixel format of FFmpeg.

    ``shrink`` is log2 of how many times fewer chroma samples there are than luma, across and
    down. Planes are Y, Cb, Cr or G, B, R, and alpha last; alpha and RGB use the full range.
    """

    name: str
    kind: Kind
    bits: int
    shrink: tuple[int, int] = (0, 0)
    alpha: bool = False
    floating: bool = False

    @property
    def planes(self) -> int:
        """How many planes there are."""
        return (1 if self.kind == "grey" else 3) + self.alpha

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of one sample."""
        if self.floating:
            return np.dtype(f"<f{self.bits // 8}")
        return np.dtype(np.uint8 if self.bits <= 8 else "<u2")

    @property
    def peak(self) -> int:
        """The highest code; 1 where samples are floating."""
        return 1 if self.floating else (1 << self.bits) - 1


def layout_of(name: str) -> Layout:
    """Return the planar layout of a pixel format, of its planar equal where it is packed.

    Raises:
        UnknownLayout: Nothing here reads it, as with Bayer patterns, palettes and X'Y'Z'.
    """
    match = _PLANAR.fullmatch(PLANAR.get(name, name))
    if match is None:
        raise UnknownLayout(name)
    kind = match["kind"]
    bits = int(match["bits"] or 8)
    order = "le" if bits > 8 else ""
    return Layout(
        name=f"{match[0].removesuffix(match['order'] or '')}{order}".replace("yuvj", "yuv"),
        kind="grey" if kind == "gray" else "rgb" if kind.startswith("gbr") else "yuv",
        bits=bits,
        shrink=_SAMPLING[match["sampling"] or "444"],
        alpha=kind in {"yuva", "gbrap"},
        floating=match["float"] is not None,
    )


def planar(frame: av.VideoFrame, scaler: Scaler) -> av.VideoFrame:
    """Return a frame in the planar form of its own samples, itself where it is so already."""
    own = frame.format.name
    wanted = layout_of(own).name
    if own in {wanted, wanted.replace("yuv", "yuvj")}:
        return frame
    return scaler(frame, format=wanted)


def planes_of(frame: av.VideoFrame, layout: Layout) -> list[Plane]:
    """Return a planar frame's samples, each plane [height, width], without copying them.

    They are as long-lived as the frame, and must not be written to unless it is one's own.
    """
    return [_plane(plane, layout.dtype) for plane in frame.planes[: layout.planes]]


def _plane(plane: Any, dtype: np.dtype[Any]) -> Plane:
    samples = np.frombuffer(plane, dtype)
    pitch = plane.line_size // dtype.itemsize
    return samples[: pitch * plane.height].reshape(plane.height, pitch)[:, : plane.width]


def new_frame(planes: list[Plane], layout: Layout) -> av.VideoFrame:
    """Return a frame that holds a copy of planes, each [height, width] of the layout's type."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, layout.name)
    for target, samples in zip(planes_of(frame, layout), planes, strict=True):
        target[...] = samples
    return frame


def same_size(width: int, height: int, layout: Layout) -> tuple[int, int]:
    """Return (width, height) of the chroma planes of a picture of that size."""
    across, down = layout.shrink
    return -(-width >> across), -(-height >> down)
