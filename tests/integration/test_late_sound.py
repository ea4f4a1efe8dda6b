"""Sound in files of its own on a real daemon: late, half there, broken, of several pictures."""

import os
import signal

import pytest

from tests.opatom import avid, join, picture_file, sound_file, tone
from tests.studio import Studio

# This handler takes files of any kind: each of sound is copied once, too.
WATCHES = [{"folder": "dailies", "run": ["copy"]}]


@pytest.fixture
def studio(tmp_path):
    """A storage whose clips are copied; nothing runs yet."""
    it = Studio(tmp_path, WATCHES)
    (it.storage / "dailies/day01").mkdir()
    yield it
    it.stop(signal.SIGKILL)


@pytest.fixture
def made(tmp_path):
    """A picture and two files of its sound, made where nobody watches."""
    folder = tmp_path / "made"
    folder.mkdir()
    path = picture_file(folder / "C0001V01.MXF", frames=10)
    sounds = [sound_file(folder / f"C0001A0{n}.MXF", tone(0.4, 440 * n)) for n in (1, 2)]
    join(path, *sounds)
    return path, sounds


def drop(studio, path, size=None):
    """Copy a file into the day, or the beginning of it."""
    return studio.drop(f"dailies/day01/{path.name}", path.read_bytes()[:size])


def runs(studio, name="C0001V01.MXF"):
    """How many runs of a clip are done; 0 while one is still to come."""
    rows = studio.query(
        "SELECT job.state FROM job JOIN asset ON asset.id = asset_id WHERE path = ?",
        os.fsencode(f"dailies/day01/{name}"),
    )
    return len(rows) if {row[0] for row in rows} == {"done"} else 0


def channels(studio, name):
    """How many channels the journal knows a clip to have."""
    sql = "SELECT json_extract(facts, '$.channels') FROM asset WHERE path = ?"
    return studio.query(sql, os.fsencode(f"dailies/day01/{name}"))[0][0]


def test_sound_that_comes_later_makes_a_new_version(studio, made):
    """The picture runs again by itself, once; renamed together nothing is made again."""
    path, (first, second) = made
    studio.start()
    drop(studio, path)
    studio.wait_for(lambda: runs(studio) == 1)
    drop(studio, first)
    studio.wait_for(lambda: runs(studio) == 2)
    drop(studio, second)
    studio.wait_for(lambda: runs(studio) == 3)
    os.utime(studio.storage / "dailies/day01" / first.name)
    (studio.storage / "dailies/day01").rename(studio.storage / "dailies/tuesday")
    studio.wait_for((studio.storage / "dailies_copy/tuesday/C0001V01/C0001V01.MXF.copy").is_file)
    studio.stop()
    studio.start()
    studio.wait_states(done=3 + 2)


def test_sound_that_is_half_there_is_waited_for_while_it_grows(studio, made):
    """One run, of all of it."""
    path, (first, second) = made
    studio.configure(settle={"quiet": "1s", "quiet_after_close": "1s", "quiet_network": "1s"})
    studio.start()
    for each in (path, first, second):
        drop(studio, each, 50_000)
    for each in (path, first, second):
        drop(studio, each)
    studio.wait_states(done=1 + 2)
    assert runs(studio) == 1


def test_broken_sound_does_not_hold_the_picture_up(studio, made):
    """It runs, the log names the sound; once that is whole the picture runs again."""
    path, (first, _) = made
    studio.start()
    drop(studio, first, 30_000)
    drop(studio, path)
    studio.wait_for(lambda: runs(studio) == 1)
    assert "goes on without all of its sound" in studio.log()
    assert "C0001A01.MXF" in studio.log()
    drop(studio, first)
    studio.wait_for(lambda: runs(studio) == 2)


def test_late_sound_of_avids_names(studio, tmp_path):
    """A picture alone in its folder has what is named by Avid; no picture runs for another's."""
    folder = tmp_path / "avid"
    folder.mkdir()
    path, sounds = avid(folder, frames=10)
    studio.start()
    drop(studio, path)
    studio.wait_for(lambda: runs(studio, path.name) == 1)
    for sound in sounds:
        drop(studio, sound)
    studio.wait_for(lambda: runs(studio, path.name) > 1 and channels(studio, path.name) == 2)
    studio.wait_for(lambda: all(runs(studio, sound.name) == 1 for sound in sounds))
    before = studio.states()
    other = picture_file(folder / "V01.DF338FC9_1F15001F15095V.mxf", frames=5)
    drop(studio, other)
    studio.wait_for(lambda: runs(studio, other.name) == 1)
    assert studio.states() == {"done": before["done"] + 1}
