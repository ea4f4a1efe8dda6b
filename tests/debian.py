"""Packages of Debian's archive, fetched with apt for the real sounds that are in them."""

import subprocess
from pathlib import Path


def fetch_package(package: str, scratch: Path) -> Path:
    """Have apt fetch a package; where it knows of none, from lists of its own for this once.

    Args:
        package: its name.
        scratch: where the package and apt's files go.

    Returns:
        The package's path, in `scratch`.

    Raises:
        RuntimeError: it cannot be downloaded.
    """
    first = _apt(["download", package], scratch)
    if first.returncode:
        for name in ("state/lists/partial", "cache/archives/partial"):
            (scratch / name).mkdir(parents=True)
        own = [f"-oDir::State={scratch}/state", f"-oDir::Cache={scratch}/cache"]
        own.append("-oDir::State::status=/var/lib/dpkg/status")
        _apt([*own, "update"], scratch)
        first = _apt([*own, "download", package], scratch)
    if first.returncode:
        raise RuntimeError(f"{package} could not be downloaded: {first.stderr.strip()}")
    (found,) = scratch.glob("*.deb")
    return found


def unpack(package: Path, folder: Path) -> None:
    """Unpack a package's files into a folder.

    Raises:
        subprocess.CalledProcessError: it is damaged.
    """
    subprocess.run(["dpkg-deb", "-x", package, folder], check=True, timeout=300)


def _apt(arguments: list[str], folder: Path) -> subprocess.CompletedProcess:
    try:
        return subprocess.run(
            ["apt-get", "-qq", *arguments],
            cwd=folder, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise RuntimeError(
            "the sounds for the tests come from Debian: apt-get is missing"
        ) from None
