"""The header of an image that is written: what its source said, less what describes its pixels."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import OpenImageIO

from handlers.effects.picture.image import lossy_compression
from handlers.effects.picture.image_made import Made
from handlers.effects.picture.target import Target
from handlers.media.probe import ColourFacts
from handlers.media.timecode import Timecode, nominal

# What describes how one kind of file stores its pixels says nothing about another kind.
_OF_KIND = ("oiio:", "tiff:", "png:", "dpx:", "openexr:", "jpeg:", "cineon:", "targa:")
_OF_PIXELS = frozenset({"compression", "planarconfig", "Orientation", "screenWindowCenter",
                        "screenWindowWidth"})  # fmt: skip
# What the library makes itself, or what is no longer true.
_MADE = ("oiio:subimages", "oiio:BitsPerSample", "oiio:RawColor", "oiio:ConstantColor",
         "oiio:AverageColor", "oiio:SHA-1")  # fmt: skip
# CIE 1931 x and y of red, green, blue and white (ITU-R BT.709, BT.2020; SMPTE RP 431-2, EG 432-1).
_D65 = (0.3127, 0.3290)
_PRIMARIES = {
    "bt709": (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, *_D65),
    "bt2020": (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65),
    "smpte432": (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65),
}
# What says colours besides PNG's own chunks.
_OF_COLOURS = frozenset({"oiio:ColorSpace", "oiio:Gamma", "ICCProfile", "Exif:ColorSpace",
                         "chromaticities", "dpx:Transfer", "dpx:Colorimetric"})  # fmt: skip
# The library takes every PNG for sRGB, and would write that into one that says something else.
_OF_PNG = frozenset({"oiio:ColorSpace", "oiio:Gamma"})
_DPX_TRANSFERS = {"bt709": "ITU-R 709-4", "smpte170m": "ITU-R 601-5 system M",
                  "log": "Logarithmic"}  # fmt: skip
_DPX_PRIMARIES = {"bt709": "ITU-R 709-4", "bt470bg": "ITU-R 601-5 system B or G",
                  "smpte170m": "ITU-R 601-5 system M"}  # fmt: skip
_TYPES = {"uint8": "uint8", "uint16": "uint16", "float16": "half", "float32": "float",
          "float64": "double"}  # fmt: skip
_FASTEST_COUNTING = 30


def header(made: Made, target: Target, *, timecode: Timecode | None, about: dict[str, Any]) -> Any:
    """Return OpenImageIO's header for an image.

    Args:
        made: The image.
        target: What is written.
        timecode: That of this frame, where the source's images do not say one themselves.
        about: What to say that the source's header does not: ``rate``, ``reel``, ``aspect``,
            ``colour``, None where its own words stay. ``recoloured`` says that an effect has made
            other colours.
    """
    height, width, channels = made.samples.shape
    spec = OpenImageIO.ImageSpec(width, height, channels, _TYPES[made.samples.dtype.name])
    _take_over(spec, made, target, _untrue(target, recoloured=about["recoloured"]))
    spec.channelnames = made.names
    if made.formats:
        spec.channelformats = made.formats
    spec.x, spec.y = made.window[:2]
    spec.full_x, spec.full_y, spec.full_width, spec.full_height = made.display
    _set_alpha(spec, made)
    _set_compression(spec, made, target)
    if target.kind.suffix == ".dpx":
        spec.attribute("oiio:BitsPerSample", target.bits)
    _say(spec, target, timecode, about)
    return spec


def _untrue(target: Target, *, recoloured: bool) -> frozenset[str]:
    """Return the names of what a source's header says of colours and is not to be written."""
    return _OF_COLOURS if recoloured else _OF_PNG if target.kind.suffix == ".png" else frozenset()


def _take_over(spec: Any, made: Made, target: Target, untrue: frozenset[str]) -> None:
    if made.spec is None:
        return
    alike = _kind_of(made.spec) == target.kind.suffix
    for each in made.spec.extra_attribs:
        if each.name in _MADE or (not alike and _is_of_kind(each.name)):
            continue
        if each.name not in untrue and each.name.partition(":")[0] not in untrue:
            spec.attribute(each.name, each.type, each.value)
    if alike and made.names == tuple(made.spec.channelnames):
        spec.tile_width, spec.tile_height = made.spec.tile_width, made.spec.tile_height


