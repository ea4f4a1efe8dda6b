"""The learning handler as data: ``learn/<effect>/`` becomes a model."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from handlers.contract import AssetKind, HandlerSpec, Needs, Treatment

Size = Literal["lut", "small", "medium", "large"]
Primaries = Literal["unknown", "bt709", "bt470bg", "smpte170m", "bt2020", "smpte431", "smpte432"]
Transfer = Literal[
    "unknown", "bt709", "iec61966-2-1", "gamma22", "gamma28", "smpte170m", "bt2020-10",
    "smpte2084", "arib-std-b67", "log100",
]  # fmt: skip
Makes = Literal["auto", "picture", "matte"]


class Colour(BaseModel):
    """``primaries`` and ``transfer`` of pictures for a screen, by FFmpeg's names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    primaries: Primaries = "unknown"
    transfer: Transfer = "unknown"


class LearnParams(BaseModel):
    """What can be set for learning; ``effect.yaml`` beside the pairs sets the same for one effect.

    ``size`` of the network, ``minutes`` that training may take at most, ``initial`` an earlier
    effect (or the same one) to begin from. ``makes`` says whether the effect makes pictures or a
    matte; "auto" looks at the pairs. ``locked_off`` lets the network remember what is where in the
    picture, which paints things out of a shot whose camera stands still and harms others; "auto"
    looks whether it does. ``colour`` says what the pairs do not say of their colours.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    size: Size = "small"
    minutes: float = Field(default=3.0, gt=0, le=10_000)
    initial: str | None = None
    makes: Makes = "auto"
    locked_off: bool | Literal["auto"] = "auto"
    colour: Colour = Colour()
    seed: int = Field(default=7, ge=0, lt=1 << 32)


def _effect(_: LearnParams, within: str) -> str:
    """The folder's name is the effect's: under another name it is another model."""
    return within.casefold()


SPEC = HandlerSpec(
    name="learn",
    version="1",
    kinds=frozenset({AssetKind.EXAMPLES}),
    params=LearnParams,
    target="handlers.effects.learn:LearnHandler",
    treatment=Treatment.ANALYSIS,
    suffix="_effects",
    path_matters=_effect,
    resumes=True,
    needs=Needs(cpu=1, memory=8192, gpu_helps=True),
)
