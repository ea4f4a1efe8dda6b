"""What is written: the format chosen for a source, and whether it holds what the source is.

ProRes and DNxHR stop at 10 bits in this FFmpeg, so what has more goes to FFV1, or to images.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np

from handlers.contract import UnusableMedia
from handlers.effects.picture.convert import MATRICES, Coding
from handlers.effects.picture.layout import Layout, layout_of
from handlers.effects.picture.told import notes
from handlers.effects.spec import Format
from handlers.media.probe import ColourFacts

Sampling = Literal["422", "444", "source"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One of the formats: what it stores and how FFmpeg or OpenImageIO write it.

    ``sampling`` is that of chroma, "source" where any can be stored; ``bits`` 0 is as many as the
    source has. ``least`` is the smallest width and height.
    """

    suffix: str
    bits: int
    codec: str = ""
    sampling: Sampling = "source"
    alpha: bool = False
    rgb: bool = False
    floating: bool = False
    full: bool = False
    options: MappingProxyType[str, str] = field(default_factory=lambda: MappingProxyType({}))
    least: tuple[int, int] = (1, 1)

    @property
    def is_sequence(self) -> bool:
        """Say whether it is written as one image for each frame."""
        return not self.codec


def _options(**options: str) -> MappingProxyType[str, str]:
    return MappingProxyType(options)


# No B-frames: decoding order is that of presentation, so segments join without edit lists.
_X264 = _options(crf="10", preset="medium", bf="0")
# x265 is slow in this build; at so high a quality a quick choice costs size alone.
_X265 = _options(crf="10", preset="superfast")
_FFV1 = _options(level="3", g="1", slicecrc="1")
KINDS: MappingProxyType[str, Kind] = MappingProxyType({
    "prores-422-hq": Kind(suffix=".mov", bits=10, codec="prores_ks", sampling="422",
                          options=_options(profile="hq", vendor="apl0")),
    "prores-4444": Kind(suffix=".mov", bits=10, codec="prores_ks", sampling="444", alpha=True,
                        options=_options(profile="4444", vendor="apl0", alpha_bits="16")),
    "dnxhr-hqx": Kind(suffix=".mov", bits=10, codec="dnxhd", sampling="422",
                      options=_options(profile="dnxhr_hqx"), least=(256, 120)),
    "dnxhr-444": Kind(suffix=".mov", bits=10, codec="dnxhd", sampling="444", rgb=True,
                      options=_options(profile="dnxhr_444"), least=(256, 120)),
    "h264-10": Kind(suffix=".mov", bits=10, codec="libx264", full=True, options=_X264,
                    least=(16, 16)),
    "hevc-10": Kind(suffix=".mov", bits=10, codec="libx265", rgb=True, full=True, options=_X265,
                    least=(16, 16)),
    "hevc-12": Kind(suffix=".mov", bits=12, codec="libx265", rgb=True, full=True, options=_X265,
                    least=(16, 16)),
    "ffv1": Kind(suffix=".mkv", bits=0, codec="ffv1", rgb=True, alpha=True, full=True,
                 options=_FFV1),
    "exr-half": Kind(suffix=".exr", bits=16, alpha=True, rgb=True, floating=True),
    "exr-float": Kind(suffix=".exr", bits=32, alpha=True, rgb=True, floating=True),
    "dpx-10": Kind(suffix=".dpx", bits=10, alpha=True, rgb=True),
    "dpx-12": Kind(suffix=".dpx", bits=12, alpha=True, rgb=True),
    "dpx-16": Kind(suffix=".dpx", bits=16, alpha=True, rgb=True),
    "tiff-8": Kind(suffix=".tif", bits=8, alpha=True, rgb=True),
    "tiff-16": Kind(suffix=".tif", bits=16, alpha=True, rgb=True),
    "png-8": Kind(suffix=".png", bits=8, alpha=True, rgb=True),
    "png-16": Kind(suffix=".png", bits=16, alpha=True, rgb=True),
})  # fmt: skip
"""Every format by its name in the configuration."""
_HD_HEIGHT = 720


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a source's samples are, as far as a format has to hold it.

    ``codec`` is FFmpeg's name, or OpenImageIO's of the images' format; ``coding`` is None for
    images. ``name`` is for messages. ``grey`` says that one channel stands for all colours,
    ``luminance`` that it is that of a picture, and not depth or the like. ``further`` are the
    channels of images besides colours and alpha; ``timecode`` is empty where the source itself
    says none.
    """

    name: str
    codec: str
    bits: int
    floating: bool
    alpha: bool
    grey: bool
    scene_linear: bool
    colour: ColourFacts
    size: tuple[int, int]
    coding: Coding | None = None
    dtype: np.dtype[Any] | None = None
    luminance: bool = False
    further: tuple[str, ...] = ()
    timecode: str = ""

    @property
    def rgb(self) -> bool:
        """Say whether colours are stored as red, green and blue."""
        return self.coding is None or self.coding.layout.kind == "rgb"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is written.

    ``size`` is width and height in pixels; ``coding`` how a clip's planes code colours, None for
    images; ``dtype`` and ``bits`` are those of one image sample. ``grey`` says that what has one
    channel for all colours keeps it. ``notes`` are sentences for the report about what the format
    cannot hold.
    """

    format: Format
    kind: Kind
    size: tuple[int, int]
    alpha: bool
    bits: int
    dtype: np.dtype[Any]
    colour: ColourFacts
    coding: Coding | None = None
    grey: bool = False
    notes: tuple[str, ...] = ()

    @property
    def is_sequence(self) -> bool:
        """Say whether images are written."""
        return self.kind.is_sequence

    @property
    def premultiplied(self) -> bool:
        """Say whether colours are stored multiplied by alpha: in EXR alone."""
        return self.kind.floating

    def require_coding(self) -> Coding:
        """Return how a clip's planes code colours."""
        if self.coding is None:
            raise ValueError(f"{self.format} is a format of images")
        return self.coding


