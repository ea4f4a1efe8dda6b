"""The sound handler as data: imported by the daemon, so free of media libraries."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from handlers.contract import AssetKind, HandlerSpec, Needs, Treatment
from handlers.sound.faults.params import FaultParams, RepairParams

Profile = Literal["production", "programme"]
Network = Literal["deepfilternet3", "nsnet2", "dtln"]
TargetName = Literal["ebu-r128", "atsc-a85", "netflix", "streaming-16"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class EnhanceParams(_Strict):
    """Cleaning of dialogue.

    ``enabled`` left out cleans production recordings and leaves programmes alone. At most
    ``attenuation_limit`` dB are taken off the noise (room tone stays; 100: all of it), ``mix`` is
    how much of the cleaned sound there is in the result. ``linked`` treats all channels by one
    filter, so that an image stays where it is; left out, it does so where the channels
    are a programme's or a stereo pair. Where nothing above ``floor`` dBFS would be taken away,
    the samples stay as they are.
    """

    enabled: bool | None = None
    model: Network = "deepfilternet3"
    attenuation_limit: float = Field(default=100.0, ge=0, le=100)
    mix: float = Field(default=1.0, ge=0, le=1)
    linked: bool | None = None
    floor: float = Field(default=-70.0, ge=-150, le=0)
    noise_stem: bool = False


class LoudnessParams(_Strict):
    """Delivery to a loudness: a named target, or ``integrated`` (LUFS) and ``true_peak`` (dBTP).

    Of a named target both can be changed, as can the ``tolerance`` in LU. ``leveller`` is how
    many dB quiet and loud passages may be brought towards the target before that; 0: not at all.
    """

    target: TargetName | None = None
    integrated: float | None = Field(default=None, ge=-70, le=0)
    true_peak: float | None = Field(default=None, ge=-20, le=0)
    tolerance: float | None = Field(default=None, gt=0, le=10)
    leveller: float = Field(default=0.0, ge=0, le=20)

    @property
    def wanted(self) -> bool:
        """Whether anything is delivered to a loudness at all."""
        return self.target is not None or self.integrated is not None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.wanted and self != LoudnessParams.model_construct():
            raise ValueError("name a target, or the loudness to reach as 'integrated' in LUFS")
        return self


class SoundParams(_Strict):
    """What can be set for the sound handler; each default works.

    ``profile`` production keeps gain and balance as recorded; a loudness target is for
    programmes. ``faults`` says from where on something is a finding, ``repair`` what of that is put
    right. ``layout`` is the order of a 5.1 programme without a channel mask. ``segments``
    looks for speech, music and noise; ``remux`` puts a clip's new sound beside its untouched
    picture.
    """

    profile: Profile = "production"
    layout: Literal["smpte", "film"] = "smpte"
    enhance: EnhanceParams = Field(default_factory=EnhanceParams.model_construct)
    loudness: LoudnessParams = Field(default_factory=LoudnessParams.model_construct)
    faults: FaultParams = Field(default_factory=FaultParams.model_construct)
    repair: RepairParams = Field(default_factory=RepairParams.model_construct)
    segments: bool = True
    remux: bool = False

    @property
    def cleans(self) -> bool:
        """Whether dialogue is cleaned."""
        chosen = self.enhance.enabled
        return self.profile == "production" if chosen is None else chosen

    @model_validator(mode="after")
    def _untouched(self) -> Self:
        if self.profile == "production" and self.loudness.wanted:
            raise ValueError(
                "production recordings keep their gain: set 'profile: programme' to deliver to a "
                "loudness"
            )
        return self


SPEC = HandlerSpec(
    name="sound",
    version="1",
    kinds=frozenset({AssetKind.CLIP, AssetKind.RECORDING}),
    params=SoundParams,
    target="handlers.sound.handler:SoundHandler",
    treatment=Treatment.ENHANCED,
    needs=Needs(cpu=1, memory=4096),
    models=("deepfilternet3",),
    optional_models=("silero-vad", "speech-music-noise", "nsnet2", "dtln"),
)
