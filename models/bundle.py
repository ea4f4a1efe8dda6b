"""Bundles: trained models on disk, each a folder that explains itself.

``<models>/<name>/<version>/`` holds ``model.keras``, ``metadata.json`` and
``card.md``; those that are part of fxd lie in ``SHIPPED`` in the same order. Reading
about bundles needs no TensorFlow; only loading one does.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from models.errors import ModelError

MODEL_FILE = "model.keras"
METADATA_FILE = "metadata.json"
CARD_FILE = "card.md"
PIN_FILE = "pinned"
REMOVED_FILE = "removed"
SHIPPED = Path(__file__).with_name("shipped")
LEARNT = "effect."
"""What the name of every bundle begins with that was learnt from examples."""

_LIBRARIES = ("tensorflow", "keras", "numpy")
_OWN_MODULE = re.compile(r"models(\.[a-z][a-z0-9_]*)+")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleFacts:
    """What the maker of a bundle says about it.

    ``network`` is the fxd module whose layers the model is made of. ``colour_space``
    or ``sample_rate`` (Hz) is what the input must be in. ``training_data`` is the
    hash of the training set, None for published weights, whose ``origin`` then says
    where they come from. ``treatment`` is what using the model does to the media.
    ``details`` are plain values that only the network's own code understands.
    """

    name: str
    version: str
    network: str
    input_contract: str
    licence: str
    origin: str
    treatment: str
    colour_space: str | None = None
    sample_rate: int | None = None
    training_data: str | None = None
    git_commit: str | None = None
    seed: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleInfo:
    """An installed bundle: where it is, what it holds, and the facts about it."""

    path: Path
    facts: BundleFacts
    parameters: int
    sha256: str
    libraries: Mapping[str, str]

    @property
    def name(self) -> str:
        """The name that handlers ask for."""
        return self.facts.name

    @property
    def version(self) -> str:
        """The bundle's version, newest first in :func:`find`."""
        return self.facts.version

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, as ``metadata.json`` keeps them."""
        counted = {"parameters": self.parameters, "sha256": self.sha256}
        return {**asdict(self.facts), **counted, "libraries": dict(self.libraries)}

    def is_whole(self) -> bool:
        """Whether ``model.keras`` is there and is the file that was written."""
        model = self.path / MODEL_FILE
        return model.is_file() and digest(model) == self.sha256


def digest(path: Path) -> str:
    """Return the SHA-256 of a file as lower-case hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def folder(models_dir: Path, name: str, version: str) -> Path:
    """Return where a bundle lives.

    Raises:
        ModelError: A name or version that could leave ``models_dir``.
    """
    if not (_NAME.fullmatch(name) and _NAME.fullmatch(version)):
        raise ModelError(f"{name!r} {version!r} is no name and version of a model.")
    return models_dir / name / version


def read(path: Path) -> BundleInfo:
    """Read the metadata of the bundle folder ``path``.

    Raises:
        ModelError: The metadata is missing, unreadable or incomplete.
    """
    try:
        data = json.loads((path / METADATA_FILE).read_text(encoding="utf-8"))
        counted = {key: data.pop(key) for key in ("parameters", "sha256", "libraries")}
        return BundleInfo(path=path, facts=BundleFacts(**data), **counted)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path / METADATA_FILE} is missing or damaged: {error}") from error


def installed(models_dir: Path) -> list[BundleInfo]:
    """List the bundles under ``models_dir``, by name, oldest version first.

    Folders without readable metadata are left out: they are no bundles.
    """
    found = []
    for metadata in models_dir.glob(f"*/*/{METADATA_FILE}"):
        hidden = any(part.startswith(".") for part in metadata.relative_to(models_dir).parts)
        if not hidden:
            found.extend(_readable(metadata.parent))
    return sorted(found, key=lambda info: (info.name, _order(info.version)))


def _readable(path: Path) -> list[BundleInfo]:
    try:
        return [read(path)]
    except ModelError:
        return []


def versions(models_dir: Path, name: str) -> list[BundleInfo]:
    """List the versions of ``name``, installed or part of fxd, oldest first."""
    known = [*installed(SHIPPED), *installed(models_dir)]
    found = [info for info in known if info.name == name]
    return sorted(found, key=lambda info: _order(info.version))


