"""The service's own life: starting, reloading, draining, orders, other users, systemd."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from daemon.service import Signalled
from tests.studio import FAST, REPOSITORY, Studio, assert_whole

ACT = [{"folder": "in", "run": ["act"]}]


def slow_copy(seconds):
    """Return a watch whose copies take this long for each MiB."""
    return [{"folder": "in", "run": [{"handler": "copy", "seconds": seconds}]}]


def test_sigterm_finishes_what_runs(studio):
    """A running job is finished within the limit, a queued one waits for the next start."""
    it = studio(slow_copy(2.0), slots={"cpu": 1}, run={"drain": "30s"})
    # Both are there at the start, so that the second waits while the first runs.
    it.drop("in/a.bin", bytes(1 << 20))
    it.drop("in/b.bin", bytes(1 << 20))
    it.start()
    it.wait_states(running=1, queued=1)
    assert it.stop() == 0
    assert it.states() == {"done": 1, "queued": 1}
    assert_whole(it.storage / "in_copy/a")
    it.start()
    it.wait_states(done=2)


def test_signal_while_the_journal_is_put_down(service):
    """One that comes while everything is stopped, to wait for the journal, is not forgotten."""
    _, daemon = service
    with daemon._assembled():
        daemon._inbox.put(Signalled(signal.SIGTERM))
    assert not daemon._pause(5.0)


def test_second_sigterm_stops_now(studio):
    """A second signal does not wait; no attempt is counted."""
    it = studio(slow_copy(60.0), run={"drain": "60s"})
    it.start()
    it.drop("in/a.bin", bytes(1 << 20))
    it.wait_states(running=1)
    it.process.send_signal(signal.SIGTERM)
    it.wait_for(lambda: it.live().get("draining"))
    assert it.stop() == 0
    assert it.query("SELECT state, attempts FROM job") == [("queued", 0)]


def test_drain_has_a_limit(studio):
    """What does not end in time is stopped and queued again."""
    it = studio(slow_copy(60.0), run={"drain": "1s"})
    it.start()
    it.drop("in/a.bin", bytes(1 << 20))
    it.wait_states(running=1)
    assert it.stop() == 0
    assert it.query("SELECT state, attempts FROM job") == [("queued", 0)]


def test_reload(studio):
    """SIGHUP takes a valid file, with new watches and handlers; an invalid one changes nothing."""
    it = studio()
    it.start()
    it.drop("in/a.bin")
    it.wait_states(done=1)
    good = it.config.read_text()
    it.config.write_text(good + "wrong: key\n")
    it.process.send_signal(signal.SIGHUP)
    it.wait_for(lambda: "no such key" in it.status()["daemon"]["config_error"])
    it.drop("in/b.bin")
    it.wait_states(done=2)
    (it.storage / "more").mkdir()
    it.drop("more/c.bin")
    it.watches = [{"folder": "in", "run": ["copy", "null"]}, {"folder": "more", "run": ["copy"]}]
    it.configure(log={"level": "warning"})
    it.process.send_signal(signal.SIGHUP)
    # The new watch's file, and the new handler on what was there before.
    it.wait_states(done=5)
    assert '"configuration reloaded"' not in it.log()
    it.wait_for(lambda: it.status()["daemon"]["config_error"] == "")
    it.wait_for(lambda: {w["folder"] for w in it.status()["watches"]} == {"in", "more"})


def test_children_log_as_the_daemon_does(studio):
    """What handlers say has the form that the daemon's own lines have, and its least level."""
    it = studio([{"folder": "in", "run": ["null"]}])
    it.start()
    it.drop("in/a.bin")
    it.wait_states(done=1)
    lines = [json.loads(line) for line in it.log().splitlines()]
    assert [line["job"] for line in lines if line["event"] == "makes nothing"] == [1]
    it.stop()
    it.configure(log={"level": "warning"})
    it.start()
    it.drop("in/b.bin")
    it.wait_states(done=2)
    assert it.log().count("makes nothing") == 1


