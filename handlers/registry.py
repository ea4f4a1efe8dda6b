"""Which handlers there are: every entry point of the group ``fxd.handlers``.

fxd's own handlers are registered the same way as a third party's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points

from handlers.contract import HandlerSpec

GROUP = "fxd.handlers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """The handlers found, and why each broken one was left out."""

    specs: Mapping[str, HandlerSpec]
    broken: Mapping[str, str] = field(default_factory=dict)


def discover() -> Registry:
    """Load every registered handler's spec; one that fails to load is left out and named.

    A spec is data: loading it must import neither TensorFlow nor a decoder.
    """
    specs: dict[str, HandlerSpec] = {}
    broken: dict[str, str] = {}
    for point in entry_points(group=GROUP):
        try:
            spec = point.load()
        except Exception as error:  # noqa: BLE001 - a third party's module may raise anything
            broken[point.name] = f"{type(error).__name__}: {error}"
            continue
        if isinstance(spec, HandlerSpec) and spec.name == point.name:
            specs[spec.name] = spec
        else:
            broken[point.name] = f"{point.value} is no HandlerSpec named {point.name!r}"
    return Registry(specs=specs, broken=broken)