def choose(
    held: Held,
    size: tuple[int, int],
    *,
    alpha: bool,
    wanted: Format | None,
    keeps_grey: bool = True,
) -> Target:
    """Choose what is written.

    Args:
        held: What the source's samples are.
        size: Width and height of what is to be written.
        alpha: Whether it has alpha.
        wanted: The format that a person asked for; None chooses the one that holds it best.
        keeps_grey: Whether what is grey stays so; else it is given colours.

    Raises:
        UnusableMedia: The format cannot hold it; the sentence names one that can.
    """
    if held.luminance and not keeps_grey:
        held = dataclasses.replace(held, grey=False)
    chosen = wanted or default_format(held, size, alpha=alpha)
    kind = KINDS[chosen]
    _require_holds(held, chosen, kind, alpha=alpha)
    coding = None if kind.is_sequence else _coding(held, kind, alpha=alpha)
    if coding is not None:
        _require_size(held, chosen, kind, coding, size)
    bits = coding.layout.bits if coding else kind.bits
    target = Target(
        format=chosen,
        kind=kind,
        size=size,
        alpha=alpha,
        bits=bits,
        dtype=_dtype(held, kind, bits),
        colour=_colour(held, kind, coding, size),
        coding=coding,
        grey=held.grey and (coding is None or coding.layout.kind == "grey"),
    )
    return dataclasses.replace(target, notes=tuple(notes(held, target)))


def default_format(held: Held, size: tuple[int, int], *, alpha: bool) -> Format:
    """Return the format that holds a source best."""
    if held.coding is None:
        return _default_images(held)
    if held.floating:
        return "exr-half" if held.bits <= 16 else "exr-float"
    if held.bits > 10 or held.codec in _LOSSLESS:
        return "ffv1"
    full_chroma = alpha or held.rgb or held.coding.layout.shrink == (0, 0)
    is_even = size[0] % 2 == size[1] % 2 == 0
    is_dnx = held.codec == "dnxhd" and is_even and size[0] >= 256 and size[1] >= 120
    if is_dnx and not alpha:
        return "dnxhr-444" if full_chroma else "dnxhr-hqx"
    return "prores-4444" if full_chroma else "prores-422-hq"


