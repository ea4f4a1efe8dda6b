"""The day handler as data: imported by the daemon, so free of media libraries."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from handlers.contract import AssetKind, HandlerSpec, Needs, Treatment


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class MovieParams(_Strict):
    """The rough cut as a movie: whether it is made, its largest height in pixels, its quality."""

    enabled: bool = True
    height: int = Field(default=540, ge=90, le=2160)
    crf: int = Field(default=23, ge=0, le=51)


class SyncParams(_Strict):
    """Sound of separate recorders: whether it is looked for."""

    enabled: bool = True


class DayParams(_Strict):
    """What can be set for the day handler; each default works.

    ``write_mhl`` says whether the results get an ASC MHL of their own.
    """

    movie: MovieParams = Field(default_factory=MovieParams.model_construct)
    sync: SyncParams = Field(default_factory=SyncParams.model_construct)
    write_mhl: bool = False


SPEC = HandlerSpec(
    name="day",
    version="1",
    kinds=frozenset({AssetKind.DAY}),
    params=DayParams,
    target="handlers.day.handler:DayHandler",
    treatment=Treatment.ANALYSIS,
    needs=Needs(cpu=1, memory=4096),
    suffix="_edit",
    members=frozenset({AssetKind.CLIP, AssetKind.SEQUENCE, AssetKind.CARD, AssetKind.RECORDING}),
)
