"""Shooting days on a real daemon: put together when quiet, after their clips, and after changes."""

import json
import os
import shutil
import signal
import wave

import pytest

from daemon.manifest import xxh3_of
from tests.studio import Studio, assert_whole

pytestmark = pytest.mark.lengthy

DAY = "dailies/day01/_day"
RESULT = "dailies_copy/day01/_day"
GATHER = {"handler": "gather", "sound": ["audio"], "quiet": "0.5s"}
WATCHES = [{"folder": "dailies", "run": ["copy", GATHER]}, {"folder": "audio", "run": []}]


@pytest.fixture
def studio(tmp_path):
    """A storage whose days take sound from ``audio``; nothing runs yet."""
    it = Studio(tmp_path, WATCHES)
    yield it
    it.stop(signal.SIGKILL)


def drop_clip(studio, name, media):
    """Drop a real clip."""
    return studio.drop(name, (media / "bigbuckbunny.mp4").read_bytes())


def drop_sound(studio, name):
    """Drop half a second of silence."""
    path = studio.storage / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48000)
        file.writeframes(bytes(48000))
    return path


def gathered(studio, result=RESULT):
    """Return what the day was given the last time, by name; empty while there is none."""
    text = studio.text_of(f"{result}/day.json")
    return json.loads(text)["inputs"] if text else {}


def names(studio, result=RESULT):
    """Return the file names of the sources that the day was given."""
    given = gathered(studio, result)
    return sorted(os.path.basename(item["path"]) for item in given.values() if item["kind"])


def test_a_day_has_its_clips_their_results_and_its_sound(studio, media):
    """It is published beside the clips' results, with pinned inputs; other days stay out of it."""
    studio.start()
    drop_clip(studio, "dailies/day01/A001.mp4", media)
    drop_clip(studio, "dailies/day01/cam_b/B001.mp4", media)
    drop_sound(studio, "dailies/day01/take.wav")
    drop_sound(studio, "audio/Day01/roll1.wav")
    drop_sound(studio, "audio/day02/roll2.wav")
    drop_sound(studio, "audio/loose.wav")
    studio.wait_for(lambda: len(names(studio)) == 5)
    studio.wait_state(DAY, "done")
    assert names(studio) == ["A001.mp4", "B001.mp4", "loose.wav", "roll1.wav", "take.wav"]
    given = gathered(studio)
    copy = given["clips/0001/copy/A001.mp4.copy"]
    assert copy["path"].endswith("dailies_copy/day01/A001/A001.mp4.copy")
    assert copy["digest"] == xxh3_of(studio.storage / "dailies_copy/day01/A001/A001.mp4.copy")
    manifest = assert_whole(studio.storage / RESULT)
    assert "dailies/day01/A001.mp4" in [item["path"] for item in manifest["inputs"]]
    assert manifest["source"]["path"] == DAY


def test_a_day_waits_for_its_clips_jobs_and_says_so(tmp_path, media):
    """The job is there, QUEUED with its reason, and holds no slot."""
    slow = [{"folder": "dailies", "run": [{"handler": "copy", "seconds": 3.0}, GATHER]}, WATCHES[1]]
    studio = Studio(tmp_path, slow)
    try:
        studio.start()
        drop_clip(studio, "dailies/day01/A001.mp4", media)
        studio.wait_state(DAY, "queued")
        reasons = [
            row[0] for row in studio.query("SELECT waits_for FROM job WHERE handler = 'gather'")
        ]
        assert reasons == ["waits for 1 of the 1 jobs of its clips"]
        assert "waits for 1 of the 1 jobs" in studio.fxd("status").stdout
        studio.wait_state(DAY, "done")
        assert names(studio) == ["A001.mp4"]
    finally:
        studio.stop(signal.SIGKILL)


