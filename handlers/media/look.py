"""How a picture is to be shown: log curves undone, a LUT, a CDL; all by OpenColorIO.

LUTs and CDLs are applied as they are. The display transform of a log curve costs far more than a
decode, so it is worked out once as a table of 65³ colours: on log values, which are spaced as the
eye sees, that is true to a fraction of an 8-bit code on average. Curves that OpenColorIO's
configuration lacks come from their makers' formulas and primaries.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PyOpenColorIO as ocio  # noqa: N813
from numpy.typing import NDArray

from handlers.analysis.curve import curve_of
from handlers.contract import UnusableMedia
from handlers.media.gamut import D_GAMUT, REC2020, S_GAMUT, Primaries, to_aces
from handlers.media.look_params import LookParams
from handlers.media.probe import VideoFacts
from handlers.media.said import Cdl
from handlers.media.source import shown

_LOG = logging.getLogger(__name__)
_CONFIG = "ocio://studio-config-v2.2.0_aces-v1.3_ocio-v2.4"
_DISPLAY, _VIEW = "Rec.1886 Rec.709 - Display", "ACES 1.0 - SDR Video"
_ACES = "ACES2065-1"
_HDR_VIEW = "ACES 1.1 - HDR Video (1000 nits & Rec.2020 lim)"
# FFmpeg's names of HDR transfers: OpenColorIO's name of the display, and what people call it.
_HDR = {
    "smpte2084": ("Rec.2100-PQ - Display", "PQ"),
    "arib_std_b67": ("Rec.2100-HLG - Display", "HLG"),
}
_GRID = 65
# Twelve bits, and finer than that between them.
_STEPS = 1 << 13
# Larger files are no LUT that a camera department hands on.
_LARGEST = 64 << 20
# Where legal black and white are among the code values, of all of them.
_LEGAL_BLACK, _LEGAL_SPAN = 64 / 1023, 876 / 1023


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What came with a clip: the camera's name of its curve, a LUT, a correction."""

    gamma: str | None = None
    lut: Path | None = None
    cdl: Cdl | Path | None = None


NO_HINTS = Hints()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogCurve:
    """A camera's log recording: OpenColorIO's name of it, or its primaries where it has none.

    Not ``scaled`` means that its maker defines it over all code values, also where
    the file has legal range. Without ``space`` the curve is the one of this name in
    ``handlers.analysis.curve``.
    """

    name: str
    space: str = ""
    scaled: bool = True
    primaries: Primaries = REC2020


# In the order in which they are tried; each pattern begins where a word does.
_CURVES = (
    (r"log\W?c\W?4", LogCurve(name="LogC4", space="ARRI LogC4")),
    (r"log\W?c", LogCurve(name="LogC3", space="ARRI LogC3 (EI800)")),
    (r"s\W?log\W?3(?=.*gamut3(?!\W?cine))",
     LogCurve(name="S-Log3", space="S-Log3 S-Gamut3", scaled=False)),
    (r"s\W?log\W?3", LogCurve(name="S-Log3", space="S-Log3 S-Gamut3.Cine", scaled=False)),
    (r"s\W?log\W?2", LogCurve(name="S-Log2", scaled=False, primaries=S_GAMUT)),
    # F-Log2 C has another gamut.
    (r"f\W?log\W?2(?![\W_]?c(?![a-z]))", LogCurve(name="F-Log2", scaled=False)),
    (r"f\W?log(?!\W?2)", LogCurve(name="F-Log", scaled=False)),
    (r"n\W?log", LogCurve(name="N-Log", scaled=False)),
    # The curves of D-Log M and D-Log2 are others.
    (r"d\W?log(?![\W_]?[m2])", LogCurve(name="D-Log", scaled=False, primaries=D_GAMUT)),
    (r"v\W?log", LogCurve(name="V-Log", space="V-Log V-Gamut", scaled=False)),
    (r"c(anon)?\W?log\W?2", LogCurve(name="Canon Log 2", space="CanonLog2 CinemaGamut D55")),
    (r"c(anon)?\W?log\W?3", LogCurve(name="Canon Log 3", space="CanonLog3 CinemaGamut D55")),
    (r"log\W?3g10", LogCurve(name="Log3G10", space="Log3G10 REDWideGamutRGB")),
    (r"(bmd|blackmagic).*gen\W?5", LogCurve(name="Film Gen 5", space="BMDFilm WideGamut Gen5")),
    (r"davinci intermediate",
     LogCurve(name="DaVinci Intermediate", space="DaVinci Intermediate WideGamut")),
)  # fmt: skip
# ITU-T H.273 transfer characteristics 9 and 10: how many decades of light 0..1 stands for.
_TAGGED = {"log": 2.0, "log_sqrt": 2.5}


