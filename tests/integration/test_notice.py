"""Noticing: events, polling, moves, lost shares, overflow; and nothing twice."""

import contextlib
import os
import shutil
import subprocess
import time

import pytest

from daemon.events import EventSource
from tests.studio import REPOSITORY, assert_whole

POLLED = [{"folder": "in", "run": ["copy"], "mode": "poll"}]


def names(it):
    """Return the journaled assets that are there."""
    rows = it.query("SELECT path FROM asset WHERE gone_at IS NULL ORDER BY path")
    return [os.fsdecode(row[0]) for row in rows]


@pytest.mark.parametrize("mode", ["inotify", "poll"])
def test_each_way_of_arriving(studio, tmp_path, mode):
    """Written, moved in, renamed into place, a folder moved in, a tree copied: each runs once."""
    it = studio([{"folder": "in", "run": ["copy"], "mode": mode}])
    it.drop("in/before.bin")
    it.start()
    it.drop("in/written.bin")
    outside = it.storage / "outside"
    (outside / "day/deep").mkdir(parents=True)
    for name in ("moved.bin", "day/one.bin", "day/deep/two.bin"):
        (outside / name).write_bytes(name.encode())
    (outside / "moved.bin").rename(it.storage / "in/moved.bin")
    (outside / "day").rename(it.storage / "in/day")
    part = it.drop("in/renamed.bin.part", b"whole")
    part.rename(it.storage / "in/renamed.bin")
    shutil.copytree(it.storage / "in/day", it.storage / "in/copied")
    it.wait_states(done=8, timeout=60)
    wanted = ["before", "copied/deep/two", "copied/one", "day/deep/two", "day/one", "moved",
              "renamed", "written"]  # fmt: skip
    assert names(it) == [f"in/{name}.bin" for name in wanted]
    for name in wanted:
        assert_whole(it.storage / "in_copy" / name)
    assert it.status()["watches"][0]["mode"] == mode


def test_files_after_a_move_into_the_watch(studio):
    """A folder that was moved in goes on being watched."""
    it = studio()
    it.start()
    outside = it.storage / "outside/card"
    outside.mkdir(parents=True)
    outside.rename(it.storage / "in/card")
    time.sleep(0.5)
    it.drop("in/card/later.bin")
    it.wait_states(done=1)


@pytest.mark.parametrize("mode", ["inotify", "poll"])
def test_replaced_touched_renamed_deleted(studio, mode):
    """A new version runs again, a touch does not, a rename takes the results along."""
    it = studio([{"folder": "in", "run": ["copy"], "mode": mode}])
    it.start()
    path = it.drop("in/a.bin", b"one")
    it.wait_states(done=1)
    path.touch()
    time.sleep(1.5)
    assert it.states() == {"done": 1}
    it.drop("in/a.bin", b"two")
    it.wait_states(done=2)
    assert (it.storage / "in_copy/a/a.bin.copy").read_bytes() == b"two"
    path.rename(it.storage / "in/b.bin")
    it.wait_for((it.storage / "in_copy/b/a.bin.copy").exists)
    assert not (it.storage / "in_copy/a").exists()
    it.wait_for(lambda: names(it) == ["in/b.bin"])
    (it.storage / "in/b.bin").unlink()
    it.wait_for(lambda: names(it) == [])
    assert (it.storage / "in_copy/b/a.bin.copy").read_bytes() == b"two"
    it.drop("in/b.bin", b"two")
    it.wait_for(lambda: names(it) == ["in/b.bin"])
    assert it.states() == {"done": 2}


def test_second_stem_gets_its_own_folder(studio):
    """``A001.wav`` beside ``A001.mov`` keeps its results apart."""
    it = studio()
    it.start()
    it.drop("in/A001.bin", b"1")
    it.wait_states(done=1)
    it.drop("in/A001.dat", b"2")
    it.wait_states(done=2)
    assert (it.storage / "in_copy/A001/A001.bin.copy").exists()
    assert (it.storage / "in_copy/A001_dat/A001.dat.copy").exists()


def test_edits_are_kept_beside_a_new_version(studio):
    """What a person changed or added in the results survives the next version."""
    it = studio()
    it.start()
    it.drop("in/a.bin", b"one")
    it.wait_states(done=1)
    (it.storage / "in_copy/a/note.txt").write_text("mine\n")
    (it.storage / "in_copy/a/extra.txt").write_text("added\n")
    it.drop("in/a.bin", b"two")
    it.wait_states(done=2)
    folder = it.storage / "in_copy/a"
    assert (folder / "note.txt").read_text() == "made by fxd\n"
    assert (folder / "note.edited.txt").read_text() == "mine\n"
    assert (folder / "extra.txt").read_text() == "added\n"
    assert_whole(folder)


