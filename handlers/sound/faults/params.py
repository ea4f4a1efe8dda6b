"""What can be set for faults of sound and their repair: pydantic models, free of libraries."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class _Strict(BaseModel):
    # Built when first needed: as part of the handler's parameters, not each by itself.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class FaultParams(_Strict):
    """From where on something in a recording is a finding.

    Levels are dB of full scale (of the mean square, but for ``clipped_level_db``, a peak);
    lengths are seconds. What the analysis of clips has too has the same name and default there.
    """

    silence_db: float = Field(default=-60.0, le=0)
    silence_seconds: float = Field(default=5.0, gt=0)
    dead_db: float = Field(default=-75.0, le=0)
    dropout_seconds: float = Field(default=1.0, gt=0)
    audio_clipped_samples: int = Field(default=3, ge=3)
    clipped_level_db: float = Field(default=-26.0, le=0)
    phase: float = Field(default=-0.5, ge=-1, le=0)
    phase_seconds: float = Field(default=1.0, ge=0)
    dc_db: float = Field(default=-54.0, le=0)
    hum_db: float = Field(default=-90.0, le=0)
    hum_prominence_db: float = Field(default=10.0, gt=0)
    click_ratio: float = Field(default=4.0, gt=1)


class RepairParams(_Strict):
    """What is put right; nothing unless it is asked for.

    ``click_seconds`` and ``clip_seconds`` are the longest gaps that are filled in.
    """

    dc: bool = False
    hum: bool = False
    clicks: bool = False
    clipping: bool = False
    click_seconds: float = Field(default=0.002, gt=0, le=0.004)
    clip_seconds: float = Field(default=0.003, gt=0, le=0.003)
