"""What a real daemon makes of sequences, spanned clips, proxies, raw files and changed copies."""

import json
import shutil

import pytest

from tests import opatom
from tests.golden.clips import clip, numbers
from tests.images import packed, sequence
from tests.studio import Studio, assert_whole
from tests.unit.test_media_manifest import legacy
from tests.unit.test_media_spanned import part


@pytest.fixture(scope="module")
def day(tmp_path_factory, models_dir):
    """Run one daemon on a day of everything, dropped before it starts."""
    folder = tmp_path_factory.mktemp("formats")
    it = Studio(folder, [{"folder": "dailies", "run": ["edit"]}], models=models_dir)
    dailies = it.storage / "dailies"
    (dailies / "Proxy").mkdir()
    for number, first, frames in ((1, 0, 30), (2, 30, 20)):
        part(dailies / f"GX0{number}0001.mov", first, frames)
    (dailies / "GX010001.LRV").write_bytes(b"small")
    clip(dailies / "Proxy" / "A009.mov", frames=5)
    (dailies / "B001.braw").write_bytes(b"raw" * 1000)
    (dailies / "copies").mkdir()
    bad = clip(dailies / "copies" / "A002.mov", frames=5)
    legacy(dailies / "copies", bad, "md5", "0" * 32)
    (dailies / "avid").mkdir()
    opatom.avid(dailies / "avid")
    made = folder / "made"
    made.mkdir()
    _, images = sequence(made, "dpx", frames=30, rate=(24, 1),
                         timecode=lambda n: packed(10, 0, n // 24, n % 24))  # fmt: skip
    for image in images:
        if image.name != "shot_1010.dpx":
            shutil.copy(image, dailies / image.name)
    it.start()
    yield it
    it.stop()


def test_a_sequence_is_one_job(day):
    """Its images are one asset with one result; the missing one is told by its number."""
    day.wait_state("dailies/shot_####.dpx", "done", 150)
    folder = day.storage / "dailies_edit/shot"
    assert_whole(folder)
    shots = json.loads((folder / "shots.json").read_text())
    assert (shots["frames"], shots["start_timecode"]) == (30, "10:00:00:00")
    verified = json.loads((folder / "verified.json").read_text())
    assert [each["frame"] for each in verified["errors"]] == [9]
    assert numbers(folder / "shot.mov") == [8 if n == 9 else n for n in range(30)]


def test_chapters_are_one_job(day):
    """Two files of one clip give one timeline, and no job for the second one."""
    day.wait_state("dailies/GX010001.mov", "done", 150)
    folder = day.storage / "dailies_edit/GX010001"
    assert json.loads((folder / "shots.json").read_text())["frames"] == 50
    names = {name for (name,) in day.query("SELECT CAST(path AS TEXT) FROM asset")}
    assert "dailies/GX020001.mov" not in names
    assert not {name for name in names if "Proxy" in name or name.endswith("LRV")}


def test_the_sound_of_an_op_atom_set_makes_no_job(day):
    """It is part of its picture: one asset with all channels, one certificate of all files."""
    picture = "dailies/avid/V01.DF338FB9_1F15001F15094V.mxf"
    day.wait_state(picture, "done", 300)
    folder = day.storage / "dailies_edit/avid/V01.DF338FB9_1F15001F15094V"
    assert_whole(folder)
    assert len(json.loads((folder / "verified.json").read_text())["files"]) == 3
    rows = day.query("SELECT CAST(path AS TEXT), facts FROM asset")
    rows = [row for row in rows if "avid" in row[0]]
    assert [name for name, _ in rows] == [picture]
    assert json.loads(rows[0][1])["channels"] == 2


def test_raw_and_changed_copies_are_refused_by_name(day):
    """Each gets one sentence beside the results."""
    day.wait_state("dailies/B001.braw", "rejected", 150)
    day.wait_state("dailies/copies/A002.mov", "rejected", 150)
    failed = "dailies_edit/_failed"
    raw = day.wait_for(lambda: day.text_of(f"{failed}/B001.braw.txt"))
    assert "B001.braw is Blackmagic RAW" in raw
    changed = day.wait_for(lambda: day.text_of(f"{failed}/copies/A002.mov.txt"))
    assert "A002.mov is not the file that card.mhl lists" in changed