def find(models_dir: Path, name: str) -> BundleInfo | None:
    """Return the version of ``name`` that is in use: the pinned one, else the newest, or None."""
    known = versions(models_dir, name)
    wanted = pinned(models_dir, name)
    chosen = [info for info in known if info.version == wanted] or known
    return chosen[-1] if chosen else None


def pinned(models_dir: Path, name: str) -> str | None:
    """Return the version that somebody pinned, None where the newest is used."""
    try:
        return (models_dir / name / PIN_FILE).read_text(encoding="utf-8").strip() or None
    except (OSError, ValueError):
        return None


def pin(models_dir: Path, name: str, version: str | None) -> None:
    """Have a version used, whatever newer ones come; None goes back to the newest.

    Raises:
        ModelError: There is no such version.
    """
    known = [info.version for info in versions(models_dir, name)]
    if version is not None and version not in known:
        raise ModelError(f"There is no {name} {version}; there is: {', '.join(known) or 'none'}.")
    path = folder(models_dir, name, "0").with_name(PIN_FILE)
    if version is None:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, version + "\n")


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    _sync(temporary)
    temporary.rename(path)
    _sync(path.parent)


def exactly(models_dir: Path, name: str, version: str) -> BundleInfo | None:
    """Return exactly this bundle, installed or part of fxd, or None."""
    places = (folder(parent, name, version) for parent in (models_dir, SHIPPED))
    found = [info for place in places for info in _readable(place)]
    return found[0] if found else None


def whole(models_dir: Path, name: str, version: str) -> BundleInfo | None:
    """Return exactly this bundle when it is there and undamaged, else None."""
    found = exactly(models_dir, name, version)
    return found if found is not None and found.is_whole() else None


def taken(models_dir: Path, name: str) -> list[str]:
    """List the versions that a new bundle of ``name`` must not have, lowest first.

    Those that are there and those that were removed: a manifest may name them.
    """
    there = [info.version for info in versions(models_dir, name)]
    return sorted({*there, *_removed(models_dir / name)}, key=_order)


def _removed(parent: Path) -> list[str]:
    try:
        lines = (parent / REMOVED_FILE).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []
    return [line for line in lines if _NAME.fullmatch(line)]


def _order(version: str) -> tuple[tuple[int, int, str], ...]:
    """Sort 1.10 after 1.9; letters come before numbers, as in 1.0rc1 before 1.0.1."""
    parts = re.findall(r"\d+|[a-z]+", version)
    return tuple((1, int(p), "") if p.isdigit() else (0, 0, p) for p in parts)


def write_bundle(model: Any, models_dir: Path, facts: BundleFacts, card: str) -> BundleInfo:
    """Save a Keras model as a bundle; readers see all of it or nothing.

    Args:
        model: A ``keras.Model`` of registered layers.
        models_dir: The folder of all bundles; made when missing.
        facts: What the metadata shall say.
        card: The model card, Markdown.

    Returns:
        The bundle as it now lies on disk. One of the same name and version is replaced.

    Raises:
        ModelError: The name or version could leave ``models_dir``.
    """
    target = folder(models_dir, facts.name, facts.version)
    target.parent.mkdir(parents=True, exist_ok=True)
    # In the same file system as the target, hidden from readers.
    with tempfile.TemporaryDirectory(prefix=".incoming-", dir=models_dir) as temporary:
        staged = Path(temporary) / "bundle"
        staged.mkdir()
        _fill(staged, model, facts, card)
        _replace(staged, target, Path(temporary) / "old")
    return read(target)


def _fill(staged: Path, model: Any, facts: BundleFacts, card: str) -> None:
    model.save(staged / MODEL_FILE)
    info = BundleInfo(
        path=staged,
        facts=facts,
        parameters=int(sum(weight.numpy().size for weight in model.trainable_weights)),
        sha256=digest(staged / MODEL_FILE),
        libraries={name: importlib.metadata.version(name) for name in _LIBRARIES},
    )
    text = json.dumps(info.to_json(), indent=2, ensure_ascii=False)
    (staged / METADATA_FILE).write_text(text + "\n", encoding="utf-8")
    (staged / CARD_FILE).write_text(card, encoding="utf-8")
    for path in (*staged.iterdir(), staged):
        _sync(path)