@pytest.mark.parametrize("mode", ["inotify", "poll"])
def test_share_goes_away_and_comes_back(studio, mode):
    """Without the marker nothing is written or taken for deleted; later all goes on."""
    it = studio([{"folder": "in", "run": ["copy"], "mode": mode}])
    it.start()
    it.drop("in/a.bin")
    it.wait_states(done=1)
    away = it.storage.with_name("away")
    it.storage.rename(away)
    it.storage.mkdir()
    it.wait_for(lambda: it.status()["watches"][0]["state"] == "lost")
    it.wait_for(lambda: "gone" in it.status()["watches"][0]["reason"])
    time.sleep(1.0)
    assert list(it.storage.iterdir()) == []
    assert names(it) == ["in/a.bin"]
    it.storage.rmdir()
    (away / "in/b.bin").write_bytes(b"came meanwhile")
    away.rename(it.storage)
    it.wait_states(done=2)
    assert names(it) == ["in/a.bin", "in/b.bin"]


def test_share_lost_in_the_middle_of_a_run(studio):
    """A run that loses its storage is given back, without an attempt, and runs later."""
    it = studio([{"folder": "in", "run": [{"handler": "copy", "seconds": 4.0}]}])
    it.start()
    it.drop("in/a.bin", bytes(1 << 20))
    it.wait_states(running=1)
    it.wait_for(lambda: any(r["progress"] for r in it.live()["running"]))
    away = it.storage.with_name("away")
    it.storage.rename(away)
    time.sleep(6)
    assert it.query("SELECT attempts FROM job") == [(0,)]
    away.rename(it.storage)
    it.wait_states(done=1, timeout=90)
    assert it.query("SELECT attempts FROM job") == [(0,)]
    assert_whole(it.storage / "in_copy/a")


def test_watched_folder_is_made_anew(studio):
    """A watched folder that was deleted and made again is watched again."""
    it = studio()
    it.start()
    shutil.rmtree(it.storage / "in")
    it.wait_for(lambda: it.status()["watches"][0]["state"] == "lost")
    (it.storage / "in").mkdir()
    it.wait_for(lambda: it.status()["watches"][0]["state"] == "watching")
    it.drop("in/a.bin")
    it.wait_states(done=1)


def test_another_storage_is_never_written_to(studio):
    """A storage with another id, or another host's, is refused by name."""
    it = studio()
    it.start()
    it.stop()
    marker = it.storage / ".fxd-storage"
    good = marker.read_text()
    marker.write_text('{"id": "other", "host": "elsewhere"}')
    result = it.fxd("run", check=False)
    assert result.returncode == 1
    assert "another storage (other)" in result.stderr
    marker.write_text(good.replace(os.uname().nodename, "elsewhere"))
    assert "looked after by host elsewhere" in it.fxd("run", check=False).stderr
    marker.unlink()
    assert "has no .fxd-storage" in it.fxd("run", check=False).stderr


def test_room_is_waited_for(studio):
    """Below the limit nothing starts; with room it goes on by itself."""
    it = studio(disk={"min_free": 1 << 60, "retry": "1s"})
    it.start()
    it.drop("in/a.bin")
    it.wait_states(queued=1)
    it.wait_for(lambda: "waiting for disk room" in str(it.status()["blocked"]))
    it.configure(disk={"min_free": 0, "retry": "1s"})
    it.process.send_signal(1)
    it.wait_states(done=1)
    assert it.query("SELECT attempts FROM job") == [(0,)]


@pytest.mark.usefixtures("root")
def test_full_disk_is_waited_for(studio):
    """A disk that fills up in mid-run costs no attempt; when there is room again it runs."""
    it = studio()
    output = it.storage / "in_copy"
    output.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", output], check=True)
    try:
        filler = output / "filler"
        filler.write_bytes(bytes(2 << 20))
        it.start()
        it.drop("in/a.bin", bytes(2 << 20))
        it.wait_for(lambda: "disk is full" in str(it.status()["blocked"]))
        assert it.query("SELECT attempts FROM job") == [(0,)]
        filler.unlink()
        it.wait_states(done=1)
        assert_whole(output / "a")
        it.stop()
    finally:
        subprocess.run(["umount", "-l", output], check=True)


