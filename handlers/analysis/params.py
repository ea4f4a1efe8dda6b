"""What can be set for analysis and quality control: pydantic models, free of media libraries."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class _Strict(BaseModel):
    # Built when first needed: as part of the handler's parameters, not each by itself.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class AnalysisParams(_Strict):
    """Whether a clip is measured while it is decoded; speech needs the model ``silero-vad``."""

    enabled: bool = True
    speech: bool = True


class QcParams(_Strict):
    """From where on something is a finding.

    Shares are of all pixels of a picture; luma is display-like, 0..1; lengths are
    seconds; levels dBFS; shake is a fraction of the picture's width, flicker one of its luma.
    """

    black_luma: float = Field(default=0.06, ge=0, le=1)
    black_seconds: float = Field(default=0.5, ge=0)
    freeze_difference: float = Field(default=0.0004, ge=0, le=1)
    freeze_seconds: float = Field(default=1.0, gt=0)
    clipped_share: float = Field(default=0.02, gt=0, le=1)
    crushed_share: float = Field(default=0.35, gt=0, le=1)
    exposure_seconds: float = Field(default=1.0, ge=0)
    soft_ratio: float = Field(default=0.4, gt=0, lt=1)
    soft_seconds: float = Field(default=1.0, ge=0)
    shake: float = Field(default=0.004, gt=0)
    shake_seconds: float = Field(default=0.5, ge=0)
    flicker: float = Field(default=0.015, gt=0)
    flicker_seconds: float = Field(default=0.5, ge=0)
    audio_clipped_samples: int = Field(default=3, ge=1)
    silence_db: float = Field(default=-60.0, le=0)
    silence_seconds: float = Field(default=5.0, gt=0)
    dropout_seconds: float = Field(default=1.0, gt=0)
    dead_db: float = Field(default=-75.0, le=0)
    phase: float = Field(default=-0.5, ge=-1, le=0)
    phase_seconds: float = Field(default=1.0, ge=0)
    length_seconds: float = Field(default=0.5, ge=0)
