"""Folders that may not be read, that the kernel will not watch, or about which people were told."""

import os
import signal
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon import storage, walk
from daemon.config import NoticeConfig, SettleConfig
from daemon.errors import StorageLostError
from daemon.journal import open_writer
from daemon.modes import WatchMode
from daemon.plan import Watch
from daemon.reports import Differs, FolderGone, StateChanged, Unreadable, WatchState
from daemon.watcher import Watcher, WatcherSettings
from handlers.contract import AssetKind

# What may be read although its mode says otherwise is a privilege of root; it is given up here.
NO_OVERRIDE = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
AS_ANYBODY = NO_OVERRIDE if os.geteuid() == 0 else []
# The limit of watched folders is of a user namespace, so that nobody else runs into it.
FEW_WATCHES = ["unshare", "--user", "--map-root-user", "sh", "-c",
               'echo 12 > /proc/sys/user/max_inotify_watches && exec "$@"', "sh"]  # fmt: skip
MODES = pytest.mark.parametrize("mode", ["inotify", "poll"])


def names(it):
    """Return the journaled assets that are there."""
    rows = it.query("SELECT path FROM asset WHERE gone_at IS NULL ORDER BY path")
    return [os.fsdecode(row[0]) for row in rows]


def problems(it):
    """Return what the status says that people must see to."""
    return [item["what"] for item in it.status()["problems"]]


def watched(it):
    """Return how the first watch is doing."""
    return it.status()["watches"][0]


@pytest.fixture
def closable(studio):
    """Make a studio whose daemon may not read what nobody may; all is opened in the end."""
    made = []

    def make(mode, **settings):
        made.append(studio([{"folder": "in", "run": ["copy"], "mode": mode}], **settings))
        return made[-1]

    yield make
    for one in made:
        one.stop()
        for folder, names, _ in os.walk(one.storage / "in"):
            for name in names:
                Path(folder, name).chmod(0o755)


@pytest.fixture
def stepped_down(tmp_path):
    """For a while, be somebody to whom a closed folder is closed: root is not."""
    for folder in (tmp_path, *list(tmp_path.parents)[:-2]):
        folder.chmod(folder.stat().st_mode | 0o111)
    user = os.geteuid()

    @contextmanager
    def step_down():
        os.seteuid(65534 if user == 0 else user)
        try:
            yield
        finally:
            os.seteuid(user)

    return step_down


@MODES
def test_what_is_behind_a_closed_folder_is_not_gone(closable, mode):
    """A day that may not be read for a while keeps its assets, and the note about it goes."""
    it = closable(mode)
    for name in ("in/day/one.bin", "in/day/sub/two.bin", "in/day/sub/deep/three.bin"):
        it.drop(name)
    it.start(prefix=AS_ANYBODY)
    it.wait_states(done=3)
    before = names(it)
    time.sleep(1.5)
    it.stop()
    (it.storage / "in/day").chmod(0)
    it.start(prefix=AS_ANYBODY)
    it.wait_for(lambda: any("cannot look inside" in what for what in problems(it)))
    time.sleep(1.5)
    assert names(it) == before
    (it.storage / "in/day").chmod(0o755)
    it.wait_for(lambda: problems(it) == [])
    it.drop("in/day/sub/deep/four.bin")
    it.wait_states(done=4)
    assert set(before) < set(names(it))
    assert "storage lost" not in it.log()


@MODES
def test_folder_that_closes_while_a_file_settles(closable, mode):
    """One folder that closes does not stop its watch, and its file comes when it opens."""
    it = closable(mode, settle={"quiet": "3s", "quiet_after_close": "3s", "quiet_network": "3s"})
    it.start(prefix=AS_ANYBODY)
    it.drop("in/day/late.bin")
    # The daemon's own file is read at once; a command takes a part of these three seconds.
    it.wait_for(lambda: it.live().get("waiting"))
    (it.storage / "in/day").chmod(0)
    it.wait_for(lambda: any("cannot look inside" in what for what in problems(it)))
    it.drop("in/other.bin")
    it.wait_states(done=1)
    (it.storage / "in/day").chmod(0o755)
    it.wait_states(done=2)
    it.wait_for(lambda: problems(it) == [])
    assert "storage lost" not in it.log()


@pytest.mark.usefixtures("root")
def test_closed_folder_that_is_moved_in(closable):
    """It is named, the watch goes on, and what is in it comes when it opens."""
    it = closable("inotify")
    it.start(prefix=AS_ANYBODY)
    it.drop("outside/day/sub/one.bin")
    (it.storage / "outside/day").chmod(0)
    (it.storage / "outside/day").rename(it.storage / "in/day")
    it.wait_for(lambda: any("cannot look inside" in what for what in problems(it)))
    (it.storage / "in/day").chmod(0o755)
    it.wait_states(done=1)
    it.drop("in/day/sub/two.bin")
    it.wait_states(done=2)
    assert "storage lost" not in it.log()