def _replace(staged: Path, target: Path, aside: Path) -> None:
    if target.exists():
        target.rename(aside)
    staged.rename(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    """Make a file or folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(info: BundleInfo) -> None:
    """Delete an installed bundle and its pin; readers see all of it or nothing.

    Its name's folder stays and remembers the version, which no other weights shall have.
    """
    parent = info.path.parent
    versions_gone = dict.fromkeys([*_removed(parent), info.version])
    _write(parent / REMOVED_FILE, "\n".join(versions_gone) + "\n")
    aside = parent / f".removed-{info.version}-{os.getpid()}"
    info.path.rename(aside)
    shutil.rmtree(aside)
    if pinned(parent.parent, info.name) == info.version:
        (parent / PIN_FILE).unlink()


class BundleLoader:
    """Loads installed bundles by name, each once for as long as it stays what it was.

    Args:
        models_dir: The folder of all bundles.
    """

    def __init__(self, models_dir: Path) -> None:
        self._models_dir = models_dir
        self._wanted: Mapping[str, str | None] = {}
        self._loaded: dict[str, tuple[str, Any]] = {}

    def use(self, wanted: Mapping[str, str | None]) -> None:
        """Give exactly these versions from now on; of names that are not in it, what is in use."""
        self._wanted = dict(wanted)

    def load(self, name: str) -> Any:
        """Return the Keras model of the bundle ``name``.

        Raises:
            ModelError: The bundle is missing or damaged; the sentence says what to do.
        """
        info = self.find(name)
        if info is None:
            version = self._wanted.get(name)
            raise ModelError(f"{_called(name, version)} is not installed: {_remedy(name)}")
        if name not in self._loaded or self._loaded[name][0] != info.sha256:
            # The one before is let go first: two may not fit into memory.
            self._loaded.pop(name, None)
            self._loaded[name] = info.sha256, _opened(info)
        return self._loaded[name][1]

    def find(self, name: str) -> BundleInfo | None:
        """Return the bundle that :meth:`load` would give, or None."""
        version = self._wanted.get(name)
        if version is None:
            return find(self._models_dir, name)
        return exactly(self._models_dir, name, version)

    def next_version(self, name: str) -> str:
        """Return the version for a new bundle of this name: 1.0, then 1.1 and so on."""
        known = taken(self._models_dir, name)
        major, _, minor = (known[-1] if known else "1.-1").partition(".")
        return f"{major}.{int(minor or 0) + 1}"


def _called(name: str, version: str | None = None) -> str:
    what = f"The effect {name[len(LEARNT) :]}" if name.startswith(LEARNT) else f"The model {name}"
    return f"{what} {version}" if version else what


def _remedy(name: str) -> str:
    if name.startswith(LEARNT):
        return f"learn it from pairs in learn/{name[len(LEARNT) :]}, then fxd submit this again"
    return f"fxd models install {name}"


def _opened(info: BundleInfo) -> Any:
    called, remedy = _called(info.name), _remedy(info.name)
    if not info.is_whole():
        raise ModelError(f"{called} is damaged on disk: {remedy}")
    try:
        return _load(info)
    except (ValueError, TypeError, OSError, ImportError, KeyError) as error:
        raise ModelError(f"{called} cannot be loaded ({error}): {remedy}") from error


def _load(info: BundleInfo) -> Any:
    keras = import_keras()
    # Importing the network's module registers its layers; only fxd's own are imported.
    if not _OWN_MODULE.fullmatch(info.facts.network):
        raise ValueError(f"its network {info.facts.network!r} is none of fxd's")
    importlib.import_module(info.facts.network)
    return keras.saving.load_model(info.path / MODEL_FILE, compile=False, safe_mode=True)


def import_keras() -> Any:
    """Import Keras on TensorFlow, quietly; takes seconds the first time."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    # A keras.json in somebody's home must not change results, and none is written there.
    os.environ["KERAS_HOME"] = os.devnull
    # Level 3, because TensorFlow 2.17 logs three false errors about CUDA at each start;
    # what really fails is raised in Python all the same.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    return importlib.import_module("keras")