def test_watch_of_another_folder(studio):
    """What came by a watch of the folder around belongs to the watch that is there now."""
    it = studio()
    it.start()
    it.drop("in/day/a.bin")
    it.drop("in/b.bin")
    it.wait_states(done=2)
    it.watches = [{"folder": "in/day", "run": ["copy", "null"]}]
    it.configure()
    it.process.send_signal(signal.SIGHUP)
    it.wait_states(done=3)
    assert_whole(it.storage / "in/day_null/a")
    it.fxd("submit", it.storage / "in/day/a.bin", "--handler", "copy")
    it.wait_states(done=4)
    it.stop()
    it.watches = [{"folder": "in", "run": ["copy", "act"]}]
    it.configure()
    it.start()
    it.wait_states(done=6)
    assert {path.name for path in (it.storage / "in_act").rglob("[ab]")} == {"a", "b"}


def test_handlers_are_chained(studio):
    """A watch on another handler's output takes what is published there."""
    it = studio(
        [{"folder": "in", "run": ["copy"]}, {"folder": "in_copy", "run": ["null"]}],
    )
    (it.storage / "in_copy").mkdir(exist_ok=True)
    it.start()
    it.drop("in/a.bin")
    it.wait_states(done=3)
    assets = [row[0] for row in it.query("SELECT path FROM asset ORDER BY path")]
    assert assets == [b"in/a.bin", b"in_copy/a/a.bin.copy", b"in_copy/a/note.txt"]


def test_pause_resume_submit(studio):
    """Paused, nothing new starts, also after a restart; submit runs a finished asset again."""
    it = studio()
    it.start()
    it.fxd("pause")
    it.drop("in/a.bin")
    it.wait_states(queued=1)
    it.stop()
    it.start()
    time.sleep(1.0)
    assert it.states() == {"queued": 1}
    assert it.status()["daemon"]["paused"]
    it.fxd("resume")
    it.wait_states(done=1)
    answer = json.loads(it.fxd("submit", it.storage / "in/a.bin", "--json").stdout)
    assert len(answer["jobs"]) == 1
    it.wait_states(done=2)
    it.fxd("submit", it.storage / "in/a.bin", "--handler", "null")
    it.wait_states(done=3)
    assert_whole(it.storage / "in_null/a")
    outside = it.fxd("submit", "/etc/hostname", check=False)
    assert outside.returncode == 1
    assert "outside the storage" in outside.stderr


def test_orders_on_a_stopped_daemon(studio):
    """Without a daemon the same orders change its journal."""
    it = studio(ACT)
    it.start()
    it.drop("in/bug.bin")
    it.wait_states(failed=1)
    it.stop()
    assert it.status()["daemon"]["running"] is False
    it.fxd("retry", "--failed")
    assert it.states() == {"queued": 1}
    job = it.query("SELECT id FROM job")[0][0]
    it.fxd("cancel", job)
    assert it.states() == {"cancelled": 1}
    refused = it.fxd("cancel", job, check=False)
    assert refused.returncode == 1
    unknown = it.fxd("retry", 99, check=False)
    assert "there is no job 99" in unknown.stderr
    assert it.fxd("retry", check=False).returncode == 2


def test_once(studio):
    """``once`` does what is there and exits; a bad asset makes it exit 1."""
    it = studio(ACT)
    it.drop("in/a.bin")
    assert it.fxd("once").returncode == 0
    assert it.states() == {"done": 1}
    it.drop("in/unusable.bin")
    assert it.fxd("once", check=False).returncode == 1
    assert it.states() == {"done": 1, "rejected": 1}
    assert it.fxd("once").returncode == 0


def test_once_names_what_grows(studio):
    """A file that never becomes quiet makes ``once`` end with 1 and its name."""
    it = studio()
    it.drop("in/whole.bin")
    with (it.storage / "in/growing.bin").open("wb") as file:
        file.write(b"part")
        file.flush()
        result = it.fxd("once", "--wait", "8s", check=False)
    assert result.returncode == 1
    assert "growing.bin" in result.stderr
    assert "still open" in result.stderr
    assert it.states() == {"done": 1}