@pytest.mark.usefixtures("root")
def test_output_that_cannot_be_written(studio):
    """A read-only output holds its jobs up and burns none; it goes on when it can be written."""
    it = studio()
    output = it.storage / "in_copy"
    output.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", output], check=True)
    try:
        it.start()
        it.drop("in/a.bin")
        it.wait_for(lambda: "cannot be written" in str(it.status()["blocked"]))
        # Each second it is tried again, and runs for the moment in which that fails.
        it.wait_for(lambda: it.query("SELECT state, attempts FROM job") == [("queued", 0)])
        subprocess.run(["mount", "-o", "remount,rw", output], check=True)
        it.wait_states(done=1)
        it.stop()
    finally:
        subprocess.run(["umount", "-l", output], check=True)


def test_overflow_is_seen(tmp_path):
    """A full kernel queue is reported, not passed over in silence."""
    seen = []
    source = EventSource(
        os.fsencode(tmp_path),
        touched=lambda *_: None,
        tree=lambda _: None,
        rights=lambda _: None,
        overflow=lambda: seen.append(True),
    )
    source.start()
    # While its lock is held the reader cannot empty the queue, which holds a limited number.
    with open("/proc/sys/fs/inotify/max_queued_events") as file:
        limit = int(file.read())
    with source._observer._inotify_fd._lock:
        for number in range(limit + 1000):
            os.close(os.open(tmp_path / f"{number}", os.O_CREAT | os.O_WRONLY))
    until = time.monotonic() + 30
    while not seen and time.monotonic() < until:
        time.sleep(0.05)
    source.stop()
    assert seen


@pytest.mark.timeout(600)
def test_sixty_thousand_files(studio):
    """60,000 files as fast as they can be made: each is journaled exactly once."""
    it = studio([{"folder": "in", "run": ["null"]}], slots={"cpu": 1})
    it.start()
    it.fxd("pause")
    count = 60_000
    for folder in range(60):
        os.makedirs(it.storage / f"in/{folder:02}")
    for number in range(count):
        os.close(os.open(it.storage / f"in/{number % 60:02}/{number}.bin", os.O_CREAT | 1, 0o644))

    def journaled():
        found = it.query("SELECT COUNT(*) FROM asset")
        return bool(found) and found[0][0] == count

    it.wait_for(journaled, 400)
    assert it.query("SELECT COUNT(DISTINCT path), COUNT(*) FROM asset") == [(count, count)]
    assert it.query("SELECT COUNT(DISTINCT asset_id), COUNT(*) FROM job") == [(count, count)]
    with contextlib.suppress(ProcessLookupError):
        it.process.kill()


def test_verified_manifest_shortens_the_wait(studio, media):
    """A clip whose hash a media hash list confirms starts long before its quiet time is over."""
    it = studio(
        POLLED, settle={"quiet": "10m", "quiet_network": "10m", "quiet_after_close": "0.3s"}
    )
    folder = it.storage / "in/card"
    folder.mkdir()
    for name in ("listed.mp4", "changed.mp4", "unlisted.mp4"):
        shutil.copy(media / "bigbuckbunny.mp4", folder / name)
    subprocess.run(
        [REPOSITORY / ".venv/bin/ascmhl", "create", "-h", "xxh64", "-sf", folder / "listed.mp4",
         "-sf", folder / "changed.mp4", folder], check=True, capture_output=True)  # fmt: skip
    with (folder / "changed.mp4").open("ab") as file:
        file.write(b"more")
    it.start()
    it.wait_state("in/card/listed.mp4", "done")
    waiting = {item["path"] for item in it.status()["waiting"]}
    assert {"in/card/changed.mp4", "in/card/unlisted.mp4"} <= waiting


def test_verified_card_starts_at_once(studio, media):
    """A card whose own manifest is right in all is complete; with one file lost it waits."""
    # Without a model its job waits, which is all the same here.
    watches = [{"folder": "in", "run": ["edit"], "mode": "poll"}]
    it = studio(
        watches, settle={"quiet": "10m", "quiet_network": "10m", "quiet_after_close": "0.3s"}
    )
    for name in ("WHOLE", "HALF"):
        clips = it.storage / "in" / name / "M4ROOT" / "CLIP"
        clips.mkdir(parents=True)
        for clip in ("C0001.mp4", "C0002.mp4"):
            shutil.copy(media / "bigbuckbunny.mp4", clips / clip)
        subprocess.run(
            [REPOSITORY / ".venv/bin/ascmhl", "create", "-h", "xxh64", it.storage / "in" / name],
            check=True, capture_output=True,
        )  # fmt: skip
    (it.storage / "in/HALF/M4ROOT/CLIP/C0002.mp4").unlink()
    it.start()
    it.wait_for(lambda: names(it) == ["in/WHOLE"])
    it.wait_for(lambda: "in/HALF" in {item["path"] for item in it.status()["waiting"]})