def test_later_material_makes_a_new_version_of_the_day(studio, media):
    """Added, replaced and deleted clips all show; the old version is swapped in one step."""
    studio.start()
    drop_clip(studio, "dailies/day01/A001.mp4", media)
    studio.wait_state(DAY, "done")
    drop_clip(studio, "dailies/day01/A002.mp4", media)
    studio.wait_for(lambda: names(studio) == ["A001.mp4", "A002.mp4"])
    (studio.storage / "dailies/day01/A001.mp4").unlink()
    studio.wait_for(lambda: names(studio) == ["A002.mp4"])
    before = gathered(studio)["clips/0001"]["digest"]
    shutil.copy(media / "bikes.mp4", studio.storage / "dailies/day01/A002.mp4")
    studio.wait_for(lambda: gathered(studio)["clips/0001"]["digest"] != before)
    studio.wait_states(done=7)


def test_nothing_new_is_no_new_version(studio, media):
    """A restart and a touched file put nothing together again."""
    studio.start()
    path = drop_clip(studio, "dailies/day01/A001.mp4", media)
    studio.wait_state(DAY, "done")
    studio.stop()
    os.utime(path)
    studio.start()
    drop_clip(studio, "dailies/day02/B001.mp4", media)
    studio.wait_state("dailies/day02/_day", "done")
    rows = studio.query("SELECT COUNT(*) FROM job WHERE handler = 'gather'")
    assert rows == [(2,)]


def test_a_clip_that_cannot_be_used_does_not_hold_up_the_day(studio, media):
    """It is among the inputs, with the reason why it has no results."""
    studio.start()
    drop_clip(studio, "dailies/day01/A001.mp4", media)
    studio.drop("dailies/day01/B001.mov", b"notes, not a clip")
    studio.wait_for(lambda: names(studio) == ["A001.mp4", "B001.mov"])
    notes = [item["note"] for item in gathered(studio).values() if item["kind"]]
    assert notes[0] == ""
    assert "B001.mov" in notes[1]


def test_a_recording_that_gets_no_further_does_not_hold_up_the_day(studio, media):
    """The day is made without it while somebody has it open, and again once it is whole."""
    studio.start()
    whole = drop_sound(studio, "made.wav").read_bytes()
    path = studio.storage / "audio/day01/roll.wav"
    path.parent.mkdir()
    with path.open("wb") as file:
        file.write(whole[:20_000])
        file.flush()
        studio.wait_for(lambda: "still open for writing" in studio.log())
        drop_clip(studio, "dailies/day01/A001.mp4", media)
        studio.wait_state(DAY, "done")
        assert names(studio) == ["A001.mp4"]
        file.write(whole[20_000:])
    studio.wait_for(lambda: names(studio) == ["A001.mp4", "roll.wav"])


def test_a_renamed_day_takes_its_results_along(studio, media):
    """What was put together is moved, not made again."""
    studio.start()
    drop_clip(studio, "dailies/day01/A001.mp4", media)
    studio.wait_state(DAY, "done")
    (studio.storage / "dailies/day01").rename(studio.storage / "dailies/tuesday")
    moved = studio.storage / "dailies_copy/tuesday/_day/day.json"
    studio.wait_for(moved.exists)
    studio.wait_for(lambda: not (studio.storage / RESULT).exists())
    assert studio.query("SELECT COUNT(*) FROM job WHERE handler = 'gather'") == [(1,)]


def test_a_kill_while_a_day_is_put_together(studio, media):
    """After a restart the day is there, once and whole."""
    (studio.storage / "slow-day01").touch()
    (studio.storage / "dailies/slow-day01").touch()
    studio.start()
    drop_clip(studio, "dailies/day01/A001.mp4", media)
    studio.wait_state(DAY, "running")
    studio.stop(signal.SIGKILL)
    (studio.storage / "slow-day01").unlink()
    studio.start()
    studio.wait_state(DAY, "done")
    assert_whole(studio.storage / RESULT)