_LOSSLESS = frozenset(
    "ffv1 ffvhuff huffyuv utvideo magicyuv png qtrle rawvideo r210 v210 v410 hap".split()  # noqa: SIM905
) - {"hap"}


def _default_images(held: Held) -> Format:
    if held.floating:
        return "exr-half" if held.dtype == np.float16 else "exr-float"
    if held.codec in {"dpx", "cineon"}:
        return "dpx-10" if held.bits <= 10 else "dpx-12" if held.bits <= 12 else "dpx-16"
    if held.codec == "tiff":
        return "tiff-8" if held.bits <= 8 else "tiff-16"
    return "png-8" if held.bits <= 8 else "png-16" if held.codec == "png" else "tiff-16"


def _require_holds(held: Held, chosen: Format, kind: Kind, *, alpha: bool) -> None:
    if held.floating and not kind.floating:
        raise UnusableMedia(
            f"{held.name} holds float values, below 0 and above 1 too, which {chosen} would cut "
            "off; set format to exr-half or exr-float."
        )
    if alpha and not kind.alpha:
        raise UnusableMedia(
            f"{held.name} has alpha after its effects, which {chosen} cannot hold; set format to "
            "prores-4444, ffv1 or images."
        )


def _require_size(
    held: Held, chosen: Format, kind: Kind, coding: Coding, size: tuple[int, int]
) -> None:
    across, down = coding.layout.shrink
    if kind.codec == "dnxhd":
        # Its encoder writes odd sizes that no decoder reads.
        across, down = 1, 1
    strict = kind.codec in {"libx264", "libx265", "dnxhd"}
    if strict and (size[0] % (1 << across) or size[1] % (1 << down)):
        raise UnusableMedia(
            f"{held.name} is {size[0]} x {size[1]}, and {chosen} holds only even sizes of such a "
            "picture; set format to ffv1 or prores-4444."
        )
    if size[0] < kind.least[0] or size[1] < kind.least[1]:
        raise UnusableMedia(
            f"{held.name} is {size[0]} x {size[1]}, and {chosen} begins at "
            f"{kind.least[0]} x {kind.least[1]}; set format to ffv1 or to images."
        )


def _dtype(held: Held, kind: Kind, bits: int) -> np.dtype[Any]:
    if kind.floating:
        # Images that mix types of channels are kept in the one that holds all of them.
        mixed = held.coding is None and held.dtype == np.float64 and bits == 32
        return np.dtype(np.float64) if mixed else np.dtype(f"<f{bits // 8}")
    return np.dtype(np.uint8 if bits <= 8 else "<u2")


def _coding(held: Held, kind: Kind, *, alpha: bool) -> Coding:
    own = held.coding
    layout = _layout(held, kind, alpha=alpha)
    if layout.kind != "yuv":
        return Coding(layout=layout, matrix="gbr", full=True)
    if own is None or own.layout.kind != "yuv":
        matrix = "bt2020nc" if held.colour.primaries == "bt2020" else "bt709"
        return Coding(layout=layout, matrix=matrix, full=False)
    # An effect that makes other colours says the matrix of what it makes.
    matrix = held.colour.matrix if held.colour.matrix in MATRICES else own.matrix
    if kind.codec == "dnxhd" and matrix not in _DNX_MATRICES:
        matrix = "bt709"
    return dataclasses.replace(own, layout=layout, matrix=matrix, full=own.full and kind.full)


# DNxHR says the matrix in its own header, and knows no others (SMPTE ST 2019-1).
_DNX_MATRICES = frozenset({"bt709", "bt2020nc"})


