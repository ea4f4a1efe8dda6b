"""Results that follow their renamed sources: chains and swaps of names, obstacles, kills."""

import contextlib
import json
import os
import sqlite3
from pathlib import Path

import pytest

from daemon import publish
from daemon.publish import Place
from tests.studio import assert_whole

RETRY = {"disk": {"min_free": 0, "retry": "1s"}}


def outputs(it):
    """Return where the journal says that each source's results are."""
    rows = it.query("SELECT asset.path, output.path FROM output JOIN asset ON asset.id = asset_id")
    return {os.fsdecode(source): os.fsdecode(output) for source, output in rows}


def follow(it, expected):
    """Wait until the journal and the folders agree on where the results are."""
    it.wait_for(lambda: outputs(it) == expected and not it.query("SELECT * FROM intent"))
    for source, output in expected.items():
        manifest = assert_whole(it.storage / output)
        rows = it.query("SELECT fingerprint FROM asset WHERE path = ?", os.fsencode(source))
        assert rows == [(manifest["source"]["fingerprint"],)]
    found = {path.parent for path in it.storage.glob("in_copy/*/manifest.json")}
    assert found == {it.storage / output for output in expected.values()}


def rename(it, old, new):
    """Rename a source, and wait until the journal has followed."""
    (it.storage / old).rename(it.storage / new)
    it.wait_for(lambda: new in outputs(it))


def test_renamed_again_while_something_is_in_the_way(studio):
    """Results go through each name in turn; what a person put there is not taken along."""
    it = studio(**RETRY)
    it.start()
    it.drop("in/a.bin", b"content")
    it.wait_states(done=1)
    notes = it.storage / "in_copy/b/notes.txt"
    notes.parent.mkdir()
    notes.write_text("mine")
    rename(it, "in/a.bin", "in/b.bin")
    it.wait_for(lambda: "in_copy/b is in the way" in it.log())
    rename(it, "in/b.bin", "in/c.bin")
    it.drop("in/later.bin")
    it.wait_states(done=2)
    assert notes.read_text() == "mine"
    assert_whole(it.storage / "in_copy/a")
    assert not (it.storage / "in_copy/c").exists()
    it.process.kill()
    it.process.wait()
    notes.parent.rename(it.storage / "in_copy/mine")
    it.start()
    follow(it, {"in/c.bin": "in_copy/c", "in/later.bin": "in_copy/later"})
    assert it.states() == {"done": 2}


def test_made_again_at_the_new_name_before_the_results_followed(studio):
    """What was made there is newer than what still has to follow, which then goes."""
    it = studio(**RETRY)
    it.start()
    it.drop("in/a.bin", b"content")
    it.wait_states(done=1)
    (it.storage / "in_copy/a/edit.txt").write_text("mine")
    (it.storage / "in_copy/b").mkdir()
    rename(it, "in/a.bin", "in/b.bin")
    it.wait_for(lambda: "in_copy/b is in the way" in it.log())
    it.fxd("submit", it.storage / "in/b.bin")
    it.wait_states(done=2)
    it.stop()
    it.start()
    follow(it, {"in/b.bin": "in_copy/b"})
    assert it.text_of("in_copy/b/edit.txt") == "mine"
    assert json.loads(it.text_of("in_copy/b/manifest.json"))["job"] == 2


def test_renamed_twice_in_a_moment(studio):
    """Without anything in the way a chain of names is through at once."""
    it = studio(**RETRY)
    it.start()
    it.drop("in/a.bin", b"content")
    it.wait_states(done=1)
    for old, new in (("a", "b"), ("b", "c"), ("c", "d")):
        rename(it, f"in/{old}.bin", f"in/{new}.bin")
    follow(it, {"in/d.bin": "in_copy/d"})
    assert it.states() == {"done": 1}


def test_a_chain_of_sources_moves_up(studio):
    """Each takes the name that the one before has left."""
    it = studio(**RETRY)
    it.start()
    for name in "abc":
        it.drop(f"in/{name}.bin", f"content of {name}".encode())
    it.wait_states(done=3)
    for old, new in (("c", "d"), ("b", "c"), ("a", "b")):
        rename(it, f"in/{old}.bin", f"in/{new}.bin")
        it.wait_for(lambda: not it.query("SELECT * FROM intent"))
    follow(it, {f"in/{name}.bin": f"in_copy/{name}" for name in "bcd"})
    assert it.states() == {"done": 3}


def test_swapped_by_way_of_a_third_name(studio):
    """Two sources that swap their names swap their results."""
    it = studio(**RETRY)
    it.start()
    for name in "ab":
        it.drop(f"in/{name}.bin", f"content of {name}".encode())
    it.wait_states(done=2)
    for old, new in (("a", "between"), ("b", "a"), ("between", "b")):
        rename(it, f"in/{old}.bin", f"in/{new}.bin")
        it.wait_for(lambda: not it.query("SELECT * FROM intent"))
    follow(it, {"in/a.bin": "in_copy/a", "in/b.bin": "in_copy/b"})
    assert it.text_of("in_copy/a/b.bin.copy") == "content of b"
    assert it.states() == {"done": 2}


def test_swapped_at_once(studio):
    """What has other content than before under its name is another version, and runs."""
    it = studio(**RETRY)
    it.start()
    for name in "ab":
        it.drop(f"in/{name}.bin", f"content of {name}".encode())
    it.wait_states(done=2)
    folder = it.storage / "in"
    it.fxd("pause")
    (folder / "a.bin").rename(folder / ".between")
    (folder / "b.bin").rename(folder / "a.bin")
    (folder / ".between").rename(folder / "b.bin")
    it.wait_for(lambda: it.query("SELECT COUNT(*) FROM asset WHERE version = 2") == [(2,)])
    it.fxd("resume")
    it.wait_states(done=4)
    follow(it, {"in/a.bin": "in_copy/a", "in/b.bin": "in_copy/b"})
    assert it.text_of("in_copy/a/a.bin.copy") == "content of b"
    assert it.text_of("in_copy/b/b.bin.copy") == "content of a"


@pytest.fixture
def chain(service):
    """A stopped service's journal with results at x, that have still to follow to y, then z."""
    it, daemon = service
    with daemon._assembled():
        place = Place(
            storage=it.storage, storage_id=daemon.parts.storage_id, journal="j", root="in_act",
            output="in_act/x", job=1, token=1,
        )  # fmt: skip
        publish.prepare(place)
        publish.publish(place, [], {"source": {}})
        for source, target in ((b"x", b"y"), (b"y", b"z")):
            daemon.parts.connection.execute(
                "INSERT INTO intent (kind, source, target) VALUES ('move', ?, ?)",
                (b"in_act/" + source, b"in_act/" + target),
            )
    return it, daemon


# What is noted was done.
@pytest.mark.parametrize(("moved", "noted"), [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)])
def test_kill_between_the_moves(chain, moved, noted):
    """Whatever of a chain was done, and whatever of that was noted, the start completes it."""
    it, daemon = chain
    names = "xyz"
    (it.storage / "in_act/x").rename(it.storage / "in_act" / names[moved])
    with contextlib.closing(sqlite3.connect(it.state / "journal.sqlite3")) as journal:
        journal.execute("DELETE FROM intent WHERE id <= ?", (noted,))
        journal.commit()
    with daemon._assembled():
        assert daemon.parts.store.moves() == []
    assert json.loads((it.storage / "in_act/z/manifest.json").read_text())["job"] == 1
    assert sorted(path.name for path in Path(it.storage / "in_act").glob("[xyz]")) == ["z"]
