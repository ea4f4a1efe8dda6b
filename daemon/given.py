"""In the child: from what an order says to the asset and the inputs that a handler is given."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from daemon import manifest
from daemon.assets import FOLDERS
from daemon.days import folder_of_day
from daemon.errors import SourceChangedError
from daemon.outputs import DAY
from handlers.contract import Asset, AssetKind, Input, MediaFacts

# An artifact up to this size is hashed; of a larger one (a proxy) the size is compared.
_HASHED = 64 << 20


def described(root: Path, data: Mapping[str, Any]) -> Asset:
    """Return the asset that an order describes; a day's path is its folder."""
    kind = AssetKind(data["kind"])
    path, within = root / data["path"], data["within"]
    if kind is AssetKind.DAY:
        path = root / os.fsdecode(folder_of_day(os.fsencode(data["path"])))
        within = within.removesuffix(DAY).removesuffix("/")
    folder = path if kind in FOLDERS else path.parent
    return Asset(
        path=path,
        kind=kind,
        fingerprint=data["fingerprint"],
        members=tuple(folder / name for name in data["members"]),
        facts=MediaFacts.from_json(data["facts"]),
        within=within,
    )


def taken(root: Path, inputs: Sequence[Mapping[str, Any]]) -> dict[str, Input]:
    """Return a run's inputs by their names.

    Raises:
        SourceChangedError: One is being replaced; the run starts again when it is whole.
    """
    made: dict[str, Input] = {}
    for item in inputs:
        asset = described(root, item["asset"])
        if not item["present"]:
            raise SourceChangedError(f"{asset.path} is being replaced; the day follows")
        name, notes = item["name"], [item["note"]] if item["note"] else []
        for handler, result in item["results"].items():
            found = dict(_artifacts(root / result["output"], result["job"]))
            made |= {f"{name}/{handler}/{path}": artifact for path, artifact in found.items()}
            if not found:
                notes.append(f"{handler}: its results are not in {result['output']} any more")
        note = "; ".join(notes)
        made[name] = Input(path=asset.path, digest=asset.fingerprint, asset=asset, note=note)
    return made


def _artifacts(folder: Path, job: int) -> Iterator[tuple[str, Input]]:
    """Yield what a run published, as its manifest says or as a person has edited it since."""
    found = manifest.read(folder)
    if found is None:
        return
    if found.job != job:
        raise SourceChangedError(f"the results in {folder} are being replaced; the day follows")
    for name, (size, digest) in found.artifacts.items():
        path = folder / name
        # Anyone who may write to the storage may have written this manifest.
        inside = not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts
        if inside and path.is_file() and not path.is_symlink():
            yield name, Input(path=path, digest=_present_digest(path, size, digest))


def _present_digest(path: Path, size: int, digest: str) -> str:
    present = path.stat().st_size
    if present == size and present > _HASHED:
        return digest
    return manifest.xxh3_of(path)