def test_a_result_that_a_person_edited_is_taken_as_it_is(studio, media):
    """The digest is that of the edited file; submitting a day by its folder runs it again."""
    studio.start()
    drop_clip(studio, "dailies/day01/A001.mp4", media)
    studio.wait_state(DAY, "done")
    note = studio.storage / "dailies_copy/day01/A001/note.txt"
    note.write_text("better\n")
    studio.fxd("submit", studio.storage / "dailies/day01", "--handler", "gather")
    edited = xxh3_of(note)
    studio.wait_for(lambda: gathered(studio)["clips/0001/copy/note.txt"]["digest"] == edited)


def test_once_puts_days_together_without_waiting_for_quiet(tmp_path, media):
    """``fxd once`` ends when the days are done too."""
    watches = [{"folder": "dailies", "run": ["copy", GATHER | {"quiet": "1h"}]}, WATCHES[1]]
    studio = Studio(tmp_path, watches)
    drop_clip(studio, "dailies/day01/A001.mp4", media)
    studio.fxd("once", "--wait", "60s")
    assert names(studio) == ["A001.mp4"]
    assert studio.states() == {"done": 2}


def test_once_waits_for_a_day_after_clips_that_take_longer_than_that(tmp_path, media):
    """How long to wait for what grows says nothing of how long jobs may take."""
    slow = {"handler": "copy", "seconds": 9}
    studio = Studio(tmp_path, [{"folder": "dailies", "run": [slow, GATHER]}, WATCHES[1]])
    drop_clip(studio, "dailies/day01/A001.mp4", media)
    studio.fxd("once", "--wait", "8s")
    assert studio.states() == {"done": 2}


# What lies right in the watched folder.

ROOT, CARD = "dailies_copy/_day", "dailies/A001R2EC"


def test_clips_right_in_the_watched_folder_are_a_day_too(studio, media):
    """Folders there stay days of their own; sound that lies in no folder belongs to it."""
    studio.start()
    drop_clip(studio, "dailies/A001.mp4", media)
    drop_clip(studio, "dailies/day01/B001.mp4", media)
    drop_sound(studio, "dailies/take.wav")
    drop_sound(studio, "audio/loose.wav")
    drop_sound(studio, "audio/day01/roll.wav")
    studio.wait_for(lambda: names(studio, ROOT) == ["A001.mp4", "loose.wav", "take.wav"])
    studio.wait_for(lambda: names(studio) == ["B001.mp4", "loose.wav", "roll.wav"])
    assert assert_whole(studio.storage / ROOT)["source"]["path"] == "dailies/_day"
    assert gathered(studio, ROOT)["clips/0001/copy/note.txt"]["path"].endswith(
        "dailies_copy/A001/note.txt"
    )
    (studio.storage / "dailies/A001.mp4").rename(studio.storage / "dailies/A002.mp4")
    studio.wait_for(lambda: "A002.mp4" in names(studio, ROOT))
    studio.stop()
    studio.start()
    drop_clip(studio, "dailies/day01/B002.mp4", media)
    studio.wait_for(lambda: "B002.mp4" in names(studio))
    sql = "SELECT COUNT(*) FROM job JOIN asset ON asset.id = asset_id WHERE path = ?"
    before = studio.query(sql, b"dailies/_day")
    assert names(studio, ROOT) == ["A002.mp4", "loose.wav", "take.wav"]
    drop_sound(studio, "audio/day02/roll.wav")
    studio.fxd("submit", studio.storage / "dailies", "--handler", "gather")
    studio.wait_state("dailies/_day", "done")
    assert studio.query(sql, b"dailies/_day") == [(before[0][0] + 1,)]


def test_a_file_with_a_days_name_is_told_of(studio, media):
    """It has its own place in the journal; the day comes when it is gone."""
    path = studio.drop("dailies/day01/_day")
    studio.start()
    drop_clip(studio, "dailies/day01/A001.mp4", media)
    studio.wait_for(lambda: "has the name of a day's results; rename it" in studio.log())
    path.rename(path.with_name("notes"))
    studio.wait_for(lambda: names(studio) == ["A001.mp4"])
    studio.wait_states(done=3)