def _set_compression(spec: Any, made: Made, target: Target) -> None:
    """Choose a lossless one where the source's is another format's; the quicker of them."""
    alike = made.spec is not None and _kind_of(made.spec) == target.kind.suffix
    if target.kind.floating and (not alike or lossy_compression(made.spec)):
        spec.attribute("compression", "zip")
    elif target.kind.suffix == ".tif" and not alike:
        spec.attribute("compression", "lzw")
    elif target.kind.suffix == ".png":
        spec.attribute("png:compressionLevel", 1)


def _kind_of(spec: Any) -> str:
    """Return the suffix of the format that a header was read from, told by its own attributes."""
    names = {each.name.partition(":")[0] for each in spec.extra_attribs}
    return {"openexr": ".exr", "dpx": ".dpx", "tiff": ".tif"}.get(
        next((name for name in ("openexr", "dpx", "tiff") if name in names), ""), ".png"
    )


def _is_of_kind(name: str) -> bool:
    return name.startswith(_OF_KIND) or name in _OF_PIXELS


def _set_alpha(spec: Any, made: Made) -> None:
    lower = [name.lower() for name in made.names]
    spec.alpha_channel = next((i for i, name in enumerate(lower) if name in {"a", "alpha"}), -1)
    if spec.alpha_channel >= 0 and made.straight:
        # Else the library would divide colours by alpha on their way into the file.
        spec.attribute("oiio:UnassociatedAlpha", 1)


def _say(spec: Any, target: Target, timecode: Timecode | None, about: dict[str, Any]) -> None:
    rate: Fraction = about["rate"]
    suffix = target.kind.suffix
    if suffix in {".exr", ".dpx"} and timecode and spec.getattribute("smpte:TimeCode") is None:
        kind = OpenImageIO.TypeDesc("timecode")
        spec.attribute("smpte:TimeCode", kind, (packed(timecode), 0))
    if about["aspect"] != 1 and not spec.getattribute("PixelAspectRatio"):
        spec.attribute("PixelAspectRatio", float(about["aspect"]))
    if suffix == ".exr":
        _say_exr(spec, rate, about)
    if suffix == ".dpx":
        _say_dpx(spec, rate, about)


def _say_exr(spec: Any, rate: Fraction, about: dict[str, Any]) -> None:
    colour: ColourFacts | None = about["colour"]
    if spec.getattribute("FramesPerSecond") is None:
        pair = (rate.numerator, rate.denominator)
        spec.attribute("FramesPerSecond", OpenImageIO.TypeDesc("rational"), pair)
    if about["reel"] and not spec.get_string_attribute("reelName"):
        spec.attribute("reelName", about["reel"])
    if colour is not None and spec.getattribute("chromaticities") is None:
        places = _PRIMARIES.get(colour.primaries)
        if places:
            spec.attribute("chromaticities", OpenImageIO.TypeDesc("float[8]"), places)


def _say_dpx(spec: Any, rate: Fraction, about: dict[str, Any]) -> None:
    if not spec.get_float_attribute("dpx:FrameRate"):
        spec.attribute("dpx:FrameRate", float(rate))
    if about["reel"] and not spec.get_string_attribute("dpx:InputDevice"):
        spec.attribute("dpx:InputDevice", about["reel"][:31])
    colour: ColourFacts | None = about["colour"]
    if colour is not None:
        # Its header knows no others.
        spec.attribute("dpx:Transfer", _DPX_TRANSFERS.get(colour.transfer, "Undefined"))
        spec.attribute("dpx:Colorimetric", _DPX_PRIMARIES.get(colour.primaries, "User defined"))


def packed(timecode: Timecode) -> int:
    """Return a timecode as the word of SMPTE ST 12-1: binary-coded decimals, frames lowest.

    It counts to thirty: of faster pictures two share a number each.
    """
    text = str(timecode)
    hours, minutes, seconds, frame = (int(part) for part in text.replace(";", ":").split(":"))
    if nominal(timecode.rate) > _FASTEST_COUNTING:
        frame //= 2
    word = 0
    for value in (hours, minutes, seconds, frame):
        word = word << 8 | value // 10 << 4 | value % 10
    return word | (1 << 6 if timecode.drop_frame else 0)
