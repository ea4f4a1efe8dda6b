"""Bundles: written whole, found by version, checked before they are loaded."""

import json
from pathlib import Path

import numpy as np
import pytest

from models import bundle
from models.bundle import BundleFacts, BundleLoader
from models.errors import ModelError


def _facts(name: str = "tiny", version: str = "1.0", network: str = "models.shots.network"):
    return BundleFacts(
        name=name,
        version=version,
        network=network,
        input_contract="float32 [batch, 3]",
        licence="CC0-1.0",
        origin="made by a test",
        treatment="analysis",
        seed=7,
        metrics={"f1": 0.5},
    )


@pytest.fixture(scope="module")
def model():
    """A model of one dense layer."""
    keras = bundle.import_keras()
    inputs = keras.Input((3,))
    return keras.Model(inputs, keras.layers.Dense(2)(inputs))


def test_written_bundle_explains_itself(tmp_path: Path, model) -> None:
    """All facts are in the metadata, and the hash is the model's."""
    info = bundle.write_bundle(model, tmp_path, _facts(), "# tiny\n")
    data = json.loads((info.path / "metadata.json").read_text(encoding="utf-8"))
    assert info.path == tmp_path / "tiny" / "1.0"
    assert data["parameters"] == 8
    assert data["sha256"] == bundle.digest(info.path / "model.keras")
    assert data["seed"] == 7
    assert data["metrics"] == {"f1": 0.5}
    assert set(data["libraries"]) == {"tensorflow", "keras", "numpy"}
    assert (info.path / "card.md").read_text(encoding="utf-8") == "# tiny\n"
    assert info.is_whole()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny"]


def test_loaded_model_gives_equal_outputs(tmp_path: Path, model) -> None:
    """Saved, loaded and compared; the second load is the same object."""
    bundle.write_bundle(model, tmp_path, _facts(), "")
    loader = BundleLoader(tmp_path)
    loaded = loader.load("tiny")
    x = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(loaded.predict_on_batch(x), model.predict_on_batch(x))
    assert loader.load("tiny") is loaded


def test_newest_version_wins(tmp_path: Path, model) -> None:
    """Versions are numbers, not text: 1.10 comes after 1.9."""
    for version in ("1.10", "1.9", "1.9.1"):
        bundle.write_bundle(model, tmp_path, _facts(version=version), "")
    found = bundle.find(tmp_path, "tiny")
    assert found is not None
    assert found.version == "1.10"
    assert [info.version for info in bundle.installed(tmp_path)] == ["1.9", "1.9.1", "1.10"]


def test_writing_again_replaces(tmp_path: Path, model) -> None:
    """The old bundle goes as a whole."""
    bundle.write_bundle(model, tmp_path, _facts(), "old")
    info = bundle.write_bundle(model, tmp_path, _facts(), "new")
    assert (info.path / "card.md").read_text(encoding="utf-8") == "new"
    assert len(bundle.installed(tmp_path)) == 1


def test_removed_bundle_is_gone(tmp_path: Path, model) -> None:
    """Its number is all that stays, also where the removal was cut off and is done again."""
    for version in ("1.0", "1.2", "1.2"):
        bundle.remove(bundle.write_bundle(model, tmp_path, _facts(version=version), ""))
    assert bundle.installed(tmp_path) == []
    assert [path.name for path in (tmp_path / "tiny").iterdir()] == ["removed"]
    assert bundle.taken(tmp_path, "tiny") == ["1.0", "1.2"]
    (tmp_path / "tiny" / "removed").write_bytes(b"\xff")
    assert bundle.taken(tmp_path, "tiny") == []


def test_missing_model_says_what_to_run(tmp_path: Path) -> None:
    """The sentence holds the command."""
    with pytest.raises(ModelError, match="fxd models install transnetv2"):
        BundleLoader(tmp_path).load("transnetv2")
    assert bundle.find(tmp_path, "transnetv2") is None
    assert bundle.installed(tmp_path / "none") == []


def test_damaged_model_is_refused(tmp_path: Path, model) -> None:
    """One changed byte is enough."""
    info = bundle.write_bundle(model, tmp_path, _facts(), "")
    content = bytearray((info.path / "model.keras").read_bytes())
    content[100] ^= 1
    (info.path / "model.keras").write_bytes(content)
    with pytest.raises(ModelError, match=r"damaged.*fxd models install tiny"):
        BundleLoader(tmp_path).load("tiny")
    assert bundle.whole(tmp_path, "tiny", "1.0") is None


def test_foreign_network_is_not_imported(tmp_path: Path, model) -> None:
    """A bundle cannot name any module it likes."""
    bundle.write_bundle(model, tmp_path, _facts(network="antigravity"), "")
    with pytest.raises(ModelError, match="none of fxd's"):
        BundleLoader(tmp_path).load("tiny")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": "tiny"}'])
def test_folder_without_metadata_is_no_bundle(tmp_path: Path, model, text: str) -> None:
    """A half-copied folder is left out, and reading it says why."""
    info = bundle.write_bundle(model, tmp_path, _facts(), "")
    (info.path / "metadata.json").write_text(text, encoding="utf-8")
    assert bundle.installed(tmp_path) == []
    with pytest.raises(ModelError, match="missing or damaged"):
        bundle.read(info.path)


@pytest.mark.parametrize("name", ["../up", "", "a/b", ".hidden", "Upper"])
def test_name_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    """Names and versions become paths."""
    with pytest.raises(ModelError):
        bundle.folder(tmp_path, name, "1")
    with pytest.raises(ModelError):
        bundle.folder(tmp_path, "tiny", name)
