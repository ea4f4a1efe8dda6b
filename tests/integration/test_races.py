"""What happens while something else happens: sources that change, places that are taken."""

import json
import os
import shutil
import signal
import threading
import time

import pytest

from tests.studio import assert_whole

MiB = 1 << 20
SLOW = [{"folder": "in", "run": [{"handler": "copy", "seconds": 16}]}]


def gone(it):
    """How many assets the journal takes for gone."""
    return it.query("SELECT COUNT(*) FROM asset WHERE gone_at IS NOT NULL")[0][0]


def has_digest(it, folder):
    """Whether everything in a folder is journaled, by its digest."""
    return bool(it.query("SELECT 1 FROM folder WHERE path = ?", os.fsencode(folder)))


def manifests(it):
    """Where results are published, relative to the storage."""
    # Unlike rglob this lets folders be renamed while it walks.
    found = [folder for folder, _, names in os.walk(it.storage) if "manifest.json" in names]
    return sorted(os.path.relpath(folder, it.storage) for folder in found)


def test_results_of_an_old_version_never_replace_a_new_one(studio):
    """What could not be put into place waits; its source is replaced; the new one stays."""
    it = studio(disk={"min_free": 0, "retry": "2s"})
    obstacle = it.storage / "in_copy" / "a"
    obstacle.parent.mkdir()
    obstacle.write_text("in the way")
    it.start()
    it.drop("in/a.bin", b"version one")
    it.wait_for(lambda: "in_copy/a is in the way" in it.log())
    it.drop("in/a.bin", b"version two")
    it.wait_for(lambda: it.query("SELECT 1 FROM asset WHERE version = 2"))
    obstacle.unlink()
    it.wait_states(done=1, cancelled=1)
    time.sleep(2.5)
    assert it.text_of("in_copy/a/a.bin.copy") == "version two"
    assert it.states() == {"done": 1, "cancelled": 1}