@pytest.fixture
def cards(tmp_path):
    """A storage whose cards are taken apart; nothing runs yet."""
    watches = [{"folder": "dailies", "run": ["shelve", GATHER]}, WATCHES[1]]
    it = Studio(tmp_path, watches)
    yield it
    it.stop(signal.SIGKILL)


def drop_card(studio, media, *clips, name=CARD):
    """Drop a card, or more clips onto it."""
    for clip in clips:
        drop_clip(studio, f"{name}/M4ROOT/CLIP/{clip}.mp4", media)


def test_a_card_alone_is_a_day(cards, media):
    """Its day lies beside its clips' folders, and outlives that these are made again."""
    cards.start()
    drop_card(cards, media, "C0001")
    drop_sound(cards, "audio/a001r2ec/roll.wav")
    day = cards.storage / "dailies_copy/A001R2EC/_day"
    result = "dailies_copy/A001R2EC/_day"
    cards.wait_for(lambda: names(cards, result) == ["A001R2EC", "roll.wav"])
    assert gathered(cards, result)["clips/0001/shelve/C0001/size.txt"]
    assert_whole(day.parent)
    assert not (cards.storage / ROOT).exists()
    (day / "notes.txt").write_text("mine")
    (day.parent / "C0001/size.txt").write_text("mine too")
    drop_card(cards, media, "C0002")
    cards.wait_for(lambda: "clips/0001/shelve/C0002/size.txt" in gathered(cards, result))
    assert (day / "notes.txt").read_text() == "mine"
    assert (day.parent / "C0001/size.edited.txt").read_text() == "mine too"
    manifest = json.loads((day.parent / "manifest.json").read_text())
    assert manifest["kept"] == ["C0001/size.edited.txt"]
    for options in ([], ["--handler", "gather"]):
        before = (day / "manifest.json").read_text()
        cards.fxd("submit", cards.storage / CARD, *options)
        cards.wait_for(lambda before=before: cards.text_of(f"{result}/manifest.json") != before)
        cards.wait_for((day / "notes.txt").is_file)


def test_a_renamed_card_takes_its_day_along(cards, media):
    """Nothing is made again."""
    cards.start()
    drop_card(cards, media, "C0001")
    cards.wait_state(f"{CARD}/_day", "done")
    (cards.storage / CARD).rename(cards.storage / "dailies/tuesday")
    moved = cards.storage / "dailies_copy/tuesday/_day"
    cards.wait_for((moved / "day.json").exists)
    sql = "SELECT CAST(path AS TEXT) FROM output WHERE handler = 'gather'"
    cards.wait_for(lambda: cards.query(sql) == [("dailies_copy/tuesday/_day",)])
    cards.wait_for(lambda: not cards.query("SELECT 1 FROM intent"))
    assert not (cards.storage / "dailies_copy/A001R2EC").exists()
    assert cards.query("SELECT COUNT(*) FROM job") == [(2,)]
    assert_whole(moved)


def _dailies(*runs):
    return [{"folder": "dailies", "run": list(runs)}]


@pytest.mark.parametrize(
    ("watches", "says"),
    [
        (_dailies(), "is empty, and no handler takes sound from here"),
        (_dailies("copy", {"handler": "gather", "sound": ["no"]}), "which is no watched folder"),
        (_dailies({"handler": "copy", "quiet": "5s"}), "takes no days"),
        (_dailies("gather", {"handler": "gather"}), "writes to 'dailies_copy'"),
    ],
)
def test_faults_of_the_configuration(tmp_path, watches, says):
    """Each is one sentence at its place."""
    studio = Studio(tmp_path, WATCHES)
    studio.watches = watches
    studio.configure()
    done = studio.fxd("check-config", check=False)
    assert done.returncode == 2
    assert says in done.stdout + done.stderr