class Look:
    """Turns pictures as recorded into pictures as shown; ``name`` says how, for a person."""

    def __init__(self, name: str, transform: ocio.Transform) -> None:
        self.name = name
        self._processor = (
            _config()
            .getProcessor(transform)
            .getOptimizedCPUProcessor(
                ocio.BIT_DEPTH_UINT16, ocio.BIT_DEPTH_UINT8, ocio.OPTIMIZATION_DEFAULT
            )
        )

    def __call__(self, picture: NDArray[np.uint16]) -> NDArray[np.uint8]:
        """Return full-range R'G'B' for a Rec. 709 display.

        Args:
            picture: As recorded, uint16 [height, width, 3] in full range.
        """
        height, width, _ = picture.shape
        made = np.empty(picture.shape, np.uint8)
        self._processor.apply(
            _description(np.ascontiguousarray(picture), width, height, ocio.BIT_DEPTH_UINT16),
            _description(made, width, height, ocio.BIT_DEPTH_UINT8),
        )
        return made


def choose_look(
    params: LookParams,
    video: VideoFacts,
    hints: Hints = NO_HINTS,
    tell: Callable[[str], None] = _LOG.warning,
) -> Look | None:
    """Return the look of a clip, or None where its values are shown as they are.

    Settings win over what came with the clip. A CDL is applied to what the camera
    recorded, then a LUT or the display transform; HDR is shown in SDR, for eight bits of PQ
    or HLG band, and few players and browsers show them as meant. What came with the clip and
    cannot be read is left out, and ``tell`` gets a sentence about it.

    Raises:
        UnusableMedia: A LUT or CDL that the settings name cannot be read.
    """
    auto = params.mode == "auto"
    lut = Path(params.lut) if params.lut else _readable(hints.lut, tell) if auto else None
    cdl = Path(params.cdl) if params.cdl else _readable(hints.cdl, tell) if auto else None
    steps: list[tuple[str, ocio.Transform]] = []
    # Cameras write a correction that corrects nothing for every clip that nobody graded.
    if cdl is not None and cdl != Cdl():
        steps.append(_correction(cdl, params.cdl_id if params.cdl else None))
    if lut is not None:
        steps.append((shown(lut), _file(lut)))
    elif auto and (shown_as := _display(video, hints.gamma)):
        steps.append(shown_as)
    if not steps:
        return None
    return Look(", ".join(name for name, _ in steps), ocio.GroupTransform([t for _, t in steps]))


def _readable(came: Any, tell: Callable[[str], None]) -> Any:
    """Return a look that came with the clip, None if it is a file that cannot be read."""
    try:
        if isinstance(came, Path):
            _file(came)
    except UnusableMedia as error:
        tell(str(error))
        return None
    return came


def log_curve(gamma: str | None) -> LogCurve | None:
    """Return the log recording that a camera's own words mean, or None."""
    text = (gamma or "").lower()
    return next(
        (curve for pattern, curve in _CURVES if re.search(rf"(?<![a-z]){pattern}", text)), None
    )


def _display(video: VideoFacts, gamma: str | None) -> tuple[str, ocio.Transform] | None:
    curve = log_curve(gamma)
    if curve is not None:
        over_all_codes = video.colour.range != "pc" and not curve.scaled
        return f"{curve.name} as Rec. 709", _view(curve, over_all_codes=over_all_codes)
    decades = _TAGGED.get(video.colour.transfer)
    return ("log as Rec. 709", _decades(decades)) if decades else _hdr(video)


def _hdr(video: VideoFacts) -> tuple[str, ocio.Transform] | None:
    """Take light as on a display of 1,000 cd/m², which is what ACES's own HDR view is made for."""
    display = _HDR.get(video.colour.transfer.replace("-", "_"))
    return (f"{display[1]} as Rec. 709", _from_hdr(display[0])) if display else None


@functools.cache
def _view(curve: LogCurve, *, over_all_codes: bool) -> ocio.Lut3DTransform:
    view = ocio.DisplayViewTransform(src=curve.space or _ACES, display=_DISPLAY, view=_VIEW)
    steps = [view] if curve.space else [_formula(curve), _matrix(to_aces(curve.primaries)), view]
    return _table([_all_codes(), *steps] if over_all_codes else steps)


def _formula(curve: LogCurve) -> ocio.Lut1DTransform:
    """Take code values to light as the maker of the curve does."""
    to_scene = curve_of("", curve.name).to_scene
    assert to_scene is not None  # noqa: S101 - all curves here are log
    light = to_scene(np.linspace(0, 1, _STEPS))
    made = ocio.Lut1DTransform(length=_STEPS, inputHalfDomain=False)
    made.setData(np.repeat(light.astype(np.float32), 3))
    return made