def _layout(held: Held, kind: Kind, *, alpha: bool) -> Layout:
    bits = kind.bits or max(8, held.bits)
    own = held.coding.layout if held.coding else None
    was_grey = own is not None and own.kind == "grey"
    is_rgb = own is None or own.kind == "rgb" or (was_grey and not held.grey)
    kept = held.grey or not was_grey
    if kept and not kind.bits and own is not None and own.alpha == alpha and _ffv1_holds(own):
        return own
    if was_grey and held.grey and not alpha and kind.codec in _GREY_CODECS:
        return layout_of("gray" if bits == 8 else f"gray{bits}le")
    if is_rgb and kind.rgb:
        return layout_of(_named("gbrap" if alpha else "gbrp", _rgb_bits(bits)))
    sampling = kind.sampling
    if sampling == "source":
        sampling_name = "444" if own is None else _sampling_of(own)
    else:
        sampling_name = sampling
    return layout_of(_named(f"yuv{'a' if alpha else ''}{sampling_name}p", bits))


_GREY_CODECS = frozenset({"ffv1", "libx264", "libx265"})


def _named(stem: str, bits: int) -> str:
    return stem if bits == 8 else f"{stem}{bits}le"


def _rgb_bits(bits: int) -> int:
    return next(each for each in (8, 10, 12, 16) if bits <= each)


def _sampling_of(layout: Layout) -> str:
    if layout.kind != "yuv":
        return "444"
    return {(0, 0): "444", (1, 0): "422", (1, 1): "420"}.get(layout.shrink, "444")


_FFV1_YUV = {8: ("420", "422", "444", "440", "411", "410"), 9: ("420", "422", "444"),
             10: ("420", "422", "444", "440"), 12: ("420", "422", "444", "440"),
             14: ("420", "422", "444"), 16: ("420", "422", "444")}  # fmt: skip
_FFV1_ALPHA = {8: ("420", "422", "444"), 9: ("420", "422", "444"), 10: ("420", "422", "444"),
               12: ("422", "444"), 16: ("420", "422", "444")}  # fmt: skip


def _ffv1_holds(layout: Layout) -> bool:
    """Say whether FFmpeg's FFV1 encoder takes a layout as it is."""
    if layout.kind == "yuv":
        table = _FFV1_ALPHA if layout.alpha else _FFV1_YUV
        names = {(0, 0): "444", (1, 0): "422", (1, 1): "420", (0, 1): "440", (2, 0): "411"}
        return names.get(layout.shrink, "410") in table.get(layout.bits, ())
    if layout.kind == "rgb":
        return layout.bits in ({8, 10, 12, 14, 16} if layout.alpha else {8, 9, 10, 12, 14, 16})
    return layout.bits in {8, 9, 10, 12, 14, 16}


def _colour(held: Held, kind: Kind, coding: Coding | None, size: tuple[int, int]) -> ColourFacts:
    colour = held.colour
    if coding is None:
        return dataclasses.replace(colour, matrix="gbr", range="pc")
    if coding.layout.kind != "yuv":
        matrix = "gbr" if coding.layout.kind == "rgb" else colour.matrix
        return dataclasses.replace(colour, matrix=matrix, range="pc")
    # What does not say is guessed by its height, so what changes its height has to say.
    same_guess = (held.size[1] >= _HD_HEIGHT) == (size[1] >= _HD_HEIGHT)
    silent = colour.matrix == "unknown" and same_guess and not held.rgb
    silent = silent and kind.codec != "dnxhd"
    named = "unknown" if silent else coding.matrix
    if coding.full or held.rgb:
        return dataclasses.replace(colour, matrix=named, range="pc" if coding.full else "tv")
    is_unsaid = colour.range == "unknown"
    return dataclasses.replace(colour, matrix=named, range="unknown" if is_unsaid else "tv")


assert set(KINDS) == set(get_args(Format))  # noqa: S101 - a table must be whole
