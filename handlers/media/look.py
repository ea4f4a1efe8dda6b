"""How a picture is to be shown: log curves undone, a LUT, a CDL; all by OpenColorIO.

LUTs and CDLs are applied as they are. The display transform of a log curve costs far more than a
decode, so it is worked out once as a table of 65³ colours: on log values, which are spaced as the
eye sees, that is true to a fraction of an 8-bit code on average.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PyOpenColorIO as ocio  # noqa: N813
from numpy.typing import NDArray

from handlers.contract import UnusableMedia
from handlers.media.look_params import LookParams
from handlers.media.probe import VideoFacts
from handlers.media.said import Cdl
from handlers.media.source import shown

_CONFIG = "ocio://studio-config-v2.2.0_aces-v1.3_ocio-v2.4"
_DISPLAY, _VIEW = "Rec.1886 Rec.709 - Display", "ACES 1.0 - SDR Video"
_GRID = 65
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
    """A camera's log recording: OpenColorIO's name of it.

    Not ``scaled`` means that its maker defines it over all code values, also where
    the file has legal range.
    """

    name: str
    space: str
    scaled: bool = True


# In the order in which they are tried; each pattern begins where a word does.
_CURVES = (
    (r"log\W?c\W?4", LogCurve(name="LogC4", space="ARRI LogC4")),
    (r"log\W?c", LogCurve(name="LogC3", space="ARRI LogC3 (EI800)")),
    (r"s\W?log\W?3(?=.*gamut3(?!\W?cine))",
     LogCurve(name="S-Log3", space="S-Log3 S-Gamut3", scaled=False)),
    (r"s\W?log\W?3", LogCurve(name="S-Log3", space="S-Log3 S-Gamut3.Cine", scaled=False)),
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


def choose_look(params: LookParams, video: VideoFacts, hints: Hints = NO_HINTS) -> Look | None:
    """Return the look of a clip, or None where its values are shown as they are.

    Settings win over what came with the clip. A CDL is applied to what the camera
    recorded, then a LUT or the display transform.

    Raises:
        UnusableMedia: A LUT or CDL that is named cannot be read.
    """
    auto = params.mode == "auto"
    lut = Path(params.lut) if params.lut else hints.lut if auto else None
    cdl = Path(params.cdl) if params.cdl else hints.cdl if auto else None
    steps: list[tuple[str, ocio.Transform]] = []
    if cdl is not None:
        steps.append(_correction(cdl, params.cdl_id if params.cdl else None))
    if lut is not None:
        steps.append((shown(lut), _file(lut)))
    elif auto and (shown_as := _display(video, hints.gamma)):
        steps.append(shown_as)
    if not steps:
        return None
    return Look(", ".join(name for name, _ in steps), ocio.GroupTransform([t for _, t in steps]))


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
        return f"{curve.name} as Rec. 709", _view(curve.space, over_all_codes=over_all_codes)
    decades = _TAGGED.get(video.colour.transfer)
    return ("log as Rec. 709", _decades(decades)) if decades else None


@functools.cache
def _view(space: str, *, over_all_codes: bool) -> ocio.Lut3DTransform:
    view = ocio.DisplayViewTransform(src=space, display=_DISPLAY, view=_VIEW)
    steps = [_all_codes(), view] if over_all_codes else [view]
    processor = _config().getProcessor(ocio.GroupTransform(steps))
    return _table(
        processor.getOptimizedCPUProcessor(
            ocio.BIT_DEPTH_F32, ocio.BIT_DEPTH_F32, ocio.OPTIMIZATION_DEFAULT
        )
    )


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


def _table(processor: Any) -> ocio.Lut3DTransform:
    """Work a transform out for a grid of colours; blue runs fastest, as OpenColorIO wants it."""
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
