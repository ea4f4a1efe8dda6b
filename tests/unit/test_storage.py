"""Which storage this is, who looks after it, and what its file system tells."""

import json
import os
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon import storage
from daemon.errors import NoRoomError, StorageLostError, StorageTakenError
from daemon.modes import WatchMode
from daemon.storage import MARKER, Marker, Mount

MOUNTS = """\
22 27 0:20 / /proc rw,nosuid - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 27 0:40 / /mnt rw - autofs auto rw
31 27 0:41 / /mnt/show\\040one rw,relatime shared:7 master:2 - nfs4 nas:/show rw,vers=4.2
32 31 0:42 / /mnt/show\\040one/local rw - xfs /dev/sdb rw
33 27 0:43 / /srv rw - ext4 /dev/sdc rw
34 27 0:44 / /srv rw - fuse.mergerfs pool rw
35 27 0:45 / /caf\\303\\251 rw - cifs //nas/cafe rw
"""


@pytest.fixture
def mounts(tmp_path):
    """A mount table as the kernel writes it."""
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS)
    return storage.read_mounts(table)


def test_marker_round_trip(tmp_path):
    """What is written is what is read, with this host's name, and nothing is left beside it."""
    written = storage.write_marker(tmp_path)
    assert storage.read_marker(tmp_path) == written
    assert written.host == socket.gethostname()
    assert [path.name for path in tmp_path.iterdir()] == [MARKER]


def test_marker_keeps_its_id(tmp_path):
    """Marking again with a known id changes the host alone; without one the id is new."""
    first = storage.write_marker(tmp_path)
    assert storage.write_marker(tmp_path, first.id) == first
    assert storage.write_marker(tmp_path).id != first.id


def test_marker_warns_people(tmp_path):
    """A person who opens the file reads what it is for."""
    storage.write_marker(tmp_path)
    assert "do not copy or delete" in json.loads((tmp_path / MARKER).read_text())["note"]


def test_no_marker(tmp_path):
    """An empty mount point has none, and a folder that is gone has none either."""
    assert storage.read_marker(tmp_path) is None
    assert storage.read_marker(tmp_path / "gone") is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"id": "1"}', '"text"', "\x00"])
def test_damaged_marker(tmp_path, content):
    """A marker that cannot be read is no marker of ours: nothing may be written."""
    (tmp_path / MARKER).write_text(content)
    with pytest.raises(StorageLostError, match="cannot be read"):
        storage.read_marker(tmp_path)


def test_marker_that_is_a_folder(tmp_path):
    """An error of the file system says the same."""
    (tmp_path / MARKER).mkdir()
    with pytest.raises(StorageLostError, match="cannot be read"):
        storage.read_marker(tmp_path)


def test_adopt(tmp_path):
    """Our own storage is taken, with a new journal and with the one that knows it."""
    marker = storage.write_marker(tmp_path)
    assert storage.adopt(tmp_path, None) == marker
    assert storage.adopt(tmp_path, marker.id) == marker


def test_adopt_nothing(tmp_path):
    """Without a marker the sentence asks about the mount and names the command."""
    with pytest.raises(StorageLostError, match=r"is the share mounted\?.*fxd init"):
        storage.adopt(tmp_path, None)


def test_adopt_another_storage(tmp_path):
    """A journal never meets another storage than its own."""
    marker = storage.write_marker(tmp_path)
    with pytest.raises(StorageLostError, match=f"another storage.*{marker.id}.*0123"):
        storage.adopt(tmp_path, "0123")


def test_adopt_another_host(tmp_path):
    """Where another host looks after the storage this one refuses, and says how to take over."""
    storage.write_marker(tmp_path)
    (tmp_path / MARKER).write_text('{"id": "1", "host": "other"}')
    with pytest.raises(StorageTakenError, match=r"host other; .* --take-over"):
        storage.adopt(tmp_path, "1")


