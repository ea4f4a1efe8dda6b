"""What can be set for each built-in effect: checked with the configuration, so free of numpy."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Options(BaseModel):
    """Options of an effect that has none."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class DenoiseOptions(Options):
    """``sigma`` is the noise's standard deviation in 8-bit codes; left out, it is measured."""

    sigma: float | None = Field(default=None, ge=0, le=100)


class UpscaleOptions(Options):
    """``factor`` 2 is fxd's own network, 4 the published one."""

    factor: Literal[2, 4] = 2


_StyleNumber = Annotated[int, Field(ge=0, le=25)]
_StyleWeight = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class StyleOptions(Options):
    """``styles`` is the number of one style, 0 to 25, or blends several: number to weight.

    Weights are made to add to 1. ``lines`` is the height at which pictures are painted: fewer give
    broader strokes. Left out, it is their own. ``locked_off`` is for shots from a camera that
    stands still: what enters the picture then changes nothing of the rest.
    """

    styles: dict[_StyleNumber, _StyleWeight] = Field(min_length=1)
    lines: int | None = Field(default=None, ge=16, le=16_384)
    locked_off: bool = False

    @field_validator("styles", mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        return {value: 1.0} if isinstance(value, int | str) else value


class LookOptions(Options):
    """``file`` is a .cube, .cdl, .cc, .ccc or .clf file, relative to the storage."""

    file: str


class DeflickerOptions(Options):
    """``window`` is over how many frames brightness is made even."""

    window: int = Field(default=25, ge=3, le=501)


class KeyerOptions(Options):
    """``screen`` is the colour of the screen, ``despill`` how much of its spill is taken away."""

    screen: Literal["auto", "green", "blue"] = "auto"
    despill: float = Field(default=1.0, ge=0, le=1)


class StabiliseOptions(Options):
    """``smooth`` is over how many seconds the camera's way is smoothed, ``zoom`` hides borders."""

    smooth: float = Field(default=1.0, gt=0, le=30)
    zoom: bool = True


class GrainOptions(Options):
    """``amount`` of the grain and its ``size`` in pixels; ``seed`` chooses which grain."""

    amount: float = Field(default=0.5, ge=0, le=4)
    size: float = Field(default=1.5, ge=0.5, le=8)
    seed: int = 0
