"""The edit handler as data: imported by the daemon, so free of media libraries."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from handlers.contract import AssetKind, HandlerSpec, Needs, Treatment

Preset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ProxyParams(_Strict):
    """The proxy: whether one is made, its largest height in pixels, x264 preset and quality."""

    enabled: bool = True
    height: int = Field(default=540, ge=90, le=2160)
    preset: Preset = "ultrafast"
    crf: int = Field(default=23, ge=0, le=51)


class EditParams(_Strict):
    """What can be set for the edit handler; each default works.

    ``thumbnail_width`` is the width in pixels of one picture on the contact
    sheet; ``mhl`` says whether hashes are compared with a manifest found beside
    or above the clip.
    """

    proxy: ProxyParams = ProxyParams()
    thumbnail_width: int = Field(default=320, ge=64, le=1920)
    mhl: bool = True


SPEC = HandlerSpec(
    name="edit",
    version="1",
    kinds=frozenset({AssetKind.CLIP, AssetKind.CARD}),
    params=EditParams,
    target="handlers.edit.handler:EditHandler",
    treatment=Treatment.ANALYSIS,
    needs=Needs(cpu=1, memory=6144),
    models=("transnetv2", "shots"),
)
