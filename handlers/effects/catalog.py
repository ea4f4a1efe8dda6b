"""Which effects there are: those built in, and how learnt ones are named.

Data alone: the daemon asks it which models a job needs, so nothing here loads numpy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from handlers.effects import options
from handlers.effects.options import Options
from models.bundle import LEARNT

PREFIX = LEARNT
"""What the name of a learnt effect's bundle begins with in the model store."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
NAMES = "letters from A to Z, digits, '-' and '_', at most 64, a letter or digit first"
"""What an effect's name may be, for messages."""


def _no_models(_: Any) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltIn:
    """A built-in effect: the class "module:Class" is made from (options, Tools).

    ``models`` says which bundles it needs for given options; ``matte`` that it makes one, so that
    it can be the mask of another effect.
    """

    name: str
    target: str
    summary: str
    options: type[Options] = Options
    models: Callable[[Any], tuple[str, ...]] = field(default=_no_models)
    matte: bool = False

    @property
    def works_alone(self) -> bool:
        """Whether it needs no options."""
        return not any(option.is_required() for option in self.options.model_fields.values())


def _upscaler(chosen: options.UpscaleOptions) -> tuple[str, ...]:
    return ("upscale2",) if chosen.factor == 2 else ("esrgan4",)


_ALL = (
    BuiltIn(
        name="denoise",
        target="handlers.effects.builtin.denoise:Denoise",
        summary="takes sensor noise away, looking at five frames",
        options=options.DenoiseOptions,
        models=lambda _: ("denoise",),
    ),
    BuiltIn(
        name="upscale",
        target="handlers.effects.builtin.upscale:Upscale",
        summary="makes pictures twice or four times as large",
        options=options.UpscaleOptions,
        models=_upscaler,
    ),
    BuiltIn(
        name="style",
        target="handlers.effects.builtin.style:Style",
        summary="paints in one of 26 styles, or a blend of them",
        options=options.StyleOptions,
        models=lambda _: ("styles26",),
    ),
    BuiltIn(
        name="look",
        target="handlers.effects.builtin.look:FileLook",
        summary="applies a .cube, CDL or CLF file",
        options=options.LookOptions,
    ),
    BuiltIn(
        name="deflicker",
        target="handlers.effects.builtin.deflicker:Deflicker",
        summary="evens out brightness from frame to frame",
        options=options.DeflickerOptions,
    ),
    BuiltIn(
        name="keyer",
        target="handlers.effects.builtin.keyer:Keyer",
        summary="keys a green or blue screen and takes its spill away",
        options=options.KeyerOptions,
        matte=True,
    ),
    BuiltIn(
        name="person-matte",
        target="handlers.effects.builtin.person_matte:PersonMatte",
        summary="a garbage matte of people",
        models=lambda _: ("person-matte",),
        matte=True,
    ),
    BuiltIn(
        name="stabilise",
        target="handlers.effects.builtin.stabilise:Stabilise",
        summary="smooths the camera's way",
        options=options.StabiliseOptions,
    ),
    BuiltIn(
        name="grain",
        target="handlers.effects.builtin.grain:Grain",
        summary="adds film grain",
        options=options.GrainOptions,
    ),
)
BUILT_IN: Mapping[str, BuiltIn] = MappingProxyType({each.name: each for each in _ALL})


def is_name(text: str) -> bool:
    """Say whether something can be an effect's name; see :data:`NAMES`."""
    return _NAME.fullmatch(text) is not None


def built_in(name: str) -> BuiltIn | None:
    """Return the built-in effect of a name, in any case, or None."""
    return BUILT_IN.get(name.lower())


def bundle_of(effect: str) -> str:
    """Return the name of a learnt effect's bundle; names differ by more than case."""
    return PREFIX + effect.lower()