def test_a_source_that_is_written_to_while_it_runs(studio):
    """Half of one version and half of another is never published."""
    it = studio(SLOW)
    it.start()
    path = it.drop("in/a.bin", b"A" * (MiB // 4))
    it.wait_states(running=1)
    time.sleep(1.0)
    with path.open("r+b") as file:
        file.write(b"B" * (MiB // 4))
        file.flush()
        it.wait_for(lambda: "is being changed" in it.log())
        assert manifests(it) == []
    it.wait_for(lambda: it.query("SELECT 1 FROM job WHERE version = 2 AND state = 'done'"))
    assert (it.storage / "in_copy/a/a.bin.copy").read_bytes() == b"B" * (MiB // 4)
    assert_whole(it.storage / "in_copy/a")


def test_a_source_whose_rights_change_while_it_runs(studio):
    """Nothing was written, so what was made of it stands."""
    it = studio(SLOW)
    it.start()
    path = it.drop("in/a.bin", b"A" * (MiB // 4))
    it.wait_states(running=1)
    path.chmod(0o640)
    os.link(path, it.storage / "link.bin")
    it.wait_states(done=1)
    assert it.query("SELECT token FROM job") == [(1,)]
    assert_whole(it.storage / "in_copy/a")


def test_a_source_that_is_renamed_while_it_runs(studio):
    """A run that does not find it any more goes back, and no attempt is counted."""
    it = studio([{"folder": "in", "run": ["act"]}], run={"attempts": 1})
    it.start()
    path = it.drop("in/lost.bin")
    it.wait_for(lambda: any(r["message"] == "reading" for r in it.live().get("running", [])))
    path.rename(path.with_name("found.bin"))
    it.wait_states(done=1)
    assert it.query("SELECT attempts, token FROM job") == [(0, 2)]
    assert manifests(it) == ["in_act/found"]
    rows = it.query("SELECT reason FROM job_event WHERE change = 'give_back'")
    assert rows == [("in/lost.bin is not there any more",)]


@pytest.mark.parametrize("mode", ["inotify", "poll"])
def test_a_folder_that_was_away_for_a_moment(studio, mode):
    """Its files are gone, and there again, although the folder is as it was before."""
    it = studio([{"folder": "in", "run": ["copy"], "mode": mode}])
    it.start()
    it.drop("in/day/a.bin")
    it.wait_states(done=1)
    it.fxd("pause")
    it.drop("in/day/b.bin")
    it.wait_states(done=1, queued=1)
    it.wait_for(lambda: has_digest(it, "in/day"))
    (it.storage / "in/day").rename(it.storage / "away")
    it.wait_for(lambda: gone(it) == 2)
    (it.storage / "away").rename(it.storage / "in/day")
    it.wait_for(lambda: gone(it) == 0)
    it.fxd("resume")
    it.wait_states(done=2)


def test_a_handler_that_is_new_while_a_source_is_away(studio):
    """The source gets its job when it is back."""
    it = studio()
    it.start()
    it.drop("in/day/a.bin")
    it.wait_states(done=1)
    (it.storage / "in/day").rename(it.storage / "away")
    it.wait_for(lambda: gone(it) == 1)
    it.watches = [{"folder": "in", "run": ["copy", "null"]}]
    it.configure()
    it.process.send_signal(signal.SIGHUP)
    it.wait_for(lambda: "configuration reloaded" in it.log())
    (it.storage / "away").rename(it.storage / "in/day")
    it.wait_states(done=2)


@pytest.mark.parametrize("job", [2**63, 2**70])
def test_numbers_beyond_all_jobs(studio, job):
    """What no journal can hold is answered like any other wrong number."""
    it = studio()
    it.start()
    answer = it.fxd("retry", job, check=False)
    assert answer.returncode == 1
    assert it.is_watching()
    it.drop("in/a.bin")
    it.wait_states(done=1)


def test_a_journal_made_anew(studio):
    """Without its old journal the daemon runs what is there and replaces what it once made."""
    it = studio([{"folder": "in", "run": [{"handler": "copy", "note": "one"}]}])
    it.start()
    it.drop("in/a.bin", b"old")
    it.wait_states(done=1)
    it.stop()
    for path in it.state.glob("journal*"):
        path.unlink()
    it.drop("in/a.bin", b"new")
    it.watches[0]["run"] = [{"handler": "copy", "note": "two"}]
    it.configure()
    it.start()
    it.wait_states(done=1)
    assert it.text_of("in_copy/a/a.bin.copy") == "new"
    assert it.text_of("in_copy/a/note.txt") == "two"
    assert_whole(it.storage / "in_copy/a")


def test_results_never_lie_in_other_results(studio):
    """A clip beside a folder of its name has its results beside those of the folder."""
    it = studio()
    it.start()
    it.drop("in/day01.bin", b"top")
    it.wait_states(done=1)
    it.drop("in/day01/a.bin", b"below")
    it.drop("in/DAY02/a.bin", b"below too")
    it.wait_states(done=3)
    it.drop("in/day02.bin", b"late")
    it.wait_states(done=4)
    assert manifests(it) == [
        "in_copy/DAY02/a", "in_copy/day01", "in_copy/day01_2/a", "in_copy/day02_bin",
    ]  # fmt: skip
    (it.storage / "in/day01.bin").rename(it.storage / "in/x.bin")
    it.wait_for(lambda: "in_copy/x" in manifests(it))
    assert "in_copy/day01_2/a" in manifests(it)


def test_a_stop_in_the_middle_of_publishing(studio):
    """What is put into place while the daemon stops is not run again."""
    it = studio()
    it.start()
    it.drop("in/big.bin", bytes(64 * MiB))
    it.wait_for(
        lambda: (
            any("publishing" in run["message"] for run in it.live().get("running", []))
            or it.states() == {"done": 1}
        )
    )
    it.process.send_signal(signal.SIGTERM)
    it.stop()
    it.start()
    it.wait_states(done=1)
    assert it.query("SELECT token, attempts FROM job") == [(1, 0)]


def test_one_full_place_holds_up_no_other(studio):
    """Results that cannot be put into place fill their own output's room alone."""
    it = studio(
        [{"folder": "in", "run": ["copy"]}, {"folder": "other", "run": ["copy"]}],
        disk={"min_free": 0, "retry": "30s"},
    )
    (it.storage / "in_copy").mkdir()
    for number in range(40):
        (it.storage / f"in_copy/{number}").write_text("in the way")
        it.drop(f"in/{number}.bin")
    it.start()
    it.wait_states(running=32, queued=8)
    it.drop("other/a.bin")
    it.wait_states(running=32, queued=8, done=1)


def test_once_ends_although_results_have_no_place(studio):
    """It says what is in the way, by path."""
    it = studio()
    (it.storage / "in_copy").mkdir()
    (it.storage / "in_copy/a").write_text("in the way")
    it.drop("in/a.bin")
    done = it.fxd("once", "--wait", "10s", check=False)
    assert done.returncode == 1
    assert "in_copy/a is in the way of the results; move it elsewhere" in done.stderr


def test_a_sentence_that_could_not_be_written(studio):
    """Why a job failed is told once it can be, and again if the daemon was killed before."""
    it = studio([{"folder": "in", "run": ["act"]}])
    (it.storage / "in_act").mkdir()
    (it.storage / "in_act/_failed").write_text("in the way")
    it.start()
    it.drop("in/bug.bin")
    it.wait_states(failed=1)
    time.sleep(1.0)
    (it.storage / "in_act/_failed").unlink()
    sentence = it.storage / "in_act/_failed/bug.bin.txt"
    it.wait_for(sentence.exists)
    it.process.kill()
    it.process.wait()
    sentence.unlink()
    it.start()
    it.wait_for(sentence.exists)
    assert "a bug in a handler" in sentence.read_text()


def test_a_deleted_output_that_is_configured_no_longer(studio):
    """It is not made again to say in it what failed long ago."""
    it = studio([{"folder": "in", "run": ["act"]}])
    it.start()
    it.drop("in/bug.bin")
    it.wait_for(lambda: it.text_of("in_act/_failed/bug.bin.txt"))
    it.stop()
    it.watches = [{"folder": "in", "run": [{"handler": "act", "output": "elsewhere"}]}]
    it.configure()
    shutil.rmtree(it.storage / "in_act")
    it.start()
    it.drop("in/late-done.bin")
    # Sentences go the same way as this text, and before it.
    it.wait_for(lambda: it.text_of("elsewhere/_status.txt"))
    it.wait_states(failed=1, done=1)
    assert not (it.storage / "in_act").exists()


def test_two_runs_of_one_asset_come_one_after_the_other(studio):
    """Ordered again while it runs, an asset is not run twice at once."""
    it = studio(SLOW, slots={"cpu": 2})
    it.start()
    it.drop("in/a.bin", bytes(MiB // 8))
    it.wait_states(running=1)
    it.fxd("submit", it.storage / "in/a.bin")
    most = 0
    until = time.monotonic() + 60
    while it.states() != {"done": 2} and time.monotonic() < until:
        most = max(most, it.states().get("running", 0))
        time.sleep(0.05)
    assert it.states() == {"done": 2}
    assert most == 1


def test_rubbish_on_the_socket_harms_nothing(studio):
    """Numbers that no Python integer takes are refused."""
    it = studio()
    it.start()
    answers = []

    def ask():
        import socket

        with socket.socket(socket.AF_UNIX) as channel:
            channel.connect(str(it.state / "control.sock"))
            channel.sendall(b'{"command": "retry", "job": Infinity}\n')
            answers.append(json.loads(channel.makefile().readline()))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(60)
    assert "not right" in answers[0]["error"]
    assert it.is_watching()