@pytest.fixture
def open_folder():
    """Give a folder that other users may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.mark.usefixtures("root")
def test_status_for_another_user(open_folder):
    """A user who may only read sees the status, with the daemon running or not."""
    it = Studio(open_folder, [{"folder": "in", "run": ["copy"]}])
    try:
        _compare_what_another_user_sees(it)
    finally:
        it.stop()


def _compare_what_another_user_sees(it):
    it.start()
    it.drop("in/a.bin")
    it.wait_states(done=1)

    def seen():
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable]
        script = (
            "import json, sys; from pathlib import Path; from daemon.status import gather;"
            f"print(json.dumps(gather(Path({str(it.config)!r}))))"
        )
        result = subprocess.run(
            [*command, "-c", script], capture_output=True, text=True, cwd=REPOSITORY, check=False
        )
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    running = seen()
    assert running["daemon"]["running"]
    assert running["jobs"]["done"] == 1
    assert running["recent"][0]["output"] == "in_copy/a"
    it.stop()
    stopped = seen()
    assert not stopped["daemon"]["running"]
    assert stopped["jobs"]["done"] == 1


def test_systemd_is_told(studio, tmp_path):
    """READY, STATUS, RELOADING, WATCHDOG and STOPPING arrive at a real datagram socket."""
    it = studio()
    path = tmp_path / "notify"
    said = []

    def listen():
        # As systemd does: the kernel holds ten datagrams that nobody has read, and no more.
        while "STOPPING=1" not in said:
            said.extend(listener.recv(65536).decode().splitlines())

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(60)
        it.environment = dict(it.environment) | {
            "NOTIFY_SOCKET": str(path),
            "WATCHDOG_USEC": "1000000",
        }
        reader = threading.Thread(target=listen)
        reader.start()
        it.start()
        it.process.send_signal(signal.SIGHUP)
        it.wait_for(lambda: {"RELOADING=1", "WATCHDOG=1"} <= {*said})
        assert it.stop() == 0
        reader.join(60)
    kinds = {line.partition("=")[0] for line in said}
    assert {"READY", "STATUS", "RELOADING", "WATCHDOG", "STOPPING", "MONOTONIC_USEC"} <= kinds
    assert said.index("READY=1") < said.index("RELOADING=1") < said.index("STOPPING=1")


def test_job_waits_for_its_model(studio, media, models_dir, tmp_path):
    """Without its model a job is QUEUED with that reason, and runs when it is installed."""
    empty = tmp_path / "models"
    empty.mkdir()
    it = studio([{"folder": "dailies", "run": ["edit"]}], models=empty)
    it.start()
    shutil.copy(media / "bigbuckbunny.mp4", it.storage / "dailies/a.mp4")
    it.wait_states(queued=1)
    reasons = [item["reason"] for item in it.status()["waiting"]]
    assert any("fxd models install transnetv2" in reason for reason in reasons)
    shutil.copytree(models_dir / "transnetv2", empty / "transnetv2")
    it.wait_states(done=1, timeout=150)
    manifest = assert_whole(it.storage / "dailies_edit/a")
    licences = {model["name"]: model["licence"] for model in manifest["models"]}
    assert licences == {"transnetv2": "MIT", "shots": "Apache-2.0"}


def test_priority_and_age(studio):
    """Higher priorities run first, then the older."""
    it = studio(
        [
            {"folder": "late", "run": ["null"]},
            {"folder": "soon", "run": [{"handler": "null", "priority": 5}]},
        ],
        slots={"cpu": 1},
    )
    it.start()
    it.fxd("pause")
    it.drop("late/a.bin")
    it.wait_states(queued=1)
    it.drop("late/b.bin")
    it.drop("soon/c.bin")
    it.wait_states(queued=3)
    it.fxd("resume")
    it.wait_states(done=3)
    order = it.query(
        "SELECT path FROM job_event JOIN job ON job.id = job_id JOIN asset ON asset.id = asset_id"
        " WHERE change = 'claim' ORDER BY job_event.id"
    )
    assert [row[0] for row in order] == [b"soon/c.bin", b"late/a.bin", b"late/b.bin"]


def pids(it):
    """Return the process of each run, in the order of the runs."""
    rows = it.query("SELECT json_extract(metrics, '$.pid') FROM job ORDER BY changed_at")
    return [row[0] for row in rows]


def test_children_are_recycled(studio):
    """A child is replaced after its number of runs, however well it did."""
    it = studio(run={"recycle_after": 2}, slots={"cpu": 1})
    it.start()
    for number in range(5):
        it.drop(f"in/{number}.bin", bytes(1 << 16))
    it.wait_states(done=5)
    first, second, third, fourth, fifth = pids(it)
    assert (first, third) == (second, fourth)
    assert len({first, third, fifth}) == 3


def test_child_that_leaks_is_replaced(studio):
    """One that keeps too much is replaced before its next run would be killed for it."""
    it = studio(ACT, slots={"cpu": 1})
    it.start()
    for number, name in enumerate(["small", "leak", "next"]):
        it.drop(f"in/{name}.bin")
        it.wait_states(done=number + 1)
    small, leak, after = pids(it)
    assert small == leak != after


@pytest.mark.usefixtures("root")
def test_group_and_mode_of_results(studio):
    """Results get the group and mode of the folder around them, never 0700."""
    it = studio()
    it.storage.chmod(0o2775)
    os.chown(it.storage, -1, 12345)
    it.start()
    it.drop("in/a.bin")
    it.wait_states(done=1)
    for path in [it.storage / "in_copy", it.storage / "in_copy/a"]:
        assert (path.stat().st_mode & 0o7777, path.stat().st_gid) == (0o2775, 12345)
    info = (it.storage / "in_copy/a/note.txt").stat()
    assert (info.st_mode & 0o7777, info.st_gid) == (0o664, 12345)


@pytest.mark.usefixtures("root")
def test_full_state_disk_is_waited_for(studio):
    """A journal that cannot be written stops nothing for good: later all is there."""
    it = studio()
    # Room for the journal and for all that it may write ahead, which is 4 MB.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", it.state], check=True)
    try:
        it.start()
        it.drop("in/a.bin")
        it.wait_states(done=1)
        filler = it.state / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        for number in range(40):
            it.drop(f"in/{number}.bin")
        it.wait_for(lambda: "journal cannot be written" in it.log())
        filler.unlink()
        it.wait_states(done=41, timeout=90)
        it.stop()
    finally:
        subprocess.run(["umount", "-l", it.state], check=True)


def test_command_is_told_of_every_end(studio, tmp_path):
    """The studio's own command gets each finished job as JSON; its failures harm nothing."""
    told = tmp_path / "told.jsonl"
    command = ["sh", "-c", f"cat >> {told}; exit 3"]
    it = studio(ACT, notify={"command": command})
    it.start()
    it.drop("in/fine.bin")
    it.wait_states(done=1)
    it.drop("in/unusable.bin")
    it.wait_states(done=1, rejected=1)
    jobs = it.wait_for(lambda: told.exists() and len(told.read_text().splitlines()) == 2 and told)
    first, second = map(json.loads, jobs.read_text().splitlines())
    assert (first["asset"], first["state"], first["output"]) == (
        "in/fine.bin",
        "done",
        "in_act/fine",
    )
    assert (second["state"], second["handler"]) == ("rejected", "act")
    assert "holds no picture" in second["reason"]
    assert "the notify command failed" in it.log()


def test_whole_content_decides_when_asked(studio):
    """With full_hash a change between the sampled places is a new version."""
    content = bytearray(64 << 20)
    it = studio([{"folder": "in", "run": ["null"]}], settle=FAST["settle"] | {"full_hash": True})
    it.start()
    path = it.drop("in/a.bin", content)
    it.wait_states(done=1)
    with path.open("r+b") as file:
        file.seek(2_500_000)
        file.write(b"changed")
    it.wait_states(done=2)