def test_check(tmp_path):
    """Before each scan and publish: the same is fine, none or another stops everything."""
    marker = storage.write_marker(tmp_path)
    storage.check(tmp_path, marker)
    with pytest.raises(StorageLostError, match="another storage now"):
        storage.check(tmp_path, Marker(id=marker.id, host="other"))
    (tmp_path / MARKER).unlink()
    with pytest.raises(StorageLostError, match="is gone"):
        storage.check(tmp_path, marker)


def test_mount_table(mounts):
    """Escapes are undone, optional fields are passed over, the order stays."""
    assert mounts[3] == Mount(point=b"/mnt/show one", kind="nfs4")
    assert mounts[-1] == Mount(point="/café".encode(), kind="cifs")
    assert len(mounts) == 8


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/", "ext4"),
        ("/mnt/show one/dailies", "nfs4"),
        ("/mnt/show one", "nfs4"),
        ("/mnt/show one more", "autofs"),
        ("/mnt/show one/local/x", "xfs"),
        ("/srv/pool", "fuse.mergerfs"),
        ("/café/x", "cifs"),
        ("/home/x", "ext4"),
    ],
)
def test_file_system_of(mounts, folder, kind):
    """The longest mount point holds, of two at one point the later."""
    assert storage.file_system_of(folder, mounts) == kind


def test_file_system_through_a_link(tmp_path, mounts):
    """A link is followed before the table is asked."""
    (tmp_path / "link").symlink_to("/srv")
    assert storage.file_system_of(tmp_path / "link", mounts) == "fuse.mergerfs"


def test_without_a_mount_table():
    """Nothing known is nothing local."""
    assert storage.file_system_of("/", []) == "unknown"
    assert not storage.tells_of_changes("unknown")


def test_this_machine(tmp_path):
    """The kernel's own table is understood."""
    assert storage.file_system_of("/proc", storage.read_mounts()) == "proc"


@pytest.mark.parametrize(
    ("wanted", "kind", "mode"),
    [
        (WatchMode.AUTO, "ext4", WatchMode.INOTIFY),
        (WatchMode.AUTO, "nfs4", WatchMode.POLL),
        (WatchMode.AUTO, "fuse.sshfs", WatchMode.POLL),
        (WatchMode.AUTO, "cifs", WatchMode.POLL),
        (WatchMode.POLL, "ext4", WatchMode.POLL),
        (WatchMode.INOTIFY, "nfs4", WatchMode.INOTIFY),
    ],
)
def test_choose_mode(wanted, kind, mode):
    """Events where one kernel does all the writing, polling elsewhere; a person's word holds."""
    assert storage.choose_mode(wanted, kind) is mode


def test_free_bytes_of_what_is_not_there_yet(tmp_path):
    """An output that will be made is asked for through its nearest folder."""
    assert storage.free_bytes(tmp_path / "a" / "b") == pytest.approx(
        storage.free_bytes(tmp_path), rel=0.1
    )


def test_free_bytes_behind_a_closed_folder(tmp_path):
    """What cannot be asked says so in one sentence, which names the folder."""
    closed = tmp_path / "closed"
    (closed / "out").mkdir(parents=True)
    for folder in (tmp_path, *list(tmp_path.parents)[:-2]):
        folder.chmod(folder.stat().st_mode | 0o111)
    closed.chmod(0)
    user = os.geteuid()
    # Root may enter everything, so it steps down for as long as the test takes.
    os.seteuid(65534 if user == 0 else user)
    try:
        with pytest.raises(NoRoomError, match=r"closed/out cannot .*: Permission denied$"):
            storage.free_bytes(closed / "out")
    finally:
        os.seteuid(user)
        closed.chmod(0o700)


@settings(deadline=None)
@given(st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0")))
def test_any_mount_point(name):
    """Whatever a mount point is called, the kernel's escapes are undone."""
    raw = b"/" + name.replace("/", "-").encode()
    escaped = b"".join(b"\\%03o" % byte if byte in b" \t\n\\" else bytes([byte]) for byte in raw)
    line = b"1 0 0:1 / " + escaped + b" rw - nfs a b\n"
    (mount,) = storage.parse_mounts(line)
    assert mount == Mount(point=raw, kind="nfs")