def _matrix(values: NDArray[np.float64]) -> ocio.MatrixTransform:
    whole = np.eye(4)
    whole[:3, :3] = values
    return ocio.MatrixTransform(whole.ravel().tolist())


def still_look(look: Look | None, video: VideoFacts) -> Look | None:
    """Return how still pictures of a clip are shown: its look; without one, HDR as SDR.

    A JPEG of 8 bits has no way to say that it is HDR.
    """
    shown_as = _hdr(video) if look is None else None
    return Look(*shown_as) if shown_as else look


@functools.cache
def _from_hdr(display: str) -> ocio.Lut3DTransform:
    back = ocio.DisplayViewTransform(
        src=_ACES, display=display, view=_HDR_VIEW, direction=ocio.TRANSFORM_DIR_INVERSE
    )
    return _table([back, ocio.DisplayViewTransform(src=_ACES, display=_DISPLAY, view=_VIEW)])


def _all_codes() -> ocio.Transform:
    """Legal black and white are 0 and 1 so far: go back to the fraction of all code values."""
    span, black = _LEGAL_SPAN, _LEGAL_BLACK
    made = ocio.MatrixTransform()
    made.setMatrix([span, 0, 0, 0, 0, span, 0, 0, 0, 0, span, 0, 0, 0, 0, 1])
    made.setOffset([black, black, black, 0])
    return made


def _decades(decades: float) -> ocio.Transform:
    """Light is 10 ** (decades · (value - 1)); shown on a display of gamma 2.4 (BT.1886)."""
    light = ocio.LogAffineTransform()
    light.setBase(10.0)
    light.setLogSideSlopeValue([1 / decades] * 3)
    light.setLogSideOffsetValue([1.0] * 3)
    light.setDirection(ocio.TRANSFORM_DIR_INVERSE)
    shown_by = ocio.ExponentTransform([1 / 2.4] * 3 + [1.0])
    return ocio.GroupTransform([light, shown_by])


def _correction(cdl: Cdl | Path, identity: str | None) -> tuple[str, ocio.Transform]:
    if isinstance(cdl, Path):
        return shown(cdl), _file(cdl, identity)
    made = ocio.CDLTransform()
    made.setSlope(cdl.slope)
    made.setOffset(cdl.offset)
    made.setPower(cdl.power)
    made.setSat(cdl.saturation)
    return "CDL", made


def _file(path: Path, identity: str | None = None) -> ocio.Transform:
    """Refer to a file, after having made sure that OpenColorIO reads it."""
    _require_reasonable(path)
    # A child runs for days: what was read under this name before may have been replaced.
    ocio.ClearAllCaches()
    made = ocio.FileTransform(src=str(path), cccId=identity or "")
    try:
        _config().getProcessor(made)
    except ocio.Exception as error:
        raise UnusableMedia(
            f"{shown(path)} cannot be used as a look ({_first_line(error)}); "
            "export it again or set another."
        ) from error
    return made


def _require_reasonable(path: Path) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise UnusableMedia(
            f"{shown(path)}, the look that is set, cannot be reached ({error.strerror}); "
            "put it there or set another."
        ) from error
    if size > _LARGEST:
        raise UnusableMedia(f"{shown(path)} is too large for a look; set another.")


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:200]


def _table(steps: list[ocio.Transform]) -> ocio.Lut3DTransform:
    """Work a transform out for a grid of colours; blue runs fastest, as OpenColorIO wants it."""
    processor = (
        _config()
        .getProcessor(ocio.GroupTransform(steps))
        .getOptimizedCPUProcessor(ocio.BIT_DEPTH_F32, ocio.BIT_DEPTH_F32, ocio.OPTIMIZATION_DEFAULT)
    )
    axis = np.linspace(0, 1, _GRID, dtype=np.float32)
    colours = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    packed = np.ascontiguousarray(colours, np.float32).reshape(-1, 3)
    processor.applyRGB(packed)
    made = ocio.Lut3DTransform(gridSize=_GRID)
    made.setInterpolation(ocio.INTERP_TETRAHEDRAL)
    made.setData(np.clip(packed, 0, 1).ravel())
    return made


def _description(picture: NDArray[Any], width: int, height: int, depth: Any) -> Any:
    size = picture.itemsize
    return ocio.PackedImageDesc(picture, width, height, 3, depth, size, 3 * size, 3 * size * width)


@functools.cache
def _config() -> Any:
    """OpenColorIO's own configuration: nothing is read from the machine's environment."""
    made = ocio.Config.CreateFromFile(_CONFIG)
    # It takes any two tables of one size for the same.
    made.setProcessorCacheFlags(ocio.PROCESSOR_CACHE_OFF)
    return made
