"""Shot lists that people edited become labels."""

import json
import shutil
from pathlib import Path

import pytest
import xxhash

from models.errors import ModelError
from models.shots import corrections
from models.shots.transitions import Kind, Label

HEADER = "index,start,end,frames,transition_in,transition_start,transition_end\n"
FXD = HEADER + "0,0,30,30,start,0,0\n1,30,250,220,cut,30,30\n"
HAND = HEADER + "0,0,30,30,start,0,0\n1,30,76,46,cut,30,30\n2,76,250,174,dissolve,70,82\n"


@pytest.fixture
def storage(tmp_path: Path, media: Path):
    """A storage with one clip and the folder that fxd published for it."""
    (tmp_path / ".fxd-storage").write_text("id")
    (tmp_path / "dailies").mkdir()
    shutil.copy(media / "bikes.mp4", tmp_path / "dailies" / "A001.mp4")
    publish(tmp_path, "dailies/A001.mp4")
    return tmp_path


def publish(root, source, folder="dailies_edit/A001", table="shots.csv"):
    """Write what fxd would have published."""
    made = root / folder
    (made / table).parent.mkdir(parents=True, exist_ok=True)
    (made / table).write_text(FXD)
    shown = {"source": Path(source).name, "vfr": False}
    (made / table).with_name("shots.json").write_text(json.dumps(shown))
    written = {"path": table, "size": len(FXD), "xxh3": xxhash.xxh3_128(FXD.encode()).hexdigest()}
    manifest = {"artifacts": [written], "source": {"path": source}}
    (made / "manifest.json").write_text(json.dumps(manifest))
    return made / table


def test_untouched_tables_are_no_labels(storage) -> None:
    """What fxd found teaches fxd nothing."""
    assert corrections.find(storage / "dailies_edit") == []


def test_edited_table_is_found(storage) -> None:
    """With the clip that it is about, and kinds and ranges."""
    (storage / "dailies_edit/A001/shots.csv").write_text(HAND)
    (found,) = corrections.find(storage / "dailies_edit")
    assert found.source == storage / "dailies" / "A001.mp4"
    assert found.labels == (
        Label(start=30, end=30, kind=Kind.CUT),
        Label(start=70, end=82, kind=Kind.DISSOLVE),
    )


def test_table_kept_beside_newer_results_is_found(storage) -> None:
    """It is not in the manifest at all."""
    (storage / "dailies_edit/A001/shots.edited.csv").write_text(HAND)
    (found,) = corrections.find(storage / "dailies_edit")
    assert found.table.name == "shots.edited.csv"


def test_clip_of_a_card(storage) -> None:
    """The card is the source; the table's own folder says which clip."""
    card = storage / "dailies" / "CARD" / "CLIP"
    card.mkdir(parents=True)
    shutil.move(storage / "dailies" / "A001.mp4", card / "C0001.MP4")
    table = publish(storage, "dailies/CARD", "dailies_edit/CARD", "C0001/shots.csv")
    shown = {"source": "C0001.MP4"}
    table.with_name("shots.json").write_text(json.dumps(shown))
    table.write_text(HAND)
    (found,) = corrections.find(storage / "dailies_edit" / "CARD")
    assert found.source == card / "C0001.MP4"


@pytest.mark.parametrize("source", ["../outside.mp4", "dailies/gone.mp4", 7])
def test_odd_sources_are_left_out(storage, source) -> None:
    """Outside the storage, gone, or no path at all."""
    (storage.parent / "outside.mp4").touch()
    manifest = storage / "dailies_edit/A001/manifest.json"
    manifest.write_text(json.dumps({"source": {"path": source}}))
    assert corrections.find(storage / "dailies_edit") == []


def test_variable_rate_is_left_out(storage) -> None:
    """Its table counts frames of the edit rate."""
    folder = storage / "dailies_edit/A001"
    (folder / "shots.csv").write_text(HAND)
    (folder / "shots.json").write_text(json.dumps({"vfr": True}))
    assert corrections.find(folder) == []


def test_folder_outside_a_storage_is_refused(tmp_path: Path) -> None:
    """There is no way to know which clips are meant."""
    with pytest.raises(ModelError, match="in no storage"):
        corrections.find(tmp_path)


def test_spreadsheets_save_in_their_own_way(tmp_path: Path) -> None:
    """Semicolons, a byte order mark, other columns gone; a start that left its old range."""
    table = tmp_path / "shots.csv"
    table.write_text("\ufeffstart;transition_in\n0;start\n50;\n20;wipe\n", encoding="utf-8")
    assert corrections.read_table(table) == (
        Label(start=20, end=20, kind=Kind.CUT),
        Label(start=50, end=50, kind=Kind.CUT),
    )
    table.write_text(HEADER + "1,90,250,,dissolve,70,82\n2,100,250,,dip,95,105\n")
    assert [label.kind for label in corrections.read_table(table)] == [Kind.CUT, Kind.DIP_BLACK]


@pytest.mark.parametrize("text", ["first\n3\n", "start\nten\n", ""])
def test_what_is_no_shot_list_is_named(tmp_path: Path, text: str) -> None:
    """One sentence with the file's name, unless it says nothing at all."""
    table = tmp_path / "shots.csv"
    table.write_text(text)
    if text:
        with pytest.raises(ModelError, match=r"shots\.csv cannot be read"):
            corrections.read_table(table)
    else:
        assert corrections.read_table(table) == ()


def test_windows_show_each_transition_in_its_middle(storage) -> None:
    """And some show none; labels stand where the frames do."""
    (storage / "dailies_edit/A001/shots.csv").write_text(HAND)
    (found,) = corrections.find(storage / "dailies_edit")
    made = corrections.windows(found)
    assert [len(example.frames) for example in made] == [200] * 3
    assert made[0].labels[0].boundary == 100
    assert made[1].labels[1].boundary == 100
    # Before the clip's first frame stand copies of it.
    assert (made[0].frames[:70] == made[0].frames[70]).all()
