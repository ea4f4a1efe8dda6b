"""The edit handler as data: imported by the daemon, so free of media libraries."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from handlers.analysis.params import AnalysisParams, QcParams
from handlers.contract import AssetKind, HandlerSpec, Needs, Treatment
from handlers.media.look_params import BurnInParams, LookParams
from handlers.media.timecode import snap

Preset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow"]


def _rate(value: Any) -> Any:
    """Read a rate as people write it: 25, 23.976 or 24000/1001."""
    try:
        rate = snap(Fraction(str(value)))
    except (ValueError, ZeroDivisionError) as error:
        raise ValueError("write a rate as 25, 23.976 or 24000/1001") from error
    if not 1 <= rate <= 1000:
        raise ValueError("a rate lies between 1 and 1000 frames a second")
    return rate


Rate = Annotated[Fraction, BeforeValidator(_rate)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class ProxyParams(_Strict):
    """The proxy: whether one is made, its largest height in pixels, x264 preset and quality.

    ``burn_in`` is what is written into its pictures.
    """

    enabled: bool = True
    height: int = Field(default=540, ge=90, le=2160)
    preset: Preset = "ultrafast"
    crf: int = Field(default=23, ge=0, le=51)
    burn_in: BurnInParams = Field(default_factory=BurnInParams.model_construct)


class EditParams(_Strict):
    """What can be set for the edit handler; each default works.

    ``thumbnail_width`` is the width in pixels of one picture on the contact
    sheet; ``mhl`` says whether hashes are compared with a manifest found beside
    or above the clip; ``qc`` from where on something is a finding. ``sequence_rate`` is in frames
    a second, for image sequences that state none; ``write_mhl`` says whether the results get
    a media hash list of their own. ``look`` is how proxy and contact sheet show log pictures.
    """

    proxy: ProxyParams = Field(default_factory=ProxyParams.model_construct)
    look: LookParams = Field(default_factory=LookParams.model_construct)
    thumbnail_width: int = Field(default=320, ge=64, le=1920)
    mhl: bool = True
    write_mhl: bool = False
    sequence_rate: Rate = Fraction(24)
    analysis: AnalysisParams = Field(default_factory=AnalysisParams.model_construct)
    qc: QcParams = Field(default_factory=QcParams.model_construct)


SPEC = HandlerSpec(
    name="edit",
    version="2",
    kinds=frozenset({AssetKind.CLIP, AssetKind.SEQUENCE, AssetKind.CARD}),
    params=EditParams,
    target="handlers.edit.handler:EditHandler",
    treatment=Treatment.ANALYSIS,
    needs=Needs(cpu=1, memory=6144),
    models=("transnetv2",),
    optional_models=("shots", "silero-vad"),
)
