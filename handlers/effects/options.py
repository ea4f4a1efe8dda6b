"""What can be set for each built-in effect: checked with the configuration, so free of numpy."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Options(BaseModel):
    """Options of an effect that has none."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class DenoiseOptions(Options):
    """``sigma`` is the noise's standard deviation in 8-bit codes; left out, it is measured."""

    sigma: float | None = Field(default=None, ge=0, le=100)


class UpscaleOptions(Options):
    """``factor`` 2 is fxd's own network, 4 the published one."""

    factor: Literal[2, 4] = 2


class StyleOptions(Options):
    """``styles`` names one style or blends several: name to weight, which are made to add to 1."""

    styles: dict[str, float] = Field(min_length=1)


class LookOptions(Options):
    """``file`` is a LUT or a correction that OpenColorIO reads, relative to the storage.

    ``id`` says which correction of a file that holds several, or its number from 0. ``working`` is
    the colour space in which it is applied to scene-linear footage, by OpenColorIO's name
    ("ACEScct", "ARRI LogC4"), or "as-is"; "auto" is ACEScct, and as-is for .clf and .ctf. ``into``
    says what comes out of it: the same space again, or pictures as a display shows them.
    """

    file: str
    id: str | None = None
    direction: Literal["forward", "inverse"] = "forward"
    interpolation: Literal["best", "linear", "tetrahedral"] = "best"
    working: str = "auto"
    into: Literal["same", "display"] = "same"


class DeflickerOptions(Options):
    """``window`` is over how many frames brightness is made even.

    ``mode`` gamma also evens out contrast; ``colour`` evens each channel by itself. A frame that
    would need more than ``limit`` stops is a flash and stays as it is.
    """

    window: int = Field(default=25, ge=3, le=501)
    mode: Literal["gain", "gamma"] = "gain"
    colour: bool = False
    limit: float = Field(default=1.0, gt=0, le=6)


class KeyerOptions(Options):
    """``screen`` is the colour of the screen, ``despill`` how much of its spill is taken away.

    ``black`` and ``white`` are the matte's clip points; left out, noise is taken out of the screen,
    and the middle of the foreground made solid. ``spill`` says how far the screen's channel may
    rise: to the larger of the other two, or to their average. ``blur`` smooths what is keyed, not
    the picture, in pixels.
    """

    screen: Literal["auto", "green", "blue"] = "auto"
    despill: float = Field(default=1.0, ge=0, le=1)
    spill: Literal["max", "average"] = "max"
    black: float | None = Field(default=None, ge=0, lt=1)
    white: float | None = Field(default=None, gt=0, le=1)
    blur: float = Field(default=0.0, ge=0, le=20)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if (self.black or 0) >= (1 if self.white is None else self.white):
            raise ValueError("black must be below white")
        return self


class StabiliseOptions(Options):
    """``smooth`` is over how many seconds the camera's way is smoothed.

    ``mode`` lock holds each shot as still as on a tripod. ``borders`` says what is done about
    those that come into view: zoom in, at most by ``zoom``, or fill them. ``filter`` is
    how pictures are sampled; lanczos is the sharpest, linear has no ringing.
    """

    smooth: float = Field(default=1.0, gt=0, le=30)
    mode: Literal["smooth", "lock"] = "smooth"
    borders: Literal["zoom", "edge", "mirror", "transparent"] = "zoom"
    zoom: float = Field(default=1.25, ge=1, le=4)
    filter: Literal["lanczos", "cubic", "linear"] = "lanczos"


class GrainOptions(Options):
    """``amount`` of the grain and its ``size`` in pixels; ``seed`` chooses which grain.

    ``colour`` is how far red, green and blue have a grain of their own; 0 is black-and-white film.
    """

    amount: float = Field(default=0.5, ge=0, le=4)
    size: float = Field(default=1.5, ge=0.5, le=8)
    colour: float = Field(default=0.3, ge=0, le=1)
    seed: int = Field(default=0, ge=0)