@MODES
def test_notes_go_with_their_folders(closable, mode):
    """What was said of a folder that held nothing else is forgotten with it."""
    it = closable(mode)
    for name in ("links", "closed", "deep/er"):
        (it.storage / "in" / name).mkdir(parents=True)
    (it.storage / "in/links/a.bin").symlink_to("b.bin")
    (it.storage / "in/deep/er/a.bin").symlink_to("b.bin")
    (it.storage / "in/closed").chmod(0)
    it.start(prefix=AS_ANYBODY)
    it.wait_for(lambda: len(problems(it)) == 3)
    (it.storage / "in/links/a.bin").unlink()
    (it.storage / "in/links").rmdir()
    (it.storage / "in/closed").rmdir()
    (it.storage / "in/deep").rename(it.storage / "elsewhere")
    it.wait_for(lambda: problems(it) == [])


def test_notes_after_a_reload(closable):
    """What holds is told again, what does not is forgotten."""
    it = closable("inotify")
    it.drop("in/day/A.bin")
    it.drop("in/day/a.bin")
    (it.storage / "in/links").mkdir()
    (it.storage / "in/links/a.bin").symlink_to("b.bin")
    it.start()
    it.wait_states(done=2)
    it.wait_for(lambda: len(problems(it)) == 2)
    time.sleep(1.0)
    it.process.send_signal(signal.SIGHUP)
    it.wait_for(lambda: "configuration reloaded" in it.log())
    it.wait_for(lambda: len(problems(it)) == 2)
    it.watches[0]["folder"] = "other"
    (it.storage / "other").mkdir()
    it.configure()
    it.process.send_signal(signal.SIGHUP)
    it.wait_for(lambda: problems(it) == [])


def test_too_many_folders_at_the_start(studio):
    """Where the kernel will not watch all folders, they are polled, and the status says why."""
    it = studio()
    for number in range(20):
        (it.storage / f"in/{number:02}").mkdir()
    it.start(prefix=FEW_WATCHES)
    it.wait_for(lambda: watched(it)["mode"] == "poll")
    assert "limit reached: polling instead" in watched(it)["reason"]
    for number in range(20):
        it.drop(f"in/{number:02}/{number}.bin")
    it.wait_states(done=20)


def test_too_many_folders_later(studio):
    """The same when the limit is reached while the watch goes on."""
    it = studio()
    it.start(prefix=FEW_WATCHES)
    assert watched(it)["mode"] == "inotify"
    for number in range(20):
        (it.storage / f"in/{number:02}").mkdir()
    it.wait_for(lambda: watched(it)["mode"] == "poll")
    assert "limit reached: polling instead" in watched(it)["reason"]
    it.drop("in/19/a.bin")
    it.wait_states(done=1)


@pytest.fixture
def watcher(tmp_path):
    """A watcher that is not started, its storage, and what it reports."""
    root = tmp_path / "storage"
    (root / "in").mkdir(parents=True)
    connection = open_writer(tmp_path)
    said = []
    settings = WatcherSettings(
        storage=root,
        state=tmp_path,
        marker=storage.write_marker(root),
        notice=NoticeConfig(),
    )
    watch = Watch(folder="in", runs=(), mode=WatchMode.POLL, settle=SettleConfig())
    it = Watcher(watch, WatchMode.POLL, settings, said.append)
    yield it, root, said
    it.stop()
    it.run()
    connection.close()


def test_polled_folder_is_watched_while_it_is_looked_at(watcher):
    """Status, which comes often, would else see little but a folder that is being scanned."""
    it, _, said = watcher
    for _ in range(3):
        it._compare_everything()
    states = [report.state for report in said if isinstance(report, StateChanged)]
    assert states == [WatchState.SCANNING] + 3 * [WatchState.WATCHING]


def test_nothing_is_gone_with_its_share(watcher):
    """The marker is looked for after a folder was missed, and before that is told."""
    it, root, said = watcher
    it._folders_gone([b"in/day"])
    assert said == [FolderGone(watch="in", folder=b"in/day")]
    root.rename(root.with_name("away"))
    with pytest.raises(StorageLostError):
        it._folders_gone([b"in/day"])
    assert len(said) == 1


def test_card_with_a_closed_part(watcher, stepped_down):
    """It is not taken for another version without that part, and said to be closed."""
    it, root, said = watcher
    part = root / "in/CARD/M4ROOT"
    part.mkdir(parents=True)
    part.chmod(0)
    with stepped_down():
        it._compare_tree(b"in")
    kinds = [type(report) for report in said]
    assert kinds == [Differs, Unreadable]
    assert said[-1].folder == b"in/CARD"
    part.chmod(0o755)
    it._compare_tree(b"in")
    assert [report.difference.folder for report in said[2:]] == [b"in", b"in/CARD"]


def test_card_that_vanishes_under_the_walk(watcher):
    """It alone is gone, and not the folder in which it lay."""
    it, root, said = watcher
    (root / "in/day/CARD/M4ROOT").mkdir(parents=True)
    folder = walk.scan(os.fsencode(root), b"in/day/CARD")
    (root / "in/day/CARD").rename(root / "away")
    it._compare(folder, whole=AssetKind.CARD, at=0.0)
    assert said == [FolderGone(watch="in", folder=b"in/day/CARD")]
