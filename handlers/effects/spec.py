"""The effects handler as data: imported by the daemon, so free of media libraries."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from handlers.contract import AssetKind, HandlerSpec, Needs, Treatment
from handlers.effects import catalog

Format = Literal[
    "prores-422-hq", "prores-4444", "dnxhr-hqx", "dnxhr-444", "h264-10", "hevc-10", "hevc-12",
    "ffv1", "exr-half", "exr-float", "dpx-10", "dpx-12", "dpx-16", "tiff-8", "tiff-16", "png-8",
    "png-16",
]  # fmt: skip


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Chosen(_Strict):
    """One effect and its options."""

    effect: str
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known(self) -> Self:
        if not catalog.is_name(self.effect):
            raise ValueError(f"{self.effect!r} is no effect's name: {catalog.NAMES}")
        built_in = catalog.built_in(self.effect)
        if built_in is None and self.options:
            raise ValueError(f"{self.effect!r} is no built-in effect, and others have no options")
        if built_in is not None:
            built_in.options.model_validate(self.options)
        return self

    def models(self) -> tuple[str, ...]:
        """Return the bundles that it needs."""
        built_in = catalog.built_in(self.effect)
        if built_in is None:
            return (catalog.bundle_of(self.effect),)
        return built_in.models(built_in.options.model_validate(self.options))


def _chosen(own: tuple[str, ...], value: Any) -> Any:
    """Take ``denoise`` or ``{effect: denoise, sigma: 10}``: what is not ours is the effect's."""
    if isinstance(value, str):
        return {"effect": value}
    if not isinstance(value, dict) or "options" in value:
        return value
    ours = {key: value[key] for key in own if key in value}
    return ours | {"options": {key: item for key, item in value.items() if key not in ours}}


class Mask(Chosen):
    """An effect that makes a matte, to which another one is kept."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        named = value.get("effect") if isinstance(value, dict) else value
        if isinstance(named, str):
            _require_matte(named)
        return _chosen(("effect",), value)


def _require_matte(name: str) -> None:
    """Whether a learnt effect makes a matte, only its model says."""
    mask = catalog.built_in(name)
    if mask is not None and not mask.matte:
        mattes = ", ".join(each.name for each in catalog.BUILT_IN.values() if each.matte)
        raise ValueError(f"{name!r} cannot be a mask: take {mattes} or an effect learnt as a matte")


class Step(Chosen):
    """One effect of a chain with its options.

    ``strength`` mixes its result with what came in. ``mask`` makes a matte, to which this one is
    kept; ``invert`` takes what is outside.
    """

    strength: float = Field(default=1.0, ge=0, le=1)
    mask: Mask | None = None
    invert: bool = False

    def models(self) -> tuple[str, ...]:
        """Return the bundles that it needs."""
        own = super().models()
        return own if self.mask is None else own + self.mask.models()


def _step(value: Any) -> Any:
    return _chosen(("effect", "strength", "mask", "invert"), value)


class EffectsParams(_Strict):
    """What can be set for the effects handler; each default works.

    ``effects`` are applied one after another; left out, the first folder below the watched one
    names the effect, as in ``apply/glow/A001.mov``. ``strength`` mixes the whole chain with the
    source. ``format`` is what is written; left out, what holds the source best.
    ``any_colour`` applies an effect also where the footage's colour space is not the one that it
    was learnt in.
    """

    effects: list[Annotated[Step, BeforeValidator(_step)]] = Field(default_factory=list)
    strength: float = Field(default=1.0, ge=0, le=1)
    deflicker: bool = False
    format: Format | None = None
    any_colour: bool = False


def steps_for(params: EffectsParams, within: str) -> tuple[Step, ...]:
    """Return the chain for an asset, given its path relative to the watched folder.

    It is empty where neither the configuration nor a folder names an effect.
    """
    if params.effects:
        return tuple(params.effects)
    parts = PurePosixPath(within).parts
    named = parts[0] if len(parts) > 1 else ""
    return (Step(effect=named),) if catalog.is_name(named) and _works_alone(named) else ()


def _works_alone(name: str) -> bool:
    built_in = catalog.built_in(name)
    return built_in is None or built_in.works_alone


def models_for(params: EffectsParams, within: str) -> tuple[str, ...]:
    """Return the bundles that a job needs."""
    return tuple(dict.fromkeys(n for step in steps_for(params, within) for n in step.models()))


def _named_by(params: EffectsParams, within: str) -> str:
    return " ".join(step.effect for step in steps_for(params, within))


SPEC = HandlerSpec(
    name="effects",
    version="1",
    kinds=frozenset({AssetKind.CLIP, AssetKind.SEQUENCE, AssetKind.CARD}),
    params=EffectsParams,
    target="handlers.effects.handler:EffectsHandler",
    treatment=Treatment.ENHANCED,
    needs=Needs(cpu=1, memory=12288, gpu_helps=True),
    models_for=models_for,
    offers=tuple(each.name for each in catalog.BUILT_IN.values() if each.works_alone),
    path_matters=_named_by,
    resumes=True,
)
