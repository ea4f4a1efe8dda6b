"""SIGKILL in the very moment in which a card's first results take the place of its day."""

import os
import signal

import pytest

from tests.studio import REPOSITORY, SITE, Studio, assert_whole

GATHER = {"handler": "gather", "sound": ["audio"], "quiet": "0.5s"}
WATCHES = [{"folder": "dailies", "run": ["shelve", GATHER]}, {"folder": "audio", "run": []}]
# Python runs a module of this name at its start; what it hooks is called before each such call.
HOOK = """
import glob, os, signal, sys

def hook(event, _):
    if event not in ("open", "os.rename") or sys.argv[1:2] != ["run"]:
        return
    if os.path.exists({armed!r}) and glob.glob({staged!r}):
        os.unlink({armed!r})
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
"""


@pytest.fixture
def studio(tmp_path):
    """A storage of cards with days, whose daemon kills itself once ``armed`` is there."""
    it = Studio(tmp_path, WATCHES)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    staged = f"{it.storage}/dailies_copy/.fxd-staging-*/*/_day"
    hook = HOOK.format(armed=str(it.storage.parent / "armed"), staged=staged)
    (hooks / "sitecustomize.py").write_text(hook)
    it.environment["PYTHONPATH"] = f"{hooks}:{SITE}:{REPOSITORY}"
    yield it
    it.stop(signal.SIGKILL)


def test_a_kill_between_the_exchange_and_the_journal(studio, media):
    """A renamed card's day, and what a person changed in it, outlive the kill."""
    clip = (media / "bigbuckbunny.mp4").read_bytes()
    studio.drop("dailies/not-yet")
    studio.start()
    studio.drop("dailies/CARD/M4ROOT/CLIP/C0001.mp4", clip)
    studio.wait_state("dailies/CARD/_day", "done")
    studio.wait_state("dailies/CARD", "rejected")
    (studio.storage / "dailies/CARD").rename(studio.storage / "dailies/NEW")
    results = studio.storage / "dailies_copy/NEW"
    studio.wait_for((results / "_day/day.json").is_file)
    studio.wait_for(lambda: not studio.query("SELECT 1 FROM intent"))
    assert [path.name for path in results.iterdir()] == ["_day"]
    (results / "_day/day.json").write_text("mine")
    (results / "_day/notes.txt").write_text("mine, too")
    (studio.storage / "dailies/not-yet").unlink()
    (studio.storage.parent / "armed").touch()
    (job,) = studio.query("SELECT MAX(id) FROM job WHERE handler = 'shelve'")[0]
    studio.fxd("retry", job)
    assert studio.process.wait(60) == -signal.SIGKILL
    studio.start()
    studio.wait_for((results / "C0001/size.txt").is_file)
    studio.wait_for(lambda: not os.path.lexists(studio.storage / "dailies_copy/CARD"))
    studio.wait_states(done=3)
    assert_whole(results)
    assert_whole(results / "_day")
    texts = {path.name: path.read_text() for path in (results / "_day").iterdir()}
    assert texts["day.edited.json"] == "mine"
    assert texts["notes.txt"] == "mine, too"
